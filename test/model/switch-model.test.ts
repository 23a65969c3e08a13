import { explore } from './explore';
import { MUTANTS } from './mutants';
import { PROTOCOL, Setup } from '../../core/switch/switch-model';
import { judgeWrites } from '../../rehearsal/writes/judge-writes';
import { findRejected, logWrites, traceRun } from './traced';

/** The larger ones are those of `npm run bench:model`. */
const SETUPS: readonly (Setup & { readonly states: number })[] = [
  { sources: 1, targets: 0, joiners: 0, crashes: 2, epochs: 1, states: 1_229 },
  { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1, states: 6_164 },
  { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1, hands: 1, states: 16_234 },
  { sources: 3, targets: 0, joiners: 0, crashes: 1, epochs: 1, states: 39_694 },
  { sources: 1, targets: 0, joiners: 1, crashes: 1, epochs: 1, states: 15_346 },
  { sources: 1, targets: 1, joiners: 0, crashes: 1, epochs: 2, states: 60_610 },
  { sources: 2, targets: 0, joiners: 1, crashes: 1, epochs: 1, states: 126_377 },
  { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1, hook: 'fences', states: 24_640 },
  { sources: 1, targets: 0, joiners: 0, crashes: 1, epochs: 2, hook: 'fences', states: 31_409 },
];

test.each(SETUPS)('no interleaving breaks the promise, and each can still be settled: %j', ({ states, ...setup }) => {
  const { depth, ...found } = explore(setup, PROTOCOL, { checksProgress: true });
  expect(found).toEqual({ states });
  expect(depth).toBeGreaterThan(15);
});

/** Why the trace of each of them is rejected, and in which of its switches. */
const REJECTED: Readonly<Record<string, readonly [epoch: number, what: RegExp, rule: RegExp]>> = {
  leaseServes: [1, /^task 1 .* endedTo=source$/, /ends by its decision alone \(commit\), got .* the source$/],
  startsBlind: [1, /^task 0 .* is=notHolding isRestarted/, /one that starts meanwhile holds, too$/],
  unheld: [1, /^ready/, /got 2 notHolding$/],
  busy: [1, /^ready/, /got 1 gone, 1 busy$/],
  abandoned: [1, /^ready/, /got 1 gone, 1 busy$/],
  dead: [1, /^ready/, /got 1 unaccounted, 1 empty$/],
  restarted: [1, /^ready/, /got 1 unaccounted, 1 empty$/],
  lastWriter: [1, /^decide outcome=commit$/, /^the first decision stands \(abort\)$/],
  anyRelease: [2, /^task 0 .* endedTo=source$/, /ends by its decision alone \(commit\), got/],
  storeAway: [1, /^task 1 .* endedTo=source$/, /ends by its decision alone \(commit\)/],
  releaseFirst: [1, /^released 0 .* to=target$/, /^a task is released after the decision$/],
  twoSwitches: [1, /^the end of the trace$/, /has a decision, got none$/],
  wakes: [1, /^task 1 .* is=holding inFlight=1/, /^a task that holds begins no request$/],
  unlisted: [1, /^ready/, /got no task$/],
  apart: [1, /^settle .* isJoined=false$/, /^after a commit the regime is target, joined/],
  byHand: [1, /^ready/, /got 1 notHolding$/],
  lateDecision: [2, /^task 0 .* endedTo=source$/, /ends by its decision alone \(commit\), got/],
  hookSaidNo: [1, /^ready/, /got 1 unaccounted, 1 empty$/],
  unprovedFreeze: [1, /^hook state=started$/, /^the hook runs when every task holds .* got 1 unaccounted, 1 empty$/],
};
/**
 * The coordinator sees neither the epoch that requests carry nor a task that is no member, nor what a backend does behind its
 * back, nor a regime that another one writes after the end: the logs of both sides show it.
 */
const UNSEEN = ['leftSide', 'missedCommit', 'unverifiedFreeze', 'lateThaw', 'blindWrite'];

/** Its space has 270,000 states: `npm run bench:model` explores it. */
const LARGE = 'lateRetarget';

test.each(MUTANTS.filter(({ name }) => name !== LARGE))(
  'the model finds what it costs when $what, and the trace of it is rejected',
  (mutant) => {
    const { name, rules, setup } = mutant;
    const { violation } = explore(setup, rules);
    expect(violation?.what).toMatch(
      /^both backends are at work$|^a request carries another epoch than that of the last/,
    );
    expect(violation?.trace.length).toBeGreaterThan(3);
    const rejected = findRejected(traceRun(setup, rules, violation!.trace));
    if (UNSEEN.includes(name)) return expect(rejected).toBeUndefined();
    const [epoch, what, rule] = REJECTED[name]!;
    expect(rejected?.epoch).toBe(epoch);
    expect(rejected?.what).toMatch(what);
    expect(rejected?.rule).toMatch(rule);
  },
);

/** A write with the epoch of the commit, which another one is compared with: behind this step, these. */
const WITNESSES: Readonly<Record<string, readonly [after: string, ...steps: string[]]>> = {
  leftSide: [
    'settle 1',
    'release 1 (commit) arrives at source-1',
    'begin at target by source-1',
    'end at target of source-1',
  ],
  missedCommit: [
    'settle 1',
    'weights go to target',
    'release 1 (commit) arrives at target-2',
    'begin at target by target-2',
    'end at target of target-2',
  ],
};

test.each(UNSEEN)('the logs of both sides show what no trace does: %s', (wanted) => {
  const { rules, setup } = MUTANTS.find(({ name }) => name === wanted)!;
  const { violation } = explore(setup, rules);
  const [after = '', ...steps] = WITNESSES[wanted] ?? [];
  const names = violation!.trace.flatMap((name) => (name === after ? [name, ...steps] : [name]));
  const { overlaps, staleEpochs } = judgeWrites(logWrites(setup, rules, names), []);
  const isStale = wanted in WITNESSES;
  expect({ overlaps, staleEpochs }).toEqual(
    isStale ? { overlaps: 0, staleEpochs: 1 } : { overlaps: 1, staleEpochs: 0 },
  );
});
