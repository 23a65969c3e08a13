import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Server, ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { resume } from '../../../core/cutover/escalation';
import { describeLook } from '../../../core/cutover/execution-look';
import type { PhaseHookCall } from '../../../core/cutover/hooks';
import { findProgress } from '../../../core/cutover/progress';
import type { CutoverRun } from '../../../core/cutover/run';
import type { HookTime } from '../../../core/plan/phase-hooks';
import { countLooks } from '../../../core/plan/plan';
import { functionsPort } from '../../../lambda/adapters/functions';
import { urlsPort } from '../../../lambda/adapters/urls';
import type { Ports } from '../../../lambda/contract/ports';
import { withTimeLeft } from '../../../lambda/contract/time-left';
import { hook } from '../../../lambda/steps/hook';
import { LocalFunction } from '../../../rehearsal/functions/function';
import { ACCOUNT, LocalCloud, REGION, startLocalCloud } from '../../rehearsal/aws/world';
import { MemoryCloud, arns } from '../world';
import { drive } from './drive';
import { SHORT_PLAN } from './short-plan';
import { ON_SOURCE } from './safety-rules/cutover';

interface Called {
  readonly call: PhaseHookCall;
  readonly idempotencyKey: string | undefined;
  /** By the clock of the cutover, in seconds since the first. */
  readonly second: number;
}

let cloud: MemoryCloud;
let server: Server;
let url: string;
let respond: (response: ServerResponse, call: PhaseHookCall) => void;
let called: Called[];
let beganMs: number;

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.method === 'OPTIONS') return void response.end();
      const call = JSON.parse(body) as PhaseHookCall;
      if (called.length === 0) beganMs = cloud.nowMs;
      const idempotencyKey = request.headers['idempotency-key'] as string | undefined;
      called.push({ call, idempotencyKey, second: (cloud.nowMs - beganMs) / 1000 });
      respond(response, call);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

beforeEach(begin);

function begin(): void {
  called = [];
  cloud = new MemoryCloud();
  cloud.send = (...given) => track(() => urlsPort().send(...given));
  // The clock of the cutover runs ahead of the machine's, and stands while a call is under way.
  (cloud.ports as { pause: Ports['pause'] }).pause = async (milliseconds) => {
    if (underWay > 0) {
      while (underWay > 0) await pause(1);
      return;
    }
    cloud.nowMs += milliseconds;
    cloud.whilePausing();
  };
}

let underWay = 0;
async function track<T>(call: () => Promise<T>): Promise<T> {
  underWay += 1;
  try {
    return await call();
  } finally {
    underWay -= 1;
  }
}

const at = (when: HookTime, more: object = {}) => ({ name: 'gate', when, url, ...more });
const say = (response: ServerResponse, body: object, status = 200) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const sayNotYet = (response: ServerResponse) => say(response, { hookStatus: 'IN_PROGRESS', callBackDelay: 20 });

/** Says not yet so often, each time as another kind of server does. */
const passAfter = (notYets: number) => (response: ServerResponse, call: PhaseHookCall) => {
  if (call.call > notYets) return say(response, { ok: true, key: call.key });
  const ways = [
    () => void response.writeHead(202, { 'retry-after': '20' }).end('{"state":"running"}'),
    () => say(response, { hookStatus: 'IN_PROGRESS', callBackDelay: 20, key: call.key }),
    () => say(response, { hookStatus: 'IN_PROGRESS', callBackDelay: 20 }, 503),
  ];
  ways[(call.call - 1) % ways.length]!();
};

describe.each<HookTime>(['beforePreflight', 'beforeShift', 'afterShift', 'beforeDrain', 'afterVerify'])(
  'a hook at %s that says not yet',
  (when) => {
    test('is called again after its delay, with its key, until it passes', async () => {
      respond = passAfter(3);
      const { states } = await drive(cloud, { ...SHORT_PLAN, hooks: [at(when)] });
      expect(states.at(-1)).toBe('Complete');
      const first = called.filter(({ call }) => (call.stage ?? 1) === 1);
      expect(new Set(first.map(({ call }) => call.key)).size).toBe(1);
      expect(first.map(({ call }) => call.call)).toEqual([1, 2, 3, 4]);
      const [key] = first.map(({ call }) => call.key);
      expect(first.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
        ...[`"${key}"`, `"${key}/2"`, `"${key}/3"`, `"${key}/4"`],
      ]);
      const pauses = first.slice(1).map(({ second }, index) => second - first[index]!.second);
      // Looks are some seconds apart.
      for (const seconds of pauses) expect(Math.round(seconds)).toBeGreaterThanOrEqual(20);
      for (const seconds of pauses) expect(seconds).toBeLessThan(30);
      expect(cloud.evidence[0]?.hooks?.[0]).toMatchObject({
        ...{ name: 'gate', outcome: 'passed', calls: 4 },
        notYetAt: [expect.any(String), expect.any(String), expect.any(String)],
      });
    });

    test('fails at its limit, after as many looks as its plan has counted', async () => {
      respond = sayNotYet;
      const hooks = [at(when, { waitSeconds: 50 })];
      const { run, states } = await drive(cloud, { ...SHORT_PLAN, hooks });
      expect(states.at(-1)).toBe('Record');
      expect(run.failure?.message).toMatch(/must pass, got: it must pass within 50 s, got IN_PROGRESS$/);
      expect(called.map(({ call }) => call.call)).toEqual([1, 2, 3, 4]);
      expect(states.filter((state) => /Hook/.test(state)).length).toBeLessThanOrEqual(countLooks(run.plan).hooks);
      expect(cloud.forward.groups.find(({ arn }) => arn === arns.source)?.weight).toBe(100);
    });

    test('hides no abort', async () => {
      respond = (response) => {
        cloud.whilePausing = () => cloud.nowMs > beganMs + 9_000 && cloud.aborts.add('night');
        sayNotYet(response);
      };
      await drive(cloud, { ...SHORT_PLAN, hooks: [at(when)] });
      expect(called).toHaveLength(1);
      expect(cloud.evidence[0]).toMatchObject({
        failure: { code: 'Aborted' },
        hooks: [{ name: 'gate', outcome: 'notYet', calls: 1 }],
      });
    });
  },
);

test.each<HookTime>(['afterShift', 'afterBake', 'beforeDrain', 'afterDrain', 'beforeVerify', 'afterVerify'])(
  'both sides are judged while one at %s waits: a target that fails is left before it is called again',
  async (when) => {
    let failedMs = 0;
    respond = (response) => {
      // Some looks later.
      cloud.whilePausing = () => {
        if (failedMs > 0 || cloud.nowMs < beganMs + 9_000) return;
        failedMs = cloud.nowMs;
        cloud.smoke.target = 502;
      };
      sayNotYet(response);
    };
    const { run } = await drive(cloud, { ...SHORT_PLAN, pollSeconds: 30, hooks: [at(when)] });
    expect(called).toHaveLength(1);
    expect(run.failure?.code).toBe('SmokeFailed');
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(failedMs).toBeGreaterThan(0);
    expect(run.rollBackAtMs! - failedMs).toBeLessThanOrEqual(5_000);
    expect(cloud.evidence[0]?.hooks).toMatchObject([{ outcome: 'notYet', calls: 1 }]);
  },
);

test.each<[string, string, (response: ServerResponse) => void]>([
  ['a delay of -1', "'callBackDelay' must be an integer", (it) => say(it, notYet(-1))],
  ['a delay of "soon"', "'callBackDelay' must be an integer", (it) => say(it, notYet('soon'))],
  ['an unknown hookStatus', "'hookStatus' must be one of", (it) => say(it, { hookStatus: 'PAUSED' })],
  ['a Retry-After of "soon"', "'Retry-After' must be", (it) => void it.writeHead(202, { 'retry-after': 'soon' }).end()],
  ['202 without a Retry-After', 'it must respond with 200, got 202', (it) => void it.writeHead(202).end()],
  ['SUCCEEDED with 500', 'it must respond with 200, got 500', (it) => say(it, { hookStatus: 'SUCCEEDED' }, 500)],
])('one that responds with %s has failed', async (_, problem, given) => {
  respond = given;
  const { run } = await drive(cloud, { ...SHORT_PLAN, hooks: [at('afterShift')] });
  expect(run.failure).toMatchObject({ code: 'HookFailed' });
  expect(run.failure?.message).toContain(problem);
});

const notYet = (callBackDelay: unknown) => ({ hookStatus: 'IN_PROGRESS', callBackDelay });

test('what its failure means holds at its limit, too: a person is asked, or it goes on', async () => {
  respond = sayNotYet;
  const hooks = (onFailure: string) => [at('beforeDrain', { waitSeconds: 5, onFailure })];
  expect((await drive(cloud, { ...SHORT_PLAN, hooks: hooks('continue') })).states.at(-1)).toBe('Complete');
  begin();
  const { states } = await drive(cloud, { ...SHORT_PLAN, approval: { timeoutSeconds: 60 }, hooks: hooks('pause') });
  expect(states).toContain('Ask');
});

test('nothing waits for one of a rollback, or behind Verify', async () => {
  respond = (response, call) => (/Rollback|Complete/.test(call.when) ? sayNotYet(response) : say(response, { ok: 1 }));
  const ends = (times: readonly HookTime[]) => times.map((when) => at(when, { name: when, onFailure: 'continue' }));
  await drive(cloud, { ...SHORT_PLAN, hooks: [at('afterShift'), ...ends(['beforeRollback', 'afterRollback'])] });
  await drive(cloud, { ...SHORT_PLAN, hooks: ends(['beforeComplete', 'afterComplete']) });
  const why = (when: HookTime) => `it must pass within 0 s, because ${when} waits for nothing, got IN_PROGRESS`;
  expect(cloud.evidence.map(({ outcome, hooks }) => [outcome, ...hooks!.map((each) => each.why)])).toEqual([
    ['rolled-back', expect.any(String), why('beforeRollback'), why('afterRollback')],
    ['completed', why('beforeComplete'), why('afterComplete')],
  ]);
});

test.each<HookTime>(['afterShift', 'beforeBake'])(
  'what one at %s takes is no time of the bake behind it',
  async (when) => {
    respond = passAfter(3);
    const stages = [{ weights: { source: 0, target: 100 }, bakeSeconds: 10, maximumBakeSeconds: 30 }];
    // The target has proven it soon behind the hook, and not before.
    const judge = { errorBudget: 0.004, inconclusive: 'rollBack' };
    const { run, states } = await drive(cloud, { ...SHORT_PLAN, stages, judge, hooks: [at(when)] });
    expect(states.at(-1)).toBe('Complete');
    const baked = cloud.evidence[0]!.timeline.find(({ state }) => state === 'Bake')!;
    const passed = Date.parse(cloud.evidence[0]!.hooks![0]!.at);
    expect(Date.parse(baked.at) - passed).toBeGreaterThanOrEqual(10_000);
    expect(run.stages[0]?.verdict).toBe('promote');
  },
);

test('what a person takes is no time of one that says not yet', () => {
  const waitSeconds = 60;
  const waiting = {
    name: 'gate',
    when: 'beforeDrain' as const,
    attempt: 1,
    calls: 1,
    notYetAt: [],
    sinceMs: 0,
    nextAtMs: 0,
  };
  const plan = { ...SHORT_PLAN, hooks: [at('beforeDrain', { waitSeconds })] };
  const asked = { ...cloud.ready(plan), hooking: { points: [waiting], resume: 'drain', waiting } } as CutoverRun;
  const failure = { code: 'TargetWorse' as const, message: 'it is' };
  const resumed = resume(asked, { failure, isFailing: true, resume: 'hook' }, 7_200_000);
  expect(findProgress(resumed, 7_200_000).next?.at).toBe(new Date(7_200_000 + waitSeconds * 1000).toISOString());
});

test('one that may wait for long is called at each poll of its step, and says when that is', async () => {
  respond = (response) => say(response, notYet(1));
  const plan = { ...SHORT_PLAN, hooks: [at('beforePreflight', { waitSeconds: '24h' })] };
  const run = { ...cloud.ready(plan), initial: undefined } as unknown as CutoverRun;
  const hooking = { points: [{ when: 'beforePreflight', attempt: 1 }], resume: 'approved' } as const;
  const leftMs = () => 110_000 - (cloud.nowMs - startedMs);
  const startedMs = cloud.nowMs;
  const next = await withTimeLeft(leftMs, () => hook({ ...run, hooking }, cloud.ports, cloud.nowMs));
  expect(next.verdict).toBe('wait');
  const wakesMs = cloud.nowMs + next.waitSeconds * 1000;
  expect(wakesMs - startedMs).toBeLessThanOrEqual(432_000);
  expect(next.hooking?.waiting).toMatchObject({ calls: called.length, nextAtMs: wakesMs });
});

test('people who watch read which, how often, and when it is called again', async () => {
  respond = sayNotYet;
  const shown: string[] = [];
  const next = new Set<string | undefined>();
  await drive(cloud, { ...SHORT_PLAN, hooks: [at('beforeDrain', { waitSeconds: 50 })] }, (_, run) => {
    if (run.hooking?.waiting === undefined) return;
    shown.push(
      describeLook({ status: 'RUNNING', input: {}, state: 'Hook', run }),
      findProgress(run, cloud.nowMs).hook!,
    );
    next.add(findProgress(run, cloud.nowMs).next?.what);
  });
  expect(shown[0]).toMatch(/^Hook, .*the hook 'gate' says not yet, 1 call, next at \d\d:\d\d:\d\d UTC$/);
  expect(shown.at(-1)).toMatch(/^'gate' says not yet, 3 calls, next at \d\d:\d\d:\d\d UTC$/);
  expect([...next]).toEqual(["the hook 'gate' fails at the latest"]);
});

describe('a function', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-hook-'));
  let local: LocalFunction;
  let lambda: LocalCloud;

  beforeAll(async () => {
    // As one of ECS, that asks for the state of something that it began.
    const code = `
      const began = new Map();
      exports.handler = async ({ key }) => {
        began.set(key, 1 + (began.get(key) ?? 0));
        if (began.get(key) > 2) return { hookStatus: 'SUCCEEDED' };
        return { hookStatus: 'IN_PROGRESS', callBackDelay: 20 };
      };`;
    writeFileSync(join(folder, 'index.js'), code);
    const arn = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:gate`;
    local = new LocalFunction(
      { arn, name: 'gate', folder, handler: 'index.handler', timeoutSeconds: 20, environment: {}, role: 'Role' },
      () => ({ AWS_REGION: REGION }),
      { started: () => undefined, ended: () => undefined, log: new PassThrough().resume() },
    );
    lambda = await startLocalCloud({ hasFunction: () => true, invoke: (_, event) => local.invoke(event) });
    const credentials = { AWS_ACCESS_KEY_ID: 'LAMBDA', AWS_SECRET_ACCESS_KEY: 'none' };
    Object.assign(process.env, { AWS_REGION: REGION, AWS_ENDPOINT_URL: lambda.url, ...credentials });
  });
  afterAll(async () => {
    await lambda.stop();
    await local.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('of a lifecycle hook of ECS is waited for as it is', async () => {
    const { invoke, check } = functionsPort();
    Object.assign(cloud, {
      checkFunction: check,
      invoke: (...given: Parameters<typeof invoke>) => track(() => invoke(...given)),
    });
    const functionArn = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:gate`;
    const given = [{ name: 'gate', when: 'afterBake', functionArn }];
    const { run, states } = await drive(cloud, { ...SHORT_PLAN, hooks: given });
    expect(states.at(-1)).toBe('Complete');
    expect(run.hooks?.records).toMatchObject([
      { stage: 1, outcome: 'passed', calls: 3 },
      { stage: 2, outcome: 'passed', calls: 3 },
    ]);
  });
});
