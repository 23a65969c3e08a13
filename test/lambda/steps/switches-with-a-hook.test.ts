import type { CutoverRun } from '../../../core/cutover/run';
import { rollBack } from '../../../core/cutover/run';
import type { HookCall } from '../../../core/switch/hook';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { rollback } from '../../../lambda/steps/rollback';
import { switchStep } from '../../../lambda/steps/switch';
import { HOOK_PLAN, HookBackends, json } from '../switch/hook-backends';
import { SwitchCloud } from './switch-cloud';

let cloud: SwitchCloud;
let backends: HookBackends;

beforeEach(() => {
  cloud = new SwitchCloud();
  backends = new HookBackends();
  for (const task of cloud.proxies) task.called = backends.respond;
});
afterEach(() => cloud.end());

const start = (plan: object = {}): CutoverRun => cloud.switching({ hook: HOOK_PLAN, maxPauseMs: 2_000, ...plan });
const step = (run: CutoverRun) => switchStep(run, cloud.ports, cloud.nowMs);
const back = (run: CutoverRun) => rollback(run, cloud.ports, cloud.nowMs);
const check = (run: CutoverRun) => preflight(run, cloud.ports, cloud.nowMs);

test('the step freezes the source, and its record says which fence held', async () => {
  const after = await step(start());
  expect(after.switches).toMatchObject([{ outcome: 'commit', fence: 'frozen' }]);
  expect(backends.frozen).toEqual({ source: true, target: false });
});

test('a bake that fails switches back: the target is frozen, and the source is not any more', async () => {
  const run = await confirm(await step(start()), cloud.ports, cloud.nowMs);
  cloud.smoke.target = 502;
  const restored = await back(await bake(run, cloud.ports, cloud.nowMs));
  expect(restored).toMatchObject({
    verdict: 'restored',
    switches: [{ to: 'target' }, { to: 'source', fence: 'frozen' }],
  });
  expect(backends.frozen).toEqual({ source: false, target: true });
  expect(cloud.ask()).toEqual(['source', 'source', 'source']);
});

test('a rollback gives up an undecided switch, and thaws what it had frozen', async () => {
  const run = start();
  cloud.switches.before = (call) => (call === 'decide' ? Promise.reject(new Error('died')) : Promise.resolve());
  await expect(step(run)).rejects.toThrow('died');
  cloud.switches.before = () => Promise.resolve();
  expect(backends.frozen.source).toBe(true);
  await back(rollBack(run, 'Aborted', 'an operator asked'));
  expect(backends.frozen.source).toBe(false);
});

describe('a thaw that fails', () => {
  const refuse = () => ({ status: 503, body: '' });

  test('is reported at once, in the evidence, and thawed by the next call before its next attempt', async () => {
    backends.faults.verify = () => json(200, { ok: false, why: 'it lags' });
    backends.faults['thaw source'] = refuse;
    const waiting = await step(start());
    expect(waiting).toMatchObject({
      verdict: 'wait',
      waitSeconds: 1,
      switches: [{ outcome: 'abort', frozen: 'source' }],
    });
    expect(cloud.kindsNotified).toEqual(['frozen', 'switchAborted']);
    expect(cloud.notified[0]?.text).toMatch(/must thaw the source, got: 'thaw' of the source \(POST \/thaw\)/);
    backends.faults['thaw source'] = undefined;
    backends.faults.verify = undefined;
    const after = await step(waiting);
    expect(after.switches).toMatchObject([{ outcome: 'abort' }, { outcome: 'commit' }]);
    expect(cloud.switches.regime?.frozen).toBeUndefined();
  });

  test('and fails again ends in a rollback, which tries it again, too', async () => {
    backends.faults.verify = () => json(200, { ok: false, why: 'it lags' });
    backends.faults['thaw source'] = refuse;
    const failed = await step(await step(start()));
    expect(failed).toMatchObject({ verdict: 'rollBack', failure: { code: 'SwitchAborted' } });
    const still = await back(failed);
    expect(still).toMatchObject({ verdict: 'wait' });
    expect(still.rollback?.notDone?.join()).toMatch(/the source serves, and must be thawed/);
    backends.faults['thaw source'] = undefined;
    expect(await back(still)).toMatchObject({ verdict: 'restored' });
    expect(backends.frozen.source).toBe(false);
    expect(cloud.switches.regime).toEqual({ epoch: 1, committed: 0, side: 'source', isJoined: false });
  });

  test('behind a commit is tried again before the weights follow', async () => {
    backends.faults['thaw target'] = refuse;
    const waiting = await step(start());
    expect(waiting).toMatchObject({ verdict: 'wait', switches: [{ outcome: 'commit', frozen: 'target' }] });
    backends.faults['thaw target'] = undefined;
    const after = await step(waiting);
    expect(after.verdict).not.toBe('rollBack');
    expect(cloud.switches.regime?.frozen).toBeUndefined();
  });

  test('is repaired by the preflight of the next cutover', async () => {
    cloud.switches.regime = { epoch: 3, committed: 0, side: 'source', isJoined: false, frozen: 'source' };
    await check(start());
    expect(backends.calls).toContain('thaw source 3');
    expect(cloud.switches.regime).toEqual({ epoch: 3, committed: 0, side: 'source', isJoined: false });
    cloud.switches.regime = { ...cloud.switches.regime, frozen: 'source' };
    backends.faults.thaw = refuse;
    await expect(check(start())).rejects.toThrow('the source serves, and must be thawed, got:');
    await expect(check(cloud.switching())).rejects.toThrow('got a plan without the hook that froze it');
  });
});

describe('preflight shows that the hook can be called, before any request waits', () => {
  test('each path responds to OPTIONS at both sides, and the source accepts the write', async () => {
    const asked: string[] = [];
    for (const task of cloud.proxies) {
      task.called = ({ to, method, path }) => (asked.push(`${to} ${method} ${path}`), { status: 204, body: '' });
    }
    await check(start());
    expect(asked).toEqual([
      ...['/freeze', '/transfer', '/verify', '/thaw'].flatMap((path) => [
        `source OPTIONS ${path}`,
        `target OPTIONS ${path}`,
      ]),
      'source POST /probe-write',
    ]);
  });

  test.each([
    ['target', 'OPTIONS', '/verify', { status: 404, body: '' }, 'a path of the hook, got 404'],
    ['source', 'OPTIONS', '/freeze', { upstreamProblem: 'ECONNREFUSED' }, 'a path of the hook, got ECONNREFUSED'],
    ['source', 'POST', '/probe-write', { status: 404, body: '' }, 'the probe write, while it is not frozen, got 404'],
  ])('a %s that does not accept %s %s', async (side, wanted, path, response, got) => {
    for (const task of cloud.proxies) {
      task.called = (order) =>
        order.to === side && order.method === wanted && order.path === path ? response : { status: 200, body: '' };
    }
    await expect(check(start())).rejects.toMatchObject({
      code: 'SwitchAborted',
      message: `the ${side} must respond with less than 400 to ${wanted} ${path}, ${got}`,
    });
  });

  const hook = {
    functionArn: 'arn:aws:lambda:eu-central-1:111122223333:function:freeze',
    timeoutMs: HOOK_PLAN.timeoutMs,
  };

  test('a function responds to a check', async () => {
    const events: HookCall[] = [];
    cloud.invoke = async (_, event) => (events.push(event as HookCall), { ok: true, epoch: 0 });
    await check(start({ hook }));
    expect(events).toMatchObject([{ part: 'check', epoch: 0 }]);
  });

  test.each([
    ['may not be called', () => Promise.reject(new Error('AccessDenied')), /must be callable, got AccessDenied/],
    ['returns garbage', () => Promise.resolve({ statusCode: 200 }), /'check' of the source must respond/],
  ])('a function that %s', async (_, invoke, message) => {
    cloud.invoke = invoke;
    await expect(check(start({ hook }))).rejects.toMatchObject({
      code: 'SwitchAborted',
      message: expect.stringMatching(message) as string,
    });
  });
});
