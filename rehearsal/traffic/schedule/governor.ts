/** What the decision on the rate is made of. */
export interface PaceReading {
  /** Whether the machine is short of time, by its own signs (`MachineTime.isShort`), and not by any response. */
  readonly isShort: boolean;
  /** Requests due and without a response, in seconds of the full rate. */
  readonly backlogSeconds: number;
  /** What must not be left out (0–1), since a stage would see too few requests. */
  readonly least: number;
}

/** A queue of a second is no stall of a server on a machine that has time; on one that has none it is the machine's. */
const MAX_BACKLOG_SECONDS = 1;
const SMALL_BACKLOG_SECONDS = 0.5;
const DOWN = 0.6;
const UP = 0.02;

/**
 * The share of the full rate (0–1) for the next half second: less where the machine is short of time and a queue has grown,
 * and slowly more again where there is none. A queue alone is a stall of what responds, which must be seen at the full rate.
 */
export function nextShare(share: number, { isShort, backlogSeconds, least }: PaceReading): number {
  if (isShort && backlogSeconds > MAX_BACKLOG_SECONDS) return Math.max(least, share * DOWN);
  if (backlogSeconds < SMALL_BACKLOG_SECONDS) return Math.min(1, share + UP);
  return share;
}
