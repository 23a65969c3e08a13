import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { floorProblems, rehearsedPlan } from '../../../rehearsal/run/plan';
import type { MachineDescription } from '../../../rehearsal/state-machine/model';

const folder = mkdtempSync(join(tmpdir(), 'drainshift-strategy-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SHARED = { pointOfNoReturn: 'shared' };
const SWITCH = { strategy: 'drainThenShift', switch: SHARED };

/** A state machine that was deployed with this plan. */
function machine(defaultPlan: object): MachineDescription {
  const definition = { States: { Lock: { Parameters: { Payload: { defaultPlan } } } } };
  return { definition: JSON.stringify(definition) } as unknown as MachineDescription;
}

function planFile(plan: object): string {
  const file = join(folder, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  return file;
}

test('a switch has one stage; its own backends share their store', () => {
  const asked = { strategy: 'drain-then-shift', isStoreShared: true } as const;
  const stages = [{ weights: { source: 50, target: 50 }, bakeSeconds: 60 }];
  const plan = rehearsedPlan(machine({ stages, pollSeconds: 5 }), asked, 1);
  expect(plan).toMatchObject({ strategy: 'drainThenShift', pollSeconds: 5, switch: SHARED });
  expect(plan.stages).toMatchObject([{ weights: { source: 0, target: 100 } }]);
});

test('what becomes of writes in backends of a user the user must say', () => {
  const asked = { strategy: 'drain-then-shift', isStoreShared: false } as const;
  expect(() => rehearsedPlan(machine({}), asked, 1)).toThrow(
    "'switch.pointOfNoReturn' must be 'shared', 'replay' or 'acceptLoss'",
  );
  const file = planFile({ switch: { pointOfNoReturn: 'acceptLoss', maxPauseMs: 900 } });
  expect(rehearsedPlan(machine({}), { ...asked, plan: file }, 1).switch).toMatchObject({
    pointOfNoReturn: 'acceptLoss',
    maxPauseMs: 900,
  });
});

test('the strategy of a deployed plan stays, and a plan file has its own', () => {
  expect(rehearsedPlan(machine(SWITCH), { isStoreShared: true }, 1).strategy).toBe('drainThenShift');
  const file = planFile({ ...SWITCH, switch: { ...SHARED, attemptSeconds: 60 } });
  const plan = rehearsedPlan(machine({}), { plan: file, isStoreShared: true }, 60);
  expect(plan.switch).toMatchObject({ attemptSeconds: 1, maxPauseMs: 5_000 });
  const gradual = rehearsedPlan(machine(SWITCH), { strategy: 'gradual', isStoreShared: true }, 1);
  expect(gradual).toMatchObject({ strategy: 'gradual' });
  expect(gradual).not.toHaveProperty('switch');
});

test('the state of its own backends goes along in a switch, in place of a hook', () => {
  const asked = { strategy: 'drain-then-shift', isStoreShared: true } as const;
  const hook = { http: { verify: '/verify' } };
  const deployed = machine({ ...SWITCH, switch: { ...SHARED, hook } });
  const http = rehearsedPlan(deployed, { ...asked, state: 'http' }, 1).switch;
  expect(http).toMatchObject({ ...SHARED, state: { http: { path: '/internal/state' } } });
  expect(http?.hook).toBeUndefined();
  const stores = { source: 'redis://127.0.0.1:1', target: 'redis://127.0.0.1:2' };
  for (const [state, method] of [['valkey', 'copy'] as const, ['valkey-replicate', 'replicate'] as const]) {
    expect(rehearsedPlan(deployed, { ...asked, state, stores }, 1).switch?.state?.valkey).toMatchObject({
      ...{ method, source: { url: stores.source }, target: { url: stores.target } },
    });
  }
  expect(() => rehearsedPlan(machine({}), { isStoreShared: true, state: 'http' }, 1)).toThrow(
    "'--state' must be of a plan that switches (--strategy drain-then-shift), got another one",
  );
});

test('a rehearsal says when a deployed cutover would reject the strategy', () => {
  const asked = { strategy: 'drain-then-shift', isStoreShared: true } as const;
  expect(floorProblems(machine({}), asked).join()).toContain("'strategy' must be as deployed");
  expect(floorProblems(machine(SWITCH), asked)).toEqual([]);
  expect(floorProblems(machine({}), { isStoreShared: true })).toEqual([]);
});
