import { Run, NOISY, simulate } from '../../../bench/compare/simulate';
import type { CompareReport } from '../../../core/compare/compare-report';
import { Differences } from '../../../core/compare/difference';
import { DifferenceTally } from '../../../core/compare/difference-tally';
import { readCompareOptions } from '../../../core/compare/options';
import { seededRandom } from '../../../rehearsal/load-balancer/random';

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const countVerdicts = (reports: readonly CompareReport[]) => {
  const counts = { promote: 0, 'roll back': 0, inconclusive: 0 };
  for (const { verdict } of reports) counts[verdict] += 1;
  return counts;
};
const listDiffering = ({ routes, shared }: CompareReport) => [
  ...new Set(
    [...routes.flatMap(({ fields }) => fields), ...shared]
      .filter(({ finding }) => finding === 'differs')
      .map(({ field }) => field),
  ),
];

test('of 200 clean comparisons with 30 % noisy fields at most one is rolled back', () => {
  const reports = seeds(200).map((seed) => simulate({ seed, comparisons: 600, repeated: 0.5, noise: NOISY }));
  expect(countVerdicts(reports)['roll back']).toBeLessThanOrEqual(1);
});

test('with enough repeats a clean comparison is promoted, and says what it excludes', () => {
  const reports = seeds(3).map((seed) => simulate({ seed, comparisons: 8_000, repeated: 0.5, noise: NOISY }));
  expect(countVerdicts(reports).promote).toBeGreaterThanOrEqual(2);
  const [report] = reports.filter(({ verdict }) => verdict === 'promote');
  expect(report?.excluded.quiet).toBeLessThanOrEqual(0.001);
  expect(report?.because.join('\n')).toContain('no field differs beyond noise');
});

test.each([
  ['every request is repeated', 10_000, 1],
  ['a quarter of them is', 25_000, 0.25],
])('a change in 0.5 % of the responses is found among the noise where %s', (_, comparisons, repeated) => {
  const reports = seeds(2).map((seed) =>
    simulate({ seed, comparisons, repeated, noise: NOISY, planted: { 'body.price': 0.005 } }),
  );
  expect(countVerdicts(reports)['roll back']).toBe(2);
  expect([...new Set(reports.flatMap(listDiffering))]).toEqual(['body.price']);
});

test('it is never promoted, however few comparisons there were', () => {
  for (const comparisons of [100, 1_000, 3_500]) {
    const reports = seeds(3).map((seed) =>
      simulate({ seed, comparisons, repeated: 0.1, noise: NOISY, planted: { 'body.price': 0.005 } }),
    );
    expect(countVerdicts(reports).promote).toBe(0);
  }
});

test('a noisy field that differs more often on the target is found', () => {
  const report = simulate({ seed: 1, comparisons: 6_000, repeated: 0.5, noise: NOISY, planted: { 'body.views': 0.2 } });
  expect([report.verdict, listDiffering(report)]).toEqual(['roll back', ['body.views']]);
});

test('a field that always differs is found after some hundred repeats', () => {
  const planted = { 'header.cache-control': 1 };
  expect(simulate({ seed: 1, comparisons: 300, repeated: 0.5, noise: NOISY, planted }).verdict).toBe('roll back');
  expect(simulate({ seed: 1, comparisons: 40, repeated: 0.5, noise: NOISY, planted }).verdict).toBe('inconclusive');
});

test('a field that differs everywhere is found where no route has enough requests of its own', () => {
  const urls = (random: () => number) => `/${'abcdefghijklmnopqrst'[Math.floor(random() * 20)]}/x`;
  const report = simulate({ seed: 3, comparisons: 800, repeated: 0.5, noise: {}, planted: { status: 0.5 }, urls });
  expect(report.verdict).toBe('roll back');
  expect(report.shared.map(({ field, finding }) => [field, finding])).toEqual([['status', 'differs']]);
  expect(report.because[0]).toMatch(/^all routes status: /);
});

test.each([
  ['of one route', () => '/items/17'],
  ['of all routes', undefined],
])('a write that makes a hundred responses differ, %s, says no more than one', (_, urls) => {
  const episode = { field: 'body.stock', from: 1_000, until: 1_100 };
  for (const seed of seeds(2)) {
    const report = simulate({ seed, comparisons: 4_000, repeated: 0.5, noise: {}, episode, urls });
    expect([report.verdict, report.because[0]]).toEqual(['inconclusive', expect.stringContaining('body.stock')]);
  }
});

test('what is tolerated does not roll back', () => {
  const options = { tolerance: 0.02 };
  const report = simulate({
    seed: 1,
    comparisons: 20_000,
    repeated: 1,
    noise: {},
    planted: { 'body.price': 0.01 },
    options,
  });
  expect(report.verdict).toBe('promote');
  expect(report.routes.flatMap(({ fields }) => fields.map(({ finding }) => finding))).toContain('tolerated');
});

test('a field that is ignored counts for nothing, of all routes or of one', () => {
  const planted = { 'body.price': 0.5 };
  const run = { seed: 1, comparisons: 4_000, repeated: 0.5, noise: {}, planted };
  expect(simulate({ ...run, options: { ignore: ['body.pr*'] } }).verdict).toBe('promote');
  const ofOne = simulate({ ...run, options: { ignore: ['GET /items/{id} body.price'] } });
  expect(ofOne.verdict).toBe('roll back');
  expect(ofOne.because.join('\n')).not.toContain('/items/');
});

test('without repeats nothing is rolled back, and what differs is named', () => {
  const report = simulate({ seed: 1, comparisons: 4_000, repeated: 0, noise: {}, planted: { 'body.price': 0.5 } });
  expect(report.verdict).toBe('inconclusive');
  expect(report.because.join('\n')).toMatch(/body\.price: the target differs in .* and no request was repeated/);
  expect(simulate({ seed: 1, comparisons: 4_000, repeated: 0, noise: {} }).verdict).toBe('promote');
});

test('a route that is thin and broken blocks a promotion', () => {
  const urls = (random: () => number) => (random() < 0.002 ? '/checkout' : '/items/17');
  const run: Run = { seed: 2, comparisons: 30_000, repeated: 0.1, noise: {}, urls };
  const random = seededRandom(5);
  expect(simulate(run).verdict).toBe('promote');
  const tally = new DifferenceTally(readCompareOptions({}));
  for (let index = 0; index < 30_000; index += 1) {
    const isBroken = index % 1_500 === 0;
    const differences = new Differences();
    if (isBroken) differences.add('status', 'changed', 200, 500);
    const route = { method: 'GET', url: isBroken ? '/checkout' : '/items/17' };
    tally.add({ route, isRepeat: false, differences });
    if (random() < 0.1) tally.add({ route, isRepeat: true, differences: new Differences() });
  }
  tally.finish();
  expect([tally.report().verdict, tally.report().because.join('\n')]).toEqual([
    'inconclusive',
    expect.stringContaining('GET /checkout status: the target differs in 20 of 20 responses'),
  ]);
});

test('too few comparisons prove nothing', () => {
  const report = simulate({ seed: 1, comparisons: 100, repeated: 0.5, noise: {} });
  expect([report.verdict, report.because]).toEqual([
    'inconclusive',
    ['at least 2,995 comparisons must exclude a change in 0.1 % of the responses, got 100'],
  ]);
  expect(simulate({ seed: 1, comparisons: 0, repeated: 0, noise: {} }).verdict).toBe('inconclusive');
});

test('too few repeats leave too much of the noise unknown', () => {
  const report = simulate({ seed: 1, comparisons: 20_000, repeated: 0.005, noise: { 'body.score': 0.5 } });
  expect(report.verdict).toBe('inconclusive');
  expect(report.because.join('\n')).toContain('more repeats are needed');
});
