import { Arrivals, NO_SHARE_ODDS, addArrivals, findShareOdds } from '../../../core/judge/share-odds';
import { seededRandom } from '../../../rehearsal/load-balancer/random';

const share = (target: number) => ({ source: 100 - target, target });

/** Whichever of both odds reach 100 in a second-by-second look at 50 requests a second, and after how many seconds. */
function watch(real: number, weights: number, before: number, seconds: number, random: () => number) {
  let odds = NO_SHARE_ODDS;
  let inForceAt: number | undefined;
  for (let second = 1; second <= seconds; second += 1) {
    const target = Array.from({ length: 50 }, random).filter((x) => x < real / 100).length;
    odds = addArrivals(odds, { source: 50 - target, target }, { weights: share(weights), before: share(before) });
    const found = findShareOdds(odds);
    if (found.inForce >= 100) inForceAt ??= second;
    if (found.wrong >= 100) return { wrongAt: second, inForceAt };
  }
  return { wrongAt: undefined, inForceAt };
}

describe.each([
  ['from nothing to a canary', 0, 10],
  ['in the middle', 10, 50],
  ['to everything', 90, 100],
  ['back to nothing', 100, 0],
  ['all at once', 0, 100],
])('%s', (_, before, weights) => {
  const random = seededRandom(before * 1_000 + weights);
  const runs = (real: number, seconds: number) =>
    Array.from({ length: 100 }, () => watch(real, weights, before, seconds, random));

  test('weights that took no hold are found within 30 s, and never taken for in force', () => {
    const seen = runs(before, 30);
    expect(seen.filter(({ wrongAt }) => wrongAt === undefined)).toEqual([]);
    expect(seen.filter(({ inForceAt }) => inForceAt !== undefined).length).toBeLessThanOrEqual(1);
  });

  test('weights that took hold in half of the nodes are found within 30 s', () => {
    const seen = runs((before + weights) / 2, 30);
    expect(seen.filter(({ wrongAt }) => wrongAt === undefined).length).toBeLessThanOrEqual(3);
  });

  test('weights in force are known to be within 30 s, and wrong in one of a hundred runs at most', () => {
    const seen = runs(weights, 90);
    expect(seen.filter(({ wrongAt }) => wrongAt !== undefined).length).toBeLessThanOrEqual(1);
    expect(seen.filter(({ inForceAt }) => inForceAt === undefined || inForceAt > 30)).toEqual([]);
  });
});

test('a few stray requests prove nothing where all was to go to one side', () => {
  const strays: Arrivals = { source: 2, target: 1_000 };
  const odds = addArrivals(NO_SHARE_ODDS, strays, { weights: share(100), before: share(90) });
  expect(findShareOdds(odds).wrong).toBeLessThan(100);
});

test('without arrivals both odds are even', () => {
  const odds = addArrivals(NO_SHARE_ODDS, share(0), { weights: share(10), before: share(0) });
  expect(
    findShareOdds(addArrivals(NO_SHARE_ODDS, { source: 0, target: 0 }, { weights: share(10), before: share(0) })),
  ).toEqual({
    wrong: 1,
    inForce: 1,
  });
  expect(findShareOdds(odds).inForce).toBeLessThan(1);
});
