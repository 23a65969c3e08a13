import type { HoldRejection } from '../../core/proxy/hold';
import type { Clock } from '../process/clock';
import type { Decision, RequestHead } from '../data-plane/contract/data-plane';
import { retryLater } from './error-responses';

/** Those of a request. */
type ParkingRejection = Exclude<HoldRejection, 'tooSoon' | 'off'>;

/** What was parked since the start. */
export interface ParkingFigures {
  readonly released: number;
  readonly rejected: Readonly<Record<ParkingRejection, number>>;
  /** Milliseconds that the released ones had waited, together; divided by `released` the mean. */
  readonly heldMs: number;
}

export interface ParkingOptions {
  readonly clock: Clock;
  readonly log: { error(figures: object, message: string): void };
  /** Decides on a request as if there were no hold. Parked ones are asked for anew, so that they go where requests go then. */
  readonly decide: (head: RequestHead) => Decision;
}

interface Parked {
  readonly head: RequestHead;
  readonly resume: (decision: Decision) => void;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** A ramp looks this often. */
const RAMP_MS = 10;

/** The requests that wait, in the order in which they came. They leave in that order. */
export class Parking {
  private readonly waiting = new Set<Parked>();
  private readonly counts = { released: 0, heldMs: 0 };
  private readonly rejections: Record<ParkingRejection, number> = { full: 0, windowOver: 0, clientGone: 0 };
  /** Milliseconds that those released since `clearWaits` had waited. */
  private waits: number[] = [];
  private cancelLimit: () => void = () => undefined;
  private cancelRamp: () => void = () => undefined;

  constructor(private readonly options: ParkingOptions) {}

  get size(): number {
    return this.waiting.size;
  }

  get figures(): ParkingFigures {
    return { ...this.counts, rejected: { ...this.rejections } };
  }

  /** Of the last hold. */
  get waitsMs(): readonly number[] {
    return this.waits;
  }

  clearWaits(): void {
    this.waits = [];
  }

  reject(why: ParkingRejection): Decision {
    this.rejections[why] += 1;
    return { response: REJECTED[why] };
  }

  /** @returns how its client leaves */
  park(head: RequestHead, resume: Parked['resume'], maxWaitMs: number): () => void {
    const sinceMs = this.options.clock.nowMs();
    const parked: Parked = { head, resume, sinceMs, untilMs: sinceMs + maxWaitMs };
    this.waiting.add(parked);
    if (this.waiting.size === 1) this.watchLimits();
    return () => {
      if (this.waiting.delete(parked)) this.rejections.clientGone += 1;
    };
  }

  /** @param rampPerSecond how many in the first second, doubled with each further one; 0: all at once */
  release(rampPerSecond: number, done: () => void): void {
    this.cancelRamp();
    const startedMs = this.options.clock.nowMs();
    let released = 0;
    const go = () => {
      const seconds = (this.options.clock.nowMs() - startedMs) / 1000;
      // The sum of the rates until now: r in the first second, 2r in the second one, and so on.
      const due = rampPerSecond === 0 ? Number.POSITIVE_INFINITY : 1 + rampPerSecond * (2 ** seconds - 1);
      for (const parked of this.waiting) {
        if (released >= due) break;
        released += 1;
        this.resume(parked);
      }
      if (this.waiting.size > 0) this.cancelRamp = this.options.clock.after(RAMP_MS, go);
      else this.stopWatching();
      if (this.waiting.size === 0) done();
    };
    go();
  }

  /** Every request that waits gets 503. */
  rejectAll(): void {
    for (const parked of this.waiting) this.respondLate(parked);
  }

  /** What has not been released waits on. */
  stopRamp(): void {
    this.cancelRamp();
    this.cancelRamp = () => undefined;
    this.watchLimits();
  }

  stop(): void {
    this.stopWatching();
    this.cancelRamp();
  }

  private stopWatching(): void {
    this.cancelLimit();
    this.cancelLimit = () => undefined;
  }

  /** The first one in is the first one whose time has passed, unless a later order shortened it: then it is a little late. */
  private watchLimits(): void {
    this.cancelLimit();
    const [first] = this.waiting;
    // Behind a release they have no limit of their own.
    if (!first || first.untilMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.options;
    this.cancelLimit = clock.after(Math.max(1, first.untilMs - clock.nowMs()), () => {
      for (const parked of this.waiting) {
        if (parked.untilMs > clock.nowMs()) break;
        this.respondLate(parked);
      }
      this.watchLimits();
    });
  }

  private respondLate(parked: Parked): void {
    if (!this.waiting.delete(parked)) return;
    this.respond(parked, this.reject('windowOver'));
  }

  /**
   * Once at most: a request that is resumed, or whose client left, waits no more. One that is resumed may end others of its
   * connection.
   */
  private resume(parked: Parked): void {
    if (!this.waiting.delete(parked)) return;
    const waitedMs = this.options.clock.nowMs() - parked.sinceMs;
    this.counts.released += 1;
    this.counts.heldMs += waitedMs;
    this.waits.push(waitedMs);
    this.respond(parked, this.decide(parked.head));
  }

  private respond(parked: Parked, decision: Decision): void {
    try {
      parked.resume(decision);
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
}

const REJECTED = {
  full: retryLater('Holding: no room for more requests'),
  windowOver: retryLater('Holding: requests have waited for as long as they may'),
  clientGone: retryLater('Holding'),
} as const;
