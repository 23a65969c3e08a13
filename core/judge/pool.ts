import { addLatencies } from '../proxy/latency-buckets';
import { own } from '../validation/own';
import { NONE, RouteCounts, WindowPair } from './odds';

/**
 * Thin traffic is compared in windows of some seconds: where the target had no request in two seconds, what the source did in them
 * would say nothing.
 *
 * When a window ends is decided by the clock, and whether it is a long one by the requests of the window before it. Neither depends on
 * what the requests of the window came to: the odds stay an e-value.
 */
export interface Pool {
  readonly isThin: boolean;
  /** What both sides did since the last window that was compared. */
  readonly open?: WindowPair;
}

export const NO_POOL: Pool = { isThin: false };

/** Requests of both sides in a second: fewer are thin traffic. */
const MIN_PER_SECOND = 20;
/** A window of thin traffic ends when the clock shows a multiple of this. Seconds. */
export const LONG_SECONDS = 6;

/** From the end of the last look to the end of this one. Seconds by the clock of the steps. */
export interface LookSeconds {
  readonly after: number;
  readonly until: number;
}

/** Until where a look asks: not beyond the end of a long window, so that when one looks does not decide what belongs to it. */
export function endLook({ isThin }: Pool, { after, until }: LookSeconds): number {
  const end = Math.floor(until / LONG_SECONDS) * LONG_SECONDS;
  return isThin && end > after ? end : until;
}

/** @returns `whole`: the window to compare, where one has ended */
export function addToPool(
  { isThin, open }: Pool,
  pair: WindowPair,
  { after, until }: LookSeconds,
): { readonly pool: Pool; readonly whole?: WindowPair } {
  const sum = open ? addPairs(open, pair) : pair;
  if (isThin && until % LONG_SECONDS !== 0) return { pool: { isThin, open: sum } };
  const requests = pair.from.all.requests + pair.to.all.requests;
  return { pool: { isThin: requests < MIN_PER_SECOND * (until - after) }, whole: sum };
}

function addPairs(a: WindowPair, b: WindowPair): WindowPair {
  return { from: addSides(a.from, b.from), to: addSides(a.to, b.to) };
}

type SideCounts = WindowPair['from'];

function addSides(a: SideCounts, b: SideCounts): SideCounts {
  const names = [...new Set([...Object.keys(a.routes), ...Object.keys(b.routes)])];
  const routes = names.map((name) => [name, addCounts(own(a.routes, name), own(b.routes, name))]);
  return { all: addCounts(a.all, b.all), routes: Object.fromEntries(routes) as SideCounts['routes'] };
}

function addCounts(a: RouteCounts = NONE, b: RouteCounts = NONE): RouteCounts {
  return {
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    failures: a.failures + b.failures,
    latencies: addLatencies(a.latencies, b.latencies),
  };
}
