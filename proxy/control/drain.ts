import type { DrainOrder, LedgerReport } from '../../core/proxy/admin-api';
import {
  CONNECTION_KINDS,
  ConnectionKind,
  KindCounts,
  NO_CONNECTIONS,
  eachKind,
  total,
} from '../../core/proxy/connections';
import {
  CLOSE_HANDSHAKE_SECONDS,
  drainLimitSeconds,
  nextCloseMs,
  overdueSince,
  ownLimitSeconds,
} from '../../core/proxy/drain';
import { inCloseOrder } from '../../core/proxy/close-order';
import type { Clock } from '../process/clock';
import { DrainLines, DrainLog } from '../telemetry/drain-lines';
import type { LedgerEntry, LiveConnections } from '../data-plane/contract/ledger';

/** How often a drain looks at the ledger. */
const LOOK_MS = 100;
/** How long a list of those that are due serves, while there is one on it. */
const LIST_MS = 1_000;
/** Closes that are due together, at rates that no timer can follow, happen in one look this far apart. */
const MIN_LOOK_MS = 5;

export type DrainState = LedgerReport['state'];

/** How a drain ended; `cancelled` also when another one took its place. */
export type DrainResult = 'drained' | 'overdue' | 'cancelled';

interface Run {
  readonly startedMs: number;
  /** Connections that had been moved to the other side until then. */
  readonly movedBefore: number;
  /** The deadline for everything, whenever it arrived: ECS kills the process without waiting. */
  readonly lastMs: number;
  readonly lines: DrainLines;
  order: DrainOrder;
  /** From the start, until what is live now is gone at the latest. */
  limitMs: number;
  readonly asked: WeakSet<LedgerEntry>;
  /** Those that were due at the last look through the ledger, the next one last. */
  due: LedgerEntry[];
  /** Before these another look finds nothing that matters: while some of `due` are left, and when none is. */
  nextListMs: { full: number; empty: number };
  nextCloseMs: number;
  /** Those that were asked to go and had to be cut. */
  readonly forced: Record<ConnectionKind, number>;
  readonly result: Promise<DrainResult>;
  readonly settle: (result: DrainResult) => void;
}

/**
 * Lets the live connections of a ledger end, and closes in paced order those that are over their time. It goes on behind
 * a zero, until it is cancelled: who comes then has the same time as who was there.
 */
export class Drain {
  private run: Run | undefined;
  private cancelLook: () => void = () => undefined;

  constructor(
    private ledger: LiveConnections,
    private readonly clock: Clock,
    private readonly log: DrainLog,
    /** Told at every change, so that the data plane and the route know. */
    private readonly changed: (isDraining: boolean) => void,
    /** Those that are moved are not for the drain to close. */
    private readonly isMoving: (entry: LedgerEntry) => boolean = () => false,
  ) {}

  get state(): DrainState {
    if (!this.run) return 'serving';
    return this.ledger.total === 0 ? 'drained' : 'draining';
  }

  /** Of the drain in force. */
  get order(): DrainOrder | undefined {
    return this.run?.order;
  }

  /** By the clock; undefined where there is no drain. */
  get startedMs(): number | undefined {
    return this.run?.startedMs;
  }

  /** Until every connection that is live now is gone at the latest; 0 where there is no drain. */
  get remainingSeconds(): number {
    const { run } = this;
    if (!run || this.ledger.total === 0) return 0;
    const ms = run.startedMs + this.limitMs(run) - this.clock.nowMs();
    return Math.max(0, Math.round(ms)) / 1000;
  }

  /** Connections that it has cut, by kind; none where there is no drain. */
  get forced(): KindCounts {
    return this.run?.forced ?? NO_CONNECTIONS;
  }

  /**
   * The same call again changes the order and not the start: a caller that repeats it because a response was lost gets no
   * more time.
   *
   * @param agoMs when it started in another process, which this one succeeds
   */
  start(order: DrainOrder, agoMs = 0): Promise<DrainResult> {
    const { run } = this;
    if (!run) return this.startAfresh(order, Infinity, this.ledger, agoMs);
    run.order = order;
    run.limitMs = this.startLimitMs(order);
    // What the order before had nothing to close of may be over its time now, and others go first.
    run.due = [];
    run.nextListMs = { full: 0, empty: 0 };
    return run.result;
  }

  /**
   * Starts over, with the whole time of this order.
   *
   * @param lastSeconds after which the time of everything has passed, whenever it came
   * @param ledger what is to end. Default: what had to before
   */
  startAfresh(order: DrainOrder, lastSeconds = Infinity, ledger = this.ledger, agoMs = 0): Promise<DrainResult> {
    this.ledger = ledger;
    this.cancelLook();
    this.run?.settle('cancelled');
    this.run = this.begin(order, lastSeconds, agoMs);
    this.changed(true);
    const { result } = this.run;
    this.look();
    return result;
  }

  /** Back to serving; closes that were asked for already go on. */
  cancel(): void {
    if (!this.run) return;
    this.cancelLook();
    this.run.settle('cancelled');
    this.run = undefined;
    this.changed(false);
    this.log.info('Drain cancelled, serving');
  }

  /** Looks no more; the process is about to end. */
  stop(): void {
    this.cancelLook();
  }

  private begin(order: DrainOrder, lastSeconds: number, agoMs: number): Run {
    const nowMs = this.clock.nowMs();
    const startedMs = nowMs - agoMs;
    let settle: (result: DrainResult) => void = () => undefined;
    const result = new Promise<DrainResult>((resolve) => (settle = resolve));
    return {
      startedMs,
      movedBefore: this.moved,
      lastMs: nowMs + lastSeconds * 1000,
      lines: new DrainLines(this.log, startedMs),
      order,
      limitMs: this.startLimitMs(order),
      asked: new WeakSet(),
      due: [],
      nextListMs: { full: 0, empty: 0 },
      nextCloseMs: nowMs,
      forced: eachKind(() => 0),
      result,
      settle,
    };
  }

  private get moved(): number {
    const { ended } = this.ledger;
    return CONNECTION_KINDS.reduce((sum, kind) => sum + ended[kind].moved, 0);
  }

  private startLimitMs(order: DrainOrder): number {
    return drainLimitSeconds(order, this.ledger.active) * 1000;
  }

  /** It grows with those that come in the drain, and shrinks with a new order only: a close under way makes it no shorter. */
  private limitMs(run: Run): number {
    const { active } = this.ledger;
    for (const [kind, enteredMs] of Object.entries(this.ledger.youngestMs()) as [ConnectionKind, number][]) {
      const limitMs = enteredMs - run.startedMs + ownLimitSeconds(run.order, kind, active) * 1000;
      if (enteredMs > run.startedMs && limitMs > run.limitMs) run.limitMs = limitMs;
    }
    return Math.min(run.limitMs, run.lastMs - run.startedMs + CLOSE_HANDSHAKE_SECONDS * 1000);
  }

  private look(): void {
    const { run } = this;
    if (!run) return;
    const nowMs = this.clock.nowMs();
    const verdict = run.lines.tell(
      this.ledger.active,
      this.limitMs(run),
      { forced: total(run.forced), moved: this.moved - run.movedBefore },
      nowMs,
    );
    if (verdict !== 'wait') run.settle(verdict);
    this.closeDue(run, nowMs);
    const untilLook = Math.min(LOOK_MS, Math.max(MIN_LOOK_MS, run.nextCloseMs - nowMs));
    this.cancelLook = this.clock.after(untilLook, () => this.look());
  }

  private closeDue(run: Run, nowMs: number): void {
    while (run.nextCloseMs <= nowMs) {
      const next = this.nextToClose(run, nowMs);
      if (!next) {
        // Nothing saved up: a connection that comes late must not find a burst of closes.
        run.nextCloseMs = nowMs + LOOK_MS;
        return;
      }
      run.asked.add(next);
      this.close(run, next);
      run.nextCloseMs += nextCloseMs(run.order, this.clock.random());
    }
  }

  private close(run: Run, entry: LedgerEntry): void {
    const { kind } = entry;
    const left = () => void (run.forced[kind] += entry.leftAs === 'forced' ? 1 : 0);
    entry.close().then(left, (error: unknown) => this.log.warn(`A connection was not closed: ${String(error)}`));
  }

  private nextToClose(run: Run, nowMs: number): LedgerEntry | undefined {
    if (nowMs >= run.nextListMs.full) this.list(run, nowMs);
    const next = this.takeDue(run, nowMs);
    if (next !== undefined || nowMs < run.nextListMs.empty) return next;
    this.list(run, nowMs);
    return this.takeDue(run, nowMs);
  }

  /** Since the look through the ledger it may have ended, or become of another kind, which has a time of its own. */
  private takeDue(run: Run, nowMs: number): LedgerEntry | undefined {
    for (let next = run.due.pop(); next !== undefined; next = run.due.pop()) {
      const untilMs = this.overdueSince(run, next.kind, nowMs);
      const isDue = untilMs !== undefined && next.enteredMs <= untilMs;
      if (isDue && this.ledger.includes(next) && !this.isMoving(next)) return next;
    }
    return undefined;
  }

  /** One look through all connections serves many closes. */
  private list(run: Run, nowMs: number): void {
    const due = CONNECTION_KINDS.flatMap((kind) => {
      const untilMs = this.overdueSince(run, kind, nowMs);
      return untilMs === undefined ? [] : [...this.ledger.closables(kind, untilMs)];
    });
    const left = due.filter((entry) => !run.asked.has(entry));
    run.due = inCloseOrder(left, run.order.order).reverse();
    run.nextListMs = { full: nowMs + LIST_MS, empty: nowMs + LOOK_MS };
  }

  private overdueSince(run: Run, kind: ConnectionKind, nowMs: number): number | undefined {
    return nowMs >= run.lastMs ? nowMs : overdueSince(run.order, kind, run.startedMs, nowMs);
  }
}
