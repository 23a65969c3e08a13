import {
  DryRunReport,
  Hold,
  HoldFigures,
  HoldOrder,
  HoldReport,
  NEVER_HELD,
  ReleaseOrder,
  RetargetOrder,
  afterLease,
  classifyRejectedOrder,
  decided,
  ended,
  findRejection,
  findRetargetConflict,
  hold,
  holdReport,
  release,
} from '../../core/proxy/hold';
import type { Side } from '../../core/traffic/weights';
import type { DecisionStore } from '../../core/switch/decision-store';
import type { Clock } from '../process/clock';
import type { Decision, RequestHead } from '../data-plane/contract/data-plane';
import { DecisionWatch } from './decision-watch';
import { Parking, ParkingFigures } from './parking';
import type { Retarget } from './retarget';

export interface HoldLog {
  info(figures: object, message: string): void;
  warn(figures: object, message: string): void;
  error(figures: object, message: string): void;
}

export interface HoldGateOptions {
  readonly clock: Clock;
  readonly log: HoldLog;
  readonly retarget: Retarget;
  /** Decides on a request as if there were no hold. Held ones are asked for anew, so that they go where requests go then. */
  readonly decide: (head: RequestHead) => Decision;
  /** The data plane's. */
  readonly setHolding: (holding: boolean) => void;
  /** Closes in order what could go on for ever: the clients connect anew, and wait. */
  readonly endStreams: (moves: HoldOrder['moves']) => void;
  /**
   * Where the decisions of switches are. `primary`: the primary process asks, and tells. Absent: a hold that only a decision
   * ends is rejected.
   */
  readonly store?: DecisionStore | 'primary';
  /** Of this process, for people who read a decision that it wrote. */
  readonly name: string;
}

interface DryRun {
  readonly epoch: number;
  readonly untilMs: number;
  readonly maxWaiting: number;
  waiting: number;
  isOver: boolean;
}

/** Between two looks for streams while a hold ends them: one may have been a plain request when the hold began. */
const STREAMS_MS = 50;

/** Parks new requests while a hold is in force, in the order in which they came, and releases them in that order. */
export class HoldGate {
  private current: Hold = NEVER_HELD;
  private dryRun: DryRun | undefined;
  private readonly parking: Parking;
  private readonly decisions: DecisionWatch | undefined;
  /** Released, and some still wait for their turn. */
  private isRamping = false;
  /** The figures when the hold in force began. */
  private before: ParkingFigures;
  private readonly orders = { tooSoon: 0, off: 0 };
  private cancelLease: () => void = () => undefined;
  private cancelStreams: () => void = () => undefined;
  private cancelDryRun: () => void = () => undefined;

  constructor(private readonly options: HoldGateOptions) {
    const { clock, log, store, name } = options;
    this.parking = new Parking(options);
    this.before = this.parking.figures;
    const heard = (epoch: number, outcome: 'commit' | 'abort') => this.decided(epoch, outcome);
    this.decisions =
      store === undefined || store === 'primary'
        ? undefined
        : new DecisionWatch({ store, clock, log, name, decided: heard });
  }

  /** Whether a request has to ask `decision` at all. */
  get isHolding(): boolean {
    return this.current.state !== 'none' || this.isRamping || this.dryRun?.isOver === false;
  }

  /** The hold in force, or the last one. */
  get held(): Hold {
    this.endAtLease();
    return this.current;
  }

  /** Of the last switch that was committed; each request to a backend carries it. */
  get committed(): number {
    return this.current.committed;
  }

  /** Requests that wait: they are in no other count. */
  get waiting(): number {
    return this.parking.size;
  }

  get figures(): ParkingFigures {
    return this.parking.figures;
  }

  report(): HoldReport {
    this.endAtLease();
    return holdReport(this.current, this.parking.size, this.options.clock.nowMs());
  }

  /** Undefined when there was none. */
  dryRunReport(): DryRunReport | undefined {
    if (!this.dryRun) return undefined;
    const { epoch, waiting, maxWaiting, isOver } = this.dryRun;
    return { epoch, waiting, full: Math.max(0, waiting - maxWaiting), isOver };
  }

  /** What becomes of a new request because of a hold; undefined when there is none. */
  decision(head: RequestHead): Decision | undefined {
    if (!this.isHolding) return undefined;
    const nowMs = this.options.clock.nowMs();
    if (this.dryRun && !this.dryRun.isOver && nowMs < this.dryRun.untilMs) this.dryRun.waiting += 1;
    this.endAtLease();
    const { current, parking } = this;
    if (current.state === 'none') {
      // Behind those that still wait, so that the requests of a client stay in their order.
      return this.isRamping ? { hold: (resume) => parking.park(head, resume, Number.POSITIVE_INFINITY) } : undefined;
    }
    const rejection = findRejection(current, parking.size, nowMs);
    if (rejection !== undefined) return parking.reject(rejection);
    return { hold: (resume) => this.park(head, resume, current.limits.maxWaitMs) };
  }

  /** What holds came to, since the start. */
  get totals(): HoldFigures {
    const { released, rejected } = this.parking.figures;
    return { released, rejected: { ...rejected, ...this.orders } };
  }

  /** @returns why the order cannot be followed, as for `release` and `retarget` */
  hold(order: HoldOrder): string | undefined {
    this.endAtLease();
    const before = this.current;
    const rejection = this.follow(order);
    const why = rejection === undefined ? undefined : classifyRejectedOrder(before, order, this.options.clock.nowMs());
    if (why !== undefined) this.orders[why] += 1;
    return rejection;
  }

  /** An order that this process does not follow any more. */
  rejectOrder(rejection: string): string {
    this.orders.off += 1;
    return rejection;
  }

  private follow(order: HoldOrder): string | undefined {
    const { clock, log, setHolding } = this.options;
    const result = hold(this.current, order, clock.nowMs());
    if ('conflict' in result) return result.conflict;
    if (order.dryRun) return this.startDryRun(order);
    const rejection = this.cannotDecide(order);
    if (rejection !== undefined) return rejection;
    const isFirst = this.current.state === 'none';
    // A switch says where requests go if it comes to nothing: this process may have missed the end of the one before.
    if (order.outcomes) this.turn(order.outcomes.abort);
    this.begin(result.next, isFirst);
    if (!isFirst) return undefined;
    setHolding(true);
    log.info({ ...order }, 'Holding new requests');
    if (order.endsStreams) this.endStreams(order.moves);
    return undefined;
  }

  /** As the regime says, before the first request is accepted. */
  startAs(held: Hold, side: Side): void {
    this.turn(side);
    if (held.state === 'none') this.current = held;
    else this.begin(held, true);
    if (held.state !== 'none') this.options.setHolding(true);
  }

  release(order: ReleaseOrder): string | undefined {
    this.endAtLease();
    const { clock, retarget } = this.options;
    const result = release(this.current, order, clock.nowMs());
    if ('conflict' in result) return result.conflict;
    const { next } = result;
    if (next === this.current || next.state !== 'none' || next.releasedTo === undefined) return undefined;
    const rejection = retarget.rejection(next.releasedTo);
    if (rejection !== undefined) return rejection;
    this.turn(next.releasedTo);
    this.released(next, 'Hold released', order.rampPerSecond ?? 0);
    return undefined;
  }

  /** What is parked stays so. */
  retarget(order: RetargetOrder): string | undefined {
    const { store, retarget } = this.options;
    // A worker does what the primary has accepted.
    const hasStore = store !== undefined && store !== 'primary';
    const rejection = findRetargetConflict(this.current, order, hasStore) ?? retarget.rejection(order.to);
    if (rejection === undefined) this.turn(order.to);
    return rejection;
  }

  /**
   * Ends a hold that will not be released any more, because the proxy shuts down. One of a switch goes on until its decision
   * is known: a process that ends must not serve the wrong side either.
   */
  end(): void {
    if (this.current.state === 'none' || this.current.outcomes) return;
    this.released(ended(this.current, undefined, this.options.clock.nowMs()), 'Hold ended by the shutdown', 0);
  }

  /** Looks at the lease no more; the process is about to end, and with it the connections of what is parked. */
  stop(): void {
    this.cancelLease();
    this.cancelStreams();
    this.cancelDryRun();
    this.decisions?.stop();
    this.parking.stop();
  }

  private endStreams(moves: HoldOrder['moves']): void {
    if (this.current.state === 'none') return;
    this.options.endStreams(moves);
    this.cancelStreams = this.options.clock.after(STREAMS_MS, () => this.endStreams(moves));
  }

  private cannotDecide({ outcomes }: HoldOrder): string | undefined {
    if (!outcomes) return undefined;
    if (!this.options.store) return "'switch_store' must be configured for the hold of a switch, got nothing";
    return Object.values(outcomes)
      .map((side) => this.options.retarget.rejection(side))
      .find((each) => each !== undefined);
  }

  private startDryRun({ epoch, leaseMs, maxWaiting }: HoldOrder): undefined {
    const { clock } = this.options;
    const dryRun: DryRun = { epoch, untilMs: clock.nowMs() + leaseMs, maxWaiting, waiting: 0, isOver: false };
    this.dryRun = dryRun;
    this.cancelDryRun();
    this.cancelDryRun = clock.after(leaseMs, () => void (dryRun.isOver = true));
    this.options.log.info({ epoch, leaseMs, maxWaiting }, 'Dry run of a hold: nothing is held');
    return undefined;
  }

  private begin(next: Hold, isFirst: boolean): void {
    this.current = next;
    this.dryRun = undefined;
    this.cancelDryRun();
    // Who still waits for the end of the last one waits for the end of this one.
    this.isRamping = false;
    this.parking.stopRamp();
    if (isFirst) {
      this.before = this.figures;
      this.parking.clearWaits();
    }
    this.watchLease();
  }

  private turn(to: Side): void {
    const { retarget, log } = this.options;
    if (retarget.side === to) return;
    log.info({ from: retarget.side, to }, 'Requests go to the other upstream');
    retarget.turn(to);
  }

  private watchLease(): void {
    this.cancelLease();
    const { clock } = this.options;
    const { current } = this;
    if (current.state === 'none') return;
    if (current.outcomes) this.decisions?.watch(current.epoch, current.state === 'deciding');
    const nowMs = clock.nowMs();
    const endMs = current.sinceMs + current.limits.maxHoldMs;
    if (nowMs >= endMs) this.parking.rejectAll();
    const nextMs = Math.min(
      current.state === 'holding' ? current.untilMs : Number.POSITIVE_INFINITY,
      nowMs < endMs ? endMs : Number.POSITIVE_INFINITY,
    );
    if (nextMs === Number.POSITIVE_INFINITY) return;
    // A timer may be early by a part of a millisecond: it looks, and is set again.
    this.cancelLease = clock.after(Math.max(1, nextMs - nowMs), () => {
      this.endAtLease();
      this.watchLease();
    });
  }

  private endAtLease(): void {
    if (this.current.state !== 'holding') return;
    const next = afterLease(this.current, this.options.clock.nowMs());
    if (next === this.current) return;
    if (next.state === 'none') return this.released(next, 'Hold ended: its lease has expired', 0);
    this.current = next;
    this.options.log.warn({ epoch: next.epoch }, 'The lease of a switch has expired: the decision is asked for');
    this.watchLease();
  }

  private decided(epoch: number, outcome: 'commit' | 'abort'): void {
    const next = decided(this.current, epoch, outcome, this.options.clock.nowMs());
    if (next === this.current || next.state !== 'none') return;
    if (next.releasedTo) this.turn(next.releasedTo);
    this.released(next, `Hold ended: the switch was decided, ${outcome}`, 0);
  }

  private park(head: RequestHead, resume: (decision: Decision) => void, maxWaitMs: number): () => void {
    const left = this.parking.park(head, resume, maxWaitMs);
    // Between its decision and now the hold may have ended, and nothing would release it.
    if (this.current.state === 'none' && !this.isRamping) {
      this.options.clock.after(0, () => {
        if (this.current.state === 'none' && !this.isRamping) this.releaseParked(0);
      });
    }
    return left;
  }

  private released(next: Hold, message: string, rampPerSecond: number): void {
    this.cancelLease();
    this.decisions?.stop();
    this.current = next;
    this.releaseParked(rampPerSecond);
    const { log, retarget } = this.options;
    const figures = { epoch: next.epoch, to: retarget.side, ...this.sinceBefore() };
    if (next.state === 'none' && next.releasedTo !== undefined) log.info(figures, message);
    else log.warn(figures, message);
  }

  private releaseParked(rampPerSecond: number): void {
    this.isRamping = true;
    this.parking.release(rampPerSecond, () => {
      this.isRamping = false;
      if (this.current.state === 'none') this.options.setHolding(false);
    });
  }

  private sinceBefore() {
    const { before, figures } = this;
    const { full, windowOver, clientGone } = figures.rejected;
    return {
      released: figures.released - before.released,
      clientGone: clientGone - before.rejected.clientGone,
      full: full - before.rejected.full,
      windowOver: windowOver - before.rejected.windowOver,
      heldMs: Math.round(figures.heldMs - before.heldMs),
    };
  }
}
