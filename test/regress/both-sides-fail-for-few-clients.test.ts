import {
  Comparison,
  addToComparison,
  beginComparison,
  findOddsAgainst,
  findShift,
  findSuspicion,
  warmUp,
} from '../../core/judge/comparison';
import { parsePlan } from '../../core/plan/plan';
import type { WindowReport } from '../../core/proxy/window';
import { RecentTraffic } from '../../proxy/telemetry/recent-traffic';
import { seededRandom } from '../../rehearsal/load-balancer/random';

// A client that sends many requests counts one error in ten seconds on each side, however many it sends to which. Where both
// sides failed alike, the one with a fifth of the traffic had a third of these errors: it looked worse, and was left.

const PLAN = parsePlan({
  stages: [{ weights: { source: 80, target: 20 }, bakeSeconds: 600 }, { weights: { source: 0, target: 1 } }],
});
const START = 1_800_000_000;
const WINDOW = { seconds: 2, requests: 200 };

interface Failing {
  readonly clients: number;
  readonly source: number;
  readonly target: number;
  /** Of the target alone: every request of this client fails. */
  readonly broken?: number;
}

/** Five minutes of requests, which no cookie binds: those of one client go to both sides. */
function watchBoth({ clients, broken, ...rates }: Failing, seed: number): { comparison: Comparison; highest: number } {
  const random = seededRandom(seed);
  const sides = { source: new RecentTraffic(START * 1000, 0), target: new RecentTraffic(START * 1000, 0) };
  const serve = (nowMs: number) => {
    const side = random() < 0.8 ? 'source' : 'target';
    const client = Math.floor(random() * clients);
    const taken = sides[side].take('/cart', undefined, 'browser', nowMs);
    sides[side].responded(taken, 5, nowMs);
    const isBroken = side === 'target' && client === broken;
    if (isBroken || random() < rates[side]) sides[side].failed(taken, `192.0.2.${client}`, nowMs);
  };
  const report = (side: 'source' | 'target', after: number, until: number): WindowReport =>
    sides[side].report({ watch: 'w', now: until, after, until, routes: [] }, (until - START) * 1000);
  const none = report('source', START, START);
  const begun = beginComparison(none, { routes: [], until: START }, PLAN);
  let comparison = warmUp(begun, 0, PLAN, START * 1000);
  let highest = 0;
  for (let until = START + WINDOW.seconds; until <= START + 290; until += WINDOW.seconds) {
    const fromMs = (until - WINDOW.seconds - START) * 1000;
    for (let index = 0; index < WINDOW.requests; index += 1)
      serve(fromMs + (index * 1000 * WINDOW.seconds) / WINDOW.requests + 1);
    const order = { after: until - WINDOW.seconds - 1, until: until - 1 };
    const windows = {
      source: report('source', order.after, order.until),
      target: report('target', order.after, order.until),
    };
    comparison = addToComparison(comparison, windows, order, PLAN, findShift(PLAN, 0));
    highest = Math.max(highest, findOddsAgainst(comparison));
  }
  return { comparison, highest };
}

test.each([
  [1, 0.2],
  [5, 0.2],
  [50, 0.2],
  [50, 0.05],
  [20, 0.5],
])('both sides fail alike for %i clients, at a rate of %p: neither is worse', (clients, rate) => {
  for (const seed of [1, 2, 3]) {
    const { highest } = watchBoth({ clients, source: rate, target: rate }, seed);
    expect(highest).toBeLessThan(100);
  }
});

test('one client whose requests all fail at the target says no more than before', () => {
  const { highest } = watchBoth({ clients: 50, source: 0.01, target: 0.01, broken: 7 }, 4);
  expect(highest).toBeLessThan(100);
});

test('a target that fails for many clients is still found', () => {
  const { comparison } = watchBoth({ clients: 50, source: 0.01, target: 0.05 }, 5);
  expect(findSuspicion(comparison, PLAN)).toMatch(
    /^the target must be as good as the source, got odds of .* errors in /,
  );
});
