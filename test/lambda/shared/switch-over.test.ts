import type { SwitchPlan } from '../../../core/plan/switch-plan';
import { switchOver } from '../../../lambda/shared/switch-over';
import { DEFAULT_PLAN, SwitchWorld } from './switch-world';

let world: SwitchWorld;
const nothing = () => Promise.resolve(undefined);

afterEach(() => world.stop());

function switchTo(to: 'source' | 'target', plan: Partial<SwitchPlan> = {}, execution = 'one') {
  return switchOver({ to, execution, plan: { ...DEFAULT_PLAN, ...plan }, findStop: nothing }, world.ports);
}

/** Every task gets a request, and says where it went. */
function askAll(): string[] {
  world.served.length = 0;
  for (const task of world.tasks) task.request();
  return world.served.map(({ side, epoch }) => `${side} ${epoch}`);
}

test('all requests go to the target, and the regime says so', async () => {
  world = new SwitchWorld();
  expect(askAll()).toEqual(['source 0', 'source 0', 'target 0']);
  const record = await switchTo('target');
  expect(record).toMatchObject({ epoch: 1, outcome: 'commit', from: 'source', to: 'target', members: 2, by: 'one' });
  expect(askAll()).toEqual(['target 1', 'target 1', 'target 0']);
  expect(world.store.regime).toEqual({ epoch: 1, side: 'target', isJoined: true });
});

test('requests that come meanwhile wait, and go to the target', async () => {
  world = new SwitchWorld(1);
  const [task] = world.tasks;
  task!.inFlight = 1;
  const waits: boolean[] = [];
  task!.before = async (call) => {
    if (call !== 'report' || waits.length === 5) return;
    waits.push(task!.request());
    if (waits.length === 5) task!.inFlight = 0;
  };
  const record = await switchTo('target');
  expect(record).toMatchObject({ outcome: 'commit', maxWaiting: expect.any(Number) as number });
  expect(waits.filter(Boolean).length).toBeGreaterThanOrEqual(2);
  // The first look, before anything is held, has let its request through.
  expect(new Set(world.served.slice(waits.filter((each) => !each).length).map(({ side }) => side))).toEqual(
    new Set(['target']),
  );
});

test('what does not end in time leaves everything on the source', async () => {
  world = new SwitchWorld();
  world.tasks[1]!.inFlight = 1;
  const record = await switchTo('target', { maxPauseMs: 200 });
  expect(record).toMatchObject({
    outcome: 'abort',
    why: 'the switch must be decided within 200 ms, got 1 empty, 1 busy',
  });
  expect(askAll()).toEqual(['source 1', 'source 1', 'target 0']);
  expect(world.store.regime).toEqual({ epoch: 1, side: 'source', isJoined: false });
  world.tasks[1]!.inFlight = 0;
  expect(await switchTo('target')).toMatchObject({ epoch: 2, outcome: 'commit' });
  expect(askAll()).toEqual(['target 2', 'target 2', 'target 0']);
});

test('a rollback is the same switch, of all tasks of both sides', async () => {
  world = new SwitchWorld(2, 2);
  await switchTo('target');
  expect(await switchTo('source')).toMatchObject({ epoch: 2, outcome: 'commit', members: 4, from: 'target' });
  expect(askAll()).toEqual(['source 2', 'source 2', 'source 2', 'source 2']);
});

test('a switch that has ended is not made again', async () => {
  world = new SwitchWorld();
  await switchTo('target');
  expect(await switchTo('target')).toBeUndefined();
  expect(world.store.regime?.epoch).toBe(1);
});

test('a task that does not respond before anything is held keeps everything as it was', async () => {
  world = new SwitchWorld();
  world.tasks[0]!.isReachable = false;
  const record = await switchTo('target');
  expect(record).toMatchObject({
    outcome: 'abort',
    why: 'every task must respond before requests are held, got 1 that do not',
  });
});

test('a task that dies with a request in flight aborts, and one that was empty does not', async () => {
  for (const [inFlight, outcome] of [
    [1, 'abort'],
    [0, 'commit'],
  ] as const) {
    world = new SwitchWorld();
    const [first, second] = world.tasks;
    first!.inFlight = inFlight;
    second!.inFlight = 1;
    let holds = 0;
    second!.before = async (call) => {
      if (call === 'hold') holds += 1;
      if (call !== 'report' || holds === 0) return;
      first!.isReachable = false;
      first!.stoppedAtMs = Date.now();
      second!.inFlight = 0;
    };
    const record = await switchTo('target');
    expect(record).toMatchObject({ outcome });
    if (outcome === 'abort') expect(record?.why).toMatch(/1 ended with requests in flight/);
    world.stop();
  }
});

test('a task that starts in the middle holds by itself, and follows the decision', async () => {
  world = new SwitchWorld(1);
  const [task] = world.tasks;
  task!.inFlight = 1;
  let late: (typeof world.tasks)[number] | undefined;
  task!.before = async (call) => {
    if (call !== 'report' || !world.store.regime?.switching?.members) return;
    late ??= world.start('s9', 'source');
    late.request();
    task!.inFlight = 0;
  };
  expect(await switchTo('target')).toMatchObject({ outcome: 'commit' });
  world.tasks.push(late!);
  const until = Date.now() + 5_000;
  while (world.served.length === 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(world.served.every(({ side }) => side === 'target')).toBe(true);
  expect(world.served.length).toBeGreaterThan(0);
});

test('a coordinator that dies at any write is followed by one that ends it', async () => {
  const calls: string[] = [];
  world = new SwitchWorld();
  world.store.before = (call) => (calls.push(call), Promise.resolve());
  await switchTo('target');
  const writes = calls.length;
  world.stop();
  for (let fatal = 1; fatal <= writes; fatal += 1) {
    for (const isAfter of [false, true]) {
      world = new SwitchWorld();
      let count = 0;
      const { store } = world;
      const dying = { ...world.ports, store: dyingStore(() => (count += 1) === fatal, isAfter) };
      const request = { to: 'target' as const, execution: 'one', plan: DEFAULT_PLAN, findStop: nothing };
      await expect(switchOver(request, dying)).rejects.toThrow('the coordinator died');
      const record = await switchOver(request, world.ports);
      expect(record === undefined ? store.regime?.side : record.outcome).toBe(
        record === undefined ? 'target' : 'commit',
      );
      expect(store.regime).toEqual({ epoch: 1, side: 'target', isJoined: true });
      expect(new Set(askAll().slice(0, 2))).toEqual(new Set(['target 1']));
      world.stop();
    }
  }

  function dyingStore(isFatal: () => boolean, isAfter: boolean) {
    const { store } = world;
    const wrap =
      <In extends unknown[], Out>(call: (...given: In) => Promise<Out>) =>
      async (...given: In): Promise<Out> => {
        const dies = isFatal();
        if (dies && !isAfter) throw new Error('the coordinator died');
        const result = await call.apply(store, given);
        if (dies) throw new Error('the coordinator died');
        return result;
      };
    return {
      readRegime: wrap(() => store.readRegime()),
      writeRegime: wrap((...given: Parameters<typeof store.writeRegime>) => store.writeRegime(...given)),
      readDecision: wrap((epoch: number) => store.readDecision(epoch)),
      decide: wrap((...given: Parameters<typeof store.decide>) => store.decide(...given)),
    };
  }
});

test('two coordinators at a time come to one decision', async () => {
  world = new SwitchWorld(3);
  const [one, two] = await Promise.all([switchTo('target'), switchTo('target')]);
  const records = [one, two].filter((record) => record !== undefined);
  expect(new Set(records.map(({ outcome, epoch }) => `${epoch} ${outcome}`)).size).toBe(1);
  expect(world.store.decisions.size).toBe(1);
  const side = records[0]?.outcome === 'commit' ? 'target' : 'source';
  expect(new Set(askAll().slice(0, 3))).toEqual(new Set([`${side} 1`]));
});

test('a dry run does everything but the commit', async () => {
  world = new SwitchWorld();
  const record = await switchTo('target', { dryRun: true });
  expect(record).toMatchObject({ outcome: 'abort', why: 'a dry run: everything was ready for a commit' });
  expect(askAll().slice(0, 2)).toEqual(['source 1', 'source 1']);
});

test('more in flight than the plan takes is not held', async () => {
  world = new SwitchWorld();
  world.tasks[0]!.inFlight = 9;
  expect(await switchTo('target', { maxInFlight: 8 })).toMatchObject({
    outcome: 'abort',
    why: 'at most 8 requests and connections may be in flight, got 9',
  });
});

test('a task that lost a worker with its requests is not the task of before', async () => {
  world = new SwitchWorld();
  const [first, second] = world.tasks;
  second!.inFlight = 1;
  second!.before = (call) => {
    if (call === 'report' && world.store.regime?.switching?.members) first!.identity = 's0/2';
    if (first!.identity === 's0/2') second!.inFlight = 0;
    return Promise.resolve();
  };
  first!.inFlight = 1;
  first!.before = (call) => {
    if (first!.identity === 's0/2') first!.inFlight = 0;
    return Promise.resolve(void call);
  };
  expect(await switchTo('target')).toMatchObject({ outcome: 'abort' });
});
