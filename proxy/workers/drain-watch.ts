import type { LedgerReport } from '../../core/proxy/admin-api';
import { CONNECTION_KINDS, KindCounts, NO_CONNECTIONS, total } from '../../core/proxy/connections';
import type { Clock } from '../process/clock';
import { DrainLines, DrainLog } from '../telemetry/drain-lines';

const LOOK_MS = 100;
/** With nothing live, a new connection is reported a little later. */
const IDLE_LOOK_MS = 1_000;

/** What the watch wants to know of all workers together. */
export type WatchedReport = Pick<LedgerReport, 'state' | 'active' | 'ended' | 'drainRemainingSeconds' | 'drainForced'>;

interface Run {
  readonly startedMs: number;
  /** From the start; as the workers said last. */
  limitMs: number;
  forced: number;
  /** Connections that were moved to the other side: when it began, and since. */
  movedBefore: number | undefined;
  moved: number;
  readonly lines: DrainLines;
}

/** Logs the progress of a drain that several workers run, each for itself: one set of lines, of what all of them have. */
export class DrainWatch {
  private run: Run | undefined;
  private last: KindCounts = NO_CONNECTIONS;
  private cancelLook: () => void = () => undefined;

  constructor(
    private readonly clock: Clock,
    private readonly log: DrainLog,
    /** Of all workers, asked for when it is called. */
    private readonly report: () => Promise<WatchedReport>,
  ) {}

  /** A drain that is watched already goes on from its start. */
  start(): void {
    if (!this.run) this.startAfresh();
  }

  startAfresh(): void {
    this.stop();
    const startedMs = this.clock.nowMs();
    this.run = {
      startedMs,
      limitMs: Infinity,
      forced: 0,
      movedBefore: undefined,
      moved: 0,
      lines: new DrainLines(this.log, startedMs),
    };
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
    const report = await this.report().catch(() => undefined);
    if (this.run !== run) return;
    if (report) this.hear(run, report);
    const untilLook = report?.state === 'drained' ? IDLE_LOOK_MS : LOOK_MS;
    if (this.run === run) this.cancelLook = this.clock.after(untilLook, () => void this.look());
  }

  private hear(run: Run, { state, active, ended, drainRemainingSeconds, drainForced }: WatchedReport): void {
    const moved = CONNECTION_KINDS.reduce((sum, kind) => sum + ended[kind].moved, 0);
    run.movedBefore ??= moved;
    run.moved = Math.max(run.moved, moved - run.movedBefore);
    const isLive = total(active) > 0;
    if (isLive && drainRemainingSeconds > 0) {
      run.limitMs = this.clock.nowMs() - run.startedMs + drainRemainingSeconds * 1000;
    }
    // The order is on its way to all of them, or to the one that has the connections.
    if (state === 'serving' || (isLive && run.limitMs === Infinity)) return;
    // A worker that has ended takes its count with it.
    run.forced = Math.max(run.forced, drainForced);
    this.tell(run, active);
  }

  private tell({ startedMs, limitMs, forced, moved, lines }: Run, active: KindCounts): void {
    const nowMs = this.clock.nowMs();
    // What was there a moment before the limit, and is not behind it, was cut.
    const isLate = nowMs - startedMs >= limitMs && total(this.last) > 0 && total(active) === 0;
    lines.tell(isLate ? this.last : active, limitMs, { forced, moved }, nowMs);
    this.last = active;
  }
}
