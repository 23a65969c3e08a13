import type { SwitchPlan } from '../../../core/plan/switch-plan';
import { FIRST_REGIME, beginSwitch } from '../../../core/switch/regime';
import { verifyTrace } from '../../../core/switch/verify-trace';
import { withTimeLeft } from '../../../lambda/contract/time-left';
import { switchOver } from '../../../lambda/switch/switch-over';
import { until } from '../../support/until';
import { DEFAULT_PLAN, SwitchWorld } from './switch-world';

let world: SwitchWorld;
const nothing = () => Promise.resolve(undefined);
const LIMITS = { maxWaiting: 1, maxWaitMs: 1, maxHoldMs: 1 };

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
  expect(record).toMatchObject({ epoch: 1, outcome: 'commit', from: 'source', to: 'target', members: 3, by: 'one' });
  expect(askAll()).toEqual(['target 1', 'target 1', 'target 1']);
  expect(world.store.regime).toEqual({ epoch: 1, side: 'target', isJoined: true, committed: 1 });
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
    why: 'the switch must be decided within 200 ms, got 2 empty, 1 busy',
  });
  expect(askAll()).toEqual(['source 0', 'source 0', 'target 0']);
  expect(world.store.regime).toEqual({ epoch: 1, committed: 0, side: 'source', isJoined: false });
  world.tasks[1]!.inFlight = 0;
  expect(await switchTo('target')).toMatchObject({ epoch: 2, outcome: 'commit' });
  expect(askAll()).toEqual(['target 2', 'target 2', 'target 2']);
});

test.each([
  ['another status', { status: 503 }, 't0: 503'],
  ['no connection', { upstreamProblem: 'ECONNREFUSED' }, 't0: ECONNREFUSED'],
  ['no store', { status: 200, storeProblem: 'denied' }, 't0: denied'],
  ['no response', undefined, 't0: it hangs'],
])('no request waits for a side that a task cannot switch to: %s', async (_, given, got) => {
  world = new SwitchWorld();
  const calls: string[] = [];
  for (const task of world.tasks) task.before = (call) => Promise.resolve(void calls.push(call));
  const request = { to: 'target', execution: 'one', plan: DEFAULT_PLAN, findStop: nothing } as const;
  const probe = { path: '/ready', expectedStatus: 200 };
  const probed = given && { wallMs: 0, tookMs: 1, ...given };
  world.tasks[2]!.probed = probed ?? new Error('it hangs');
  expect(await switchOver({ ...request, probe, probesEachTask: true }, world.ports)).toMatchObject({
    outcome: 'abort',
    why: `every task must reach the store and the backend of the target before requests are held, got of ${got}`,
  });
  expect(calls).not.toContain('hold');
  // A status of 0 is of a backend that speaks no HTTP/1.1.
  world.tasks[2]!.probed = { wallMs: 0, tookMs: 1, status: 0 };
  expect(await switchOver({ ...request, probe, probesEachTask: true }, world.ports)).toMatchObject({
    epoch: 2,
    outcome: 'commit',
  });
});

describe('right before the decision the backend that is switched to is asked once more', () => {
  const probe = { path: '/ready', expectedStatus: 200 };
  const request = { to: 'target', execution: 'one', plan: DEFAULT_PLAN, findStop: nothing, probe } as const;
  const dead = { wallMs: 0, tookMs: 1, upstreamProblem: 'ECONNREFUSED' };
  const rule = 'the backend of the target must respond right before the decision';
  /** Something dies when requests wait already. */
  const whenHeld = (change: () => void) => {
    const [first] = world.tasks;
    first!.before = (call) => Promise.resolve(call === 'hold' ? change() : undefined);
  };

  test('one that died while requests waited keeps the source, and no client sees it', async () => {
    world = new SwitchWorld();
    whenHeld(() => world.tasks.forEach((task) => (task.probed = dead)));
    expect(await switchOver(request, world.ports)).toMatchObject({
      outcome: 'abort',
      why: `${rule}, got of s0: ECONNREFUSED, of s1: ECONNREFUSED, of t0: ECONNREFUSED`,
    });
    expect(askAll()).toEqual(['source 0', 'source 0', 'target 0']);
  });

  test('it must respond to a task of each side, and one that hangs decides nothing', async () => {
    world = new SwitchWorld(2, 2);
    const [s0, , t0] = world.tasks;
    whenHeld(() => ((s0!.probed = dead), (t0!.probed = new Error('it hangs'))));
    expect(await switchOver(request, world.ports)).toMatchObject({ outcome: 'commit' });
    world.stop();
    world = new SwitchWorld(2, 2);
    whenHeld(() => world.tasks.slice(0, 2).forEach((task) => (task.probed = { ...dead, upstreamProblem: 'EPIPE' })));
    expect(await switchOver(request, world.ports)).toMatchObject({ why: `${rule}, got of s0: EPIPE, of s1: EPIPE` });
  });

  test('it has what is left of the pause, and the leases go on meanwhile', async () => {
    world = new SwitchWorld();
    let held = false;
    whenHeld(() => (held = true));
    const [, second, third] = world.tasks;
    for (const task of [second, third])
      task!.before = (call) => (call === 'probe' && held ? never() : Promise.resolve());
    const plan = { ...DEFAULT_PLAN, maxPauseMs: 300 };
    expect(await switchOver({ ...request, plan }, world.ports)).toMatchObject({
      outcome: 'abort',
      why: expect.stringMatching(
        /^the backend of the target .*, got of t0: the last probe must end within 0.\d+ s/,
      ) as string,
    });
  });

  test.each([
    ['at once is asked while it ends, and not again', 0, 1],
    ['late is asked again', 250, 2],
  ])('one whose last request ends %s', async (_, lateMs, times) => {
    world = new SwitchWorld();
    const [, second, third] = world.tasks;
    second!.inFlight = 1;
    let [heldMs, asked] = [Infinity, 0];
    second!.before = async (call) => {
      if (call === 'hold') heldMs = Math.min(heldMs, Date.now());
      if (call === 'report' && Date.now() - heldMs >= lateMs) second!.inFlight = 0;
    };
    third!.before = async (call) => void (call === 'probe' && (asked += 1));
    expect(await switchOver(request, world.ports)).toMatchObject({ outcome: 'commit' });
    expect(asked).toBe(times);
  });

  test('the tasks are assessed again after it', async () => {
    world = new SwitchWorld();
    const [first, , third] = world.tasks;
    const asked: string[] = [];
    third!.before = async (call) => {
      if (call !== 'probe') return;
      asked.push(first!.gate.report().state);
      first!.inFlight = 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const record = await switchOver({ ...request, plan: { ...DEFAULT_PLAN, maxPauseMs: 600 } }, world.ports);
    expect(record).toMatchObject({ outcome: 'abort', why: expect.stringContaining('1 busy') as string });
    expect(asked).toEqual(['holding']);
  });
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
    world.killFirst(inFlight);
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
      // What requests waited before is unknown then, and not nothing.
      if (record && record.heldAt === undefined) {
        expect(record.isResumed).toBe(true);
        expect(record).not.toHaveProperty('releasedMs');
      }
      expect(record === undefined ? store.regime?.side : record.outcome).toBe(
        record === undefined ? 'target' : 'commit',
      );
      expect(store.regime).toEqual({ epoch: 1, side: 'target', isJoined: true, committed: 1 });
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

test.each(['commit', 'abort'] as const)(
  'a decision (%s) that comes while the targets are read is followed, and not asked for',
  async (outcome) => {
    world = new SwitchWorld();
    let reads = 0;
    let asked = 0;
    world.store.before = (call) => (call === 'readDecision' && (reads += 1), Promise.resolve());
    world.beforeTraffic = async () => {
      const [task] = world.tasks;
      // The weights come first, before anything is held.
      if ((asked += 1) === 1) return;
      await until(() => world.tasks.every(({ gate }) => gate.report().state === 'holding'));
      await new Promise((resolve) => setTimeout(resolve, 100));
      // Of a call of the same execution.
      world.store.decisions.set(1, { outcome, by: 'one' });
      const before = reads;
      task?.gate.release({ epoch: 1, outcome });
      await until(() => reads > before);
    };
    const record = await switchTo('target');
    expect(record).toMatchObject({ outcome, by: 'one' });
    expect(record?.trace?.events.filter(({ kind }) => kind === 'decide')).toEqual([]);
    expect(verifyTrace({ ...record!, trace: record!.trace! }).fault).toBeUndefined();
  },
);

test('a dry run does everything but the commit', async () => {
  world = new SwitchWorld();
  const record = await switchTo('target', { dryRun: true });
  expect(record).toMatchObject({ outcome: 'abort', why: 'a dry run: everything was ready for a commit' });
  expect(askAll().slice(0, 2)).toEqual(['source 0', 'source 0']);
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

/** A promise that never ends: what hangs. */
const never = () => new Promise<never>(() => undefined);

describe('what must not be wrong, nor hang', () => {
  /** Keeps the switch busy until the test lets it go. */
  function busy(task = world.tasks[1]!) {
    task.inFlight = 1;
    return () => void (task.inFlight = 0);
  }

  const isHeld = (task = world.tasks[0]!) => task.gate.report().state === 'holding';
  const start = (more: Partial<Parameters<typeof switchOver>[0]> = {}, plan: Partial<SwitchPlan> = {}) =>
    switchOver(
      { to: 'target', execution: 'one', plan: { ...DEFAULT_PLAN, ...plan }, findStop: nothing, ...more },
      world.ports,
    );

  test('a check for an abort that hangs keeps no request waiting', async () => {
    world = new SwitchWorld();
    let looks = 0;
    const findStop = () => ((looks += 1) === 1 ? nothing() : never());
    const done = busy();
    const switching = start({ findStop });
    await until(() => looks === 2);
    done();
    expect(await switching).toMatchObject({ outcome: 'commit' });
  });

  test('an abort is respected before anything is held, and in the middle', async () => {
    world = new SwitchWorld();
    let held = 0;
    world.tasks[0]!.before = async (call) => void (held += call === 'hold' ? 1 : 0);
    const stop = () => Promise.resolve('an operator asked');
    expect(await start({ findStop: stop })).toMatchObject({ outcome: 'abort', why: 'an operator asked' });
    expect(held).toBe(0);
    busy();
    let hasAsked = false;
    const later = () => Promise.resolve(hasAsked ? 'an operator asked' : undefined);
    const switching = start({ findStop: later });
    await until(() => isHeld());
    hasAsked = true;
    expect(await switching).toMatchObject({ outcome: 'abort', why: 'an operator asked', epoch: 2 });
  });

  test('a step with little time left holds no request', async () => {
    world = new SwitchWorld();
    let held = 0;
    for (const task of world.tasks) task.before = async (call) => void (held += call === 'hold' ? 1 : 0);
    const record = await withTimeLeft(
      () => 8_999,
      () => start(),
    );
    expect(record).toMatchObject({
      outcome: 'abort',
      why: 'a step must have 9000 ms left to hold requests, got 8999 ms',
    });
    expect(held).toBe(0);
    expect(
      await withTimeLeft(
        () => 9_001,
        () => start(),
      ),
    ).toMatchObject({ outcome: 'commit' });
  });

  test('a task that hangs delays no other, and costs no lease', async () => {
    world = new SwitchWorld();
    const [good, hung] = world.tasks;
    let isHung = false;
    hung!.before = (call) => (call === 'hold' ? ((isHung = true), never()) : isHung ? never() : Promise.resolve());
    const switching = start({}, { maxPauseMs: 2_600 });
    await until(() => isHung);
    world.beforeList = never;
    // Not the abort of a task whose lease ran out behind the other one.
    expect(await switching).toMatchObject({
      by: 'one',
      // What it was before it hung, for as long as the first call to it has not timed out.
      why: expect.stringMatching(
        /^the switch must be decided within 2600 ms, got 2 empty, 1 (unknown|notHolding)$/,
      ) as string,
    });
    expect(good!.gate.report()).toMatchObject({ state: 'none', epoch: 1 });
  });

  test('a list of tasks that hangs delays neither the hold nor its end', async () => {
    world = new SwitchWorld();
    const [first] = world.tasks;
    first!.inFlight = 1;
    const switching = start({}, { maxPauseMs: 700 });
    await until(() => isHeld());
    world.beforeList = never;
    first!.isReachable = false;
    expect(await switching).toMatchObject({ outcome: 'abort', by: 'one' });
  });

  test('a task that rejects the hold ends the switch at once', async () => {
    world = new SwitchWorld();
    const [task] = world.tasks;
    task!.hold = () => Promise.reject(new Error("'other_upstream' must be configured, got nothing"));
    const record = await start({}, { maxPauseMs: 20_000 });
    expect(record?.why).toBe("every task must hold, got of s0: 'other_upstream' must be configured, got nothing");
  });

  test('a hold whose response is lost is a hold', async () => {
    world = new SwitchWorld();
    const [task] = world.tasks;
    const hold = task!.hold.bind(task!);
    let lost = 0;
    task!.hold = async (order) => {
      const report = await hold(order);
      if ((lost += 1) === 1) throw new Error('the response was lost');
      return report;
    };
    expect(await start()).toMatchObject({ outcome: 'commit' });
    expect(lost).toBeGreaterThan(0);
  });

  test('an abort of a task is followed as soon as another says that it has ended', async () => {
    world = new SwitchWorld();
    busy();
    const switching = start({}, { maxPauseMs: 20_000 });
    await until(() => isHeld());
    await world.store.decide(1, { outcome: 'abort', by: 's0' });
    // It learns of it by itself; the coordinator by it.
    const record = await switching;
    expect(record).toMatchObject({ outcome: 'abort', by: 's0' });
    // It asked the store, and did not wait for the end of the pause to find its own word too late.
    expect(record?.decidedMs).toBeUndefined();
  });

  test('what the process before had sent is not known by what its successor gave up long ago', async () => {
    world = new SwitchWorld();
    const [first] = world.tasks;
    const done = busy();
    first!.inFlight = 1;
    first!.sinceAbandonedMs = 100_000;
    const switching = start({}, { maxPauseMs: 20_000 });
    await until(() => isHeld());
    // A worker died with its request; the others of the task go on under another name.
    first!.identity = 's0/2';
    first!.inFlight = 0;
    await until(() => world.store.decisions.size > 0 || (done(), false));
    expect((await switching)?.why).toMatch(/1 ended with requests in flight/);
  });

  test('a second call of the same execution joins at every write, and the end is the same', async () => {
    for (const at of [1, 2]) {
      world = new SwitchWorld();
      let writes = 0;
      let twin: ReturnType<typeof start> | undefined;
      world.store.before = async (call) => {
        if (call !== 'writeRegime' || (writes += 1) !== at) return;
        twin = start();
        await twin;
      };
      const record = await start();
      expect(await twin).toMatchObject({ outcome: 'commit', epoch: 1 });
      // Behind the first write it finds a switch that has ended, and another one's; behind the second it is its own.
      if (at === 1) expect(record).toBeUndefined();
      else expect(record).toMatchObject({ outcome: 'commit', epoch: 1 });
      expect(world.store.regime).toEqual({ epoch: 1, side: 'target', isJoined: true, committed: 1 });
      world.stop();
    }
  });

  test('one that another call of the same execution has just begun is gone on with', async () => {
    world = new SwitchWorld();
    const { store } = world;
    const begun = beginSwitch(FIRST_REGIME, 1, { to: 'target', execution: 'one', leaseMs: 1, limits: LIMITS });
    let writes = 0;
    store.before = async (call) => {
      if (call === 'writeRegime' && (writes += 1) === 1) await store.writeRegime(begun!, undefined);
    };
    expect(await start()).toMatchObject({ outcome: 'commit', epoch: 1 });
  });

  test('one that goes the other way is not gone on with', async () => {
    world = new SwitchWorld();
    const { store } = world;
    store.regime = beginSwitch(FIRST_REGIME, 1, { to: 'target', execution: 'one', leaseMs: 1, limits: LIMITS });
    expect(await start({ to: 'source' })).toBeUndefined();
    expect(await start()).toMatchObject({ outcome: 'commit', epoch: 1 });
  });

  test('an undecided switch is given up without ECS', async () => {
    world = new SwitchWorld();
    busy();
    const switching = start({}, { maxPauseMs: 20_000 });
    await until(() => isHeld());
    world.beforeList = () => Promise.reject(new Error('ECS must respond'));
    const stop = () => Promise.resolve('the cutover rolls back');
    expect(await start({ findStop: stop })).toMatchObject({ outcome: 'abort', why: 'the cutover rolls back' });
    expect(await switching).toMatchObject({ outcome: 'abort' });
    expect(world.store.regime).toEqual({ epoch: 1, committed: 0, side: 'source', isJoined: false });
  });

  test('without a task nothing is switched', async () => {
    world = new SwitchWorld(0, 1);
    expect(await start()).toMatchObject({
      outcome: 'abort',
      why: 'at least one task must forward to the source, which is left, got none',
    });
  });

  test('a lease that is renewed behind the release holds no task again', async () => {
    world = new SwitchWorld();
    const [first] = world.tasks;
    let late: (() => void) | undefined;
    const done = busy();
    let holds = 0;
    first!.before = (call) => {
      if (call !== 'hold' || (holds += 1) !== 2) return Promise.resolve();
      done();
      return new Promise((resolve) => (late = resolve));
    };
    expect(await start()).toMatchObject({ outcome: 'commit' });
    late!();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(first!.gate.report()).toMatchObject({ state: 'none', epoch: 1 });
  });
});

describe('the load balancer is a second witness', () => {
  test('a target that no member is keeps the source', async () => {
    world = new SwitchWorld();
    world.strangers.push('10.0.9.9');
    expect(await switchTo('target')).toMatchObject({
      outcome: 'abort',
      why: 'every target that is registered of the source must be a task that holds, got 10.0.9.9',
    });
    expect(askAll().slice(0, 2)).toEqual(['source 0', 'source 0']);
  });

  test('one that does not respond keeps it, too, and is asked beside the hold', async () => {
    world = new SwitchWorld();
    let asked = 0;
    world.beforeTraffic = () => {
      asked += 1;
      return asked === 1 ? Promise.resolve() : Promise.reject(new Error('Elastic Load Balancing must respond'));
    };
    const record = await switchTo('target');
    expect(record?.why).toMatch(/must be a task that holds, got Elastic Load Balancing must respond/);
    expect(record?.heldMs).toBeDefined();
  });

  test.each([
    [{ source: 100, target: 1 }, '100/1'],
    [{ source: 0, target: 100 }, '0/100'],
    [undefined, 'a rule that forwards elsewhere'],
  ])('weights of %j hold no request', async (weights, got) => {
    world = new SwitchWorld();
    world.weights = weights;
    const record = await switchTo('target');
    expect(record?.why).toBe(`all of the weight must be on the source, which is left, got ${got}`);
    expect(record?.heldMs).toBeUndefined();
  });

  test('in a rollback all tasks are members, whatever the weights are', async () => {
    world = new SwitchWorld(1, 1);
    await switchTo('target');
    expect(await switchTo('source')).toMatchObject({ outcome: 'commit', members: 2 });
  });
});
