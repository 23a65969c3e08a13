import { PROTOCOL, Setup } from '../../core/switch/switch-model';
import { verifyTrace } from '../../core/switch/verify-trace';
import { findRejected, traceRun } from './traced';
import { walk } from './walk';

const LARGE: Setup = { sources: 3, targets: 2, joiners: 1, crashes: 3, epochs: 3 };

test.each<[string, Setup]>([
  ['without a hook', LARGE],
  ['with a hook that fences', { ...LARGE, hook: 'fences' }],
  ['with a hook that tries no write', { ...LARGE, hook: 'unproved' }],
])('the traces of random walks through the model are verified: %s', (_, setup) => {
  const seed = Number(process.env.DRAINSHIFT_TEST_SEED ?? Date.now() % 1_000_000);
  let settled = 0;
  const visit = (trace: readonly string[]) => {
    const switches = traceRun(setup, PROTOCOL, trace);
    expect({ seed, trace, rejected: findRejected(switches) }).toEqual({ seed, trace, rejected: undefined });
    settled += switches.filter((each) => !verifyTrace(each).fault).length;
  };
  walk(setup, PROTOCOL, { walks: 40, steps: 150, seed, visit });
  expect(settled).toBeGreaterThan(10);
});
