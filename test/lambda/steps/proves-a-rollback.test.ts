import type { CutoverRun } from '../../../core/cutover/run';
import { NO_WINDOW, WindowOrder, WindowReport } from '../../../core/proxy/window';
import type { Side } from '../../../core/traffic/weights';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud, arns, report } from '../world';

const PLAN = {
  stages: [{ weights: { source: 1, target: 1 }, bakeSeconds: 600 }, { weights: { source: 0, target: 1 } }],
};

/** New clients a second by the weights of the load balancer, which are those of its rule unless they are not in force. */
class LyingCloud extends MemoryCloud {
  perSecond = 20;
  returning = 0;
  inForce: Record<Side, number> | undefined;
  timesSet: number[] = [];

  constructor() {
    super();
    this.window = (side, order) => this.arriving(side, order);
  }

  private arriving(side: Side, { after, until }: WindowOrder): WindowReport {
    const weight = (each: Side) => this.forward.groups.find(({ arn }) => arn === arns[each])?.weight ?? 0;
    const shares = this.inForce ?? { source: weight('source'), target: weight('target') };
    const share = shares[side] / (shares.source + shares.target);
    const unbound = Math.round(this.perSecond * (until - after) * share);
    return {
      aheadSeconds: 0,
      all: { ...NO_WINDOW, unbound, requests: unbound + this.returning },
      routes: {},
      segments: {},
    };
  }
}

/** Aborted in its first bake. */
async function aborted(cloud: LyingCloud): Promise<CutoverRun> {
  const shifted = await shift(cloud.ready(PLAN), cloud.ports, cloud.nowMs);
  cloud.nowMs += 10_000;
  const confirmed = await confirm(shifted, cloud.ports, cloud.nowMs);
  cloud.aborts.add('night');
  const run = await bake(confirmed, cloud.ports, cloud.nowMs);
  expect(run).toMatchObject({ verdict: 'rollBack', failure: { code: 'Aborted' } });
  return run;
}

/** As the state machine repeats it. */
async function rollBack(given: CutoverRun, cloud: LyingCloud): Promise<CutoverRun> {
  let run = await rollback(given, cloud.ports, cloud.nowMs);
  while (run.verdict === 'wait') {
    cloud.nowMs += run.waitSeconds * 1000;
    run = await rollback(run, cloud.ports, cloud.nowMs);
  }
  return run;
}
const countSets = (cloud: MemoryCloud) => cloud.calls.filter((call) => call === 'set arn:source=100').length;
const secondsTo = (run: CutoverRun, cloud: MemoryCloud) => (cloud.nowMs - Date.parse(run.rollback!.restoredAt!)) / 1000;

test('arrivals by the weights prove a rollback within seconds, whatever clients return to the side that it left', async () => {
  const cloud = new LyingCloud();
  const run = await aborted(cloud);
  cloud.returning = 50;
  const back = await rollBack(run, cloud);
  expect(back).toMatchObject({ verdict: 'restored', rollback: { arrived: 'the arrivals fit the weights' } });
  expect(back.rollback?.arrivals).toBeUndefined();
  expect([countSets(cloud), secondsTo(back, cloud) < 8]).toEqual([1, true]);
  expect((await record(back, cloud.ports, cloud.nowMs)).outcome).toBe('rolled-back');
  expect(cloud.notified.at(-1)?.text).toContain('What has arrived since: the arrivals fit the weights.');
});

test('weights that spread late are waited for, and not set again', async () => {
  const cloud = new LyingCloud();
  const run = await aborted(cloud);
  cloud.inForce = { source: 1, target: 1 };
  const untilMs = cloud.nowMs + 15_000;
  cloud.whilePausing = () => {
    if (cloud.nowMs >= untilMs) cloud.inForce = undefined;
  };
  const back = await rollBack(run, cloud);
  expect([back.rollback?.arrived, countSets(cloud)]).toEqual(['the arrivals fit the weights', 1]);
});

test('weights that read back and are not in force are set again, with a line in the timeline, and proven then', async () => {
  const cloud = new LyingCloud();
  const run = await aborted(cloud);
  cloud.inForce = { source: 1, target: 1 };
  cloud.whilePausing = () => {
    if (countSets(cloud) > 1) cloud.inForce = undefined;
  };
  const back = await rollBack(run, cloud);
  expect([back.rollback?.arrived, countSets(cloud)]).toEqual([
    'the arrivals fit the weights; they were set 2 times',
    2,
  ]);
  expect(back.timeline.filter(({ state }) => state === 'Rollback').map(({ detail }) => Object.keys(detail))).toEqual([
    ['because'],
    ['weights'],
    ['setAgain', 'because'],
  ]);
  expect(secondsTo(back, cloud)).toBeLessThan(40);
  expect((await record(back, cloud.ports, cloud.nowMs)).outcome).toBe('rolled-back');
});

test.each([
  ['not at all', { source: 1, target: 1 }],
  ['in half of the load balancer', { source: 3, target: 1 }],
])(
  'weights that never come into force, %s: the cutover has failed, its lock stays, and a person is asked',
  async (_, inForce) => {
    const cloud = new LyingCloud();
    const run = await aborted(cloud);
    cloud.inForce = inForce;
    const back = await rollBack(run, cloud);
    expect([back.verdict, back.rollback?.restoredAt, countSets(cloud)]).toEqual(['restored', undefined, 3]);
    const { outcome } = await record(back, cloud.ports, cloud.nowMs);
    expect([outcome, cloud.lock?.execution]).toEqual(['failed', 'night']);
    expect(cloud.evidence[0]).toMatchObject({
      outcome: 'failed',
      failure: { code: 'Aborted' },
      rollback: {
        error: expect.stringMatching(
          /^RollbackNotConfirmed: the weights must be in force once they have read back, and were set 3 times, got new requests on the target: what arrives must fit/,
        ) as string,
      },
    });
    const { detail, text } = cloud.notified.at(-1)!;
    expect([detail.kind, text]).toEqual([
      'failed',
      expect.stringContaining('The rollback did not succeed: RollbackNotConfirmed'),
    ]);
  },
);

test('what another caller has set since is not fought over', async () => {
  const cloud = new LyingCloud();
  const run = await aborted(cloud);
  cloud.inForce = { source: 1, target: 1 };
  const first = await rollback(run, cloud.ports, cloud.nowMs);
  expect(first.verdict).toBe('wait');
  cloud.forward = {
    ...cloud.forward,
    groups: [
      { arn: arns.source, weight: 1 },
      { arn: arns.target, weight: 1 },
    ],
  };
  const back = await rollBack(first, cloud);
  expect([back.verdict, countSets(cloud)]).toEqual(['restored', 1]);
  expect(back.rollback?.arrived).toMatch(/^another caller has set other weights/);
});

test('too few arrivals, proxies that do not respond, and no clients at all are said, and keep no rollback for long', async () => {
  const few = new LyingCloud();
  const run = await aborted(few);
  few.window = (side, { after, until }) => {
    const unbound = side === 'source' ? Math.floor(until / 8) - Math.floor(after / 8) : 0;
    return { aheadSeconds: 0, all: { ...NO_WINDOW, unbound, requests: unbound }, routes: {}, segments: {} };
  };
  const back = await rollBack(run, few);
  expect(back.rollback?.arrived).toMatch(/^too few arrivals to prove the weights/);
  expect(secondsTo(back, few)).toBeLessThan(50);

  const hung = new LyingCloud();
  const other = await aborted(hung);
  hung.tasks.target = [report('t1'), report('t2')];
  hung.unreachable.add('t2');
  const late = await rollBack(other, hung);
  expect(late.rollback?.arrived).toBe('no new client was seen, or not every proxy said what arrives');
  expect(secondsTo(late, hung)).toBeLessThan(15);

  const quiet = new LyingCloud();
  quiet.perSecond = 0;
  const none = await rollBack(await aborted(quiet), quiet);
  expect([none.rollback?.arrived, secondsTo(none, quiet)]).toEqual([undefined, 0]);
});

test('a recovery looks at what arrives once no step of the execution can be at work, and ends as failed where it must', async () => {
  const cloud = new LyingCloud();
  await aborted(cloud);
  const event = { detail: { name: 'night', status: 'ABORTED' } };
  cloud.aborts.clear();
  cloud.inForce = { source: 1, target: 1 };
  let calls = 0;
  for (; cloud.evidence.length === 0 && calls < 10; calls += 1) {
    await recover(event, cloud.ports, cloud.nowMs).catch(() => undefined);
    cloud.nowMs += 60_000;
  }
  expect(cloud.evidence[0]).toMatchObject({
    outcome: 'failed',
    rollback: { error: expect.stringContaining('RollbackNotConfirmed') as string },
  });
  expect(cloud.lock?.execution).toBe('night');
});
