import { LatencyCounts, addLatencies } from './latency-buckets';
import type { Problems } from '../validation/problems';
import { requestPath } from '../validation/request-path';

/** How long a proxy keeps what it counted in each second. */
export const KEPT_SECONDS = 300;
/** In so many seconds a proxy counts one error of a client as an erring client, and no second one. */
export const ERRING_SECONDS = 10;
/** More route classes than this say too little of each. */
export const MAX_ROUTES = 8;
/** Most frequent first segments of paths that a proxy names. */
export const MAX_SEGMENTS = 20;

/**
 * `POST /window`: what the requests of some seconds did. Seconds are numbered by the clock of the caller, as seconds since the
 * epoch. Two windows that meet count every second of a task once, however wrong a clock is: at the first order of a watch the
 * task compares `now` with its own clock, and keeps the difference.
 */
export interface WindowOrder {
  /** A name for all windows that belong together. */
  readonly watch: string;
  /** When the order was made: with a fraction, because the clocks are compared by it. */
  readonly now: number;
  /** The last second of the window before. */
  readonly after: number;
  /** The last second of this one. */
  readonly until: number;
  /**
   * Path prefixes that requests are counted by, too: from now on, where they are others than before. What is none is left out.
   *
   * @default - as before
   */
  readonly routes?: readonly string[] | undefined;
}

export interface WindowReport {
  /** Seconds that the clock of the task is ahead of the caller's. */
  readonly aheadSeconds: number;
  readonly all: RouteWindow;
  /** By prefix; those of the order. */
  readonly routes: Readonly<Record<string, RouteWindow>>;
  /** Of the most frequent first segments of paths, `/cart`, how many requests there were among those that were sampled. */
  readonly segments: Readonly<Record<string, number>>;
}

export interface RouteWindow {
  /** Taken in the window. */
  readonly requests: number;
  /** Of these, without a cookie that binds them to a target group: those that the weights decided on. */
  readonly unbound: number;
  /** Ended in the window: see `LedgerReport.requests`. */
  readonly responded: number;
  readonly errors: number;
  /** The errors, but only the first one of each client in `ERRING_SECONDS`: a client that tries again says nothing new. */
  readonly erring: number;
  /**
   * Of those that were responded to and that the weights decided on: until the response was whole, or the stream began. Others are
   * of other kinds on each side: with sticky sessions it is on the target that clients log in, and on the source that they return.
   */
  readonly latencies: LatencyCounts;
}

export const NO_WINDOW: RouteWindow = { requests: 0, unbound: 0, responded: 0, errors: 0, erring: 0, latencies: [] };

export function addWindows(a: RouteWindow, b: RouteWindow): RouteWindow {
  return {
    requests: a.requests + b.requests,
    unbound: a.unbound + b.unbound,
    responded: a.responded + b.responded,
    errors: a.errors + b.errors,
    erring: a.erring + b.erring,
    latencies: addLatencies(a.latencies, b.latencies),
  };
}

/** The windows of several processes or tasks as one. `aheadSeconds` is the largest difference. */
export function mergeWindows(reports: readonly WindowReport[]): WindowReport {
  const routes: Record<string, RouteWindow> = {};
  const segments = new Map<string, number>();
  for (const report of reports) {
    for (const [route, window] of Object.entries(report.routes)) {
      routes[route] = addWindows(Object.hasOwn(routes, route) ? routes[route]! : NO_WINDOW, window);
    }
    for (const [segment, count] of Object.entries(report.segments)) {
      segments.set(segment, (segments.get(segment) ?? 0) + count);
    }
  }
  return {
    aheadSeconds: reports.reduce((far, { aheadSeconds: s }) => (Math.abs(s) > Math.abs(far) ? s : far), 0),
    all: reports.reduce((sum, { all }) => addWindows(sum, all), NO_WINDOW),
    routes,
    segments: listFrequent(segments),
  };
}

export function listFrequent(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_SEGMENTS));
}

/** Whether a path is in a route class: `/cart` has `/cart`, `/cart/7` and `/cart?x`, and not `/cartoon`. */
export function isInRoute(path: string, route: string): boolean {
  if (!path.startsWith(route)) return false;
  if (route.endsWith('/') || path.length === route.length) return true;
  const next = path.charCodeAt(route.length);
  return next === SLASH || next === QUERY;
}

const [SLASH, QUERY] = [0x2f, 0x3f];
const NAMES = ['watch', 'now', 'after', 'until', 'routes'];
const WATCH = /^[!-~]{1,256}$/;
const ROUTE = new RegExp(requestPath(256).pattern);

/** What requests can be counted by. A client sends what it likes: not each first segment is one. */
export function isRoute(path: unknown): path is string {
  return typeof path === 'string' && ROUTE.test(path);
}

/**
 * Reads a window order out of JSON; problems go to `problems` under `name`. A route that is none must not blind its caller for all
 * the others.
 */
export function readWindowOrder(name: string, value: unknown, problems: Problems): WindowOrder {
  const { watch, now, after, until, routes } = problems.object(name, value, NAMES);
  const isName = typeof watch === 'string' && WATCH.test(watch);
  if (!isName) problems.add('watch', 'a name of 1 to 256 visible characters', watch);
  const isTime = typeof now === 'number' && Number.isFinite(now) && now >= 0;
  if (!isTime) problems.add('now', 'a number of seconds', now);
  const [first, last] = [after, until].map((second, index) => {
    if (Number.isSafeInteger(second) && (second as number) >= 0) return second as number;
    problems.add(NAMES[index + 2]!, 'a whole number of seconds', second);
    return 0;
  });
  const isList = Array.isArray(routes);
  if (routes !== undefined && !isList) problems.add('routes', 'a list of paths', routes);
  return {
    watch: isName ? watch : '',
    now: isTime ? now : 0,
    after: first!,
    until: last!,
    ...(routes !== undefined && { routes: isList ? routes.filter(isRoute).slice(0, MAX_ROUTES) : [] }),
  };
}
