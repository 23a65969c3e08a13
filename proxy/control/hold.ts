import {
  Hold,
  HoldOrder,
  HoldReport,
  NEVER_HELD,
  ReleaseOrder,
  RetargetOrder,
  afterLease,
  ended,
  hold,
  holdReport,
  isFull,
  release,
} from '../../core/proxy/hold';
import type { Side } from '../../core/traffic/weights';
import type { Clock } from '../process/clock';
import type { Response, Decision, RequestHead } from '../data-plane/contract/data-plane';
import type { Retarget } from './retarget';

/** Seconds after which a client that found no room may ask again. */
const RETRY_AFTER_SECONDS = 2;

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
}

/** What was held since the start. */
export interface HoldFigures {
  readonly released: number;
  /** Their clients went away. */
  readonly left: number;
  /** Rejected with 503, because `maxWaiting` were parked. */
  readonly refused: number;
  /** Milliseconds that the released ones had waited, together; divided by `letGo` the mean. */
  readonly heldMs: number;
}

interface Parked {
  readonly head: RequestHead;
  readonly resume: (decision: Decision) => void;
  readonly sinceMs: number;
}

/** Parks new requests while a hold is in force, in the order in which they came, and releases them in that order. */
export class HoldGate {
  private current: Hold = NEVER_HELD;
  private readonly waiting = new Set<Parked>();
  private readonly counts = { released: 0, left: 0, refused: 0, heldMs: 0 };
  /** `counts` when the hold in force began. */
  private before: HoldFigures = { ...this.counts };
  private cancelLease: () => void = () => undefined;

  constructor(private readonly options: HoldGateOptions) {}

  get isHolding(): boolean {
    return this.current.state === 'holding';
  }

  get figures(): HoldFigures {
    return { ...this.counts };
  }

  report(): HoldReport {
    this.endAtLease();
    return holdReport(this.current, this.waiting.size, this.options.clock.nowMs());
  }

  /** What becomes of a new request because of a hold; undefined when there is none. */
  decision(head: RequestHead): Decision | undefined {
    if (!this.isHolding) return undefined;
    this.endAtLease();
    if (this.current.state === 'none') return undefined;
    if (!isFull(this.current, this.waiting.size)) return { hold: (resume) => this.park(head, resume) };
    this.counts.refused += 1;
    return { response: FULL };
  }

  /** @returns why the order cannot be followed, as for `release` and `retarget` */
  hold(order: HoldOrder): string | undefined {
    this.endAtLease();
    const { clock, log, setHolding } = this.options;
    const result = hold(this.current, order, clock.nowMs());
    if ('conflict' in result) return result.conflict;
    const isFirst = !this.isHolding;
    this.current = result.next;
    this.watchLease();
    if (!isFirst) return undefined;
    this.before = this.figures;
    setHolding(true);
    log.info({ ...order }, 'Holding new requests');
    return undefined;
  }

  release(order: ReleaseOrder): string | undefined {
    this.endAtLease();
    const { clock, retarget } = this.options;
    const result = release(this.current, order, clock.nowMs());
    if ('conflict' in result) return result.conflict;
    if (result.next === this.current) return undefined;
    const rejection = retarget.rejection(order.to);
    if (rejection !== undefined) return rejection;
    this.turn(order.to);
    this.released(result.next, 'Hold released');
    return undefined;
  }

  /** What is parked stays so. */
  retarget({ to }: RetargetOrder): string | undefined {
    const rejection = this.options.retarget.rejection(to);
    if (rejection === undefined) this.turn(to);
    return rejection;
  }

  /** Ends a hold that will not be released any more, because the proxy shuts down. */
  end(): void {
    if (this.isHolding) this.released(ended(this.current, undefined), 'Hold ended by the shutdown');
  }

  /** Looks at the lease no more; the process is about to end, and with it the connections of what is parked. */
  stop(): void {
    this.cancelLease();
  }

  private turn(to: Side): void {
    const { retarget, log } = this.options;
    if (retarget.side === to) return;
    log.info({ from: retarget.side, to }, 'Requests go to the other upstream');
    retarget.turn(to);
  }

  private watchLease(): void {
    this.cancelLease();
    if (this.current.state !== 'holding') return;
    const { clock } = this.options;
    // A timer may be early by a part of a millisecond: it looks, and is set again.
    this.cancelLease = clock.after(Math.max(1, this.current.untilMs - clock.nowMs()), () => {
      this.endAtLease();
      this.watchLease();
    });
  }

  private endAtLease(): void {
    if (!this.isHolding) return;
    const next = afterLease(this.current, this.options.clock.nowMs());
    if (next.state === 'none') this.leaseOver(next);
  }

  /**
   * No order released the hold in time: requests go to the side in force. The place to ask a store of decisions, when there
   * is one.
   */
  private leaseOver(next: Hold): void {
    this.released(next, 'Hold ended: its lease has expired');
  }

  private park(head: RequestHead, resume: Parked['resume']): () => void {
    const parked: Parked = { head, resume, sinceMs: this.options.clock.nowMs() };
    this.waiting.add(parked);
    // Between its decision and now the hold may have ended, and nothing would release it.
    if (!this.isHolding) {
      this.options.clock.after(0, () => {
        if (!this.isHolding) this.resume(parked);
      });
    }
    return () => {
      if (this.waiting.delete(parked)) this.counts.left += 1;
    };
  }

  private released(next: Hold, message: string): void {
    this.cancelLease();
    this.current = next;
    for (const parked of [...this.waiting]) this.resume(parked);
    this.options.setHolding(false);
    const { log, retarget } = this.options;
    const figures = { epoch: next.epoch, to: retarget.side, ...this.sinceBefore() };
    if (next.state === 'none' && next.releasedTo !== undefined) log.info(figures, message);
    else log.warn(figures, message);
  }

  /**
   * Once at most: a request that is resumed, or whose client left, waits no more. One that is resumed may end others of its
   * connection.
   */
  private resume(parked: Parked): void {
    if (!this.waiting.delete(parked)) return;
    this.counts.released += 1;
    this.counts.heldMs += this.options.clock.nowMs() - parked.sinceMs;
    try {
      parked.resume(this.decide(parked.head));
    } catch (err) {
      this.options.log.error({ err }, 'A held request could not be released');
    }
  }

  private decide(head: RequestHead): Decision {
    try {
      return this.options.decide(head);
    } catch (err) {
      this.options.log.error({ err }, 'A held request could not be decided');
      return { response: { status: 500, body: 'Internal error\n' } };
    }
  }

  private sinceBefore() {
    const { before, counts } = this;
    return {
      released: counts.released - before.released,
      left: counts.left - before.left,
      refused: counts.refused - before.refused,
      heldMs: Math.round(counts.heldMs - before.heldMs),
    };
  }
}

const FULL: Response = {
  status: 503,
  headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
  body: 'Holding: no room for more requests\n',
};
