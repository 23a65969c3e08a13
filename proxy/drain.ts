import type { DrainOrder, LedgerReport } from '../core/admin';
import { ConnectionKind, total } from '../core/connections';
import {
  drainEnd,
  drainLimitSeconds,
  drainProgress,
  drainVerdict,
  kindsToClose,
  nextCloseMs,
  nextProgressMs,
} from '../core/drain';
import type { Clock } from './clock';
import type { Closable, Ledger } from './ledger';

/** How often a drain looks at the ledger. */
const LOOK_MS = 100;
/** Closes that are due together, at rates that no timer can follow, happen in one look this far apart. */
const SHORTEST_LOOK_MS = 5;

export type DrainState = LedgerReport['state'];

export interface DrainLog {
  info(message: string): void;
  warn(message: string): void;
}

/** How a drain ended; `cancelled` also when another one took its place. */
export type DrainResult = 'drained' | 'overdue' | 'cancelled';

interface Run {
  readonly startedMs: number;
  limitMs: number;
  order: DrainOrder;
  readonly asked: WeakSet<Closable>;
  /** Where the walk over the connections to close is. */
  walk: Walk | undefined;
  nextProgressMs: number;
  /** Undefined until the first kind's own time is over. */
  nextCloseMs: number | undefined;
  isOverdue: boolean;
  readonly result: Promise<DrainResult>;
  readonly settle: (result: DrainResult) => void;
}

interface Walk {
  readonly kinds: string;
  readonly closables: Generator<Closable>;
}

/** Lets the live connections of a ledger end, and closes in paced order those that are over their time. */
export class Drain {
  private run: Run | undefined;
  private current: DrainState = 'serving';
  private cancelLook: () => void = () => undefined;

  constructor(
    private readonly ledger: Ledger,
    private readonly clock: Clock,
    private readonly log: DrainLog,
    /** Told at every change, so that the data plane and the route know. */
    private readonly changed: (isDraining: boolean) => void,
  ) {}

  get state(): DrainState {
    return this.current;
  }

  /** The same call again changes the order and not the start: whoever repeats it because an answer was lost gets no more time. */
  start(order: DrainOrder): Promise<DrainResult> {
    if (this.run && this.current === 'draining') {
      this.run.order = order;
      this.run.limitMs = this.limitMs(order);
      return this.run.result;
    }
    return this.startAfresh(order);
  }

  /** Starts over, with the whole time of this order. */
  startAfresh(order: DrainOrder): Promise<DrainResult> {
    this.cancelLook();
    this.run?.settle('cancelled');
    this.run = this.begin(order);
    this.current = 'draining';
    this.changed(true);
    const { result } = this.run;
    this.look();
    return result;
  }

  /** Back to serving; closes that were asked for already go on. */
  cancel(): void {
    if (this.current === 'serving') return;
    this.cancelLook();
    this.run?.settle('cancelled');
    this.run = undefined;
    this.current = 'serving';
    this.changed(false);
    this.log.info('Drain cancelled, serving');
  }

  /** Looks no more; the process is about to end. */
  stop(): void {
    this.cancelLook();
  }

  private begin(order: DrainOrder): Run {
    const startedMs = this.clock.nowMs();
    let settle: (result: DrainResult) => void = () => undefined;
    const result = new Promise<DrainResult>((resolve) => (settle = resolve));
    return {
      startedMs,
      limitMs: this.limitMs(order),
      order,
      asked: new WeakSet(),
      walk: undefined,
      nextProgressMs: startedMs,
      nextCloseMs: undefined,
      isOverdue: false,
      result,
      settle,
    };
  }

  private limitMs(order: DrainOrder): number {
    return drainLimitSeconds(order, this.ledger.active) * 1000;
  }

  private look(): void {
    const { run } = this;
    if (!run) return;
    const nowMs = this.clock.nowMs();
    const active = this.ledger.active;
    const verdict = drainVerdict({ active: total(active), startedMs: run.startedMs, limitMs: run.limitMs }, nowMs);
    if (verdict === 'drained') return this.finish(run);
    if (verdict === 'overdue') this.reportOverdue(run);
    else this.reportProgress(run, nowMs);
    this.closeDue(run, nowMs);
    const untilClose = run.nextCloseMs === undefined ? LOOK_MS : run.nextCloseMs - nowMs;
    this.cancelLook = this.clock.after(Math.min(LOOK_MS, Math.max(SHORTEST_LOOK_MS, untilClose)), () => this.look());
  }

  private finish(run: Run): void {
    this.current = 'drained';
    this.log.info(drainEnd(this.ledger.active));
    run.settle('drained');
  }

  /** Said once; closing goes on, because what is left must go. */
  private reportOverdue(run: Run): void {
    if (run.isOverdue) return;
    run.isOverdue = true;
    this.log.warn(drainEnd(this.ledger.active));
    run.settle('overdue');
  }

  private reportProgress(run: Run, nowMs: number): void {
    if (nowMs < run.nextProgressMs) return;
    const remainingSeconds = (run.startedMs + run.limitMs - nowMs) / 1000;
    this.log.info(drainProgress(this.ledger.active, remainingSeconds));
    run.nextProgressMs = nowMs + nextProgressMs(remainingSeconds);
  }

  private closeDue(run: Run, nowMs: number): void {
    const kinds = kindsToClose(run.order, (nowMs - run.startedMs) / 1000);
    if (kinds.length === 0) {
      // A new order may have given more time again.
      run.nextCloseMs = undefined;
      return;
    }
    run.nextCloseMs ??= nowMs;
    while (run.nextCloseMs <= nowMs) {
      const next = this.nextToClose(run, kinds);
      if (!next) {
        // Nothing saved up: a connection that comes late must not find a burst of closes.
        run.nextCloseMs = nowMs + LOOK_MS;
        return;
      }
      run.asked.add(next);
      next.close().catch((error: unknown) => this.log.warn(`A connection was not closed: ${String(error)}`));
      run.nextCloseMs += nextCloseMs(run.order, this.clock.random());
    }
  }

  /** One walk over all connections serves many closes. When it is through, another one looks for those that came since. */
  private nextToClose(run: Run, kinds: readonly ConnectionKind[]): Closable | undefined {
    const name = kinds.join();
    const next = run.walk?.kinds === name ? run.walk.closables.next() : undefined;
    if (next?.done === false) return next.value;
    const closables = this.waiting(run, kinds);
    run.walk = { kinds: name, closables };
    const first = closables.next();
    return first.done === true ? undefined : first.value;
  }

  /** Short-lived kinds first, within a kind the oldest first. */
  private *waiting(run: Run, kinds: readonly ConnectionKind[]): Generator<Closable> {
    for (const kind of kinds) {
      for (const closable of this.ledger.closables([kind])) if (!run.asked.has(closable)) yield closable;
    }
  }
}
