import { STEPS } from '../../../core/cutover/cutover-config';
import { RECOVERY_PAUSE_SECONDS } from '../../../core/cutover/recovery';
import { findStepSeconds, findStragglerSeconds, STEP_SECONDS } from '../../../core/cutover/step-limits';
import { SWITCH_FIELDS } from '../../../core/plan/switch-plan';

const MAX_PAUSE_SECONDS = SWITCH_FIELDS.maxPauseMs.max / 1000;

test('steps that may switch have time for the longest pause beside their own', () => {
  for (const step of ['switch', 'rollback', 'recover'] as const)
    expect(findStepSeconds(step)).toBeGreaterThanOrEqual(MAX_PAUSE_SECONDS + STEP_SECONDS);
});

test('a recovery outlasts every step that moves traffic on, and ends before it is called again', () => {
  // The others move nothing, or move it back.
  const others = ['preflight', 'hook', 'complete', 'rollback', 'recover', 'undrain', 'holdDryRun'];
  const movesOn = STEPS.filter((step) => !others.includes(step));
  const longest = Math.max(...movesOn.map(findStepSeconds));
  const switching = findStragglerSeconds({ strategy: 'drainThenShift' });
  expect(switching).toBeGreaterThan(longest);
  const unswitched = movesOn.filter((step) => step !== 'switch').map(findStepSeconds);
  const gradual = findStragglerSeconds({ strategy: 'gradual' });
  expect(gradual).toBeGreaterThan(Math.max(...unswitched));
  // Two rollbacks, of which one switches.
  expect(switching + MAX_PAUSE_SECONDS + 2 * STEP_SECONDS).toBeLessThanOrEqual(findStepSeconds('recover'));
  expect(findStepSeconds('recover')).toBeLessThan(RECOVERY_PAUSE_SECONDS);
});
