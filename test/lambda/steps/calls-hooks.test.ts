import { setTimeout as pause } from 'node:timers/promises';
import type { PhaseHookCall } from '../../../core/cutover/hooks';
import { CutoverRun } from '../../../core/cutover/run';
import { HOOK_TIMES, HookTime } from '../../../core/plan/phase-hooks';
import { parsePlan } from '../../../core/plan/plan';
import { reversePlan } from '../../../core/plan/reverse-plan';
import type { Ports } from '../../../lambda/contract/ports';
import { confirm } from '../../../lambda/steps/confirm';
import { hook } from '../../../lambda/steps/hook';
import { preflight } from '../../../lambda/steps/preflight';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { switchStep } from '../../../lambda/steps/switch';
import { MemoryCloud, arns } from '../world';
import { drive } from './drive';
import { SHORT_PLAN } from './short-plan';
import { ON_SOURCE, ON_TARGET, change } from './safety-rules/cutover';
import { SWITCH_PLAN, SwitchCloud } from './switch-cloud';

const ARN = 'arn:aws:lambda:eu-central-1:111122223333:function:check';
const at = (when: HookTime, more: object = {}) => ({ name: when, when, functionArn: ARN, ...more });

let cloud: MemoryCloud;
let calls: PhaseHookCall[];
let respond: (call: PhaseHookCall) => unknown;

const yes = ({ key }: PhaseHookCall) => ({ ok: true, key });
const no = () => ({ ok: false, why: 'the smoke\ntest failed' });

function serve(of: MemoryCloud): void {
  calls = [];
  respond = yes;
  of.invoke = async (_, event) => {
    const call = event as PhaseHookCall;
    calls.push(call);
    return respond(call);
  };
}

beforeEach(() => {
  cloud = new MemoryCloud();
  serve(cloud);
  // A real pause, however short: limits run by the clock of the machine.
  (cloud.ports as { pause: Ports['pause'] }).pause = (milliseconds) => {
    cloud.nowMs += milliseconds;
    return pause(1);
  };
});

const listOutcomes = (run: CutoverRun) =>
  (run.hooks?.records ?? []).map(({ name, stage, outcome }) => [name, stage ?? 0, outcome].join(' '));

test('every hook of a cutover that completes is called once, at its time, in the order of the phases', async () => {
  const times = HOOK_TIMES.filter((when) => !when.endsWith('Rollback'));
  const { run, states } = await drive(cloud, { ...SHORT_PLAN, hooks: times.map((when) => at(when)) });
  expect(states.at(-1)).toBe('Complete');
  expect(calls.map(({ when, stage }) => `${when}${stage ?? ''}`)).toEqual([
    ...['beforePreflight', 'afterPreflight', 'beforeShift1', 'afterShift1', 'beforeBake1', 'afterBake1'],
    ...['beforeShift2', 'afterShift2', 'beforeBake2', 'afterBake2', 'beforeDrain', 'afterDrain'],
    ...['beforeVerify', 'afterVerify', 'beforeComplete', 'afterComplete'],
  ]);
  expect(listOutcomes(run)).toHaveLength(calls.length);
  expect(cloud.evidence[0]?.hooks?.every(({ outcome }) => outcome === 'passed')).toBe(true);
  expect(calls[3]).toEqual({
    ...{ hook: 'afterShift', when: 'afterShift', key: 'night/afterShift/1/afterShift/1', execution: 'night' },
    ...{ call: 1, attempt: 1, stage: 1, stages: 2, weights: { source: 50, target: 50 }, from: 'source', to: 'target' },
  });
  expect(new Set(calls.map(({ key }) => key)).size).toBe(calls.length);
});

const STOPPING = HOOK_TIMES.filter((when) => !/Complete|Rollback/.test(when));
const MOVED = STOPPING.slice(STOPPING.indexOf('afterShift'));

describe.each(STOPPING)('a no at %s', (when) => {
  const isFirst = ['beforePreflight', 'afterPreflight', 'beforeShift'].includes(when);

  test('rolls back, with its reason for people and in the evidence', async () => {
    respond = no;
    const { run, states } = await drive(cloud, { ...SHORT_PLAN, hooks: [at(when)] });
    expect(states.at(-1)).toBe('Record');
    expect(cloud.forward.groups.find(({ arn }) => arn === arns.source)?.weight).toBe(100);
    const [evidence] = cloud.evidence;
    expect(evidence?.outcome).toBe(isFirst ? 'refused' : 'rolled-back');
    expect(evidence?.failure?.code).toBe('HookFailed');
    expect(evidence?.failure?.message).toMatch(
      /^the hook '\w+' \(\w+(, stage 1)?\) must pass, got: it said no: the smoke.*test failed$/,
    );
    expect(evidence?.hooks).toMatchObject([{ name: when, outcome: 'failed' }]);
    expect(run.timeline).toContainEqual(expect.objectContaining({ state: 'Hook' }));
    expect(cloud.notified.at(-1)?.text).toContain('it said no: the smoke');
  });

  test('is noted and no more, where the plan goes on', async () => {
    respond = no;
    const { run, states } = await drive(cloud, { ...SHORT_PLAN, hooks: [at(when, { onFailure: 'continue' })] });
    expect(states.at(-1)).toBe('Complete');
    expect(run.hooks?.records[0]).toMatchObject({ outcome: 'failed', why: 'it said no: the smoke test failed' });
  });

  test('asks a person where the plan pauses: with an approval it goes on, and calls no hook again', async () => {
    respond = no;
    const hooks = [at(when, { onFailure: 'pause' }), at(when, { name: 'second', onFailure: 'continue' })];
    const approvePlan = { approval: { requireIdentity: false, timeoutSeconds: 60 } };
    const { states } = await drive(cloud, { ...SHORT_PLAN, ...approvePlan, hooks }, () => {
      const gate = cloud.notified.findLast(({ detail }) => detail.kind === 'waitingForApproval')?.detail.gate;
      if (gate) cloud.write(gate, '{"decision":"approve","by":"ann"}');
    });
    expect(states.at(-1)).toBe('Complete');
    expect(states).toContain(isFirst ? 'Approve' : 'Ask');
    expect(new Set(calls.map(({ key }) => key)).size).toBe(calls.length);
    expect(calls.some((call) => call.hook === 'second')).toBe(true);
    const asked = cloud.notified.find(({ detail }) => detail.kind === 'waitingForApproval');
    expect(asked?.text).toContain('A hook failed: HookFailed: the hook');
    expect(asked?.text).toContain(isFirst ? 'nothing is moved' : 'it rolls back to 100/0');
  });

  test('asks a person who rejects it', async () => {
    respond = no;
    const plan = { ...SHORT_PLAN, approval: { timeoutSeconds: 60 }, hooks: [at(when, { onFailure: 'pause' })] };
    await drive(cloud, plan, () => cloud.write('judge', '{"decision":"reject"}'));
    expect(cloud.evidence[0]).toMatchObject({
      outcome: isFirst ? 'refused' : 'rolled-back',
      failure: { code: 'HookFailed' },
    });
  });
});

test.each(MOVED)(
  'both sides are judged while a hook hangs at %s: a target that fails is left at once',
  async (when) => {
    respond = () => new Promise(() => undefined);
    const { run, states } = await drive(cloud, { ...SHORT_PLAN, hooks: [at(when, { timeoutSeconds: 2 })] }, (state) => {
      // Behind the look that begins the call.
      if (state === 'Hook') cloud.whilePausing = () => undefined;
      if (state !== 'Hook') return;
      const { pause: before } = cloud.ports;
      (cloud.ports as { pause: Ports['pause'] }).pause = (milliseconds) => {
        cloud.smoke.target = 502;
        return before(milliseconds);
      };
    });
    expect(states.at(-1)).toBe('Record');
    expect(run.failure?.code).toBe('SmokeFailed');
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(calls).toHaveLength(1);
  },
);

test.each<[string, () => unknown, string]>([
  ['hangs', () => new Promise(() => undefined), 'no response within 1 s'],
  [
    'throws',
    () => Promise.reject(new Error("'check' must respond, got TypeError")),
    "'check' must respond, got TypeError",
  ],
  ['responds with a text', () => 'pong', 'got pong'],
  ['responds with nothing', () => null, 'got null'],
  [
    'responds with the key of another call',
    () => ({ ok: true, key: 'night/afterShift/2/check/1' }),
    'it must respond {"ok":true,"key":"night/afterShift/1/afterShift/1"}, got {"ok":true,"key":"night',
  ],
  ['responds without a key', () => ({ ok: true }), 'got {"ok":true}'],
  ['says no without a reason', () => ({ ok: false }), 'got {"ok":false}'],
  ['responds with a list', () => [{ ok: true }], 'got [{"ok":true}]'],
])('one that %s has failed', async (_, given, problem) => {
  respond = given;
  const { run } = await drive(cloud, { ...SHORT_PLAN, hooks: [at('afterShift', { timeoutSeconds: 1 })] });
  expect(run.failure?.code).toBe('HookFailed');
  expect(run.failure?.message).toContain(problem);
});

test('a call that got no response is repeated with its key, within its limit', async () => {
  let times = 0;
  respond = (call) => {
    times += 1;
    return times < 3 ? Promise.reject(new Error('throttled')) : yes(call);
  };
  const { states } = await drive(cloud, { ...SHORT_PLAN, hooks: [at('beforeDrain')] });
  expect(states.at(-1)).toBe('Complete');
  expect(calls.map(({ key }) => key)).toEqual(Array.from({ length: 3 }, () => 'night/beforeDrain/beforeDrain/1'));
});

test('a step that is repeated makes the same call again', async () => {
  const plan = { ...SHORT_PLAN, hooks: [at('afterShift')] };
  const run = await confirm(await shift(cloud.ready(plan), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  const [first, second] = [await hook(run, cloud.ports, cloud.nowMs), await hook(run, cloud.ports, cloud.nowMs)];
  expect([first.verdict, second.verdict]).toEqual(['confirmed', 'confirmed']);
  expect(calls[0]).toEqual(calls[1]);
});

test('an abort is seen before a hook is called', async () => {
  await drive(
    cloud,
    { ...SHORT_PLAN, hooks: [at('beforeBake')] },
    (state) => state === 'Hook' && cloud.aborts.add('night'),
  );
  expect(calls).toEqual([]);
  expect(cloud.evidence[0]?.failure?.code).toBe('Aborted');
});

describe('in a rollback', () => {
  const hooks = [at('beforeRollback', { timeoutSeconds: 1 }), at('afterRollback', { timeoutSeconds: 1 })];
  const failing = { ...SHORT_PLAN, hooks: [...hooks, at('afterShift', { name: 'breaks' })] };
  const isBack = ({ when }: PhaseHookCall) => when.endsWith('Rollback');

  test('both are called, with the reason', async () => {
    respond = (call) => (isBack(call) ? yes(call) : no());
    await drive(cloud, failing);
    expect(calls.filter(isBack)).toMatchObject([
      { when: 'beforeRollback', failure: { code: 'HookFailed' } },
      { when: 'afterRollback', failure: { code: 'HookFailed' } },
    ]);
    expect(cloud.evidence[0]).toMatchObject({ outcome: 'rolled-back', rollback: { hasReadBack: true } });
  });

  test.each<[string, (call: PhaseHookCall) => unknown]>([
    ['hang', () => new Promise(() => undefined)],
    ['say no', no],
    ['throw', () => Promise.reject(new Error('gone'))],
  ])('the weights are back whether or not they %s', async (_, given) => {
    let weightsAt: unknown;
    respond = (call) => {
      if (call.when === 'afterRollback') weightsAt = cloud.forward.groups;
      return isBack(call) ? given(call) : no();
    };
    const startedMs = performance.now();
    const run = await confirm(await shift(cloud.ready(failing), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
    const failed = await hook(run, cloud.ports, cloud.nowMs);
    const rolling = rollback(failed, cloud.ports, cloud.nowMs);
    // Long before the limit of the hook that hangs.
    while (cloud.forward.groups.length > 1 || cloud.forward.groups[0]?.arn !== arns.source) await pause(1);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    const back = await rolling;
    expect(back.verdict).toBe('restored');
    expect(weightsAt).toEqual(ON_SOURCE);
    expect(listOutcomes(back).slice(1)).toEqual(['beforeRollback 0 failed', 'afterRollback 0 failed']);
  });

  test('a rollback that waits calls one that has not ended again with its key, until its time has passed', async () => {
    respond = (call) => (isBack(call) ? new Promise(() => undefined) : no());
    cloud.healthy.source = 0;
    const run = await confirm(await shift(cloud.ready(failing), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
    const first = await rollback({ ...run, verdict: 'rollBack' }, cloud.ports, cloud.nowMs);
    expect(first.verdict).toBe('wait');
    const second = await rollback(first, cloud.ports, cloud.nowMs + 900);
    const third = await rollback(second, cloud.ports, cloud.nowMs + 2_000);
    const before = calls.filter(({ when }) => when === 'beforeRollback');
    expect(before).toHaveLength(2);
    expect(new Set(before.map(({ key }) => key)).size).toBe(1);
    expect(third.hooks?.records).toMatchObject([{ name: 'beforeRollback', why: 'no response within 1 s' }]);
  });

  test('one of a stopped execution calls each once, though it sets the weights twice', async () => {
    respond = (call) => (isBack(call) ? yes(call) : no());
    await shift(cloud.ready({ ...SHORT_PLAN, hooks }), cloud.ports, cloud.nowMs);
    await recover(change, cloud.ports, cloud.nowMs);
    expect(calls.map(({ key }) => key)).toEqual([
      'night/beforeRollback/beforeRollback/1',
      'night/afterRollback/afterRollback/1',
    ]);
    expect(cloud.evidence[0]).toMatchObject({
      outcome: 'rolled-back',
      hooks: [{ outcome: 'passed' }, { outcome: 'passed' }],
    });
  });

  test('one that has lost its lock calls none', async () => {
    const run = { ...cloud.ready(failing), verdict: 'rollBack' as const };
    cloud.lock = undefined;
    expect((await rollback(run, cloud.ports, cloud.nowMs)).failure?.code).toBe('LockLost');
    expect(calls).toEqual([]);
  });
});

test('what is verified stays, whatever its last hooks say', async () => {
  respond = no;
  const { states } = await drive(cloud, { ...SHORT_PLAN, hooks: [at('beforeComplete'), at('afterComplete')] });
  expect(states.at(-1)).toBe('Complete');
  expect(cloud.forward.groups).toEqual(ON_TARGET);
  expect(cloud.evidence[0]).toMatchObject({
    outcome: 'completed',
    hooks: [{ outcome: 'failed' }, { outcome: 'failed' }],
  });
  expect(cloud.lock).toBeUndefined();
});

test('what was stopped behind Verify is completed with its last hooks', async () => {
  const run = await shift(
    cloud.ready({ ...SHORT_PLAN, hooks: [at('beforeComplete'), at('afterComplete')] }),
    cloud.ports,
    cloud.nowMs,
  );
  cloud.lock = { ...run, isVerified: true };
  await recover(change, cloud.ports, cloud.nowMs);
  expect(calls.map(({ when }) => when)).toEqual(['beforeComplete', 'afterComplete']);
  expect(cloud.evidence[0]).toMatchObject({
    outcome: 'completed',
    hooks: [{ outcome: 'passed' }, { outcome: 'passed' }],
  });
});

describe('preflight', () => {
  const refuse = (hooks: readonly object[]) => drive(cloud, { ...SHORT_PLAN, hooks });

  test('asks whether a function may be called, and calls none', async () => {
    cloud.checkFunction = () => Promise.reject(new Error('Lambda must respond to Invoke, got 403 AccessDenied'));
    await expect(refuse([at('afterShift')])).rejects.toMatchObject({
      code: 'HookFailed',
      message: "the hook 'afterShift' must be callable, got Lambda must respond to Invoke, got 403 AccessDenied",
    });
    expect(calls).toEqual([]);
  });

  test('asks a URL, whose 404 is none', async () => {
    const page = { name: 'page', when: 'afterShift', url: 'https://page.example.com/hook' };
    await expect(refuse([page])).rejects.toThrow("the hook 'page' must be callable, got connect ECONNREFUSED");
    cloud.send = (_, { method }) => Promise.resolve({ status: method === 'OPTIONS' ? 404 : 200, body: '' });
    await expect(refuse([page])).rejects.toThrow("the hook 'page' must be callable, got 404 to OPTIONS https://page");
  });
});

test('the backend of a side is called through a proxy of that side, and another one where the first does not respond', async () => {
  const switching = new SwitchCloud(1, 3);
  serve(switching);
  const asked: string[] = [];
  for (const task of switching.proxies) {
    task.callBackend = (order) => {
      asked.push(`${task.id} ${order.to} ${order.method} ${order.path}`);
      if (task.id === 't1') return Promise.reject(new Error('ECONNREFUSED'));
      const { key } = JSON.parse(order.body ?? '{}') as PhaseHookCall;
      return Promise.resolve({ status: 200, body: JSON.stringify({ ok: true, key }) });
    };
  }
  const hooks = [{ name: 'self-test', when: 'afterPreflight', http: { path: '/self-test' } }];
  const run = { ...switching.ready({ ...SHORT_PLAN, hooks }), initial: undefined } as unknown as CutoverRun;
  switching.forward = { ...switching.forward, groups: new MemoryCloud().forward.groups };
  const first = await preflight(run, switching.ports, switching.nowMs);
  expect(first.verdict).toBe('hook');
  const called = await hook(first, switching.ports, switching.nowMs);
  expect(called).toMatchObject({ verdict: 'approved', hooks: { records: [{ outcome: 'passed' }] } });
  expect(asked).toEqual([
    ...['t1 target OPTIONS /self-test', 't2 target OPTIONS /self-test'],
    ...['t1 target POST /self-test', 't2 target POST /self-test'],
  ]);
  switching.end();
});

test('a cutover the other way calls the same hooks, and says which way it goes', async () => {
  const plan = reversePlan(parsePlan({ ...SHORT_PLAN, hooks: [at('beforePreflight')] }));
  const run = { ...cloud.ready(plan), initial: undefined } as unknown as CutoverRun;
  await hook(await preflight(run, cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  expect(calls).toMatchObject([{ when: 'beforePreflight', from: 'target', to: 'source' }]);
});

test('each attempt to switch is another call of the hooks before it', async () => {
  const switching = new SwitchCloud();
  serve(switching);
  const hooks = [at('beforeShift')];
  const run = switching.ready({ ...SWITCH_PLAN, hooks });
  const hooked = await switchStep(run, switching.ports, switching.nowMs);
  expect(hooked).toMatchObject({ verdict: 'hook', hooking: { resume: 'switch' } });
  const called = await hook(hooked, switching.ports, switching.nowMs);
  expect(called.verdict).toBe('switch');
  const aborted = { ...called, switches: [{ outcome: 'abort' }] } as unknown as CutoverRun;
  const again = await hook(
    await switchStep(aborted, switching.ports, switching.nowMs),
    switching.ports,
    switching.nowMs,
  );
  expect(again.verdict).toBe('switch');
  expect(calls.map(({ key }) => key)).toEqual([
    'night/beforeShift/1/beforeShift/1',
    'night/beforeShift/1/beforeShift/2',
  ]);
  switching.end();
});
