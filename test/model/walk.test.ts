import { MUTANTS } from './mutants';
import { PROTOCOL, Setup } from '../../core/switch/switch-model';
import { walk } from './walk';

const LARGE: Setup = { sources: 4, targets: 2, joiners: 1, crashes: 3, epochs: 3, hands: 2 };

test('random walks through seven tasks and three epochs break no promise, and do switch', () => {
  const seed = Number(process.env.DRAINSHIFT_TEST_SEED ?? Date.now() % 1_000_000);
  const { commits, aborts, violation } = walk(LARGE, PROTOCOL, { walks: 30, steps: 300, seed });
  expect({ seed, violation }).toEqual({ seed, violation: undefined });
  expect(commits).toBeGreaterThan(0);
  expect(aborts).toBeGreaterThan(0);
});

test('they find a broken rule, and show the steps that it takes', () => {
  const { rules } = MUTANTS.find(({ name }) => name === 'busy')!;
  const { violation } = walk(LARGE, rules, { walks: 500, steps: 300, seed: 1 });
  expect(violation?.trace.length).toBeLessThan(40);
  expect(violation?.trace.some((step) => step.startsWith('write commit'))).toBe(true);
});
