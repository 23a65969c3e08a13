import { Fields, readFields } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { SIDES, Side } from '../traffic/weights';

/** What a hold may cost at the most. */
export interface HoldLimits {
  /** Requests that are parked at most; further ones get 503. */
  readonly maxWaiting: number;
  /** How long one request is parked at most; then it gets 503. */
  readonly maxWaitMs: number;
  /** How long requests are parked at all; after it all get 503 until the hold ends. */
  readonly maxHoldMs: number;
}

/** `POST /hold`: park new requests until they are released, or the lease has expired. */
export interface HoldOrder extends HoldLimits {
  /** Grows from hold to hold, so that a call that comes late cannot act on a later hold. */
  readonly epoch: number;
  readonly leaseMs: number;
  /** Since the end of the last hold. An order that comes sooner is rejected. */
  readonly minIntervalMs: number;
  /**
   * Of a switch: where requests go after either outcome. Such a hold ends by the decision alone: when its lease has expired,
   * the proxy asks the store. Without it the requests go to the side in force then.
   */
  readonly outcomes?: Outcomes;
  /** Whether WebSockets, event streams and streaming gRPC calls are closed in order, so that they connect anew and wait. */
  readonly endsStreams: boolean;
  /** Nothing is parked: what a hold would have parked is counted. */
  readonly dryRun: boolean;
}

export type Outcomes = Readonly<Record<'commit' | 'abort', Side>>;

/** `POST /release`: release the parked requests to a side. */
export interface ReleaseOrder {
  readonly epoch: number;
  readonly to: Side;
  /** How many are released in the first second; twice as many in each further one. Absent or 0: all at once. */
  readonly rampPerSecond?: number;
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

export type Hold = NoHold | Holding | Deciding;

export interface NoHold {
  readonly state: 'none';
  /** The highest that was seen; 0 when there never was a hold. */
  readonly epoch: number;
  /** Undefined when the hold of this epoch was not released, but ended by itself. */
  readonly releasedTo: Side | undefined;
  /** Undefined when there never was a hold. */
  readonly endedMs?: number;
}

export interface Holding {
  readonly state: 'holding';
  readonly epoch: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly limits: HoldLimits;
  readonly outcomes?: Outcomes;
}

/** The lease of a switch's hold has expired. Requests stay parked until the decision is known: it is never guessed. */
export interface Deciding {
  readonly state: 'deciding';
  readonly epoch: number;
  readonly sinceMs: number;
  readonly limits: HoldLimits;
  readonly outcomes: Outcomes;
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
  const conflict = findConflict(current, order, nowMs);
  if (conflict !== undefined) return { conflict };
  const { epoch, leaseMs, maxWaiting, maxWaitMs, maxHoldMs, outcomes } = order;
  const sinceMs = current.state === 'none' ? nowMs : current.sinceMs;
  const limits = { maxWaiting, maxWaitMs, maxHoldMs };
  return {
    next: { state: 'holding', epoch, sinceMs, untilMs: nowMs + leaseMs, limits, ...(outcomes && { outcomes }) },
  };
}

function findConflict(current: Hold, { epoch, outcomes, minIntervalMs }: HoldOrder, nowMs: number): string | undefined {
  if (epoch < current.epoch) return `'epoch' must be at least ${current.epoch}, the highest seen, got ${epoch}`;
  if (current.state === 'none') {
    if (epoch === current.epoch) return `'epoch' must be over ${epoch}, whose hold has ended, got ${epoch}`;
    const sinceMs = current.endedMs === undefined ? Number.POSITIVE_INFINITY : nowMs - current.endedMs;
    if (sinceMs >= minIntervalMs) return undefined;
    return `a hold must begin at least ${minIntervalMs} ms after the end of the last one, got ${Math.floor(sinceMs)} ms`;
  }
  if (current.state === 'deciding' && epoch === current.epoch) {
    return `'epoch' must be over ${epoch}, whose lease has expired, got ${epoch}`;
  }
  if (current.outcomes && !outcomes) {
    return `'outcomes' must be given while a switch holds (epoch ${current.epoch}), got nothing`;
  }
  return undefined;
}

/** Ends the hold of this epoch. The same release again changes nothing. */
export function release(now: Hold, { epoch, to }: Pick<ReleaseOrder, 'epoch' | 'to'>, nowMs: number): Transition {
  const current = afterLease(now, nowMs);
  if (current.state !== 'none') return releaseFrom(current, epoch, to, nowMs);
  if (epoch !== current.epoch)
    return { conflict: `'epoch' must be that of a hold in force, got ${epoch} without a hold` };
  if (current.releasedTo === undefined) {
    return { conflict: `'epoch' must be that of a hold in force, got ${epoch}, whose hold ended by itself` };
  }
  if (current.releasedTo === to) return { next: current };
  return { conflict: `'to' must be ${current.releasedTo}, where epoch ${epoch} was released to, got ${to}` };
}

function releaseFrom(current: Holding | Deciding, epoch: number, to: Side, nowMs: number): Transition {
  if (epoch !== current.epoch) {
    return { conflict: `'epoch' must be ${current.epoch}, that of the hold in force, got ${epoch}` };
  }
  const sides = current.outcomes && Object.values(current.outcomes);
  if (sides && !sides.includes(to)) return { conflict: `'to' must be one of ${sides.join(', ')}, got ${to}` };
  return { next: ended(current, to, nowMs) };
}

/** The state when a lease that has expired by `nowMs` has ended its hold, or has it ask for the decision. */
export function afterLease(now: Hold, nowMs: number): Hold {
  if (now.state !== 'holding' || nowMs < now.untilMs) return now;
  const { epoch, sinceMs, limits, outcomes } = now;
  return outcomes ? { state: 'deciding', epoch, sinceMs, limits, outcomes } : ended(now, undefined, nowMs);
}

/** The decision of an epoch was read from the store. It may come after a release, or after the hold of a later epoch began. */
export function decided(now: Hold, epoch: number, outcome: keyof Outcomes, nowMs: number): Hold {
  if (now.state === 'none' || now.epoch !== epoch || !now.outcomes) return now;
  return ended(now, now.outcomes[outcome], nowMs);
}

/** No hold any more; `releasedTo` is undefined when no order released it. */
export function ended(now: Hold, releasedTo: Side | undefined, nowMs: number): Hold {
  return now.state === 'none' ? now : { state: 'none', epoch: now.epoch, releasedTo, endedMs: nowMs };
}

/**
 * Why a request is not parked: no room, or the longest time for parking has passed. `waiting` is counted by the caller that
 * parks: a second count could differ.
 */
export function findRejection({ limits, sinceMs }: Holding | Deciding, waiting: number, nowMs: number) {
  if (waiting >= limits.maxWaiting) return 'full' as const;
  return nowMs - sinceMs >= limits.maxHoldMs ? ('windowOver' as const) : undefined;
}

export function holdReport(now: Hold, waiting: number, nowMs: number): HoldReport {
  const leaseRemainingMs = now.state === 'holding' ? Math.max(0, Math.ceil(now.untilMs - nowMs)) : 0;
  return { state: now.state, epoch: now.epoch, waiting, leaseRemainingMs };
}

const EPOCH_FIELD = {
  kind: 'integer',
  min: 1,
  max: Number.MAX_SAFE_INTEGER,
  sentence: 'Grows from hold to hold.',
} as const;
const MAX_MS = 600_000;

const HOLD_FIELDS = {
  epoch: EPOCH_FIELD,
  leaseMs: { kind: 'integer', min: 1, max: MAX_MS, unit: 'ms', sentence: 'How long the hold lasts by itself.' },
  maxWaiting: { kind: 'integer', min: 0, max: 100_000, unit: 'requests', sentence: 'How many requests are parked.' },
  maxWaitMs: {
    kind: 'integer',
    min: 1,
    max: MAX_MS,
    default: 30_000,
    unit: 'ms',
    sentence: 'How long one request is parked.',
  },
  maxHoldMs: {
    kind: 'integer',
    min: 1,
    max: MAX_MS,
    default: 60_000,
    unit: 'ms',
    sentence: 'How long requests are parked at all.',
  },
  minIntervalMs: {
    kind: 'integer',
    min: 0,
    max: MAX_MS,
    default: 0,
    unit: 'ms',
    sentence: 'How long after the end of the last hold this one may begin.',
  },
  endsStreams: { kind: 'boolean', default: false, sentence: 'Whether connections that stream are closed in order.' },
  dryRun: { kind: 'boolean', default: false, sentence: 'Whether nothing is parked, and what would be is counted.' },
} as const satisfies Fields;

const RELEASE_FIELDS = {
  epoch: EPOCH_FIELD,
  rampPerSecond: {
    kind: 'integer',
    min: 0,
    max: 1_000_000,
    default: 0,
    unit: 'requests',
    sentence: 'How many are released in the first second; twice as many in each further one.',
  },
} as const satisfies Fields;

/** Reads a hold order out of JSON; problems go to `problems` under `name`. */
export function readHoldOrder(name: string, value: unknown, problems: Problems): HoldOrder {
  const raw = problems.object(name, value, [...Object.keys(HOLD_FIELDS), 'outcomes']);
  const order = readFields(problems, name, pick(raw, HOLD_FIELDS), HOLD_FIELDS);
  const { outcomes } = raw;
  if (outcomes === undefined) return order;
  const { commit, abort } = problems.object(within(name, 'outcomes'), outcomes, ['commit', 'abort']);
  const sides = {
    commit: readSide(within(name, 'outcomes.commit'), commit, problems),
    abort: readSide(within(name, 'outcomes.abort'), abort, problems),
  };
  return { ...order, outcomes: sides };
}

export function readReleaseOrder(name: string, value: unknown, problems: Problems): ReleaseOrder {
  const raw = problems.object(name, value, [...Object.keys(RELEASE_FIELDS), 'to']);
  const order = readFields(problems, name, pick(raw, RELEASE_FIELDS), RELEASE_FIELDS);
  return { ...order, to: readSide(within(name, 'to'), raw.to, problems) };
}

export function readRetargetOrder(name: string, value: unknown, problems: Problems): RetargetOrder {
  const { to } = problems.object(name, value, ['to']);
  return { to: readSide(within(name, 'to'), to, problems) };
}

/** The others were looked at before. */
function pick(raw: Readonly<Record<string, unknown>>, fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(raw).filter(([key]) => Object.hasOwn(fields, key)));
}

function readSide(name: string, value: unknown, problems: Problems): Side {
  const side = SIDES.find((known) => known === value);
  if (side === undefined) problems.add(name, `one of ${SIDES.join(', ')}`, value);
  return side ?? 'source';
}

function within(name: string, part: string): string {
  return name === '' ? part : `${name}.${part}`;
}
