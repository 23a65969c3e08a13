import { KindCounts, NO_CONNECTIONS, total } from '../../core/connections';
import { drainEnd, drainProgress, drainVerdict, nextProgressMs } from '../../core/drain';
import type { Clock } from '../clock';
import type { DrainLog } from '../drain';

const LOOK_MS = 100;

/** Logs the progress of a drain that several workers run, each for itself: one set of lines, of what all of them have. */
export class DrainWatch {
  private run: { readonly startedMs: number; limitMs: number; nextProgressMs: number } | undefined;
  private last: KindCounts = NO_CONNECTIONS;
  private isOverdue = false;
  private cancelLook: () => void = () => undefined;

  constructor(
    private readonly clock: Clock,
    private readonly log: DrainLog,
    /** The live connections of all workers, asked for when it is called. */
    private readonly active: () => Promise<KindCounts>,
  ) {}

  /** The same drain with another limit goes on from its start. */
  start(limitSeconds: number): void {
    const limitMs = limitSeconds * 1000;
    if (this.run) this.run.limitMs = limitMs;
    else this.startAfresh(limitSeconds);
  }

  startAfresh(limitSeconds: number): void {
    this.stop();
    const nowMs = this.clock.nowMs();
    this.run = { startedMs: nowMs, limitMs: limitSeconds * 1000, nextProgressMs: nowMs };
    this.isOverdue = false;
    this.last = NO_CONNECTIONS;
    void this.look();
  }

  /** Says no more of this drain. */
  stop(): void {
    this.cancelLook();
    this.run = undefined;
  }

  /** All workers have ended: what was not seen to be over is now. */
  finish(): void {
    if (this.run) this.tell(this.run, NO_CONNECTIONS);
    this.stop();
  }

  private async look(): Promise<void> {
    const { run } = this;
    if (!run) return;
    const active = await this.active().catch(() => undefined);
    if (this.run !== run) return;
    if (active) this.tell(run, active);
    if (this.run === run) this.cancelLook = this.clock.after(LOOK_MS, () => void this.look());
  }

  private tell(run: NonNullable<DrainWatch['run']>, active: KindCounts): void {
    const { startedMs, limitMs } = run;
    const nowMs = this.clock.nowMs();
    // What was there a moment before the limit, and is not behind it, was cut.
    const isLate = nowMs - startedMs >= limitMs && total(this.last) > 0;
    const seen = isLate && total(active) === 0 ? this.last : active;
    this.last = active;
    const verdict = drainVerdict({ active: total(seen), startedMs, limitMs }, nowMs);
    if (verdict === 'overdue') this.tellOverdue(seen);
    else if (verdict === 'wait') this.tellProgress(run, active, nowMs);
    if (total(active) > 0) return;
    if (!this.isOverdue) this.log.info(drainEnd(active));
    this.stop();
  }

  private tellOverdue(active: KindCounts): void {
    if (!this.isOverdue) this.log.warn(drainEnd(active));
    this.isOverdue = true;
  }

  private tellProgress(run: NonNullable<DrainWatch['run']>, active: KindCounts, nowMs: number): void {
    if (nowMs < run.nextProgressMs) return;
    const remainingSeconds = (run.limitMs - (nowMs - run.startedMs)) / 1000;
    this.log.info(drainProgress(active, remainingSeconds));
    run.nextProgressMs = nowMs + nextProgressMs(remainingSeconds);
  }
}
