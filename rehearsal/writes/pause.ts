import type { Side } from '../../core/traffic/weights';

/** A response as its client saw it. */
export interface SeenResponse {
  /** When the request was due, in milliseconds since the epoch. */
  readonly dueAtMs: number;
  readonly ms: number;
  /** The side that responded; absent of a failure, and of a backend that does not say it. */
  readonly side?: Side | undefined;
}

export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** How long clients waited because of something that took place in a window of time. */
export interface Pause {
  /** Requests that were under way in it. */
  readonly requests: number;
  /** What they took beyond the median of all requests that were not. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/**
 * Of all requests that were due or under way in one of the windows, or before the last of these had its response: those that
 * came behind them waited for them.
 */
export function computePause(seen: readonly SeenResponse[], windows: readonly Window[]): Pause {
  const extended = windows.map((window) => {
    const ends = seen.filter((each) => overlaps(each, window)).map(({ dueAtMs, ms }) => dueAtMs + ms);
    return { ...window, toMs: Math.max(window.toMs, ...ends) };
  });
  const isIn = (each: SeenResponse) => extended.some((window) => overlaps(each, window));
  const usual = quantile(
    seen.filter((each) => !isIn(each)).map(({ ms }) => ms),
    0.5,
  );
  const waits = seen.filter(isIn).map(({ ms }) => Math.max(0, ms - usual));
  return {
    requests: waits.length,
    p50Ms: round(quantile(waits, 0.5)),
    p99Ms: round(quantile(waits, 0.99)),
    maxMs: round(quantile(waits, 1)),
  };
}

function overlaps({ dueAtMs, ms }: SeenResponse, { fromMs, toMs }: Window): boolean {
  return dueAtMs <= toMs && dueAtMs + ms >= fromMs;
}

/** Exact: the value that `share` (0–1) of the values do not exceed; 0 when there is none. */
function quantile(values: readonly number[], share: number): number {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.max(0, Math.ceil(share * ordered.length) - 1)] ?? 0;
}

function round(ms: number): number {
  return Number(ms.toFixed(1));
}
