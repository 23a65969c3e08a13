import { findDirection } from '../../core/plan/direction';
import { findShift } from '../../core/judge/comparison';
import { arrivalsToProve } from '../../core/judge/share-odds';
import { MAX_ODDS, budgetProvenBy, requestsToProve } from '../../core/plan/judge-plan';
import { Plan } from '../../core/plan/plan';
import { Stage, findMaximumBake } from '../../core/plan/stages';
import { formatWeights } from '../../core/traffic/weights';
import { MIN_SHARE, REQUESTS_PER_USER, TrafficRates } from '../traffic/options';
import { UsageError } from '../errors/usage-error';

/** A stage that sees too few requests is not promoted: by chance it may, this often. */
const MAX_BY_CHANCE = 0.001;
/** A machine that is slow reduces the traffic to this share and still proves its stages. */
const SLOW_SHARE = 0.25;
/** With fewer requests at the usual traffic a rehearsal proves nothing. */
const MIN_REQUESTS = 10;
/** Arrivals prove their weights by chance: nearly always by so many times as many as on average. */
const SURELY = 4;

interface Asked {
  /** As they will be used: multiplied already. */
  readonly rates: TrafficRates;
  readonly traffic: number;
  readonly speed: number;
  /** How many new clients come, as a share of the usual ones. @default - as `traffic` says */
  readonly share?: number | undefined;
}

/**
 * The plan, with an `errorBudget` that its short stages can prove, and maximum bakes in which what arrives can prove the weights: a
 * night has more requests. Else a cutover that is in order would roll back, always or by chance.
 *
 * @throws UsageError where too few requests come for any proof
 */
export function withEnoughRequests(plan: Plan, asked: Asked): Plan {
  return withTimeToArrive(withProvableBudget(plan, asked), freshRequests(asked.rates));
}

function withTimeToArrive(plan: Plan, perSecond: number): Plan {
  const stages = plan.stages.map((stage, index) => {
    const needed = Math.ceil(countArrivals(plan, index) / Math.max(1, perSecond * SLOW_SHARE));
    return needed <= findMaximumBake(stage) ? stage : { ...stage, maximumBakeSeconds: needed };
  });
  return stages.every((stage, index) => stage === plan.stages[index]) ? plan : { ...plan, stages };
}

/** So many nearly always prove the weights of a stage. */
function countArrivals(plan: Plan, stage: number): number {
  return SURELY * arrivalsToProve(findShift(plan, stage), MAX_ODDS);
}

function withProvableBudget(plan: Plan, asked: Asked): Plan {
  const needed = requestsToProve(plan.judge.errorBudget);
  const fewest = Math.min(needed, Math.max(1, Math.floor(MIN_REQUESTS * (asked.share ?? asked.traffic))));
  const { stage, index, expected } = findTightest(plan, freshRequests(asked.rates));
  if (poissonBelow(needed, expected * SLOW_SHARE) <= MAX_BY_CHANCE) return plan;
  if (poissonBelow(fewest, expected) > MAX_BY_CHANCE) {
    const enough = enoughFor(fewest);
    const factor = expected / enough;
    throw new UsageError(
      `'--traffic' and '--speed' must bring the target of stage ${index + 1} (${formatWeights(stage.weights)}) about ` +
        `${Math.ceil(enough)} requests, to be sure of ${fewest}, got about ${expected.toFixed(1)} in ` +
        `${findMaximumBake(stage)} s; take --speed ${Math.max(1, Math.floor(asked.speed * factor))} or ` +
        `--traffic ${(Math.ceil((asked.traffic / factor) * 10) / 10).toFixed(1)}`,
    );
  }
  const sure = Math.min(needed, Math.max(fewest, sureOf(expected * SLOW_SHARE)));
  // Not below what proves it: a rounded budget must not need a request more.
  const errorBudget = Math.ceil(budgetProvenBy(sure) * 1e4) / 1e4;
  return { ...plan, judge: { ...plan.judge, errorBudget } };
}

/**
 * The least share of the rates (0.1–1) that still brings each stage the requests that prove it: a slow machine reduces the
 * traffic to no less.
 *
 * @param plan of `withEnoughRequests`
 */
export function minShare(plan: Plan, rates: TrafficRates): number {
  const needed = requestsToProve(plan.judge.errorBudget);
  const perSecond = freshRequests(rates);
  const { expected } = findTightest(plan, perSecond);
  const arrives = plan.stages.map((stage, index) => (perSecond * findMaximumBake(stage)) / countArrivals(plan, index));
  const floor = Math.min(1, 1 / Math.min(...arrives));
  for (let percent = 100 * MIN_SHARE; percent < 100; percent += 5) {
    const share = percent / 100;
    if (share >= floor && poissonBelow(needed, expected * share) <= MAX_BY_CHANCE) return share;
  }
  return 1;
}

interface Tightest {
  readonly stage: Stage;
  readonly index: number;
  /** Requests of the side that gets the traffic, in its longest bake. */
  readonly expected: number;
}

/** The stage in which that side sees the fewest requests. */
function findTightest(plan: Plan, perSecond: number): Tightest {
  const { to } = findDirection(plan);
  const stages = plan.stages.map((stage, index) => {
    const { source, target } = stage.weights;
    const share = stage.weights[to] / Math.max(1, source + target);
    return { stage, index, share, expected: perSecond * findMaximumBake(stage) * share };
  });
  // A stage without any weight of it proves nothing, and is none of a sane plan.
  const [first, ...others] = stages.filter(({ share }) => share > 0);
  if (!first) throw new RangeError('a plan must have a stage that moves traffic, got none');
  return others.reduce((least, each) => (each.expected < least.expected ? each : least), first);
}

/** So many come nearly always, where `expected` do on average. */
function sureOf(expected: number): number {
  let count = 0;
  while (poissonBelow(count + 1, expected) <= MAX_BY_CHANCE) count += 1;
  return count;
}

/** Requests per second without a cookie: those with one stay on the side that they came from. */
export function freshRequests({ keepAlive, newConnection, echo, http2 }: TrafficRates): number {
  const sessions = Math.ceil(http2 / REQUESTS_PER_USER);
  const share = sessions === 0 ? 0 : Math.ceil(sessions / 2) / sessions;
  return keepAlive + newConnection + echo + http2 * share;
}

/** The probability that fewer than `count` come where `expected` do on average. */
export function poissonBelow(count: number, expected: number): number {
  if (count === 0) return 0;
  if (expected === 0) return 1;
  // In logarithms: e^-expected of many requests is no number any more.
  let log = -expected;
  let sum = Math.exp(log);
  for (let n = 1; n < count; n += 1) {
    log += Math.log(expected / n);
    sum += Math.exp(log);
  }
  return sum;
}

/** How many must come on average, so that at least `count` do nearly always. */
function enoughFor(count: number): number {
  let expected = count;
  while (poissonBelow(count, expected) > MAX_BY_CHANCE) expected += 0.5;
  return expected;
}
