import type { DrainOrder } from '../../core/proxy/admin-api';
import { Hold, HoldOrder, NEVER_HELD, ReleaseOrder, afterLease, ended, hold, release } from '../../core/proxy/hold';
import type { Side } from '../../core/traffic/weights';
import type { ProxyConfig } from '../config/config';
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
  private held: Hold = NEVER_HELD;
  private drainOrder: DrainOrder | undefined;

  constructor({ side, upstream, otherUpstream, workers }: ProxyConfig) {
    this.upstreams = new Retarget(side, listUpstreams(side, upstream, otherUpstream));
    this.workers = workers;
  }

  /** Where requests go, or would go when a hold ended by itself. */
  get side(): Side {
    return this.upstreams.side;
  }

  drain(order: DrainOrder): void {
    this.drainOrder = order;
  }

  undrain(): void {
    this.drainOrder = undefined;
  }

  /** @returns why it cannot be followed, as for `release` and `retarget` */
  hold(order: HoldOrder, nowMs: number): string | undefined {
    const result = hold(this.held, order, nowMs);
    if ('conflict' in result) return result.conflict;
    this.held = result.next;
    return undefined;
  }

  /**
   * Whether a release can be followed; nothing changes yet.
   *
   * @returns `done` when it was before
   */
  mayRelease(order: ReleaseOrder, nowMs: number): { readonly conflict: string } | 'done' | 'may' {
    const result = release(this.held, order, nowMs);
    if ('conflict' in result) return result;
    const conflict = this.upstreams.rejection(order.to);
    if (result.next === this.held) return 'done';
    return conflict === undefined ? 'may' : { conflict };
  }

  release(to: Side): void {
    this.upstreams.turn(to);
    this.held = ended(this.held, to);
  }

  /** The hold has ended without a release. */
  endHold(): void {
    this.held = ended(this.held, undefined);
  }

  retarget(to: Side): string | undefined {
    const rejection = this.upstreams.rejection(to);
    if (rejection === undefined) this.upstreams.turn(to);
    return rejection;
  }

  /** An order that gives the hold in force at least this long, and no less than it has. */
  renewal(minMs: number, nowMs: number): HoldOrder | undefined {
    const { held } = this;
    if (held.state === 'none') return undefined;
    const { epoch, maxWaiting, untilMs } = held;
    return { epoch, maxWaiting, leaseMs: Math.max(1, minMs, Math.ceil(untilMs - nowMs)) };
  }

  /** For a worker that starts now, in the order in which it has to follow. */
  forNewcomer(worker: number, nowMs: number): Order[] {
    const { workers, drainOrder: order, side: to } = this;
    this.held = afterLease(this.held, nowMs);
    const renewal = this.renewal(0, nowMs);
    return [
      { kind: 'retarget', order: { to } },
      ...(renewal ? [{ kind: 'hold' as const, order: holdShare(renewal, worker, workers) }] : []),
      ...(order
        ? [{ kind: 'drain' as const, order: { ...order, closeRatePerSecond: order.closeRatePerSecond / workers } }]
        : []),
    ];
  }
}
