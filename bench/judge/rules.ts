import { NO_POOL, addToPool } from '../../core/judge/pool';
import { Tolerances, WindowPair, addToOdds, beginOdds, sumOdds } from '../../core/judge/odds';
import { JUDGE_FIELDS, MAX_ODDS } from '../../core/plan/judge-plan';
import type { Role } from '../../core/plan/direction';

/** Decides while a canary runs. Each has its own memory of one cutover. */
export interface Rule {
  /** @returns whether it rolls back now */
  look(pair: WindowPair, atSeconds: number): boolean;
}

export interface RuleSetup {
  readonly past: WindowPair[Role];
  readonly lookSeconds: number;
  readonly minutes: number;
}

export const RULES: Readonly<Record<string, (setup: RuleSetup) => Rule>> = {
  drainshift: (setup) => ourRule(setup, { errors: 0, latency: JUDGE_FIELDS.latencyTolerance.default }),
  'drainshift, no latency tolerated': (setup) => ourRule(setup, { errors: 0, latency: 0 }),
  'CloudWatch alarm': () => alarmRule(),
  'Argo Rollouts': () => argoRule(),
  Flagger: () => flaggerRule(),
  'Kayenta (Mann–Whitney)': ({ minutes }) => kayentaRule(minutes),
};

function ourRule({ past, lookSeconds, minutes }: RuleSetup, tolerances: Tolerances): Rule {
  let odds = beginOdds(past.all.latencies, Object.keys(past.routes), (minutes * 60) / lookSeconds);
  let pool = NO_POOL;
  return {
    look: (pair, until) => {
      const next = addToPool(pool, pair, { after: until - lookSeconds, until });
      pool = next.pool;
      if (!next.whole) return false;
      odds = addToOdds(odds, next.whole, tolerances);
      return sumOdds(odds) >= MAX_ODDS;
    },
  };
}

/** Adds up windows to periods, and hands on each that is full. */
function periods(seconds: number, decide: (sums: Readonly<Record<Role, Sum>>) => boolean): Rule {
  let sums = { from: { requests: 0, errors: 0 }, to: { requests: 0, errors: 0 } };
  return {
    look: ({ from, to }, atSeconds) => {
      for (const [sum, { all }] of [
        [sums.from, from],
        [sums.to, to],
      ] as const) {
        sum.requests += all.requests;
        sum.errors += all.errors;
      }
      if (atSeconds % seconds !== 0) return false;
      const full = sums;
      sums = { from: { requests: 0, errors: 0 }, to: { requests: 0, errors: 0 } };
      return decide(full);
    },
  };
}

interface Sum {
  requests: number;
  errors: number;
}

const rate = ({ requests, errors }: Sum) => (requests === 0 ? 0 : errors / requests);

/** The alarm that is set up most often: more than 1 % of errors in one minute. */
function alarmRule(): Rule {
  return periods(60, ({ to }) => rate(to) > 0.01);
}

/** The success rate of its documentation: at least 95 % every five minutes, three failures end it. */
function argoRule(): Rule {
  let failures = 0;
  return periods(300, ({ to }) => {
    if (1 - rate(to) < 0.95) failures += 1;
    return failures > 3;
  });
}

/** The defaults of its documentation: at least 99 % each minute, five failed checks end it. */
function flaggerRule(): Rule {
  let failures = 0;
  return periods(60, ({ to }) => {
    if (1 - rate(to) < 0.99) failures += 1;
    return failures >= 5;
  });
}

/** Compares the error rates of all minutes at the end, one-sided at 95 %, with ties counted half. */
function kayentaRule(minutes: number): Rule {
  const seen: Record<Role, number[]> = { from: [], to: [] };
  return periods(60, ({ from, to }) => {
    seen.from.push(rate(from));
    seen.to.push(rate(to));
    if (seen.to.length < minutes) return false;
    return mannWhitney(seen.to, seen.from) > 1.645;
  });
}

/** The normal score of "the first are larger", with the correction for ties. */
function mannWhitney(a: readonly number[], b: readonly number[]): number {
  let u = 0;
  for (const x of a) for (const y of b) u += x > y ? 1 : x === y ? 0.5 : 0;
  const all = [...a, ...b];
  const ties = new Map<number, number>();
  for (const each of all) ties.set(each, (ties.get(each) ?? 0) + 1);
  const n = all.length;
  const tied = [...ties.values()].reduce((sum, t) => sum + (t ** 3 - t), 0);
  const variance = ((a.length * b.length) / 12) * (n + 1 - tied / (n * (n - 1)));
  return variance === 0 ? 0 : (u - (a.length * b.length) / 2) / Math.sqrt(variance);
}
