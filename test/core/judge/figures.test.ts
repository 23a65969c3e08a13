import { isSuspicious } from '../../../core/judge/figures';
import { NO_COUNTS } from '../../../core/judge/tally';
import { Watch } from '../../../core/judge/watch';
import { parsePlan } from '../../../core/plan/plan';

const PLAN = parsePlan({});

/** What each side did since the look before. */
function watched(source: [responded: number, errors: number], target: [responded: number, errors: number]): Watch {
  const counts = ([responded, errors]: [number, number]) => ({ ...NO_COUNTS, requests: responded, responded, errors });
  const smoked = { source: 0, target: 0 };
  const tally = { counts: NO_COUNTS, tasks: {} };
  return {
    tallies: { source: tally, target: tally },
    samples: [
      { source: counts([1_000, 900]), target: counts([1_000, 900]), smoked, pending: smoked, atMs: 0 },
      {
        source: counts([1_000 + source[0], 900 + source[1]]),
        target: counts([1_000 + target[0], 900 + target[1]]),
        smoked,
        pending: smoked,
        atMs: 2_000,
      },
    ],
    blindSinceMs: {},
  };
}

test.each([
  ['errors of the target alone', true, watched([400, 0], [20, 5])],
  ['one error', false, watched([400, 0], [20, 1])],
  ['as many as the source has for its traffic', false, watched([400, 40], [40, 4])],
  ['both sides that fail together', false, watched([400, 300], [20, 15])],
  ['no traffic', false, watched([0, 0], [0, 0])],
  ['a source without traffic', false, watched([0, 0], [400, 4])],
])('%s: the next poll comes soon: %s', (_, expected, watch) => {
  expect(isSuspicious(watch, PLAN)).toBe(expected);
});

test('of a side that is left backwards the roles are exchanged', () => {
  const back = parsePlan({ from: 'target' });
  expect(isSuspicious(watched([20, 5], [400, 0]), back)).toBe(true);
  expect(isSuspicious(watched([400, 0], [20, 5]), back)).toBe(false);
});

test('one look is none to compare', () => {
  const { samples, ...rest } = watched([0, 0], [0, 0]);
  expect(isSuspicious({ ...rest, samples: samples.slice(0, 1) }, PLAN)).toBe(false);
});
