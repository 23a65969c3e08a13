import { KindCounts, total } from '../../core/proxy/connections';
import { DrainVerdict, Gone, drainEnd, drainProgress, drainVerdict, nextProgressMs } from '../../core/proxy/drain';

export interface DrainLog {
  info(message: string): void;
  warn(message: string): void;
}

/** What a drain has said last of how it goes. */
export type SaidState = 'progress' | 'overdue' | 'drained';

/** What one drain logs of its course, in whichever process. */
export class DrainLines {
  private nextProgressMs: number;
  private said: SaidState = 'progress';

  constructor(
    private readonly log: DrainLog,
    private readonly startedMs: number,
  ) {
    this.nextProgressMs = startedMs;
  }

  /**
   * Says what is to be said now. The end is said once, and again only where connections came after it and were told of.
   *
   * @param limitMs counted from the start: when what is live now must be gone
   * @param gone of those that are gone, how many the drain has cut, and how many were moved to the other side
   */
  tell(active: KindCounts, limitMs: number, gone: Gone, nowMs: number): DrainVerdict {
    const verdict = drainVerdict({ active: total(active), startedMs: this.startedMs, limitMs }, nowMs);
    if (verdict === 'drained') this.tellDrained(active, gone);
    else if (verdict === 'overdue') this.tellOverdue(active);
    else this.tellProgress(active, (this.startedMs + limitMs - nowMs) / 1000, gone.moved, nowMs);
    return verdict;
  }

  private tellDrained(active: KindCounts, gone: Gone): void {
    if (this.said === 'progress') this.log[gone.forced === 0 ? 'info' : 'warn'](drainEnd(active, gone));
    this.said = 'drained';
  }

  /** Said once; closing goes on, because what is left must go. */
  private tellOverdue(active: KindCounts): void {
    if (this.said !== 'overdue') this.log.warn(drainEnd(active, { forced: 0, moved: 0 }));
    this.said = 'overdue';
  }

  private tellProgress(active: KindCounts, remainingSeconds: number, moved: number, nowMs: number): void {
    if (nowMs < this.nextProgressMs) return;
    this.log.info(drainProgress(active, remainingSeconds, moved));
    this.said = 'progress';
    this.nextProgressMs = nowMs + nextProgressMs(remainingSeconds);
  }
}
