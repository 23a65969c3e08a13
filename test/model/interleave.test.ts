import { NO_CONNECTIONS } from '../../core/proxy/connections';
import { FIRST_REGIME } from '../../core/switch/regime';
import { Breakage, interleave } from './interleave';

test('random interleavings of the real code break no promise, and settle', async () => {
  const seed = Number(process.env.DRAINSHIFT_TEST_SEED ?? Date.now() % 1_000_000);
  const { commit, abort } = await interleave(300, seed);
  expect(commit).toBeGreaterThan(0);
  expect(abort).toBeGreaterThan(0);
});

describe('they find what it costs when', () => {
  test.each<[string, Breakage, RegExp]>([
    [
      'a report leaves out what is in flight',
      { report: (report) => ({ ...report, active: NO_CONNECTIONS }) },
      /both backends are at work/,
    ],
    [
      'the store lets the last writer of a decision win',
      {
        breakStore: (store) => {
          store.decide = async (epoch, decision) => {
            await store.before('decide');
            store.decisions.set(epoch, decision);
            return decision;
          };
          store.propose = store.decide;
        },
      },
      /serves|carries epoch|at work|settle|decision stands/,
    ],
    [
      'a task whose lease has expired takes it for an abort',
      { breakStore: (store) => (store.propose = (_, decision) => Promise.resolve(decision)) },
      /the source serves|carries epoch|ends by its decision alone/,
    ],
    ['a task starts without having read the regime', { startsUnder: FIRST_REGIME }, /at work|serves|carries/],
    ['a dead task is a drained task', { stoppedAtMs: -10_000_000 }, /both backends are at work/],
  ])('%s', async (_, breakage, problem) => {
    const found: unknown = await interleave(2_000, 7, breakage).catch((error: unknown) => error);
    expect(found).toBeInstanceOf(Error);
    expect(String((found as Error).cause)).toMatch(problem);
  });
});
