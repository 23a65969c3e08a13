/**
 * The odds against a target that is as good as the source, over everything that is compared: errors and latency of all requests
 * and of each route class. Averages of e-values are one again: the whole cutover has one budget of false alarms.
 */
import { own } from '../validation/own';
import { Side } from '../traffic/weights';
import { LatencyCounts, countLatencies, countSlower, findQuantile } from './latency-buckets';
import { ERROR_RATIOS, LATENCY_RATIOS, Rate, RateOdds, Ratios, addWindow, beginRateOdds, findOdds } from './rate-odds';

/** What the requests of one route class, or all, did on one side between two looks. */
export interface RouteCounts {
  readonly requests: number;
  /** Failed requests, at most one of each client. */
  readonly errors: number;
  readonly latencies: LatencyCounts;
}

/** One window of both sides. `routes` by the name of the class; a class that is absent of a side had no request there. */
export type WindowPair = Readonly<
  Record<Side, { readonly all: RouteCounts; readonly routes: Readonly<Record<string, RouteCounts>> }>
>;

/** The state of the comparison. It travels from step to step: some hundred bytes for all and for each class. */
export interface Odds {
  readonly all: RouteOdds;
  readonly routes: Readonly<Record<string, RouteOdds>>;
  /** Windows that the cutover has at the most. */
  readonly looks: number;
}

export interface RouteOdds {
  readonly errors: RateOdds;
  /** For each part of `SLOW_PARTS` the end of a bucket that the source's own requests seldom exceeded, and what came of it. */
  readonly latency: readonly (LatencyOdds | null)[];
}

export interface LatencyOdds {
  readonly bucket: number;
  readonly odds: RateOdds;
}

export interface Tolerances {
  /** A target with so many more errors is good enough: 0.1 allows 1.1 times the source's rate. */
  readonly errors: number;
  readonly latency: number;
}

/** The quantiles of the source that are thresholds, and what each counts for. */
export const SLOW_PARTS: readonly (readonly [part: number, weight: number])[] = [
  [0.5, 0.2],
  [0.9, 0.3],
  [0.99, 0.5],
];
/** What is compared, and what each counts for. */
const WEIGHTS = { errors: 0.7, latency: 0.3 } as const;
/** Of all requests together; the classes share the rest. */
const ALL_WEIGHT = 0.8;

/**
 * Before the first window.
 *
 * @param past the source's own requests before the shift: they fix the thresholds, and are judged by none
 */
export function beginOdds(
  past: { readonly all: RouteCounts; readonly routes: Readonly<Record<string, RouteCounts>> },
  looks: number,
): Odds {
  const routes = Object.entries(past.routes).map(([name, counts]) => [name, beginRoute(counts)] as const);
  return { all: beginRoute(past.all), routes: Object.fromEntries(routes), looks };
}

function beginRoute({ latencies }: RouteCounts): RouteOdds {
  const latency = SLOW_PARTS.map(([part]) => {
    const bucket = findQuantile(latencies, part);
    return bucket === undefined ? null : { bucket, odds: beginRateOdds(LATENCY_RATIOS) };
  });
  return { errors: beginRateOdds(ERROR_RATIOS), latency };
}

export function addToOdds({ all, routes, looks }: Odds, pair: WindowPair, tolerances: Tolerances): Odds {
  const add = (odds: RouteOdds, source: RouteCounts, target: RouteCounts) =>
    addToRoute(odds, { source, target }, looks, tolerances);
  const next = Object.entries(routes).map(
    ([name, odds]) =>
      [name, add(odds, own(pair.source.routes, name) ?? NONE, own(pair.target.routes, name) ?? NONE)] as const,
  );
  return { all: add(all, pair.source.all, pair.target.all), routes: Object.fromEntries(next), looks };
}

const NONE: RouteCounts = { requests: 0, errors: 0, latencies: [] };

function addToRoute(
  { errors, latency }: RouteOdds,
  { source, target }: Readonly<Record<Side, RouteCounts>>,
  looks: number,
  tolerances: Tolerances,
): RouteOdds {
  const add = (odds: RateOdds, ratios: Ratios, tolerance: number, rate: (counts: RouteCounts) => Rate) =>
    addWindow(odds, ratios, { source: rate(source), target: rate(target) }, { looks, tolerance });
  return {
    errors: add(errors, ERROR_RATIOS, tolerances.errors, errorRate),
    latency: latency.map(
      (part) =>
        part && {
          ...part,
          odds: add(part.odds, LATENCY_RATIOS, tolerances.latency, (counts) => slowRate(counts, part.bucket)),
        },
    ),
  };
}

function errorRate({ requests, errors }: RouteCounts): Rate {
  return { requests, hits: Math.min(requests, errors) };
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
}

/** The odds in all, 1 at the beginning, and what they are the sum of, the largest first. */
export function totalOdds({ all, routes }: Odds): { readonly odds: number; readonly parts: readonly Suspicion[] } {
  const names = Object.keys(routes);
  const own = names.length === 0 ? 1 : ALL_WEIGHT;
  const parts = [
    ...suspicions(all, own),
    ...names.flatMap((route) =>
      suspicions(routes[route]!, (1 - own) / names.length).map((part) => ({ route, ...part })),
    ),
  ];
  const odds = Math.min(
    MAX_ODDS,
    parts.reduce((sum, part) => sum + part.odds, 0),
  );
  return { odds, parts: parts.sort((a, b) => b.odds - a.odds) };
}

/** JSON has no infinity. */
const MAX_ODDS = 1e12;

function suspicions({ errors, latency }: RouteOdds, weight: number): Suspicion[] {
  // What cannot be compared says nothing: its odds stay 1.
  const slow = latency.reduce((sum, part, index) => sum + SLOW_PARTS[index]![1] * (part ? findOdds(part.odds) : 1), 0);
  return [
    { what: 'errors', odds: weight * WEIGHTS.errors * findOdds(errors) },
    { what: 'latency', odds: weight * WEIGHTS.latency * slow },
  ];
}
