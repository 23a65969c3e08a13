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
import { ALARMS, MemoryWorld, arns, report } from '../world';

const STAGES = [
  { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
  { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
];
const first = { beforeFirstShift: true, timeoutSeconds: 600, requireIdentity: false };
const last = { beforeLastStage: true, timeoutSeconds: 600, requireIdentity: false };
const approve = (run: CutoverRun, { ports, nowMs }: MemoryWorld) => approveWatched(run, ports, nowMs);

async function locked(world: MemoryWorld, approval: object): Promise<CutoverRun> {
  const defaultPlan = { stages: STAGES, pollSeconds: 5, approval };
  const given = { input: {}, execution: 'night', alarms: ALARMS, startedAt: '2026-01-01T00:00:00.000Z', defaultPlan };
  return lock(given, world.ports, world.nowMs);
}

/** A run whose first stage has baked well, and that is to ask before its last one. */
async function baked(world: MemoryWorld): Promise<CutoverRun> {
  const { ports } = world;
  const ready = await preflight(await locked(world, last), ports, world.nowMs);
  const confirmed = await confirm(await shift(ready, ports, world.nowMs), ports, world.nowMs);
  world.tasks.target = [report('t1', { total: 50 })];
  return bake(confirmed, ports, (world.nowMs += 10_000));
}

describe('before the first shift', () => {
  test('a yes opens the gate once: preflight looks again, and only then something may move', async () => {
    const world = new MemoryWorld();
    const { ports } = world;
    const ready = await preflight(await locked(world, first), ports, world.nowMs);
    expect(ready).toMatchObject({ verdict: 'approve' });
    expect(ready.initial).toBeUndefined();
    const waiting = await approve(ready, world);
    expect(waiting).toMatchObject({ verdict: 'wait', waitSeconds: 5, approval: { gate: 'firstShift' } });
    world.write('firstShift', '{"decision":"approve","by":"ann"}');
    const approved = await approve(waiting, world);
    expect(approved).toMatchObject({ verdict: 'approved', approved: ['firstShift'] });
    expect(approved.approval).toBeUndefined();
    expect(approved.timeline.at(-1)).toMatchObject({
      state: 'Approve',
      detail: { by: 'unknown', byProof: 'none', claims: 'ann', verdict: 'approved' },
    });
    const again = await preflight(approved, ports, world.nowMs);
    expect(again).toMatchObject({ verdict: 'go', initial: expect.anything() as unknown });
    expect(world.calls).toEqual([]);
  });

  test('what became wrong while a person thought is found', async () => {
    const world = new MemoryWorld();
    const ready = await preflight(await locked(world, first), world.ports, world.nowMs);
    world.write('firstShift', '{"decision":"approve"}');
    const approved = await approve(ready, world);
    world.healthy.target = 0;
    await expect(preflight(approved, world.ports, world.nowMs)).rejects.toMatchObject({ code: 'TargetsUnhealthy' });
  });

  test.each([
    [
      'a no',
      '{"decision":"reject","by":"bob"}',
      0,
      'ApprovalRejected',
      "a rejection by somebody unknown, who claims to be 'bob'",
    ],
    ['no answer', undefined, 600, 'ApprovalOverdue', 'no answer'],
    ['a text that nobody can read', 'yes!', 600, 'ApprovalOverdue', 'got yes!'],
  ])('%s moves nothing: refused, with the reason, and the lock is free', async (_, text, seconds, code, message) => {
    const world = new MemoryWorld();
    const ready = await preflight(await locked(world, first), world.ports, world.nowMs);
    const waiting = await approve(ready, world);
    if (text !== undefined) world.write('firstShift', text);
    world.nowMs += seconds * 1000;
    const refused = await approve(waiting, world);
    expect(refused).toMatchObject({
      verdict: 'rollBack',
      failure: { code, message: expect.stringContaining(message) as string },
    });
    expect(await record(refused, world.ports, world.nowMs)).toMatchObject({ outcome: 'refused' });
    expect(world.calls).toEqual([]);
    expect(world.lock).toBeUndefined();
  });

  test('an execution that is stopped while it waits leaves nothing to put back', async () => {
    const world = new MemoryWorld();
    await preflight(await locked(world, first), world.ports, world.nowMs);
    await recover({ detail: { name: 'night', status: 'ABORTED' } }, world.ports, world.nowMs);
    expect(world.calls).toEqual([]);
    expect(world.evidence[0]?.outcome).toBe('refused');
    expect(world.lock).toBeUndefined();
  });
});

describe('before the last stage', () => {
  test('a yes lets it shift, also when the answer to another gate is there', async () => {
    const world = new MemoryWorld();
    const run = await baked(world);
    expect(run.verdict).toBe('approve');
    world.write('firstShift', '{"decision":"approve"}');
    const waiting = await approve(run, world);
    expect(waiting.verdict).toBe('wait');
    world.write('lastStage', '{"decision":"approve"}');
    const approved = await approve(waiting, world);
    expect(approved.verdict).toBe('approved');
    await shift(approved, world.ports, world.nowMs);
    expect(world.forward.groups).toEqual([{ arn: arns.target, weight: 100 }]);
  });

  test('a no goes back', async () => {
    const world = new MemoryWorld();
    world.write('lastStage', '{"decision":"reject","by":"bob"}');
    const rejected = await approve(await baked(world), world);
    const restored = await rollback(rejected, world.ports, world.nowMs);
    expect(await record(restored, world.ports, world.nowMs)).toMatchObject({
      outcome: 'rolled-back',
      cause:
        "ApprovalRejected: 'lastStage' must be approved, got a rejection by somebody unknown, who claims to be 'bob'",
    });
  });

  test.each<[string, (world: MemoryWorld) => void, string]>([
    ['errors', (world) => (world.tasks.target = [report('t1', { total: 90, errors: 40 })]), 'BreakerTripped'],
    ['an alarm', (world) => world.setAlarms('ALARM'), 'AlarmRaised'],
    ['dying targets', (world) => (world.healthy.target = 0), 'TargetsUnhealthy'],
    ['weights by hand', (world) => (world.forward = { ...world.forward, groups: [] }), 'RulesChanged'],
  ])('the target goes on being watched while a person thinks: %s', async (_, happen, code) => {
    const world = new MemoryWorld();
    const waiting = await approve(await baked(world), world);
    happen(world);
    expect(await approve(waiting, world)).toMatchObject({ verdict: 'rollBack', failure: { code } });
  });
});

test('people are asked once, and once more when what they wrote cannot be read', async () => {
  const world = new MemoryWorld();
  const ready = await preflight(await locked(world, first), world.ports, world.nowMs);
  world.told = [];
  let run = await approve(await approve(ready, world), world);
  expect(world.kindsTold).toEqual(['waitingForApproval']);
  world.write('firstShift', 'yes');
  run = await approve(await approve(run, world), world);
  expect(world.kindsTold).toEqual(['waitingForApproval', 'waitingForApproval']);
  expect(world.told[1]?.text).toContain("'decision' must be");
  expect(run.verdict).toBe('wait');
});

test('an answer that was there before anybody asked is none, and whoever wrote it is told so', async () => {
  const world = new MemoryWorld();
  const ready = await preflight(await locked(world, first), world.ports, world.nowMs);
  world.words.firstShift = { text: '{"decision":"approve"}', writtenAtMs: world.nowMs - 90 * 86_400_000 };
  expect((await approve(ready, world)).verdict).toBe('wait');
  expect(world.told.at(-1)?.text).toContain('What was written does not count: the answer must be written from');
});

test('a yes after the announced time is none', async () => {
  const world = new MemoryWorld();
  const waiting = await approve(await preflight(await locked(world, first), world.ports, world.nowMs), world);
  world.nowMs += 600_001;
  world.write('firstShift', '{"decision":"approve"}');
  expect(await approve(waiting, world)).toMatchObject({
    verdict: 'rollBack',
    failure: { code: 'ApprovalOverdue', message: expect.stringContaining('must be written from') as string },
  });
});

describe('where the plan asks who answers', () => {
  const strict = { beforeFirstShift: true, timeoutSeconds: 600 };
  const ARN = 'arn:aws:iam::123456789012:user/ann';

  /** As `drainshift approve` writes it. */
  const word = (world: MemoryWorld, over: object = {}, decision = 'approve') => ({
    decision,
    by: 'the board\nApproved by: the board',
    statement: {
      says: `${decision}/firstShift/store/night`,
      host: 'sts.eu-central-1.amazonaws.com',
      credential: 'AKID/20260101/eu-central-1/sts/aws4_request',
      date: new Date(world.nowMs).toISOString().replace(/[-:]|\.\d{3}/g, ''),
      expires: 900,
      signature: 'a'.repeat(64),
      ...over,
    },
  });
  async function answered(answer: (world: MemoryWorld) => object, seconds = 0) {
    const world = new MemoryWorld();
    const ready = await preflight(await locked(world, strict), world.ports, world.nowMs);
    const waiting = await approve(ready, world);
    world.told = [];
    world.write('firstShift', JSON.stringify(answer(world)));
    world.nowMs += seconds * 1000;
    return { world, run: await approve(waiting, world) };
  }

  test('a signed yes opens the gate, and the record has whom STS names beside what they call themselves', async () => {
    const { run } = await answered((world) => word(world));
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

  test.each<[string, (world: MemoryWorld) => object, string]>([
    ['no statement', () => ({ decision: 'approve', by: 'ann' }), "'statement' must be there"],
    [
      'one of another execution',
      (world) => word(world, { says: 'approve/firstShift/store/day' }),
      "'statement.says' must be 'approve/firstShift/store/night'",
    ],
    [
      'one of another gate',
      (world) => word(world, { says: 'approve/lastStage/store/night' }),
      "'statement.says' must be",
    ],
    ['one of a no', (world) => word(world, { says: 'reject/firstShift/store/night' }), "'statement.says' must be"],
    ['one for another host', (world) => word(world, { host: 'evil.example' }), "'statement.host' must be"],
    ['one that is over', (world) => word(world, { date: '20251231T230000Z' }), 'the statement must be looked at from'],
  ])('a yes with %s is none: STS is not even asked, and people are told why', async (_, answer, why) => {
    const { world, run } = await answered((each) => {
      each.signer = () => {
        throw new Error('asked');
      };
      return answer(each);
    });
    expect(run.verdict).toBe('wait');
    expect(world.told.at(-1)?.text).toContain(`What was written does not count: ${why}`);
    // Once, however often it is looked at.
    world.nowMs += 15_000;
    const waiting = await approve(run, world);
    expect(world.told).toHaveLength(1);
    world.nowMs += 600_000;
    const over = await approve(waiting, world);
    expect(over).toMatchObject({ verdict: 'rollBack', failure: { code: 'ApprovalOverdue' } });
    expect(over.failure?.message).toMatch(/must be written from|must be there|must be '|must be looked at/);
  });

  test.each([
    ['does not confirm', 'STS must confirm the statement, got 403 SignatureDoesNotMatch'],
    ['cannot be asked about', 'STS at sts.eu-central-1.amazonaws.com must respond, got ECONNREFUSED'],
  ])('a yes that STS %s is none yet, and counts once it is', async (_, problem) => {
    const { world, run } = await answered((each) => {
      each.signer = () => {
        throw new Error(problem);
      };
      return word(each);
    });
    expect(run.verdict).toBe('wait');
    expect(world.told.at(-1)?.text).toContain(problem);
    world.signer = () => ARN;
    expect((await approve(run, world)).verdict).toBe('approved');
  });

  test('a no counts however it is said: it is the way back', async () => {
    const signed = await answered((world) => word(world, {}, 'reject'));
    expect(signed.run.failure?.message).toBe(`'firstShift' must be approved, got a rejection by '${ARN}'`);
    const forged = await answered((world) => word(world, { says: 'approve/firstShift/store/night' }, 'reject'));
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
  async function waiting(world: MemoryWorld): Promise<CutoverRun> {
    const run = await baked(world);
    const plan = { ...run.plan, approval: { ...run.plan.approval, timeoutSeconds: 604_800 } };
    return approve({ ...run, plan }, world);
  }

  test.each<[string, (world: MemoryWorld) => void, string]>([
    ['whose proxies do not answer', (world) => world.unreachable.add('t1'), 'AdminUnreachable'],
    ['that the load balancer says nothing of', (world) => world.away.add('loadBalancer'), 'AwsUnavailable'],
  ])('looks again at once at a target %s, and goes back within a minute and a look', async (_, happen, code) => {
    const world = new MemoryWorld();
    let run = await waiting(world);
    expect(run.waitSeconds).toBeGreaterThan(300);
    happen(world);
    world.nowMs += run.waitSeconds * 1000;
    const sinceMs = world.nowMs;
    run = await approve(run, world);
    while (run.verdict === 'wait') {
      expect(run.waitSeconds).toBe(5);
      world.nowMs += run.waitSeconds * 1000;
      run = await approve(run, world);
    }
    expect(run).toMatchObject({ verdict: 'rollBack', failure: { code } });
    expect(world.nowMs - sinceMs).toBeLessThanOrEqual(65_000);
  });

  test('is in no hurry over the store or the source, and in the end over nothing: the history has an end', async () => {
    const world = new MemoryWorld();
    let run = await waiting(world);
    world.away.add('store');
    world.unreachable.add('s1');
    expect((await approve(run, world)).waitSeconds).toBe(run.waitSeconds);
    world.away.clear();
    const paces: number[] = [];
    for (let look = 0; look < 120; look += 1) {
      if (look % 2 === 0) world.unreachable.add('t1');
      else world.unreachable.delete('t1');
      run = await approve(run, world);
      paces.push(run.waitSeconds);
    }
    expect(paces.filter((seconds) => seconds === 5)).toHaveLength(50);
  });
});
