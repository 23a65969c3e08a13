/**
 * The odds against a target that is as good as the source, over everything that is compared: errors and latency of all requests
 * and of each route class. Averages of e-values are one again: the whole cutover has one budget of false alarms.
 */
import { own } from '../validation/own';
import type { Direction, Role } from '../plan/direction';
import {
  LatencyCounts,
  bucketEndMs,
  countLatencies,
  countSlower,
  findBucket,
  findQuantile,
} from '../proxy/latency-buckets';
import { ERRING_SECONDS } from '../proxy/window';
import {
  ERROR_RATIOS,
  LATENCY_RATIOS,
  Rate,
  RateOdds,
  RatePair,
  Ratios,
  WindowOptions,
  addWindow,
  beginRateOdds,
  findOdds,
} from './rate-odds';
import { wilsonUpperBound } from './wilson';

/** What the requests of one route class, or all, did on one side between two looks. */
export interface RouteCounts {
  readonly requests: number;
  /** Failed requests, at most one of each client. */
  readonly errors: number;
  /** All failed requests. */
  readonly failures: number;
  readonly latencies: LatencyCounts;
}

/** One window of both sides. `routes` by the name of the class; a class that is absent of a side had no request there. */
export type WindowPair = Readonly<
  Record<Role, { readonly all: RouteCounts; readonly routes: Readonly<Record<string, RouteCounts>> }>
>;

/** The state of the comparison. It travels from step to step: some hundred bytes for all and for each class. */
export interface Odds {
  readonly all: RouteOdds;
  readonly routes: Readonly<Record<string, RouteOdds>>;
  /** Windows that the cutover has at the most. */
  readonly looks: number;
}

export interface RouteOdds {
  /** Of errors, at most one of each client: what befalls one client says no more than once. */
  readonly errors: Compared;
  /**
   * Of all errors. A client that sends many requests counts once on each side, however many it sends to which: where both sides fail
   * alike, the side with less traffic would look worse by `errors` alone. Absent of a cutover that began before there were any.
   */
  readonly failures?: Compared;
  /** For each part of `SLOW_PARTS` the end of a bucket that the source's own requests seldom exceeded, and what came of it. */
  readonly latency: readonly (SlowCompared | null)[];
}

export interface Compared {
  readonly odds: RateOdds;
  /** What each side has shown since the first window; of the source's latency since before the shift. */
  readonly from: Rate;
  readonly to: Rate;
}

export interface SlowCompared extends Compared {
  /** A request is slow that took longer than the end of this bucket. */
  readonly bucket: number;
}

export interface Tolerances {
  /** A target with so many more errors is good enough: 0.1 allows 1.1 times the source's rate. */
  readonly errors: number;
  readonly latency: number;
}

/** The quantiles of the source that are thresholds, and what each counts for. */
export const SLOW_PARTS: readonly (readonly [part: number, weight: number])[] = [
  [0.5, 0.2],
  [0.9, 0.1],
  [0.99, 0.7],
];
/** What is compared, and what each counts for. */
const WEIGHTS = { errors: 0.65, latency: 0.35 } as const;
/**
 * One window multiplies the odds by so much at the most for a latency. A process that stands still for a second delays all requests
 * that it has, and is seen in two windows at the most: four are needed for 100 : 1, however many requests each has.
 */
const MAX_LATENCY_FACTOR = 6;
/** A response within this time is not slow, however much faster the source was. */
const MIN_SLOW_BUCKET = findBucket(10);
/** Of all requests together; the classes share the rest. */
const ALL_WEIGHT = 0.92;

/**
 * Before the first window.
 *
 * @param past the source's own requests before the shift: they fix what is slow, for all route classes, and are judged by none
 */
export function beginOdds(past: LatencyCounts, routes: readonly string[], looks: number): Odds {
  const buckets = SLOW_PARTS.map(([part]) => {
    const bucket = findQuantile(past, part);
    return bucket === undefined ? undefined : Math.max(bucket, MIN_SLOW_BUCKET);
  });
  const each = routes.map((name) => [name, beginRoute(buckets, [])] as const);
  return { all: beginRoute(buckets, past), routes: Object.fromEntries(each), looks };
}

function beginRoute(buckets: readonly (number | undefined)[], past: LatencyCounts): RouteOdds {
  const latency = buckets.map((bucket) => {
    if (bucket === undefined) return null;
    const from = slowRate({ ...NONE, latencies: past }, bucket);
    return { bucket, odds: beginRateOdds(LATENCY_RATIOS), from, to: NO_RATE };
  });
  return { errors: start(ERROR_RATIOS), failures: start(ERROR_RATIOS), latency };
}

function start(ratios: Ratios): Compared {
  return { odds: beginRateOdds(ratios), from: NO_RATE, to: NO_RATE };
}

/** As at the beginning, with the same thresholds: what both sides did until now is forgotten. */
export function restartOdds({ all, routes, looks }: Odds): Odds {
  const each = Object.entries(routes).map(([name, odds]) => [name, restartRoute(odds)] as const);
  return { all: restartRoute(all), routes: Object.fromEntries(each), looks };
}

function restartRoute({ latency }: RouteOdds): RouteOdds {
  return {
    errors: start(ERROR_RATIOS),
    failures: start(ERROR_RATIOS),
    latency: latency.map((part) => part && { bucket: part.bucket, ...start(LATENCY_RATIOS) }),
  };
}

const NO_RATE: Rate = { requests: 0, hits: 0 };

export function addToOdds({ all, routes, looks }: Odds, pair: WindowPair, tolerances: Tolerances): Odds {
  const add = (odds: RouteOdds, from: RouteCounts, to: RouteCounts) =>
    addToRoute(odds, { from, to }, looks, tolerances);
  const next = Object.entries(routes).map(
    ([name, odds]) =>
      [name, add(odds, own(pair.from.routes, name) ?? NONE, own(pair.to.routes, name) ?? NONE)] as const,
  );
  return { all: add(all, pair.from.all, pair.to.all), routes: Object.fromEntries(next), looks };
}

/** Of a side without requests. */
export const NONE: RouteCounts = { requests: 0, errors: 0, failures: 0, latencies: [] };

function addToRoute(
  { errors, failures, latency }: RouteOdds,
  { from, to }: Readonly<Record<Role, RouteCounts>>,
  looks: number,
  tolerances: Tolerances,
): RouteOdds {
  const options = { looks, tolerance: tolerances.errors };
  const addErrors = (compared: Compared, of: 'errors' | 'failures') => {
    const failed = { from: errorRate(from, of), to: errorRate(to, of) };
    return addPair(compared, ERROR_RATIOS, withPast(failed, compared.from), options);
  };
  return {
    errors: addErrors(errors, 'errors'),
    ...(failures && { failures: addErrors(failures, 'failures') }),
    latency: latency.map((part) => {
      if (!part) return null;
      const slow = { from: slowRate(from, part.bucket), to: slowRate(to, part.bucket) };
      const ofLatency = { looks, tolerance: tolerances.latency, maxFactor: MAX_LATENCY_FACTOR };
      return { bucket: part.bucket, ...addPair(part, LATENCY_RATIOS, slow, ofLatency) };
    }),
  };
}

/**
 * Without traffic of the source the errors of the target are compared with what that had shown before, at the worst. Its latency is not:
 * how long requests take changes with the hour and with the load, and without a fault.
 */
function withPast(pair: Pick<RatePair, Role>, from: Rate): RatePair {
  const hasPast = pair.from.requests === 0 && from.requests >= MIN_PAST;
  return hasPast ? { ...pair, past: wilsonUpperBound(from.hits, from.requests) } : pair;
}

function addPair({ odds, from, to }: Compared, ratios: Ratios, pair: RatePair, options: WindowOptions): Compared {
  return {
    odds: addWindow(odds, ratios, pair, options),
    from: addRates(from, pair.from),
    to: addRates(to, pair.to),
  };
}

/** Fewer requests of the source are no measure. */
const MIN_PAST = 300;

function addRates(a: Rate, b: Rate): Rate {
  return { requests: a.requests + b.requests, hits: a.hits + b.hits };
}

function errorRate(counts: RouteCounts, of: 'errors' | 'failures'): Rate {
  return { requests: counts.requests, hits: Math.min(counts.requests, counts[of]) };
}

function slowRate({ latencies }: RouteCounts, bucket: number): Rate {
  return { requests: countLatencies(latencies), hits: countSlower(latencies, bucket) };
}

/** One of the things that are compared. `route` is absent of all requests together. */
export interface Suspicion {
  readonly route?: string;
  readonly what: 'errors' | 'latency';
  /** How much it adds to the odds in all. */
  readonly odds: number;
  readonly compared: Compared;
  /** Of latency: what is slow. Milliseconds. */
  readonly slowerThanMs?: number;
  /** Of errors: there were more of them, of which at most one of each client is counted here. */
  readonly isByClient?: boolean;
}

/** The odds in all, 1 at the beginning, and what they are the sum of, the largest first. */
export function totalOdds(odds: Odds): { readonly odds: number; readonly parts: readonly Suspicion[] } {
  const parts = listWeighed(odds).map(({ weight, compared, route, slow, isByClient }): Suspicion => {
    const what = slow
      ? ({ what: 'latency', slowerThanMs: bucketEndMs(slow.bucket) } as const)
      : ({ what: 'errors', ...(isByClient && { isByClient }) } as const);
    return { ...(route !== undefined && { route }), ...what, odds: weight * findOdds(compared.odds), compared };
  });
  return { odds: sumOdds(odds), parts: parts.sort((a, b) => b.odds - a.odds) };
}

/** The odds in all. What cannot be compared says nothing: its odds stay 1. */
export function sumOdds(odds: Odds): number {
  const more = listWeighed(odds).reduce((sum, { weight, compared }) => sum + weight * (findOdds(compared.odds) - 1), 0);
  return Math.min(MAX_ODDS, 1 + more);
}

/** JSON has no infinity. */
const MAX_ODDS = 1e12;

/** One of the things that are compared, and what it counts for. All weights together are 1 at the most. */
interface Weighed {
  readonly weight: number;
  readonly compared: Compared;
  readonly route: string | undefined;
  /** Of latency. */
  readonly slow?: SlowCompared;
  /** See `Suspicion`. */
  readonly isByClient?: boolean;
}

export function listWeighed({ all, routes }: Odds): Weighed[] {
  const names = Object.keys(routes);
  const ofAll = names.length === 0 ? 1 : ALL_WEIGHT;
  const ofEach = names.map((route) => weigh(routes[route]!, (1 - ofAll) / names.length, route));
  return [...weigh(all, ofAll), ...ofEach.flat()];
}

function weigh({ errors, failures, latency }: RouteOdds, share: number, route?: string): Weighed[] {
  const slow = latency.flatMap((part, index) => {
    const weight = share * WEIGHTS.latency * SLOW_PARTS[index]![1];
    return part ? [{ weight, compared: part, route, slow: part }] : [];
  });
  return [{ weight: share * WEIGHTS.errors, route, ...choose(errors, failures) }, ...slow];
}

/** What both say: of two e-values the lesser one is an e-value as long as either is. */
function choose(errors: Compared, failures: Compared = errors): Pick<Weighed, 'compared' | 'isByClient'> {
  if (findOdds(failures.odds) < findOdds(errors.odds)) return { compared: failures };
  const isSame = failures.from.hits === errors.from.hits && failures.to.hits === errors.to.hits;
  return { compared: errors, isByClient: !isSame };
}

/** For people: what differs, by how much, and how it was counted where other figures of the same time differ from it. */
export function describeSuspicion(
  { route, what, compared, slowerThanMs, isByClient }: Suspicion,
  { from, to }: Direction = { from: 'source', to: 'target' },
): string {
  const where = route === undefined ? '' : ` to ${route}`;
  const hits = what === 'errors' ? 'errors' : `responses later than ${Math.round(slowerThanMs ?? 0)} ms`;
  const how = isByClient ? ` (at most one error of each client in ${ERRING_SECONDS} s)` : '';
  return (
    `${to} ${formatCount(compared.to.hits)} ${hits} in ${formatCount(compared.to.requests)} requests${where}, ` +
    `${from} ${formatCount(compared.from.hits)} in ${formatCount(compared.from.requests)}${how}`
  );
}

/** "2,300 : 1". */
export function formatOdds(odds: number): string {
  return `${formatCount(Number(odds.toPrecision(2)))} : 1`;
}

function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}
