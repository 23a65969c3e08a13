import { Plan } from '../../core/plan/plan';
import { Stage, findMaximumBake } from '../../core/plan/stages';
import { formatWeights } from '../../core/traffic/weights';
import { MIN_SHARE, REQUESTS_PER_USER, TrafficRates } from '../traffic/options';
import { UsageError } from '../errors/usage-error';

/** A stage that sees too few requests rolls a cutover back: by chance it may, this often. */
const MAX_BY_CHANCE = 0.001;

interface Asked {
  /** As they will be used: multiplied already. */
  readonly rates: TrafficRates;
  readonly traffic: number;
  readonly speed: number;
}

/**
 * The plan, with `minimumRequests` scaled by `--traffic` where less traffic would else leave a stage too few requests, and so
 * roll back a cutover that is in order, or not, by chance.
 *
 * @throws UsageError where even that would be left to chance
 */
export function withEnoughRequests(plan: Plan, asked: Asked): Plan {
  const { minimumRequests } = plan.breaker;
  const perSecond = freshRequests(asked.rates);
  if (tightest(plan, perSecond, minimumRequests) === undefined) return plan;
  const scaled = Math.min(minimumRequests, Math.max(1, Math.floor(minimumRequests * asked.traffic)));
  const short = tightest(plan, perSecond, scaled);
  if (!short) return { ...plan, breaker: { ...plan.breaker, minimumRequests: scaled } };
  const { stage, index, expected } = short;
  const needed = enoughFor(scaled);
  const factor = expected / needed;
  throw new UsageError(
    `'--traffic' and '--speed' must bring the target of stage ${index + 1} (${formatWeights(stage.weights)}) about ` +
      `${Math.ceil(needed)} requests, to be sure of ${scaled} (minimumRequests), got about ${expected.toFixed(1)} in ` +
      `${findMaximumBake(stage)} s; take --speed ${Math.max(1, Math.floor(asked.speed * factor))} or ` +
      `--traffic ${(Math.ceil((asked.traffic / factor) * 10) / 10).toFixed(1)}`,
  );
}

/**
 * The least share of the rates (0.1–1) that still brings each stage the plan's `minimumRequests`: a slow machine reduces the
 * traffic to no less.
 *
 * @param plan of `withEnoughRequests`
 */
export function minShare(plan: Plan, rates: TrafficRates): number {
  const { minimumRequests } = plan.breaker;
  for (let percent = 100 * MIN_SHARE; percent < 100; percent += 5) {
    if (tightest(plan, freshRequests(rates) * (percent / 100), minimumRequests) === undefined) return percent / 100;
  }
  return 1;
}

/** The first stage whose target may see fewer than `minimum` by chance. */
function tightest(
  { stages }: Plan,
  perSecond: number,
  minimum: number,
): { stage: Stage; index: number; expected: number } | undefined {
  return stages
    .map((stage, index) => {
      const { source, target } = stage.weights;
      const expected = (perSecond * findMaximumBake(stage) * target) / Math.max(1, source + target);
      return { stage, index, expected };
    })
    .find(({ stage, expected }) => stage.weights.target > 0 && poissonBelow(minimum, expected) > MAX_BY_CHANCE);
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
  let term = Math.exp(-expected);
  let sum = term;
  for (let n = 1; n < count; n += 1) {
    term *= expected / n;
    sum += term;
  }
  return sum;
}

/** How many must come on average, so that at least `count` do nearly always. */
function enoughFor(count: number): number {
  let expected = count;
  while (poissonBelow(count, expected) > MAX_BY_CHANCE) expected += 0.5;
  return expected;
}
