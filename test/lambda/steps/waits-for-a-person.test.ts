import type { GateName } from '../../../core/approval/approval';
import { findProgress } from '../../../core/cutover/progress';
import { CutoverRun } from '../../../core/cutover/run';
import { MAX_ESCALATIONS } from '../../../core/plan/plan';
import { approveWatched } from '../../../lambda/steps/approve';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud, report } from '../world';

const STAGES = [
  { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
  { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
];
const APPROVAL = { timeoutSeconds: 600, requireIdentity: false };
const PLAN = { stages: STAGES, pollSeconds: 5, approval: APPROVAL };

async function baking(plan: object = PLAN): Promise<{ cloud: MemoryCloud; run: CutoverRun }> {
  const cloud = new MemoryCloud();
  const shifted = await shift(cloud.ready(plan), cloud.ports, cloud.nowMs);
  return { cloud, run: await confirm(shifted, cloud.ports, cloud.nowMs) };
}
const at = (cloud: MemoryCloud, seconds: number) => (cloud.nowMs += seconds * 1000);
/** A night without traffic. */
async function inconclusive(plan?: object) {
  const { cloud, run } = await baking(plan);
  return { cloud, run: await bake(run, cloud.ports, at(cloud, 20)) };
}
async function failing(plan: object = { ...PLAN, judge: { onFailure: 'pause' } }) {
  const { cloud, run } = await baking(plan);
  cloud.tasks.target = [report('t1', { total: 100, errors: 90 })];
  return { cloud, run: await bake(run, cloud.ports, at(cloud, 5)) };
}
const answer = async (cloud: MemoryCloud, run: CutoverRun, decision?: string) => {
  const asked = await approveWatched(run, cloud.ports, at(cloud, 2));
  if (decision !== undefined) cloud.write('judge', JSON.stringify({ decision, by: 'ann' }));
  return { asked, resumed: await approveWatched(asked, cloud.ports, at(cloud, 5)) };
};

describe('a bake that has proven nothing', () => {
  test('asks a person in numbers, and leaves the weights', async () => {
    const { cloud, run } = await inconclusive();
    expect(run).toMatchObject({ verdict: 'ask', stages: [{ verdict: 'inconclusive' }] });
    const { asked, resumed } = await answer(cloud, run);
    expect(asked).toMatchObject({ verdict: 'wait', waitSeconds: 10, approval: { gate: 'judge' } });
    expect(resumed.verdict).toBe('wait');
    const { text, detail } = cloud.notified.at(-1)!;
    expect(text).toContain('TooFewRequests: the target must respond to at least 299 requests in a bake, got 0.');
    expect(text).toContain('--gate judge');
    expect(detail).toMatchObject({ kind: 'waitingForApproval', gate: 'judge' });
    expect(cloud.kindsNotified.filter((kind) => kind === 'waitingForApproval')).toHaveLength(1);
    expect(cloud.calls).toEqual(['set arn:source=50 arn:target=50']);
  });

  test('goes on to the next stage with a yes, and rolls back with a no, or without a word', async () => {
    const yes = await inconclusive();
    expect((await answer(yes.cloud, yes.run, 'approve')).resumed).toMatchObject({ verdict: 'nextStage' });
    const no = await inconclusive();
    expect((await answer(no.cloud, no.run, 'reject')).resumed.failure).toEqual({
      code: 'TooFewRequests',
      message:
        "the target must respond to at least 299 requests in a bake, got 0; a person was asked, and it was rejected by an unknown signer, who claims to be 'ann'",
    });
    const silent = await inconclusive();
    const { asked } = await answer(silent.cloud, silent.run);
    const late = await approveWatched(asked, silent.cloud.ports, at(silent.cloud, 600));
    expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'TooFewRequests' } });
    expect(late.failure?.message).toMatch(/not approved within 600 s$/);
  });

  test('rolls back by itself where the plan says so', async () => {
    const { run } = await inconclusive({ ...PLAN, judge: { inconclusive: 'rollBack' } });
    expect(run).toMatchObject({ verdict: 'rollBack', failure: { code: 'TooFewRequests' } });
  });

  test('of the last stage goes on to the drain', async () => {
    const { cloud, run } = await inconclusive({ ...PLAN, stages: STAGES.slice(1) });
    expect((await answer(cloud, run, 'approve')).resumed).toMatchObject({ verdict: 'drain' });
  });

  test('is judged while it waits: a side that dies, or fails, is left', async () => {
    const dead = await inconclusive();
    const { asked } = await answer(dead.cloud, dead.run);
    dead.cloud.healthy.target = 0;
    const left = await approveWatched(asked, dead.cloud.ports, at(dead.cloud, 5));
    expect(left).toMatchObject({ verdict: 'rollBack', failure: { code: 'TargetsUnhealthy' } });
    const bad = await inconclusive();
    bad.cloud.tasks.target = [report('t1', { total: 100, errors: 90 })];
    expect((await answer(bad.cloud, bad.run)).asked).toMatchObject({ failure: { code: 'BreakerTripped' } });
  });
});

describe('a target that fails, with a plan that asks a person', () => {
  test('keeps its weights, and goes on where it was with a yes: what was seen until then counts no more', async () => {
    const { cloud, run } = await failing();
    expect(run).toMatchObject({ verdict: 'ask', escalation: { failure: { code: 'BreakerTripped' } } });
    const { asked, resumed } = await answer(cloud, run, 'approve');
    expect(asked.verdict).toBe('wait');
    expect(resumed).toMatchObject({ verdict: 'confirmed' });
    expect(resumed.escalation).toBeUndefined();
    expect((await bake(resumed, cloud.ports, at(cloud, 5))).verdict).toBe('wait');
    // It fails again: that is another escalation, and the word for the first one is none for it.
    cloud.tasks.target = [report('t1', { total: 300, errors: 250 })];
    const again = await bake(resumed, cloud.ports, at(cloud, 5));
    expect(again.verdict).toBe('ask');
    expect((await approveWatched(again, cloud.ports, at(cloud, 1))).verdict).toBe('wait');
  });

  test('rolls back with a no', async () => {
    const { cloud, run } = await failing();
    const { resumed } = await answer(cloud, run, 'reject');
    expect(resumed).toMatchObject({ verdict: 'rollBack', failure: { code: 'BreakerTripped' } });
  });

  test('is left at once when it does not serve any more', async () => {
    const { cloud, run } = await failing();
    const { asked } = await answer(cloud, run);
    cloud.smoke.target = 502;
    expect(await approveWatched(asked, cloud.ports, at(cloud, 2))).toMatchObject({ failure: { code: 'SmokeFailed' } });
  });

  test('in the drain, goes on draining with a yes', async () => {
    const { cloud, run } = await baking({ ...PLAN, stages: STAGES.slice(1), judge: { onFailure: 'pause' } });
    cloud.tasks.source = [report('s1', { active: { websocket: 2 } })];
    const draining = await drain(run, cloud.ports, at(cloud, 1));
    cloud.tasks.target = [report('t1', { total: 100, errors: 90 })];
    const asking = await drain(draining, cloud.ports, at(cloud, 5));
    expect(asking.verdict).toBe('ask');
    expect((await answer(cloud, asking, 'approve')).resumed).toMatchObject({ verdict: 'drain' });
  });

  test('asks no more often than the history has room for', async () => {
    const { cloud, run } = await baking({ ...PLAN, judge: { onFailure: 'pause' } });
    cloud.tasks.target = [report('t1', { total: 100, errors: 90 })];
    const often = { ...run, escalations: MAX_ESCALATIONS };
    expect(await bake(often, cloud.ports, at(cloud, 5))).toMatchObject({ verdict: 'rollBack' });
  });

  test('that proved nothing before, is asked about as failing, and only once', async () => {
    const { cloud, run } = await inconclusive({ ...PLAN, judge: { onFailure: 'pause' } });
    cloud.tasks.target = [report('t1', { total: 100, errors: 90 })];
    const again = await approveWatched(run, cloud.ports, at(cloud, 2));
    expect(again).toMatchObject({
      verdict: 'ask',
      escalations: 1,
      escalation: { isFailing: true, resume: 'nextStage' },
    });
    expect((await answer(cloud, again, 'approve')).resumed).toMatchObject({ verdict: 'nextStage' });
  });
});

describe('a question', () => {
  const write = (cloud: MemoryCloud, gate: GateName, decision = 'approve') =>
    cloud.write(gate, JSON.stringify({ decision, by: 'ann' }));

  test('that took the place of another does not take the word for that one', async () => {
    const { cloud, run } = await inconclusive({ ...PLAN, judge: { onFailure: 'pause' } });
    const asked = await approveWatched(run, cloud.ports, at(cloud, 2));
    expect(asked.approval?.gate).toBe('judge');
    // Between two looks: a person agrees to too few requests, and then the target fails.
    write(cloud, 'judge');
    cloud.tasks.target = [report('t1', { total: 100, errors: 90 })];
    const replaced = await approveWatched(asked, cloud.ports, at(cloud, 2));
    expect(replaced).toMatchObject({ verdict: 'ask', escalation: { isFailing: true } });
    const waiting = await approveWatched(replaced, cloud.ports, at(cloud, 2));
    expect(waiting).toMatchObject({ verdict: 'wait', approval: { gate: 'judge-2' } });
    expect(cloud.notified.at(-1)!.text).toContain('--gate judge-2');
    expect(cloud.notified.at(-1)!.detail.gate).toBe('judge-2');
    expect(await approveWatched(waiting, cloud.ports, at(cloud, 5))).toMatchObject({ verdict: 'wait' });
    write(cloud, 'judge-2', 'reject');
    expect(await approveWatched(waiting, cloud.ports, at(cloud, 5))).toMatchObject({
      failure: { code: 'BreakerTripped' },
    });
  });

  test('at a gate of the plan, asked again behind one of the judge, is another one, too', async () => {
    const plan = { ...PLAN, approval: { ...APPROVAL, beforeLastStage: true }, judge: { onFailure: 'pause' } };
    const { cloud, run } = await inconclusive(plan);
    const { resumed } = await answer(cloud, run, 'approve');
    expect(resumed.verdict).toBe('approve');
    const atGate = await approveWatched(resumed, cloud.ports, at(cloud, 1));
    expect(atGate.approval?.gate).toBe('lastStage');
    write(cloud, 'lastStage');
    cloud.tasks.target = [report('t1', { total: 100, errors: 90 })];
    const failed = await approveWatched(atGate, cloud.ports, at(cloud, 1));
    const asked = await approveWatched(failed, cloud.ports, at(cloud, 1));
    write(cloud, 'judge-2');
    const again = await approveWatched(asked, cloud.ports, at(cloud, 1));
    expect(again).toMatchObject({ verdict: 'approve' });
    const waiting = await approveWatched(again, cloud.ports, at(cloud, 1));
    expect(waiting).toMatchObject({ verdict: 'wait', approval: { gate: 'lastStage-2' } });
    write(cloud, 'lastStage-2');
    const approved = await approveWatched(waiting, cloud.ports, at(cloud, 1));
    expect(approved).toMatchObject({ verdict: 'approved', approved: ['lastStage'] });
  });

  test('that took longer than the rest of the bake leaves the bake its whole time', async () => {
    const { cloud, run } = await failing();
    const asked = await approveWatched(run, cloud.ports, at(cloud, 2));
    write(cloud, 'judge');
    const resumed = await approveWatched(asked, cloud.ports, at(cloud, 120));
    expect(resumed).toMatchObject({ verdict: 'confirmed' });
    expect(findProgress(resumed, cloud.nowMs).next?.at).toBe(new Date(cloud.nowMs + 10_000).toISOString());
    const later = await bake(resumed, cloud.ports, at(cloud, 5));
    expect(later.verdict).toBe('wait');
    const ended = await bake(later, cloud.ports, at(cloud, 15));
    expect(ended.verdict).toBe('ask');
    expect(ended.looks?.records.at(-1)).toMatchObject({ kind: 'bake', elapsedSeconds: 20, verdict: 'inconclusive' });
    expect(ended.stages.at(-1)?.confirmSeconds).toBe(0);
  });

  test.each(['unsavedSinceMs', 'unverifiedSinceMs'] as const)('ends the time of %s', async (since) => {
    const { cloud, run } = await failing();
    const asked = await approveWatched({ ...run, [since]: cloud.nowMs }, cloud.ports, at(cloud, 2));
    write(cloud, 'judge');
    expect((await approveWatched(asked, cloud.ports, at(cloud, 5)))[since]).toBeUndefined();
  });
});
