import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { parsePlan } from '../../../core/plan/plan';
import { reversePlan } from '../../../core/plan/reverse-plan';
import { Side } from '../../../core/traffic/weights';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { lock } from '../../../lambda/steps/lock';
import { preflight } from '../../../lambda/steps/preflight';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { switchStep } from '../../../lambda/steps/switch';
import { verify } from '../../../lambda/steps/verify';
import { ALARMS, MemoryCloud, arns, report } from '../world';
import { ON_SOURCE, ON_TARGET, change } from './safety-rules/cutover';
import { SWITCH_PLAN, SwitchCloud } from './switch-cloud';

const STAGES = [
  { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
  { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
];
const GRADUAL = { stages: STAGES, pollSeconds: 5, breaker: { minimumErrors: 5 }, judge: { errorBudget: 0.06 } };
const OTHER: Record<Side, Side> = { source: 'target', target: 'source' };
/** Tasks as the judge sees them, by the side that they are of. */
const TASKS: Record<Side, string> = { source: 's1', target: 't1' };
const alone = (side: Side) => [{ arn: arns[side], weight: 100 }];

const later = (cloud: MemoryCloud, seconds: number) => (cloud.nowMs += seconds * 1000);
const start = (cloud: MemoryCloud, input: object, defaultPlan: object = GRADUAL, execution = 'night') =>
  lock(
    { input, execution, alarms: ALARMS, startedAt: new Date(cloud.nowMs).toISOString(), defaultPlan },
    cloud.ports,
    cloud.nowMs,
  );

/** A cutover that has its first stage behind it, and the requests of that. */
async function halfWay(cloud: MemoryCloud, input: object, execution = 'night'): Promise<CutoverRun> {
  const run = await preflight(await start(cloud, input, GRADUAL, execution), cloud.ports, cloud.nowMs);
  return confirm(await shift(run, cloud.ports, later(cloud, 1)), cloud.ports, later(cloud, 1));
}

async function takeRequests(cloud: MemoryCloud, side: Side, run: CutoverRun, errors = 0): Promise<CutoverRun> {
  const total = (cloud.tasks[side][0]?.requests.total ?? 0) + 50;
  cloud.tasks[side] = [report(TASKS[side], { total, errors })];
  await bake(run, cloud.ports, later(cloud, 5));
  return bake(run, cloud.ports, later(cloud, 6));
}

/** From the first bake to the end. */
async function goOn(cloud: MemoryCloud, given: CutoverRun, from: Side): Promise<CutoverRun> {
  const { ports } = cloud;
  let run = await takeRequests(cloud, OTHER[from], given);
  expect(run.verdict).toBe('nextStage');
  run = await confirm(await shift(run, ports, later(cloud, 1)), ports, later(cloud, 1));
  run = await takeRequests(cloud, OTHER[from], run);
  cloud.tasks[from] = [report(TASKS[from], { active: { websocket: 2 } })];
  run = await drain(run, ports, later(cloud, 1));
  expect(run).toMatchObject({ verdict: 'wait', drain: { atStart: { websocket: 2 } } });
  cloud.tasks[from] = [report(TASKS[from], { state: 'drained' })];
  run = await drain(run, ports, later(cloud, 5));
  return complete(await verify(run, ports, cloud.nowMs), ports, cloud.nowMs);
}

describe('a cutover of stages from the target', () => {
  test.each([
    ['{"action":"rollback"}', { action: 'rollback' }],
    ['a plan', { plan: { ...GRADUAL, from: 'target', stages: reversePlan(parsePlan(GRADUAL)).stages } }],
  ])('goes there and back by %s, judged and drained with its sides exchanged', async (_, input) => {
    const cloud = new MemoryCloud();
    await goOn(cloud, await halfWay(cloud, {}), 'source');
    expect(cloud.forward.groups).toEqual(alone('target'));
    cloud.calls = [];
    cloud.tasks = { source: [report('s1')], target: [report('t1')] };
    await goOn(
      cloud,
      await halfWay(cloud, { ...input, AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: 'x' }, 'back'),
      'target',
    );
    expect(cloud.forward.groups).toEqual(alone('source'));
    expect(cloud.calls).toEqual(['set arn:source=50 arn:target=50', 'set arn:source=100', 'drain t1', 'undrain t1']);
    expect(cloud.lock).toBeUndefined();
    const [, evidence] = cloud.evidence;
    expect(evidence).toMatchObject({ outcome: 'completed', plan: { from: 'target' }, drain: { target: { http: 0 } } });
    expect(evidence?.drain.source).toBeUndefined();
    expect(cloud.notified.at(-1)?.text).toMatch(/All traffic is on the source, and the connections of the target are/);
  });

  test.each<[string, (cloud: MemoryCloud) => void, RegExp]>([
    ['errors', () => undefined, /^the source's error rate must be at most 0.05, got 20 errors/],
    ['no healthy target', ({ healthy }) => (healthy.source = 0), /^the source must have at least 1 healthy targets/],
    ['a bad smoke response', ({ smoke }) => (smoke.source = 502), /^GET \/ on the source must return 200, got 502/],
    ['its alarm', (cloud) => (cloud.alarms = [raised('no-source')]), /^the alarm 'no-source' must not be in ALARM/],
  ])('rolls back to the target by %s of the source', async (_, breakIt, message) => {
    const cloud = await onTarget();
    const run = await halfWay(cloud, { action: 'rollback' });
    breakIt(cloud);
    const failed = await takeRequests(cloud, 'source', run, 20);
    expect(failed).toMatchObject({ verdict: 'rollBack' });
    expect(failed.failure?.message).toMatch(message);
    expect(await rollback(failed, cloud.ports, cloud.nowMs)).toMatchObject({ verdict: 'restored' });
    expect(cloud.forward.groups).toEqual(ON_TARGET_OF_100);
    expect(cloud.calls).toContain('undrain t1');
    expect(cloud.calls).not.toContain('undrain s1');
  });

  test('errors of the target and an alarm about it cause none, and the alarm blocks a rollback to it', async () => {
    const cloud = await onTarget();
    const run = await halfWay(cloud, { action: 'rollback' });
    cloud.alarms = [raised('checkout-5xx'), raised('no-source', 'OK'), raised('latency', 'OK')];
    cloud.tasks.target = [report('t1', { total: 50, errors: 50 })];
    expect(await takeRequests(cloud, 'source', run)).toMatchObject({ verdict: 'nextStage' });
    const waiting = await rollback(rollBack(run, 'Aborted', 'asked'), cloud.ports, cloud.nowMs);
    expect(waiting).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: true } } } });
    expect(cloud.forward.groups).not.toEqual(ON_TARGET_OF_100);
  });

  test('does not roll back to a target that does not serve, and says which side is what', async () => {
    const cloud = await onTarget();
    const run = await halfWay(cloud, { action: 'rollback' });
    cloud.smoke = { source: 200, target: 500 };
    const waiting = await rollback(rollBack(run, 'Aborted', 'asked'), cloud.ports, cloud.nowMs);
    expect(waiting.rollback?.sides).toMatchObject({ target: { serves: false }, source: { serves: true } });
    expect(cloud.notified.at(-1)?.text).toContain('because the target would serve no better');
    later(cloud, 61);
    await expect(rollback(waiting, cloud.ports, cloud.nowMs)).rejects.toThrow(
      /^the target must serve, .*got: the target does not serve .*; the source serves/,
    );
  });

  test('that was stopped is put back to the target', async () => {
    const cloud = await onTarget();
    await halfWay(cloud, { action: 'rollback' });
    await recover(change, cloud.ports, cloud.nowMs);
    expect(cloud.forward.groups).toEqual(ON_TARGET_OF_100);
    expect(cloud.evidence.at(-1)).toMatchObject({ outcome: 'rolled-back' });
  });

  test('is promoted without the figures of the target, and not without those of the source', async () => {
    const cloud = await onTarget();
    const run = await halfWay(cloud, { action: 'rollback' });
    cloud.unreachable = new Set(['t1']);
    expect(await takeRequests(cloud, 'source', run)).toMatchObject({ verdict: 'nextStage' });
    const other = await onTarget();
    const blind = await halfWay(other, { action: 'rollback' });
    await takeRequests(other, 'source', blind);
    other.unreachable = new Set(['s1']);
    const unseen = await bake(blind, other.ports, later(other, 5));
    expect(unseen.verdict).toBe('wait');
    expect(await bake(unseen, other.ports, later(other, 61))).toMatchObject({
      failure: {
        code: 'AdminUnreachable',
        message: expect.stringMatching(/^the proxies of the source must be readable/) as string,
      },
    });
  });

  test('is rejected where the weights are not those that the cutover ended with', async () => {
    const cloud = new MemoryCloud();
    const run = await start(cloud, { action: 'rollback' });
    await expect(preflight(run, cloud.ports, cloud.nowMs)).rejects.toThrow(
      'the weights in force must be 0/100, got 100/0',
    );
  });

  test.each([
    [{ action: 'undo' }, "'input.action' must be 'rollback', or absent, got \"undo\""],
    [{ action: 'rollback', plan: GRADUAL }, "'input.action' must be absent beside a plan"],
    [
      { plan: { ...GRADUAL, from: 'target' } },
      "'stages[1].weights.target' must be 0, because a cutover ends on the source",
    ],
    [{ plan: { from: 'target', stages: [{ weights: { source: 1, target: 0 }, bakeSeconds: 9 }] } }, 'as deployed'],
  ])('the input %j is rejected', async (input, message) => {
    await expect(start(new MemoryCloud(), input)).rejects.toThrow(message);
  });
});

const ON_TARGET_OF_100 = [{ arn: arns.target, weight: 100 }];
const raised = (name: string, state: 'ALARM' | 'OK' = 'ALARM') => ({ name, state, reason: '' });

async function onTarget(): Promise<MemoryCloud> {
  const cloud = new MemoryCloud();
  cloud.alarms = ['no-source', 'checkout-5xx', 'latency'].map((name) => raised(name, 'OK'));
  cloud.forward = { ...cloud.forward, groups: ON_TARGET_OF_100 };
  return Promise.resolve(cloud);
}

describe('a switch from the target', () => {
  let cloud: SwitchCloud;
  afterEach(() => cloud.end());
  const step = (run: CutoverRun) => switchStep(run, cloud.ports, cloud.nowMs);
  const ALL_ON = (side: Side) => [side, side, side];

  /** After a cutover by a switch, whose lock is free. */
  async function switched(): Promise<void> {
    cloud = new SwitchCloud();
    await step(cloud.switching());
    cloud.lock = undefined;
    expect(cloud.ask()).toEqual(ALL_ON('target'));
  }

  const goBack = async () => {
    const run = await start(cloud, { action: 'rollback' }, SWITCH_PLAN, 'back');
    return preflight(run, cloud.ports, cloud.nowMs);
  };

  test('is preceded by proxies that forward to their own backend, and commits to the source', async () => {
    await switched();
    const ready = await goBack();
    expect(ready).toMatchObject({ verdict: 'switch', plan: { from: 'target', initialWeights: { source: 0 } } });
    expect(cloud.ask()).toEqual(['source', 'source', 'target']);
    const run = await step(ready);
    expect(run).toMatchObject({
      verdict: 'go',
      switches: [{ from: 'target', to: 'source', outcome: 'commit' }],
    });
    expect(cloud.ask()).toEqual(ALL_ON('source'));
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(cloud.notified.at(-1)?.subject).toBe("Cutover 'back' switched to the source");
    // Repeated with what it was given, as by a lost response.
    expect(await step(ready)).toMatchObject({ verdict: 'go' });
    expect(cloud.switches.decisions.size).toBe(2);
  });

  test('that fails behind the commit switches to the target again', async () => {
    await switched();
    const run = await confirm(await step(await goBack()), cloud.ports, cloud.nowMs);
    cloud.smoke.source = 502;
    const failed = await bake(run, cloud.ports, cloud.nowMs);
    expect(failed).toMatchObject({ verdict: 'rollBack', failure: { code: 'SmokeFailed' } });
    const restored = await rollback(failed, cloud.ports, cloud.nowMs);
    expect(restored).toMatchObject({
      verdict: 'restored',
      switches: [{ to: 'source' }, { to: 'target', outcome: 'commit' }],
    });
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    expect(cloud.notified.map(({ subject }) => subject)).toContain("Cutover 'back' switched back to the target");
  });

  test('leaves a target that does not serve, about which there is an alarm', async () => {
    await switched();
    cloud.smoke.target = 500;
    cloud.healthy.target = 0;
    cloud.setAlarms('ALARM');
    expect(await step(await goBack())).toMatchObject({ verdict: 'go' });
    expect(cloud.ask()).toEqual(ALL_ON('source'));
  });

  test('does not start to a source that does not serve', async () => {
    await switched();
    cloud.smoke.source = 500;
    await expect(goBack()).rejects.toMatchObject({ code: 'SmokeFailed' });
  });

  test('an abort leaves the target', async () => {
    await switched();
    const ready = await goBack();
    cloud.proxies.at(-1)!.inFlight = 1;
    const run = await step({
      ...ready,
      plan: { ...ready.plan, switch: { ...ready.plan.switch!, maxPauseMs: 100, attempts: 1 } },
    });
    expect(run).toMatchObject({ verdict: 'rollBack', failure: { code: 'SwitchAborted' } });
    expect(await rollback(run, cloud.ports, cloud.nowMs)).toMatchObject({ verdict: 'restored' });
    expect(cloud.ask()).toEqual(['source', 'source', 'target']);
    expect(cloud.forward.groups).toEqual(ON_TARGET);
  });

  test("after 'ask' a person rolls back by it, once the weights are where the proxies forward to", async () => {
    cloud = new SwitchCloud();
    const run = await confirm(await step(cloud.switching({ rollback: 'ask' })), cloud.ports, cloud.nowMs);
    await expect(rollback(rollBack(run, 'Aborted', 'x'), cloud.ports, cloud.nowMs)).rejects.toThrow(
      /drainshift rollback --stack STACK/,
    );
    cloud.lock = undefined;
    cloud.forward = { ...cloud.forward, groups: ON_SOURCE };
    await expect(goBack()).rejects.toThrow('the weights in force must be 0/100, got 100/0');
    // Still joined: with these weights the proxies of the source must not serve their own backend.
    expect(cloud.ask()).toEqual(ALL_ON('target'));
    cloud.lock = undefined;
    cloud.forward = { ...cloud.forward, groups: ON_TARGET };
    expect(await step(await goBack())).toMatchObject({ verdict: 'go' });
    expect(cloud.ask()).toEqual(ALL_ON('source'));
  });
});
