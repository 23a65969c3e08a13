import type { HookPlan } from '../../../core/plan/hook-plan';
import type { SwitchPlan } from '../../../core/plan/switch-plan';
import type { HookCall } from '../../../core/switch/hook';
import type { SwitchRecord } from '../../../core/switch/switch-record';
import { verifyTrace } from '../../../core/switch/verify-trace';
import { openHook } from '../../../lambda/switch/switch-hook';
import { SwitchRequest, switchOver } from '../../../lambda/switch/switch-over';
import { until } from '../../support/until';
import { HANGS, HOOK_PLAN, HookBackends, Instead, json } from './hook-backends';
import { DEFAULT_PLAN, SwitchWorld } from './switch-world';

let world: SwitchWorld;
let backends: HookBackends;
const nothing = () => Promise.resolve(undefined);
const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

beforeEach(() => start());
afterEach(() => world.stop());

function start(sources = 2, targets = 1) {
  world = new SwitchWorld(sources, targets);
  backends = new HookBackends();
  for (const task of world.tasks) task.called = backends.respond;
}

/** Whatever a hook does, the trace of a switch is one of the model's. */
function verified(record: SwitchRecord | undefined): SwitchRecord | undefined {
  if (record) expect(verifyTrace({ ...record, trace: record.trace! }).fault).toBeUndefined();
  return record;
}

interface Asked {
  readonly to?: 'source' | 'target';
  readonly plan?: Partial<SwitchPlan>;
  readonly hook?: HookPlan;
  readonly invoke?: (functionArn: string, event: object, timeoutMs: number) => Promise<unknown>;
  readonly findStop?: SwitchRequest['findStop'];
}

async function switchTo({
  to = 'target',
  plan,
  hook = HOOK_PLAN as HookPlan,
  invoke = nothing,
  findStop = nothing,
}: Asked = {}) {
  const opened = openHook(hook, {
    functions: { check: () => Promise.resolve(), invoke },
    host: 'shop.example.com',
    pause,
  });
  const rules = { ...DEFAULT_PLAN, maxPauseMs: 2_000, ...plan };
  return verified(await switchOver({ to, execution: 'one', plan: rules, findStop, hook: opened }, world.ports));
}

test('freezes the source, shows it by a rejected write, transfers, verifies, and thaws the side that serves', async () => {
  const record = await switchTo();
  expect(backends.calls).toEqual([
    'freeze source 1',
    'write source',
    'transfer target 1',
    'verify source 1',
    'verify target 1',
    'thaw target 1',
  ]);
  expect(backends.frozen).toEqual({ source: true, target: false });
  expect(record).toMatchObject({ outcome: 'commit', fence: 'frozen', by: 'one' });
  expect(record?.hook?.map(({ part, side }) => `${part} ${side}`)).toEqual(expect.arrayContaining(['freeze source']));
  expect(record?.frozen).toBeUndefined();
});

test('a call has what a backend needs, and no body where it is a write', async () => {
  const orders: unknown[] = [];
  for (const task of world.tasks) {
    task.called = (order) => (orders.push(order), backends.respond(order));
  }
  await switchTo();
  const call = { part: 'freeze', side: 'source', epoch: 1, from: 'source', to: 'target', execution: 'one' };
  const common = { to: 'source', host: 'shop.example.com', epoch: 0, method: 'POST', timeoutMs: 100 };
  expect(orders.slice(0, 2)).toEqual([
    { ...common, path: '/freeze', body: JSON.stringify(call) },
    { ...common, path: '/probe-write' },
  ]);
});

test('a switch back freezes the target, and thaws the source before it serves', async () => {
  await switchTo();
  backends.calls.length = 0;
  const states: string[] = [];
  backends.faults['thaw source'] = (call) => {
    states.push(world.tasks.map(({ gate }) => gate.report().state).join());
    return backends.follow(call);
  };
  const record = await switchTo({ to: 'source' });
  expect(record).toMatchObject({ outcome: 'commit', epoch: 2, fence: 'frozen' });
  expect(backends.frozen).toEqual({ source: false, target: true });
  expect([backends.calls[0], backends.calls.at(-1)]).toEqual(['freeze target 2', 'thaw source 2']);
  // No task has been released before it.
  expect(states).toEqual(['holding,holding,holding']);
});

describe('the fence', () => {
  const accepts: Instead = () => ({ status: 200, body: '' });
  test.each<[string, Partial<Asked>, string, string]>([
    ['frozen, by a write that was rejected', {}, 'commit', 'frozen'],
    ['epoch, which is the stronger one', { plan: { fence: 'epoch' } }, 'commit', 'epoch'],
    [
      'drained, where no write was tried',
      { hook: { ...HOOK_PLAN, probeWrite: undefined } as HookPlan },
      'commit',
      'drained',
    ],
  ])('is %s', async (_, asked, outcome, fence) => {
    expect(await switchTo(asked)).toMatchObject({ outcome, fence });
  });

  test.each<[string, Instead, string]>([
    ['an accepted write', accepts, 'got 200'],
    ['a redirect, which may follow an accepted write', () => ({ status: 303, body: '' }), 'got 303'],
    ['no response', () => ({ upstreamProblem: 'ECONNREFUSED' }), 'got ECONNREFUSED'],
    ['a write that hangs', HANGS, 'must end within 0.7 s'],
  ])('does not hold by %s: abort, and thaw', async (_, write, got) => {
    backends.faults.write = write;
    const record = await switchTo();
    expect(record).toMatchObject({ outcome: 'abort', fence: 'drained' });
    expect(record?.why).toMatch(/the hook must pass, got the source must reject POST \/probe-write once it is frozen/);
    expect(record?.why).toContain(got);
    expect(backends.frozen.source).toBe(false);
    expect(backends.calls.at(-1)).toBe('thaw source 1');
  });
});

describe('a part that goes wrong aborts, and the source is thawed before it serves again', () => {
  const garbage: Instead = () => ({ status: 200, body: '<html>welcome</html>' });
  const FAULTS: readonly (readonly [string, Instead, RegExp])[] = [
    ['says why not', () => json(200, { ok: false, why: 'replication lags' }), /must succeed, got replication lags/],
    ['says why not with a status', () => json(409, { ok: false, why: 'busy' }), /must succeed, got busy/],
    ['fails', () => ({ status: 500, body: 'oops' }), /must respond with 200, got 500/],
    ['is not there', () => ({ status: 404, body: '' }), /must respond with 200, got 404/],
    ['is unreachable', () => ({ upstreamProblem: 'ECONNREFUSED' }), /ECONNREFUSED/],
    ['hangs', HANGS, /must end within 0.7 s, got no end/],
    ['responds with a page', garbage, /must respond \{"ok":true,"epoch":1\}, got <html>/],
    ['responds with nothing', () => ({ status: 200, body: '' }), /must respond \{"ok":true,"epoch":1\}/],
    ['responds of another epoch', () => json(200, { ok: true, epoch: 7 }), /must respond \{"ok":true,"epoch":1\}/],
    ['responds with a truth that is none', () => json(200, { ok: 'yes', epoch: 1 }), /must respond \{"ok":true/],
    ['responds with a list', () => json(200, [true]), /must respond \{"ok":true/],
  ];
  const rows = (['freeze', 'transfer', 'verify'] as const).flatMap((part) =>
    FAULTS.map(([name, fault, why]) => [part, name, fault, why] as const),
  );

  test.each(rows)('%s %s', async (part, _, fault, why) => {
    backends.faults[part] = fault;
    const before: string[] = [];
    backends.faults['thaw source'] = (call) => {
      before.push(world.tasks[0]!.gate.report().state);
      return backends.follow(call);
    };
    const record = await switchTo();
    expect(record).toMatchObject({ outcome: 'abort', by: 'one' });
    expect(record?.why).toMatch(why);
    expect(before).toEqual(['holding']);
    expect(backends.frozen).toEqual({ source: false, target: false });
    expect(record?.hook).toEqual(
      expect.arrayContaining([expect.objectContaining({ part, problem: expect.stringMatching(why) as string })]),
    );
    expect(world.store.regime).toEqual({ epoch: 1, committed: 0, side: 'source', isJoined: false });
  });

  test('digests that differ', async () => {
    backends.faults['verify target'] = ({ epoch }) => json(200, { ok: true, epoch, digest: 'other' });
    const record = await switchTo();
    expect(record?.why).toBe(
      "the hook must pass, got 'verify' must have one digest of both sides, got 'abc' and 'other'",
    );
    expect(backends.frozen.source).toBe(false);
  });
});

describe('a thaw', () => {
  test('is tried three times, each through another task', async () => {
    let tries = 0;
    backends.faults.transfer = () => ({ status: 500, body: '' });
    backends.faults['thaw source'] = (call) => ((tries += 1) < 3 ? { status: 502, body: '' } : backends.follow(call));
    const through: string[] = [];
    for (const task of world.tasks) {
      task.called = (order) => {
        if (order.path === '/thaw') through.push(task.id);
        return backends.respond(order);
      };
    }
    const record = await switchTo();
    expect(record?.frozen).toBeUndefined();
    expect(new Set(through).size).toBe(3);
    expect(backends.frozen.source).toBe(false);
  });

  test.each(['abort', 'commit'] as const)('that fails after %s is in the record and in the regime', async (outcome) => {
    if (outcome === 'abort') backends.faults.transfer = () => ({ status: 500, body: '' });
    backends.faults.thaw = () => ({ status: 503, body: '' });
    const record = await switchTo();
    const side = outcome === 'abort' ? 'source' : 'target';
    expect(record).toMatchObject({ outcome, frozen: side });
    expect(record?.hook?.filter(({ part }) => part === 'thaw')).toHaveLength(3);
    expect(world.store.regime).toMatchObject({ side, frozen: side });
    expect(world.tasks[0]!.gate.report().state).toBe('none');
  });

  test('follows a freeze that took its time, and is not overtaken by it', async () => {
    const plan = { ...HOOK_PLAN, timeoutMs: { ...HOOK_PLAN.timeoutMs, freeze: 1_000 } } as HookPlan;
    let hasAsked = false;
    let end: () => void = () => undefined;
    backends.faults.freeze = (call) => new Promise((resolve) => (end = () => resolve(backends.follow(call))));
    const switching = switchTo({ hook: plan, findStop: () => Promise.resolve(hasAsked ? 'a person' : undefined) });
    await until(() => backends.calls.includes('freeze source 1'));
    hasAsked = true;
    await until(() => world.store.decisions.size === 1);
    end();
    expect(await switching).toMatchObject({ outcome: 'abort', why: 'a person' });
    expect(backends.calls).toEqual(['freeze source 1', 'thaw source 1']);
    expect(backends.frozen.source).toBe(false);
  });

  test('is not needed where nothing was frozen', async () => {
    const stop = () => Promise.resolve('an operator asked');
    expect(await switchTo({ findStop: stop })).toMatchObject({ outcome: 'abort' });
    expect(backends.calls).toEqual([]);
  });

  test('of a longer time than a lease keeps the requests waiting', async () => {
    backends.faults.transfer = () => ({ status: 500, body: '' });
    const plan = { ...HOOK_PLAN, timeoutMs: { ...HOOK_PLAN.timeoutMs, thaw: 3_000 } } as HookPlan;
    let state = '';
    backends.faults['thaw source'] = async (call) => {
      await pause(2_300);
      state = world.tasks[0]!.gate.report().state;
      return backends.follow(call);
    };
    expect(await switchTo({ hook: plan })).toMatchObject({ outcome: 'abort', by: 'one' });
    expect(state).toBe('holding');
  });
});

describe('a coordinator that dies', () => {
  test('between freeze and commit is followed by one that goes on', async () => {
    world.store.before = (call) => (call === 'decide' ? Promise.reject(new Error('died')) : Promise.resolve());
    await expect(switchTo()).rejects.toThrow('died');
    expect(backends.frozen.source).toBe(true);
    world.store.before = () => Promise.resolve();
    expect(await switchTo()).toMatchObject({ outcome: 'commit', epoch: 1, fence: 'frozen' });
    expect(backends.frozen).toEqual({ source: true, target: false });
  });

  test.each(['the next call gives up', 'a task has aborted'])('is followed by one that thaws: %s', async (how) => {
    world.store.before = (call) => (call === 'decide' ? Promise.reject(new Error('died')) : Promise.resolve());
    await expect(switchTo()).rejects.toThrow('died');
    world.store.before = () => Promise.resolve();
    const isTask = how === 'a task has aborted';
    if (isTask) await world.store.decide(1, { outcome: 'abort', by: 's0' });
    const findStop = () => Promise.resolve(isTask ? undefined : 'the cutover rolls back');
    expect(await switchTo({ findStop })).toMatchObject({ outcome: 'abort' });
    expect(backends.frozen.source).toBe(false);
  });

  test('between commit and thaw is followed by one that thaws the target', async () => {
    let dies = true;
    backends.faults['thaw target'] = (call) => (dies ? { status: 503, body: '' } : backends.follow(call));
    world.store.before = (call) =>
      call === 'writeRegime' && world.store.decisions.size > 0 && dies
        ? Promise.reject(new Error('died'))
        : Promise.resolve();
    await expect(switchTo()).rejects.toThrow('died');
    dies = false;
    backends.calls.length = 0;
    expect(await switchTo()).toMatchObject({ outcome: 'commit' });
    expect(backends.calls).toEqual(['thaw target 1']);
  });
});

describe('a dead task is not a drained task, unless the source is shown to be frozen', () => {
  test.each<[string, Asked, 'commit' | 'abort']>([
    ['shown by a rejected write', {}, 'commit'],
    ['not shown', { hook: { ...HOOK_PLAN, probeWrite: undefined } as HookPlan }, 'abort'],
    [
      'not frozen: the hook only verifies',
      { hook: { http: { verify: '/verify' }, timeoutMs: HOOK_PLAN.timeoutMs } as HookPlan },
      'abort',
    ],
  ])('%s: %s', async (_, asked, outcome) => {
    world.killFirst(1);
    const record = await switchTo(asked);
    expect(record).toMatchObject({ outcome, fence: outcome === 'commit' ? 'frozen' : 'drained' });
    if (outcome === 'abort') expect(record?.why).toMatch(/1 ended with requests in flight/);
  });

  test('a freeze that the write refutes does not count: abort', async () => {
    world.killFirst(1);
    backends.faults.write = () => ({ status: 200, body: '' });
    expect(await switchTo()).toMatchObject({ outcome: 'abort' });
    expect(backends.frozen.source).toBe(false);
  });

  test('a request that was given up does not wait for its longest time', async () => {
    world.tasks[0]!.sinceAbandonedMs = 10;
    const plan = { fence: 'drainedAndAbandoned' as const };
    expect(await switchTo({ plan })).toMatchObject({ outcome: 'commit', fence: 'frozen', abandoned: 1 });
  });
});

describe('a Lambda function', () => {
  const arn = 'arn:aws:lambda:eu-central-1:111122223333:function:freeze';
  const hook = { functionArn: arn, timeoutMs: HOOK_PLAN.timeoutMs } as HookPlan;

  test('is called for each part with what it must know', async () => {
    const events: HookCall[] = [];
    const invoke = async (of: string, event: object) => {
      expect(of).toBe(arn);
      events.push(event as HookCall);
      return { ok: true, epoch: (event as HookCall).epoch };
    };
    expect(await switchTo({ hook, invoke })).toMatchObject({ outcome: 'commit', fence: 'drained' });
    expect(events.map(({ part, side }) => `${part} ${side}`)).toEqual([
      'freeze source',
      'transfer target',
      'verify target',
      'thaw target',
    ]);
    expect(events[0]).toEqual({
      ...{ part: 'freeze', side: 'source', epoch: 1, from: 'source', to: 'target', execution: 'one' },
    });
  });

  test('and a write that is rejected are a fence', async () => {
    const invoke = async (_: string, event: object) => {
      backends.follow(event as HookCall);
      return { ok: true, epoch: 1 };
    };
    const plan = { ...hook, probeWrite: HOOK_PLAN.probeWrite } as HookPlan;
    expect(await switchTo({ hook: plan, invoke })).toMatchObject({ outcome: 'commit', fence: 'frozen' });
  });

  test.each<[string, () => Promise<unknown>]>([
    ['throws', () => Promise.reject(new Error('AccessDenied'))],
    ['hangs', () => new Promise(() => undefined)],
    ['returns nothing', () => Promise.resolve(null)],
    ['returns another shape', () => Promise.resolve({ statusCode: 200 })],
    ['returns a text', () => Promise.resolve('ok')],
  ])('that %s aborts, and is called to thaw', async (_, fail) => {
    const parts: string[] = [];
    const invoke = (_of: string, event: object) => {
      const { part, epoch } = event as HookCall;
      parts.push(part);
      return part === 'thaw' ? Promise.resolve({ ok: true, epoch }) : fail();
    };
    expect(await switchTo({ hook, invoke })).toMatchObject({ outcome: 'abort', by: 'one' });
    expect(parts).toEqual(['freeze', 'thaw']);
  });
});

test('a hook outlasts a lease: it is renewed meanwhile', async () => {
  const plan = { ...HOOK_PLAN, timeoutMs: { ...HOOK_PLAN.timeoutMs, transfer: 4_000 } } as HookPlan;
  backends.faults.transfer = async (call) => {
    await pause(2_300);
    return backends.follow(call);
  };
  expect(await switchTo({ hook: plan, plan: { maxPauseMs: 5_000 } })).toMatchObject({ outcome: 'commit', by: 'one' });
});

test('a call goes through another task where one does not respond', async () => {
  const [first] = world.tasks;
  first!.called = () => Promise.reject(new Error('it does not respond'));
  expect(await switchTo()).toMatchObject({ outcome: 'commit', fence: 'frozen' });
});

test('a dry run thaws what it froze', async () => {
  expect(await switchTo({ plan: { dryRun: true } })).toMatchObject({ outcome: 'abort', fence: 'frozen' });
  expect(backends.frozen).toEqual({ source: false, target: false });
});

test.each(['commit', 'abort'] as const)(
  'a task that starts meanwhile serves behind the thaw of a %s, and not at the end of its lease',
  async (outcome) => {
    let late: (typeof world.tasks)[number] | undefined;
    let beforeThaw = -1;
    const side = outcome === 'commit' ? 'target' : 'source';
    if (outcome === 'abort') backends.faults['verify target'] = () => json(200, { ok: false, why: 'it lags' });
    backends.faults['freeze source'] = (call) => {
      late ??= world.start('s9', 'source');
      late.request();
      return backends.follow(call);
    };
    backends.faults[`thaw ${side}`] = async (call) => {
      await until(() => world.store.decisions.size > 0);
      await pause(1_200);
      beforeThaw = world.served.length;
      return backends.follow(call);
    };
    expect(
      await switchTo({ hook: { ...HOOK_PLAN, timeoutMs: { ...HOOK_PLAN.timeoutMs, thaw: 3_000 } } as HookPlan }),
    ).toMatchObject({ outcome });
    expect(beforeThaw).toBe(0);
    const { leaseRemainingMs } = late!.gate.report();
    expect(leaseRemainingMs).toBeGreaterThan(5_000);
    const gotError = () => (late!.gate.figures.rejected.windowOver > 0 ? 'a 503 at the end of its lease' : undefined);
    await until(() => world.served.length > 0, gotError);
    expect(world.served).toMatchObject([{ side }]);
    late!.gate.stop();
  },
);
