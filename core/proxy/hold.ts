import { Problems } from '../validation/problems';
import { SIDES, Side } from '../traffic/weights';

/** `POST /hold`: park new requests until they are released, or the lease has expired. */
export interface HoldOrder {
  /** Grows from hold to hold, so that a call that comes late cannot act on a later hold. */
  readonly epoch: number;
  readonly leaseMs: number;
  /** Requests that are parked at most; further ones get 503. */
  readonly maxWaiting: number;
}

/** `POST /release`: release the parked requests to a side. */
export interface ReleaseOrder {
  readonly epoch: number;
  readonly to: Side;
}

/** `POST /retarget`: the next request of every connection goes to this side's upstream. */
export interface RetargetOrder {
  readonly to: Side;
}

/** The hold in a `LedgerReport`. */
export interface HoldReport {
  readonly state: Hold['state'];
  /** The highest that was seen; 0 when there never was a hold. */
  readonly epoch: number;
  /** Requests that are parked now. They are in no other count. */
  readonly waiting: number;
  readonly leaseRemainingMs: number;
}

export type Hold = NoHold | Holding;

export interface NoHold {
  readonly state: 'none';
  /** The highest that was seen; 0 when there never was a hold. */
  readonly epoch: number;
  /** Undefined when the hold of this epoch was not released, but ended by itself. */
  readonly releasedTo: Side | undefined;
}

export interface Holding {
  readonly state: 'holding';
  readonly epoch: number;
  readonly untilMs: number;
  readonly maxWaiting: number;
}

/** What an order leads to: a state, the same one if nothing is left to do, or why it cannot be followed. */
export type Transition = { readonly next: Hold } | { readonly conflict: string };

export const NEVER_HELD: NoHold = { state: 'none', epoch: 0, releasedTo: undefined };

/**
 * Starts a hold, or renews the lease of the one in force. An epoch belongs to one hold: when that has ended, a request may
 * have been served, and a hold that goes on as if none had would be a lie.
 */
export function hold(now: Hold, order: HoldOrder, nowMs: number): Transition {
  const current = afterLease(now, nowMs);
  const { epoch, leaseMs, maxWaiting } = order;
  if (epoch < current.epoch) {
    return { conflict: `'epoch' must be at least ${current.epoch}, the highest seen, got ${epoch}` };
  }
  if (current.state === 'none' && epoch === current.epoch) {
    return { conflict: `'epoch' must be over ${epoch}, whose hold has ended, got ${epoch}` };
  }
  return { next: { state: 'holding', epoch, untilMs: nowMs + leaseMs, maxWaiting } };
}

/** Ends the hold of this epoch. The same release again changes nothing. */
export function release(now: Hold, order: ReleaseOrder, nowMs: number): Transition {
  const current = afterLease(now, nowMs);
  const { epoch, to } = order;
  if (current.state === 'holding') {
    if (epoch === current.epoch) return { next: ended(current, to) };
    return { conflict: `'epoch' must be ${current.epoch}, that of the hold in force, got ${epoch}` };
  }
  if (epoch !== current.epoch)
    return { conflict: `'epoch' must be that of a hold in force, got ${epoch} without a hold` };
  if (current.releasedTo === undefined) {
    return { conflict: `'epoch' must be that of a hold in force, got ${epoch}, whose hold ended by itself` };
  }
  if (current.releasedTo === to) return { next: current };
  return { conflict: `'to' must be ${current.releasedTo}, where epoch ${epoch} was released to, got ${to}` };
}

/** The state when a lease that has expired by `nowMs` has ended its hold. */
export function afterLease(now: Hold, nowMs: number): Hold {
  return now.state === 'holding' && nowMs >= now.untilMs ? ended(now, undefined) : now;
}

/** No hold any more; `releasedTo` is undefined when no order released it. */
export function ended(now: Hold, releasedTo: Side | undefined): Hold {
  return now.state === 'none' ? now : { state: 'none', epoch: now.epoch, releasedTo };
}

/** `waiting` is counted by the caller that parks: a second count could differ. */
export function isFull({ maxWaiting }: Holding, waiting: number): boolean {
  return waiting >= maxWaiting;
}

export function holdReport(now: Hold, waiting: number, nowMs: number): HoldReport {
  const leaseRemainingMs = now.state === 'holding' ? Math.max(0, Math.ceil(now.untilMs - nowMs)) : 0;
  return { state: now.state, epoch: now.epoch, waiting, leaseRemainingMs };
}

const MAX_LEASE_MS = 600_000;
const MAX_WAITING = 100_000;

/** Reads a hold order out of JSON. Every part must be given; problems go to `problems` under `name`. */
export function readHoldOrder(name: string, value: unknown, problems: Problems): HoldOrder {
  const raw = problems.object(name, value, ['epoch', 'leaseMs', 'maxWaiting']);
  return {
    epoch: readEpoch(name, raw.epoch, problems),
    leaseMs: problems.integer(within(name, 'leaseMs'), raw.leaseMs, { min: 1, max: MAX_LEASE_MS }),
    maxWaiting: problems.integer(within(name, 'maxWaiting'), raw.maxWaiting, { min: 0, max: MAX_WAITING }),
  };
}

export function readReleaseOrder(name: string, value: unknown, problems: Problems): ReleaseOrder {
  const raw = problems.object(name, value, ['epoch', 'to']);
  return { epoch: readEpoch(name, raw.epoch, problems), to: readTo(name, raw.to, problems) };
}

export function readRetargetOrder(name: string, value: unknown, problems: Problems): RetargetOrder {
  const raw = problems.object(name, value, ['to']);
  return { to: readTo(name, raw.to, problems) };
}

function readEpoch(name: string, value: unknown, problems: Problems): number {
  return problems.integer(within(name, 'epoch'), value, { min: 1, max: Number.MAX_SAFE_INTEGER });
}

function readTo(name: string, value: unknown, problems: Problems): Side {
  const side = SIDES.find((known) => known === value);
  if (side === undefined) problems.add(within(name, 'to'), `one of ${SIDES.join(', ')}`, value);
  return side ?? 'source';
}

function within(name: string, part: string): string {
  return name === '' ? part : `${name}.${part}`;
}
