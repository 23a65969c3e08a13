/**
 * How many connections are moved at once: as many as leave the wait of each short. More at once do not move faster on a busy
 * machine, they only wait longer. So the limit grows slowly while the stalls are short, and shrinks at once where one is long.
 */
export interface MovePace {
  /** Not rounded. */
  readonly limit: number;
  /** What a move takes where few are under way, in milliseconds: of a backend that is slow by itself it is long. */
  readonly usualMs: number;
  /** What a whole move takes now, in milliseconds: before its client waits it may wait itself for what is under way. */
  readonly nowMs: number;
  /** No move took long yet: the limit grows fast. */
  readonly isStarting: boolean;
  /** So many moves were under way with the one that took long, and say nothing new. */
  readonly ignored: number;
}

/** Milliseconds that may pass unnoticed between a message and its response. */
const SHORT_MS = 100;
/** So many at once are few for any machine. */
const MIN_LIMIT = 4;
const SHRINK = 0.7;
/** The part that one more move has in what is usual: one in so many. */
const SHORTER_OF = 4;
const LONGER_OF = 16;
/** A backend that is about to end is not left too late: all are to be gone by then, even if each waits longer for it. */
const WITHIN_MS = 30_000;

export const FIRST_PACE: MovePace = { limit: 1, usualMs: 0, nowMs: 0, isStarting: true, ignored: 0 };

/**
 * The pace after one more move.
 *
 * @param stallMs how long the messages of its client waited; Infinity where a backend was too slow for it
 * @param tookMs all of the move
 * @param max the most at once
 */
export function paceAfter(pace: MovePace, stallMs: number, tookMs: number, max: number): MovePace {
  const min = Math.min(MIN_LIMIT, max);
  const usualMs = learn(pace.usualMs, stallMs, pace.limit <= min);
  const nowMs = pace.nowMs + (tookMs - pace.nowMs) / LONGER_OF;
  const ignored = Math.max(0, pace.ignored - 1);
  if (stallMs > findBound(usualMs)) {
    if (pace.ignored > 0) return { ...pace, usualMs, nowMs, ignored };
    const limit = Math.max(min, SHRINK * pace.limit);
    return { limit, usualMs, nowMs, isStarting: false, ignored: Math.ceil(pace.limit) - 1 };
  }
  const limit = Math.min(max, pace.limit + (pace.isStarting ? 1 : 1 / pace.limit));
  return { ...pace, limit, usualMs, nowMs, ignored };
}

/**
 * How many may be under way.
 *
 * @param waiting those that have not begun
 */
export function findMoveLimit({ limit, nowMs }: MovePace, waiting: number, max: number): number {
  return Math.min(max, Math.max(Math.floor(limit), Math.ceil((waiting * nowMs) / WITHIN_MS)));
}

/** Where few take long, too, it is not for their number: then that may grow until it makes them twice as slow. */
function findBound(usualMs: number): number {
  return usualMs > SHORT_MS ? 2 * usualMs : SHORT_MS;
}

/** A short one shows what is possible, however many are under way; a long one shows what is usual only where they are few. */
function learn(usualMs: number, stallMs: number, isFew: boolean): number {
  if (stallMs < usualMs) return usualMs + (stallMs - usualMs) / SHORTER_OF;
  return isFew && Number.isFinite(stallMs) ? usualMs + (stallMs - usualMs) / LONGER_OF : usualMs;
}
