import { parsePlan } from '../../../core/plan/plan';
import type { Ports } from '../../../lambda/contract/ports';
import { regimeFindings } from '../../../lambda/switch/switch-preflight';
import { switchOver } from '../../../lambda/switch/switch-over';
import { DEFAULT_PLAN, SwitchWorld } from './switch-world';

let world: SwitchWorld;
afterEach(() => world.stop());

const DIRECTIONS = {
  source: { strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared' } },
  target: { strategy: 'drainThenShift', from: 'target', switch: { pointOfNoReturn: 'shared' } },
};
const nothing = () => Promise.resolve(undefined);
const findings = (plan: object = DIRECTIONS.source, areWeightsAsPlanned = true) => {
  const { store: switches, listTasks } = world.ports;
  const ports = { ...world.ports, switches, proxies: { open: listTasks } } as unknown as Ports;
  return regimeFindings({ plan: parsePlan(plan) }, areWeightsAsPlanned, ports);
};
const switchTo = (to: 'source' | 'target') =>
  switchOver({ to, execution: 'one', plan: DEFAULT_PLAN, findStop: nothing }, world.ports);

test('after a switch back the proxies of the target forward to the target again, each of them', async () => {
  world = new SwitchWorld(1, 2);
  expect(await findings()).toEqual([]);
  await switchTo('target');
  await switchTo('source');
  const [source, first, second] = world.tasks;
  expect(world.tasks.map(({ sides }) => sides.side)).toEqual(['source', 'source', 'source']);
  // It does not hear of it: the regime is apart already, and this task is not.
  second!.isReachable = false;
  expect(await findings()).toMatchObject([{ code: 'AdminUnreachable' }]);
  expect(world.store.regime).toMatchObject({ side: 'source', isJoined: false });
  expect(world.tasks.map(({ sides }) => sides.side)).toEqual(['source', 'target', 'source']);
  // The next preflight does not take the regime for the truth.
  expect(await findings()).toHaveLength(1);
  second!.isReachable = true;
  expect(await findings()).toEqual([]);
  expect(world.tasks.map(({ sides }) => sides.side)).toEqual(['source', 'target', 'target']);
  expect([source, first].every((task) => task!.gate.committed === 2)).toBe(true);
});

test('a task of the target that still forwards to the source keeps a switch from being made', async () => {
  world = new SwitchWorld(1, 1);
  await switchTo('target');
  await switchTo('source');
  world.store.regime = { ...world.store.regime!, isJoined: false };
  expect(await switchTo('target')).toMatchObject({
    outcome: 'abort',
    why: expect.stringMatching(/got t0 to the source$/) as string,
    members: 2,
  });
  expect(await findings()).toEqual([]);
  expect(await switchTo('target')).toMatchObject({ outcome: 'commit', epoch: 4 });
});

test('in the other direction the target is the side that is left, after a switch and where there was none', async () => {
  world = new SwitchWorld(1, 1);
  expect(await findings(DIRECTIONS.target)).toEqual([]);
  expect(world.store.regime).toMatchObject({ epoch: 0, side: 'target', isJoined: false });
  // A plan of stages needs no regime: each side's proxies forward to their own backend.
  world.store.regime = undefined;
  expect(await findings({ from: 'target' })).toEqual([]);
  expect(world.store.regime).toBeUndefined();
  await switchTo('target');
  expect(await findings(DIRECTIONS.source)).toMatchObject([{ code: 'WeightsUnexpected' }]);
  expect(await findings(DIRECTIONS.target)).toEqual([]);
  expect(world.store.regime).toMatchObject({ side: 'target', isJoined: false });
  expect(world.tasks.map(({ sides }) => sides.side)).toEqual(['source', 'target']);
  world.weights = { source: 0, target: 100 };
  expect(await switchTo('source')).toMatchObject({ outcome: 'commit', from: 'target' });
  expect(world.store.regime).toMatchObject({ side: 'source', isJoined: true });
});

test('with other weights than those of the plan no proxy is retargeted', async () => {
  world = new SwitchWorld(1, 1);
  await switchTo('target');
  await switchTo('source');
  // The weights could not be set back: the target's proxies have the traffic, and forward to the source.
  expect(await findings(DIRECTIONS.source, false)).toEqual([]);
  expect(world.store.regime).toMatchObject({ side: 'source', isJoined: true });
  expect(world.tasks.map(({ sides }) => sides.side)).toEqual(['source', 'source']);
});
