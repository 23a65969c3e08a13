import { PollRecord } from '../../../core/judge/look-record';
import { replay } from '../../../core/judge/replay';
import { record } from '../../../lambda/steps/record';
import { rollback } from '../../../lambda/steps/rollback';
import { HEALTHY, baking, fetchEvidence, poll } from '../judged-traffic';

test('a target that fails five times as often, far below the limit of the breaker, is left, and the reason is in words', async () => {
  const given = await baking();
  // Half a percent, and two and a half.
  given.traffic.rates = { source: { requests: 200, errors: 1 }, target: { requests: 200, errors: 5 } };
  const { run, seconds } = await poll(given, 300);
  expect(run.failure?.code).toBe('TargetWorse');
  expect(run.failure?.message).toMatch(
    /^the target must be as good as the source, got odds of [\d,]+ : 1 against it: target [\d,]+ errors in [\d,]+ requests, source \d+ in [\d,]+$/,
  );
  expect(seconds).toBeLessThan(60);
});

test('a target as good as the source is not, however long it is watched', async () => {
  const given = await baking();
  given.traffic.rates = { source: { requests: 200, errors: 1 }, target: { requests: 200, errors: 1 } };
  expect((await poll(given, 500)).run.verdict).toBe('wait');
});

test('where both sides fail together, leaving one helps nothing: it goes on, and is not promoted', async () => {
  const given = await baking();
  given.traffic.rates = { source: { requests: 200, errors: 60 }, target: { requests: 200, errors: 60 } };
  expect((await poll(given, 120)).run.verdict).toBe('wait');
  // And the one that then fails alone is left.
  given.traffic.rates = { source: HEALTHY, target: { requests: 200, errors: 60 } };
  expect((await poll(given, 120)).run.verdict).toBe('rollBack');
});

test.each([
  [
    'a rule that reads back and is not in force',
    { source: { requests: 50, errors: 0 }, target: { requests: 0, errors: 0 } },
  ],
  ['one that is in force in part', { source: { requests: 75, errors: 0 }, target: { requests: 25, errors: 0 } }],
])('%s is found by what arrives', async (_, rates) => {
  const given = await baking();
  given.traffic.rates = rates;
  const { run, seconds } = await poll(given, 120);
  expect(run.failure).toMatchObject({
    code: 'ShiftNotConfirmed',
    message: expect.stringMatching(/^what arrives must fit the weights, got odds of [\d,]+ : 1 against it$/) as unknown,
  });
  expect(seconds).toBeLessThanOrEqual(50);
});

test('clients with a cookie stay where they were: only the others are held against the weights', async () => {
  const given = await baking();
  given.traffic.rates = {
    source: { requests: 190, errors: 0, unbound: 10 },
    target: { requests: 10, errors: 0, unbound: 10 },
  };
  expect((await poll(given, 300)).run.verdict).toBe('wait');
});

test('a task that is restarted, or added, changes nothing of what was counted', async () => {
  const given = await baking();
  given.traffic.rates = { source: { requests: 200, errors: 1 }, target: { requests: 200, errors: 1 } };
  const before = await poll(given, 60);
  given.cloud.tasks.target = [];
  const without = await poll({ ...given, run: before.run }, 60);
  const { from, to } = without.run.watch!.comparison!.odds.all.errors;
  expect(without.run.verdict).toBe('wait');
  expect(to.requests / from.requests).toBeGreaterThan(0.9);
});

describe('the evidence', () => {
  async function failed(whileBaking: (given: Awaited<ReturnType<typeof baking>>) => void = () => undefined) {
    const given = await baking();
    given.traffic.rates = { source: { requests: 200, errors: 1 }, target: { requests: 200, errors: 1 } };
    const good = await poll(given, 120);
    whileBaking(given);
    given.traffic.rates = { source: { requests: 200, errors: 1 }, target: { requests: 200, errors: 5 } };
    const { run } = await poll({ ...given, run: good.run }, 300);
    expect(run.failure?.code).toBe('TargetWorse');
    given.cloud.away.clear();
    await record(await rollback(run, given.cloud.ports, given.cloud.nowMs), given.cloud.ports, given.cloud.nowMs);
    return fetchEvidence(given.cloud);
  }

  test('has what the judge was given at every poll, and gives every verdict again', async () => {
    const evidence = await failed();
    expect(evidence.looksMissing).toBeUndefined();
    const again = replay(evidence.plan, JSON.parse(JSON.stringify(evidence.looks)) as typeof evidence.looks & object);
    expect(again.differences).toEqual([]);
    expect(again.polls).toBeGreaterThan(60);
    expect(again.verdicts).toMatchObject([{ stage: 0, because: [evidence.failure?.message] }]);
    const [stage] = evidence.stages;
    expect(stage?.judge?.odds).toBeGreaterThanOrEqual(100);
    expect(stage?.judge?.parts[0]).toMatch(/^target [\d,]+ errors in/);
    expect(stage?.judge?.arrivals).toBe('the arrivals fit the weights');
  });

  test('that was changed afterwards does not', async () => {
    const { plan, looks = [] } = await failed();
    // One with errors, as if it had none.
    const at = looks.findLastIndex((each) => each.kind === 'poll' && (each.windows?.target.all[4] ?? 0) > 0);
    const poll = looks[at] as PollRecord;
    const all = poll.windows!.target.all.map((count, figure) => (figure === 3 || figure === 4 ? 0 : count));
    const changed = { ...poll, windows: { ...poll.windows!, target: { ...poll.windows!.target, all } } };
    const { differences } = replay(plan, looks.with(at, changed));
    expect(differences.length).toBeGreaterThan(0);
  });

  test('says so when the store was away for so long that polls could not be kept', async () => {
    const evidence = await failed(({ cloud }) => cloud.away.add('store'));
    expect(evidence.looksMissing ?? '').toMatch(/^$|^\d+ polls could not be written while the store was away$/);
    expect(evidence.looks!.length).toBeGreaterThan(60);
  });
});

test('at 200 requests a second the verdict on a target that starts to fail is there within three seconds, whenever it starts', async () => {
  const most: number[] = [];
  for (let second = 0; second < 18; second += 1) {
    const stages = [{ weights: { source: 90, target: 10 }, bakeSeconds: 600 }, { weights: { source: 0, target: 1 } }];
    const given = await baking({ stages });
    const { traffic, cloud } = given;
    traffic.rates = { source: { requests: 180, errors: 0 }, target: { requests: 20, errors: 0 } };
    // The looks are at any moment of the seconds that are counted.
    cloud.nowMs += (second * 370) % 1000;
    const from = Math.ceil(cloud.nowMs / 1000) + 60 + second;
    traffic.later = { from, rates: { ...traffic.rates, target: { requests: 20, errors: 6 } } };
    const { run } = await poll(given, 120);
    expect(run.verdict).toBe('rollBack');
    most.push(run.rollBackAtMs! / 1000 - from);
  }
  expect(Math.max(...most)).toBeLessThanOrEqual(3);
});
