import { explore } from './explore';
import { MUTANTS } from './mutants';
import { PROTOCOL, Setup } from '../../core/switch/switch-model';

/** The larger ones are those of `npm run bench:model`. */
const SETUPS: readonly (Setup & { readonly states: number })[] = [
  { sources: 1, targets: 0, joiners: 0, crashes: 2, epochs: 1, states: 1_229 },
  { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1, states: 6_164 },
  { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1, hands: 1, states: 16_234 },
  { sources: 3, targets: 0, joiners: 0, crashes: 1, epochs: 1, states: 39_694 },
  { sources: 1, targets: 0, joiners: 1, crashes: 1, epochs: 1, states: 15_346 },
  { sources: 1, targets: 1, joiners: 0, crashes: 1, epochs: 2, states: 60_610 },
  { sources: 2, targets: 0, joiners: 1, crashes: 1, epochs: 1, states: 126_377 },
];

test.each(SETUPS)('no interleaving breaks the promise, and each can still be settled: %j', ({ states, ...setup }) => {
  const { depth, ...found } = explore(setup, PROTOCOL, { checksProgress: true });
  expect(found).toEqual({ states });
  expect(depth).toBeGreaterThan(15);
});

test.each(MUTANTS)('the model finds what it costs when $what', ({ rules, setup }) => {
  const { violation } = explore(setup, rules);
  expect(violation?.what).toMatch(/^both backends are at work$|^a request carries another epoch than that of the last/);
  expect(violation?.trace.length).toBeGreaterThan(3);
});
