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
import type { Clock } from '../process/clock';
import { DrainLines, DrainLog } from '../telemetry/drain-lines';
import type { Closable, Ledger } from '../data-plane/contract/ledger';

/** How often a drain looks at the ledger. */
const LOOK_MS = 100;
/** Closes that are due together, at rates that no timer can follow, happen in one look this far apart. */
const MIN_LOOK_MS = 5;

export type DrainState = LedgerReport['state'];

/** How a drain ended; `cancelled` also when another one took its place. */
export type DrainResult = 'drained' | 'overdue' | 'cancelled';

interface Run {
  readonly startedMs: number;
  /** The deadline for everything, whenever it arrived: ECS kills the process without waiting. */
  readonly lastMs: number;
  readonly lines: DrainLines;
  order: DrainOrder;
  /** From the start, until what is live now is gone at the latest. */
  limitMs: number;
  readonly asked: WeakSet<Closable>;
  /** Where the walks over the connections to close are. */
  readonly walks: Map<ConnectionKind, Generator<Closable, undefined>>;
  /** Before this a kind of which nothing was to be closed is not looked through again. */
  readonly nextWalkMs: Map<ConnectionKind, number>;
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
    private readonly ledger: Ledger,
    private readonly clock: Clock,
    private readonly log: DrainLog,
    /** Told at every change, so that the data plane and the route know. */
    private readonly changed: (isDraining: boolean) => void,
  ) {}

  get state(): DrainState {
    if (!this.run) return 'serving';
    return this.ledger.total === 0 ? 'drained' : 'draining';
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
   * more
   * time.
   */
  start(order: DrainOrder): Promise<DrainResult> {
    const { run } = this;
    if (!run) return this.startAfresh(order);
    run.order = order;
    run.limitMs = this.startLimitMs(order);
    // What the order before had nothing to close of may be over its time now.
    run.nextWalkMs.clear();
    run.walks.clear();
    return run.result;
  }

  /**
   * Starts over, with the whole time of this order.
   *
   * @param lastSeconds after which the time of everything has passed, whenever it came
   */
  startAfresh(order: DrainOrder, lastSeconds = Infinity): Promise<DrainResult> {
    this.cancelLook();
    this.run?.settle('cancelled');
    this.run = this.begin(order, lastSeconds);
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

  private begin(order: DrainOrder, lastSeconds: number): Run {
    const startedMs = this.clock.nowMs();
    let settle: (result: DrainResult) => void = () => undefined;
    const result = new Promise<DrainResult>((resolve) => (settle = resolve));
    return {
      startedMs,
      lastMs: startedMs + lastSeconds * 1000,
      lines: new DrainLines(this.log, startedMs),
      order,
      limitMs: this.startLimitMs(order),
      asked: new WeakSet(),
      walks: new Map(),
      nextWalkMs: new Map(),
      nextCloseMs: startedMs,
      forced: eachKind(() => 0),
      result,
      settle,
    };
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
    const verdict = run.lines.tell(this.ledger.active, this.limitMs(run), total(run.forced), nowMs);
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
      run.asked.add(next.closable);
      this.close(run, next.closable, next.kind);
      run.nextCloseMs += nextCloseMs(run.order, this.clock.random());
    }
  }

  private close(run: Run, closable: Closable, kind: ConnectionKind): void {
    const left = () => void (run.forced[kind] += closable.leftAs === 'forced' ? 1 : 0);
    closable.close().then(left, (error: unknown) => this.log.warn(`A connection was not closed: ${String(error)}`));
  }

  /** Short-lived kinds first, within a kind the oldest first. */
  private nextToClose(run: Run, nowMs: number): { closable: Closable; kind: ConnectionKind } | undefined {
    for (const kind of CONNECTION_KINDS) {
      const closable = run.walks.get(kind)?.next().value ?? this.walkAgain(run, kind, nowMs);
      if (closable) return { closable, kind };
    }
    return undefined;
  }

  /** One walk over all connections serves many closes. When it is through, another one looks for those that are due since. */
  private walkAgain(run: Run, kind: ConnectionKind, nowMs: number): Closable | undefined {
    if (nowMs < (run.nextWalkMs.get(kind) ?? 0)) return undefined;
    const walk = this.due(run, kind, nowMs);
    const first = walk.next();
    if (first.done === true) {
      run.nextWalkMs.set(kind, nowMs + LOOK_MS);
      return undefined;
    }
    run.walks.set(kind, walk);
    return first.value;
  }

  private *due(run: Run, kind: ConnectionKind, nowMs: number): Generator<Closable, undefined> {
    const untilMs = nowMs >= run.lastMs ? nowMs : overdueSince(run.order, kind, run.startedMs, nowMs);
    if (untilMs === undefined) return;
    for (const closable of this.ledger.closables(kind, untilMs)) if (!run.asked.has(closable)) yield closable;
  }
}
