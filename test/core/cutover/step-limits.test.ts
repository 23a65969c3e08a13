import { STEPS } from '../../../core/cutover/cutover-config';
import { RECOVERY_PAUSE_SECONDS } from '../../../core/cutover/recovery';
import { findStepSeconds, isLookingStep, STEP_SECONDS, STRAGGLER_SECONDS } from '../../../core/cutover/step-limits';
import { SWITCH_FIELDS } from '../../../core/plan/switch-plan';

const MAX_PAUSE_SECONDS = SWITCH_FIELDS.maxPauseMs.max / 1000;

test('steps that may switch have time for the longest pause beside their own', () => {
  for (const step of ['switch', 'rollback', 'recover'] as const)
    expect(findStepSeconds(step)).toBeGreaterThanOrEqual(MAX_PAUSE_SECONDS + STEP_SECONDS);
});

test('a recovery outlasts every check of a step that moves traffic on, and ends before it is called again', () => {
  // The others move nothing, or move it back; those that look again and again read the lock with each look.
  const others = ['preflight', 'hook', 'complete', 'rollback', 'recover', 'undrain', 'holdDryRun', 'doctor'];
  const movesOn = STEPS.filter((step) => !others.includes(step) && !isLookingStep(step));
  expect(STRAGGLER_SECONDS).toBeGreaterThan(Math.max(...movesOn.map(findStepSeconds), 2 * STEP_SECONDS));
  // Two rollbacks, of which one switches.
  expect(STRAGGLER_SECONDS + MAX_PAUSE_SECONDS + 2 * STEP_SECONDS).toBeLessThanOrEqual(findStepSeconds('recover'));
  expect(findStepSeconds('recover')).toBeLessThan(RECOVERY_PAUSE_SECONDS);
});

test('no function has more time than Lambda grants, and those that look again and again are the ones that wait', () => {
  expect(Math.max(...STEPS.map(findStepSeconds))).toBeLessThanOrEqual(900);
  expect(STEPS.filter(isLookingStep).sort()).toEqual([
    'approve',
    'bake',
    'drain',
    'hook',
    'preflight',
    'shift',
    'verify',
  ]);
});
