import {
  formatFaultTable,
  formatFaults,
  listFaultRows,
  listSpellings,
  parseAsked,
} from '../../../rehearsal/faults/describe';
import { PHASES, isReached, type Phase } from '../../../rehearsal/faults/phases';
import { FAULTS, findEnding, listAsked } from '../../../rehearsal/faults/table';

test('a fault is asked for by its name, and by the phase at which it begins', () => {
  expect(parseAsked('target-errors@drain')).toEqual({ name: 'target-errors', phase: 'drain' });
  expect(parseAsked('proxy-crash-loop')).toEqual({ name: 'proxy-crash-loop', phase: 'shift' });
  expect(parseAsked('stop')).toEqual({ name: 'stop', phase: 'bake' });
  expect(parseAsked('alarm')).toEqual({ name: 'alarm', phase: 'confirm' });
  // Of a switch, at a part of its step.
  expect(parseAsked('function-killed@decide')).toEqual({ name: 'function-killed', part: 'decide' });
  expect(parseAsked('store-away@drain')).toEqual({ name: 'store-away', phase: 'drain' });
  expect(parseAsked('store-away@settle')).toEqual({ name: 'store-away', part: 'settle' });
});

test.each([
  ['broken', /^must be one of target-dead, .*\(see --list-faults\), got 'broken'$/],
  ['constructor@bake', /^must be one of target-dead, /],
  ['', /got ''$/],
  ['alarm@lock', /^must be alarm or one of alarm@confirm, alarm@bake, .*, got 'alarm@lock'$/],
  ['function-killed@bake', /^must be function-killed or one of function-killed@claim, .*, got 'function-killed@bake'$/],
  // It takes a plan with a hook.
  ['hook-fails', /got 'hook-fails'$/],
  ['alarm@', /got 'alarm@'$/],
  ['alarm@bake@drain', /got 'alarm@bake@drain'$/],
  ['alarm@toString', /got 'alarm@toString'$/],
])('what is no fault, or no phase of it, is rejected with what there is: %s', (text, message) => {
  expect(() => parseAsked(text)).toThrow(message);
});

test('every fault says what it does, begins at phases that there are, and says how it ends', () => {
  for (const { name, phase } of listAsked()) {
    expect(FAULTS[name].does).toMatch(/^[A-Z].*\.$/);
    expect(Object.keys(PHASES)).toContain(phase);
    expect(findEnding({ name, phase }).outcomes.length).toBeGreaterThan(0);
    expect(listSpellings()).toEqual(expect.arrayContaining([name, `${name}@${phase}`]));
  }
  expect(new Set(listSpellings()).size).toBe(listSpellings().length);
});

test('what is listed has the ending of each phase, and the exit code of it', () => {
  const rows = listFaultRows();
  const gradual = rows.filter(({ isOfSwitch }) => !isOfSwitch);
  const listed = gradual.flatMap(({ name, phases }) => phases.map((phase) => `${name}@${phase}`));
  expect(listed.sort()).toEqual(
    listAsked()
      .map(({ name, phase }) => `${name}@${phase}`)
      .sort(),
  );
  expect(rows.filter(({ name }) => name === 'source-dead')).toMatchObject([
    { phases: ['shift', 'bake'], outcomes: ['failed'], exitCodes: [6] },
    { phases: ['last-bake', 'drain'], outcomes: ['completed'], exitCodes: [0, 4] },
  ]);
  expect(rows.find(({ name }) => name === 'second-cutover')).toMatchObject({ exitCodes: [0], losses: 'none' });
  for (const { name, does, isOfSwitch } of rows) {
    expect(formatFaults()).toContain(`\n${name}\n  ${does}\n`);
    expect(formatFaultTable(isOfSwitch)).toContain(`| \`${name}\`: ${does} |`);
  }
});

const enter = (...states: string[]) => states.map((state) => ({ state, at: new Date(0) }));
const FIRST = ['Lock', 'Preflight', 'Shift', 'Confirm', 'Bake'];

test.each<[Phase, string[]]>([
  ['lock', ['Lock']],
  ['shift', ['Lock', 'Preflight', 'Shift']],
  ['bake', FIRST],
  ['first-hook', ['Lock', 'Preflight', 'FirstHook']],
  ['hook', [...FIRST, 'Hook']],
  ['last-shift', [...FIRST, 'WaitToBake', 'Bake', 'Shift']],
  ['last-shift', [...FIRST, 'Shift', 'WaitToShift', 'Shift']],
  ['last-bake', [...FIRST, 'Shift', 'Confirm', 'Bake']],
  ['drain', [...FIRST, 'Shift', 'Confirm', 'Bake', 'Drain']],
  // A hook, a person or a window may be between two visits of one stage's shift.
  ['last-bake', [...FIRST, 'Shift', 'Hook', 'Shift', 'Ask', 'Shift', 'Confirm', 'Bake']],
  ['hook', [...FIRST, 'Shift', 'Hook']],
  ['hook', [...FIRST, 'Shift', 'Confirm', 'Bake', 'Hook']],
  ['bake', ['Lock', 'Preflight', 'Switch', 'Hook', 'Switch', 'WaitToSwitch', 'Switch', 'Confirm', 'Bake']],
  // A plan that switches has one stage, and no shift.
  ['bake', ['Lock', 'Preflight', 'Switch', 'Confirm', 'Bake']],
])('%s begins at its state', (phase, states) => {
  const stages = states.includes('Switch') ? 1 : 2;
  expect(isReached(phase, enter(...states), stages)).toBe(true);
  expect(isReached(phase, enter(...states.slice(0, -1)), stages)).toBe(false);
});

test('the first and the last bake are two of a plan of two stages', () => {
  const last = enter(...FIRST, 'Shift', 'Confirm', 'Bake');
  expect([isReached('bake', last, 2), isReached('last-bake', enter(...FIRST), 2)]).toEqual([false, false]);
});
