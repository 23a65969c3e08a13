import { CutoverRun } from '../../../core/cutover/run';
import { approveWatched } from '../../../lambda/steps/approve';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { lock } from '../../../lambda/steps/lock';
import { ALARMS, MemoryCloud, arns, report } from '../world';

const STAGES = [
  { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
  { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
];
const first = { beforeFirstShift: true, timeoutSeconds: 600, requireIdentity: false };
const last = { beforeLastStage: true, timeoutSeconds: 600, requireIdentity: false };
const approve = (run: CutoverRun, { ports, nowMs }: MemoryCloud) => approveWatched(run, ports, nowMs);

async function locked(cloud: MemoryCloud, approval: object): Promise<CutoverRun> {
  const defaultPlan = { stages: STAGES, pollSeconds: 5, approval };
  const given = { input: {}, execution: 'night', alarms: ALARMS, startedAt: '2026-01-01T00:00:00.000Z', defaultPlan };
  return lock(given, cloud.ports, cloud.nowMs);
}

/** A run whose first stage has baked well, and that is to ask before its last one. */
async function baked(cloud: MemoryCloud): Promise<CutoverRun> {
  const { ports } = cloud;
  const ready = await preflight(await locked(cloud, last), ports, cloud.nowMs);
  const confirmed = await confirm(await shift(ready, ports, cloud.nowMs), ports, cloud.nowMs);
  cloud.tasks.target = [report('t1', { total: 300 })];
  return bake(confirmed, ports, (cloud.nowMs += 10_000));
}

describe('before the first shift', () => {
  test('a yes opens the gate once: preflight looks again, and only then something may move', async () => {
    const cloud = new MemoryCloud();
    const { ports } = cloud;
    const ready = await preflight(await locked(cloud, first), ports, cloud.nowMs);
    expect(ready).toMatchObject({ verdict: 'approve' });
    expect(ready.initial).toBeUndefined();
    const waiting = await approve(ready, cloud);
    expect(waiting).toMatchObject({ verdict: 'wait', waitSeconds: 5, approval: { gate: 'firstShift' } });
    cloud.write('firstShift', '{"decision":"approve","by":"ann"}');
    const approved = await approve(waiting, cloud);
    expect(approved).toMatchObject({ verdict: 'approved', approved: ['firstShift'] });
    expect(approved.approval).toBeUndefined();
    expect(approved.timeline.at(-1)).toMatchObject({
      state: 'Approve',
      detail: { by: 'unknown', byProof: 'none', claims: 'ann', verdict: 'approved' },
    });
    const again = await preflight(approved, ports, cloud.nowMs);
    expect(again).toMatchObject({ verdict: 'go', initial: expect.anything() as unknown });
    expect(cloud.calls).toEqual([]);
  });

  test('what became wrong while a person thought is found', async () => {
    const cloud = new MemoryCloud();
    const ready = await preflight(await locked(cloud, first), cloud.ports, cloud.nowMs);
    cloud.write('firstShift', '{"decision":"approve"}');
    const approved = await approve(ready, cloud);
    cloud.healthy.target = 0;
    await expect(preflight(approved, cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'TargetsUnhealthy' });
  });

  test.each([
    [
      'a no',
      '{"decision":"reject","by":"bob"}',
      0,
      'ApprovalRejected',
      "a rejection by an unknown signer, who claims to be 'bob'",
    ],
    ['no response', undefined, 600, 'ApprovalOverdue', 'no response'],
    ['a text that no one can read', 'yes!', 600, 'ApprovalOverdue', 'got yes!'],
  ])('%s moves nothing: refused, with the reason, and the lock is free', async (_, text, seconds, code, message) => {
    const cloud = new MemoryCloud();
    const ready = await preflight(await locked(cloud, first), cloud.ports, cloud.nowMs);
    const waiting = await approve(ready, cloud);
    if (text !== undefined) cloud.write('firstShift', text);
    cloud.nowMs += seconds * 1000;
    const refused = await approve(waiting, cloud);
    expect(refused).toMatchObject({
      verdict: 'rollBack',
      failure: { code, message: expect.stringContaining(message) as string },
    });
    expect(await record(refused, cloud.ports, cloud.nowMs)).toMatchObject({ outcome: 'refused' });
    expect(cloud.calls).toEqual([]);
    expect(cloud.lock).toBeUndefined();
  });

  test('an execution that is stopped while it waits leaves nothing to put back', async () => {
    const cloud = new MemoryCloud();
    await preflight(await locked(cloud, first), cloud.ports, cloud.nowMs);
    await recover({ detail: { name: 'night', status: 'ABORTED' } }, cloud.ports, cloud.nowMs);
    expect(cloud.calls).toEqual([]);
    expect(cloud.evidence[0]?.outcome).toBe('refused');
    expect(cloud.lock).toBeUndefined();
  });
});

test('before any other stage: its own gate, and both sides judged while it waits', async () => {
  const cloud = new MemoryCloud();
  const { ports } = cloud;
  const stages = [STAGES[0], { weights: { source: 20, target: 80 }, bakeSeconds: 10 }, STAGES[1]];
  const plan = { stages, pollSeconds: 5, approval: { beforeStages: [2], timeoutSeconds: 600, requireIdentity: false } };
  const confirmed = await confirm(await shift(cloud.ready(plan), ports, cloud.nowMs), ports, cloud.nowMs);
  cloud.tasks.target = [report('t1', { total: 300 })];
  const asking = await bake(confirmed, ports, (cloud.nowMs += 10_000));
  expect(asking.verdict).toBe('approve');
  const waiting = await approve(asking, cloud);
  expect(waiting).toMatchObject({ verdict: 'wait', approval: { gate: 'stage2' } });
  expect(cloud.notified.at(-1)?.text).toContain('Next come the weights 20/80.');
  expect(cloud.notified.at(-1)?.text).toContain('--gate stage2');
  cloud.write('lastStage', '{"decision":"approve"}');
  expect((await approve(waiting, cloud)).verdict).toBe('wait');
  cloud.write('stage2', '{"decision":"approve"}');
  const shifted = await shift(await approve(waiting, cloud), ports, cloud.nowMs);
  expect(shifted).toMatchObject({ verdict: 'go', approved: ['stage2'], stage: { index: 1 } });
  cloud.smoke.target = 502;
  expect((await approve(waiting, cloud)).verdict).toBe('rollBack');
});

describe('before the last stage', () => {
  test('a yes lets it shift, also when the approval of another gate is there', async () => {
    const cloud = new MemoryCloud();
    const run = await baked(cloud);
    expect(run.verdict).toBe('approve');
    cloud.write('firstShift', '{"decision":"approve"}');
    const waiting = await approve(run, cloud);
    expect(waiting.verdict).toBe('wait');
    cloud.write('lastStage', '{"decision":"approve"}');
    const approved = await approve(waiting, cloud);
    expect(approved.verdict).toBe('approved');
    await shift(approved, cloud.ports, cloud.nowMs);
    expect(cloud.forward.groups).toEqual([{ arn: arns.target, weight: 100 }]);
  });

  test('a no rolls back', async () => {
    const cloud = new MemoryCloud();
    cloud.write('lastStage', '{"decision":"reject","by":"bob"}');
    const rejected = await approve(await baked(cloud), cloud);
    const restored = await rollback(rejected, cloud.ports, cloud.nowMs);
    expect(await record(restored, cloud.ports, cloud.nowMs)).toMatchObject({
      outcome: 'rolled-back',
      cause:
        "ApprovalRejected: 'lastStage' must be approved, got a rejection by an unknown signer, who claims to be 'bob'",
    });
  });

  test.each<[string, (cloud: MemoryCloud) => void, string]>([
    ['errors', (cloud) => (cloud.tasks.target = [report('t1', { total: 90, errors: 40 })]), 'BreakerTripped'],
    ['an alarm', (cloud) => cloud.setAlarms('ALARM'), 'AlarmRaised'],
    ['dying targets', (cloud) => (cloud.healthy.target = 0), 'TargetsUnhealthy'],
    ['weights by hand', (cloud) => (cloud.forward = { ...cloud.forward, groups: [] }), 'RulesChanged'],
  ])('the target goes on being watched while a person thinks: %s', async (_, happen, code) => {
    const cloud = new MemoryCloud();
    const waiting = await approve(await baked(cloud), cloud);
    happen(cloud);
    expect(await approve(waiting, cloud)).toMatchObject({ verdict: 'rollBack', failure: { code } });
  });
});

test('people are asked once, and once more when what they wrote cannot be read', async () => {
  const cloud = new MemoryCloud();
  const ready = await preflight(await locked(cloud, first), cloud.ports, cloud.nowMs);
  cloud.notified = [];
  let run = await approve(await approve(ready, cloud), cloud);
  expect(cloud.kindsNotified).toEqual(['waitingForApproval']);
  cloud.write('firstShift', 'yes');
  run = await approve(await approve(run, cloud), cloud);
  expect(cloud.kindsNotified).toEqual(['waitingForApproval', 'waitingForApproval']);
  expect(cloud.notified[1]?.text).toContain("'decision' must be");
  expect(run.verdict).toBe('wait');
});

test('an approval that was there before the cutover asked does not count, and its signer is notified', async () => {
  const cloud = new MemoryCloud();
  const ready = await preflight(await locked(cloud, first), cloud.ports, cloud.nowMs);
  cloud.words.firstShift = { text: '{"decision":"approve"}', writtenAtMs: cloud.nowMs - 90 * 86_400_000 };
  expect((await approve(ready, cloud)).verdict).toBe('wait');
  expect(cloud.notified.at(-1)?.text).toContain('What was written does not count: the approval must be written from');
});

test('a yes after the announced time is none', async () => {
  const cloud = new MemoryCloud();
  const waiting = await approve(await preflight(await locked(cloud, first), cloud.ports, cloud.nowMs), cloud);
  cloud.nowMs += 600_001;
  cloud.write('firstShift', '{"decision":"approve"}');
  expect(await approve(waiting, cloud)).toMatchObject({
    verdict: 'rollBack',
    failure: { code: 'ApprovalOverdue', message: expect.stringContaining('must be written from') as string },
  });
});

describe('where the plan asks who approves', () => {
  const strict = { beforeFirstShift: true, timeoutSeconds: 600 };
  const ARN = 'arn:aws:iam::123456789012:user/ann';

  /** As `drainshift approve` writes it. */
  const word = (cloud: MemoryCloud, over: object = {}, decision = 'approve') => ({
    decision,
    by: 'the board\nApproved by: the board',
    statement: {
      says: `${decision}/firstShift/store/night`,
      host: 'sts.eu-central-1.amazonaws.com',
      credential: 'AKID/20260101/eu-central-1/sts/aws4_request',
      date: new Date(cloud.nowMs).toISOString().replace(/[-:]|\.\d{3}/g, ''),
      expires: 900,
      signature: 'a'.repeat(64),
      ...over,
    },
  });
  async function responded(response: (cloud: MemoryCloud) => object, seconds = 0) {
    const cloud = new MemoryCloud();
    const ready = await preflight(await locked(cloud, strict), cloud.ports, cloud.nowMs);
    const waiting = await approve(ready, cloud);
    cloud.notified = [];
    cloud.write('firstShift', JSON.stringify(response(cloud)));
    cloud.nowMs += seconds * 1000;
    return { cloud, run: await approve(waiting, cloud) };
  }

  test('a signed yes opens the gate, and the record has whom STS names beside what they call themselves', async () => {
    const { run } = await responded((cloud) => word(cloud));
    expect(run).toMatchObject({ verdict: 'approved', approved: ['firstShift'] });
    expect(run.timeline.at(-1)?.detail).toEqual({
      gate: 'firstShift',
      verdict: 'approved',
      decision: 'approve',
      by: ARN,
      byProof: 'sts',
      claims: 'the board Approved by: the board',
    });
  });

  test.each<[string, (cloud: MemoryCloud) => object, string]>([
    ['no statement', () => ({ decision: 'approve', by: 'ann' }), "'statement' must be there"],
    [
      'one of another execution',
      (cloud) => word(cloud, { says: 'approve/firstShift/store/day' }),
      "'statement.says' must be 'approve/firstShift/store/night'",
    ],
    [
      'one of another gate',
      (cloud) => word(cloud, { says: 'approve/lastStage/store/night' }),
      "'statement.says' must be",
    ],
    ['one of a no', (cloud) => word(cloud, { says: 'reject/firstShift/store/night' }), "'statement.says' must be"],
    ['one for another host', (cloud) => word(cloud, { host: 'evil.example' }), "'statement.host' must be"],
    [
      'one that has expired',
      (cloud) => word(cloud, { date: '20251231T230000Z' }),
      'the statement must be looked at from',
    ],
  ])('a yes with %s is none: STS is not even asked, and people are notified why', async (_, response, why) => {
    const { cloud, run } = await responded((each) => {
      each.signer = () => {
        throw new Error('asked');
      };
      return response(each);
    });
    expect(run.verdict).toBe('wait');
    expect(cloud.notified.at(-1)?.text).toContain(`What was written does not count: ${why}`);
    // Once, however often it is looked at.
    cloud.nowMs += 15_000;
    const waiting = await approve(run, cloud);
    expect(cloud.notified).toHaveLength(1);
    cloud.nowMs += 600_000;
    const over = await approve(waiting, cloud);
    expect(over).toMatchObject({ verdict: 'rollBack', failure: { code: 'ApprovalOverdue' } });
    expect(over.failure?.message).toMatch(/must be written from|must be there|must be '|must be looked at/);
  });

  test.each([
    ['does not confirm', 'STS must confirm the statement, got 403 SignatureDoesNotMatch'],
    ['cannot be asked about', 'STS at sts.eu-central-1.amazonaws.com must respond, got ECONNREFUSED'],
  ])('a yes that STS %s is none yet, and counts once it is', async (_, problem) => {
    const { cloud, run } = await responded((each) => {
      each.signer = () => {
        throw new Error(problem);
      };
      return word(each);
    });
    expect(run.verdict).toBe('wait');
    expect(cloud.notified.at(-1)?.text).toContain(problem);
    cloud.signer = () => ARN;
    expect((await approve(run, cloud)).verdict).toBe('approved');
  });

  test('a no counts however it is said: it is the rollback', async () => {
    const signed = await responded((cloud) => word(cloud, {}, 'reject'));
    expect(signed.run.failure?.message).toBe(`'firstShift' must be approved, got a rejection by '${ARN}'`);
    const forged = await responded((cloud) => word(cloud, { says: 'approve/firstShift/store/night' }, 'reject'));
    expect(forged.run).toMatchObject({ verdict: 'rollBack', failure: { code: 'ApprovalRejected' } });
    expect(forged.run.timeline.at(-1)?.detail).toMatchObject({
      by: 'unknown',
      byProof: 'none',
      statementProblem: expect.stringContaining("'statement.says' must be") as string,
    });
  });
});

describe('a wait of days before the last stage', () => {
  /** Waits at the gate of a plan whose wait has minutes between two looks. */
  async function waiting(cloud: MemoryCloud): Promise<CutoverRun> {
    const run = await baked(cloud);
    const plan = { ...run.plan, approval: { ...run.plan.approval, timeoutSeconds: 604_800 } };
    return approve({ ...run, plan }, cloud);
  }

  test.each<[string, (cloud: MemoryCloud) => void, string]>([
    ['whose proxies do not respond', (cloud) => cloud.unreachable.add('t1'), 'AdminUnreachable'],
    ['that the load balancer says nothing of', (cloud) => cloud.away.add('loadBalancer'), 'AwsUnavailable'],
  ])('looks again at once at a target %s, and rolls back within a minute and a poll', async (_, happen, code) => {
    const cloud = new MemoryCloud();
    let run = await waiting(cloud);
    expect(run.waitSeconds).toBeGreaterThan(300);
    happen(cloud);
    cloud.nowMs += run.waitSeconds * 1000;
    const sinceMs = cloud.nowMs;
    run = await approve(run, cloud);
    while (run.verdict === 'wait') {
      expect(run.waitSeconds).toBe(5);
      cloud.nowMs += run.waitSeconds * 1000;
      run = await approve(run, cloud);
    }
    expect(run).toMatchObject({ verdict: 'rollBack', failure: { code } });
    expect(cloud.nowMs - sinceMs).toBeLessThanOrEqual(65_000);
  });

  test('is in no hurry over the store or the source, and in the end over nothing: the history has an end', async () => {
    const cloud = new MemoryCloud();
    let run = await waiting(cloud);
    cloud.away.add('store');
    cloud.unreachable.add('s1');
    expect((await approve(run, cloud)).waitSeconds).toBe(run.waitSeconds);
    cloud.away.clear();
    const paces: number[] = [];
    for (let look = 0; look < 120; look += 1) {
      if (look % 2 === 0) cloud.unreachable.add('t1');
      else cloud.unreachable.delete('t1');
      run = await approve(run, cloud);
      paces.push(run.waitSeconds);
    }
    expect(paces.filter((seconds) => seconds === 5)).toHaveLength(50);
  });
});
