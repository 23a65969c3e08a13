import { explore } from './explore';
import { MUTANTS } from './mutants';
import { PROTOCOL, Setup } from './switch-model';

const SETUPS: readonly (Setup & { readonly states: number })[] = [
  { sources: 1, targets: 0, joiners: 0, crashes: 2, epochs: 1, states: 1_073 },
  { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1, states: 5_354 },
  { sources: 1, targets: 0, joiners: 1, crashes: 1, epochs: 1, states: 12_000 },
  { sources: 1, targets: 1, joiners: 0, crashes: 1, epochs: 2, states: 30_409 },
];

test.each(SETUPS)('no interleaving breaks the promise, and each can still be settled: %j', ({ states, ...setup }) => {
  expect(explore(setup, PROTOCOL, { checksProgress: true })).toEqual({ states });
});

test.each(MUTANTS)('the model finds what it costs when $what', ({ rules, setup }) => {
  const { violation } = explore(setup, rules);
  expect(violation?.what).toBe('both backends are at work');
  expect(violation?.trace.length).toBeGreaterThan(3);
});
