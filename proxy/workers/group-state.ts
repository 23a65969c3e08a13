import type { DrainOrder } from '../../core/proxy/admin-api';
import {
  Hold,
  HoldOrder,
  NEVER_HELD,
  ReleaseOrder,
  RetargetOrder,
  afterLease,
  decided,
  ended,
  findRetargetConflict,
  hold,
  moveClock,
  release,
} from '../../core/proxy/hold';
import type { Side } from '../../core/traffic/weights';
import type { ProxyConfig } from '../config/config';
import type { KnownEpochs, OrdersInForce } from '../control/proxy';
import { Retarget, listUpstreams } from '../control/retarget';
import type { Order } from './messages';
import { holdShare } from './quotas';

/**
 * What the group was ordered and still holds, in the primary: it says no where a single proxy would, so that all workers
 * follow an order or none, and it tells a worker that comes later what the others know.
 */
export class GroupState {
  private readonly upstreams: Retarget;
  private readonly workers: number;
  private readonly hasStore: boolean;
  private held: Hold = NEVER_HELD;
  private draining: { readonly order: DrainOrder; readonly sinceMs: number } | undefined;

  /** @param start as the regime says; without one it serves its own side */
  constructor({ side, upstream, otherUpstream, workers }: ProxyConfig, start?: { hold: Hold; side: Side }) {
    this.upstreams = new Retarget(side, listUpstreams(side, upstream, otherUpstream));
    this.workers = workers;
    this.hasStore = start !== undefined;
    if (!start) return;
    this.held = start.hold;
    this.upstreams.turn(start.side);
  }

  /** What another generation had ordered, and still holds. @throws Error when there is no such upstream here */
  inherit({ hold, side, drain, drainSinceMs, nowMs }: OrdersInForce, ownNowMs: number): void {
    const problem = this.upstreams.rejection(side);
    if (problem !== undefined) throw new Error(problem);
    this.draining = drain && { order: drain, sinceMs: ownNowMs - nowMs + (drainSinceMs ?? nowMs) };
    // What the regime says of a later epoch is newer than what that generation was told.
    if (hold.epoch < this.held.epoch) return;
    this.held = moveClock(hold, ownNowMs - nowMs);
    this.upstreams.turn(side);
  }

  inForce(nowMs: number): OrdersInForce {
    return { hold: this.heldAt(nowMs), side: this.side, ...this.drainInForce, nowMs };
  }

  /** Where requests go, or would go when a hold ended by itself. */
  get side(): Side {
    return this.upstreams.side;
  }

  private get drainInForce(): Pick<OrdersInForce, 'drain' | 'drainSinceMs'> {
    return { drain: this.draining?.order, drainSinceMs: this.draining?.sinceMs };
  }

  /** The same order again does not begin anew, as at each worker. */
  drain(order: DrainOrder, nowMs: number): void {
    this.draining = { order, sinceMs: this.draining?.sinceMs ?? nowMs };
  }

  undrain(): void {
    this.draining = undefined;
  }

  /** The hold in force, or the last one; its lease may have expired. */
  heldAt(nowMs: number): Hold {
    this.held = afterLease(this.held, nowMs);
    return this.held;
  }

  /** @returns why it cannot be followed, as for `release` and `retarget` */
  hold(order: HoldOrder, nowMs: number): string | undefined {
    const result = hold(this.held, order, nowMs);
    if ('conflict' in result) return result.conflict;
    const { outcomes } = order;
    const rejection =
      outcomes && (this.upstreams.rejection(outcomes.commit) ?? this.upstreams.rejection(outcomes.abort));
    if (rejection !== undefined) return rejection;
    if (outcomes) this.upstreams.turn(outcomes.abort);
    this.held = result.next;
    return undefined;
  }

  /** Follows the decision of a switch. @returns false when it is not about the hold in force */
  decide(epoch: number, outcome: 'commit' | 'abort', nowMs: number): boolean {
    const next = decided(this.held, epoch, outcome, nowMs);
    if (next === this.held) return false;
    this.endWith(next);
    return true;
  }

  /**
   * Whether a release can be followed; nothing changes yet.
   *
   * @returns `done` when it was before
   */
  mayRelease(order: ReleaseOrder, nowMs: number): { readonly conflict: string } | 'done' | 'may' {
    const result = release(this.held, order, nowMs);
    if ('conflict' in result) return result;
    if (result.next === this.held) return 'done';
    const to = result.next.state === 'none' ? result.next.releasedTo : undefined;
    const conflict = to && this.upstreams.rejection(to);
    return conflict === undefined ? 'may' : { conflict };
  }

  release(order: ReleaseOrder, nowMs: number): void {
    const result = release(this.held, order, nowMs);
    if ('next' in result) this.endWith(result.next);
  }

  /** The hold has ended without a release. */
  endHold(nowMs: number): void {
    this.held = ended(this.held, undefined, nowMs);
  }

  retarget(order: RetargetOrder): string | undefined {
    const { held, hasStore, upstreams } = this;
    const rejection = findRetargetConflict(held, order, hasStore) ?? upstreams.rejection(order.to);
    if (rejection === undefined) upstreams.turn(order.to);
    return rejection;
  }

  /**
   * An order that gives the hold in force at least this long, and no less than it has. The hold of a switch lasts at a worker
   * until the primary ends it: the lease is the primary's.
   */
  renewal(minMs: number, nowMs: number): HoldOrder | undefined {
    const { held } = this;
    if (held.state === 'none') return undefined;
    const { epoch, committed, limits, outcomes } = held;
    const untilMs = held.state === 'holding' ? held.untilMs : nowMs;
    const order = { epoch, committed, ...limits, minIntervalMs: 0, endsStreams: false, dryRun: false };
    if (outcomes) return { ...order, outcomes, leaseMs: Number.POSITIVE_INFINITY };
    return { ...order, leaseMs: Math.max(1, minMs, Math.ceil(untilMs - nowMs)) };
  }

  /** While a hold is in force a new worker gets its order. */
  get knownEpochs(): KnownEpochs {
    const { state, epoch, committed } = this.held;
    return { epoch: state === 'none' ? epoch : 0, committed };
  }

  /** For a worker that starts now, in the order in which it has to follow. */
  forNewcomer(worker: number, nowMs: number): Order[] {
    const { workers, draining, side: to } = this;
    this.heldAt(nowMs);
    const renewal = this.renewal(0, nowMs);
    return [
      { kind: 'retarget', order: { to } },
      ...(renewal ? [{ kind: 'hold' as const, order: holdShare(renewal, worker, workers) }] : []),
      ...(draining ? [this.shareDrain(draining, workers, nowMs)] : []),
    ];
  }

  private shareDrain(
    { order, sinceMs }: { order: DrainOrder; sinceMs: number },
    workers: number,
    nowMs: number,
  ): Order {
    const own = { ...order, closeRatePerSecond: order.closeRatePerSecond / workers };
    return { kind: 'drain', order: own, agoMs: nowMs - sinceMs };
  }

  private endWith(next: Hold): void {
    if (next.state === 'none' && next.releasedTo) this.upstreams.turn(next.releasedTo);
    this.held = next;
  }
}
