import { MOVES, Moves } from '../moves/moves';
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
  /** Of a switch: the epoch of the last one that was committed. The proxy may have missed its end. */
  readonly committed: number;
  /** Whether WebSockets, event streams and streaming gRPC calls are closed in order, so that they connect anew and wait. */
  readonly endsStreams: boolean;
  /**
   * Which of those that `endsStreams` would close leave their backend instead, and join the one that the hold is released to; the
   * setting may allow fewer.
   * @default - those that the setting `moves` allows
   */
  readonly moves?: Moves;
  /** Nothing is parked: what a hold would have parked is counted. */
  readonly dryRun: boolean;
}

export type Outcomes = Readonly<Record<'commit' | 'abort', Side>>;

/** `POST /release`: release the parked requests. */
export interface ReleaseOrder {
  readonly epoch: number;
  /** The side that they go to. Absent for the hold of a switch, which says by itself where each outcome leads. */
  readonly to?: Side;
  /** What was decided: of the hold of a switch, which ends by nothing else. */
  readonly outcome?: keyof Outcomes;
  /** How many are released in the first second; twice as many in each further one. Absent or 0: all at once. */
  readonly rampPerSecond?: number;
}

/** `POST /retarget`: the next request of every connection goes to this side's upstream, and live connections move there. */
export interface RetargetOrder {
  readonly to: Side;
  /**
   * Which live connections are moved; the setting may allow fewer. Of the others those that have no end by themselves are closed
   * in order. `none` touches no live connection.
   * @default - those that the setting `moves` allows
   */
  readonly moves?: Moves;
  /**
   * The highest that the proxy has seen, as its report says: an order that comes late acts on no later state. Must be given
   * where a switch may hold the proxy.
   */
  readonly epoch?: number;
}

/** The hold in a `LedgerReport`. */
export interface HoldReport {
  readonly state: Hold['state'];
  /** The highest that was seen; 0 when there never was a hold. */
  readonly epoch: number;
  /** Requests that are parked now. They are in no other count. */
  readonly waiting: number;
  readonly leaseRemainingMs: number;
  /** Whether it ends by the decision of a switch alone, and not by itself. */
  readonly isOfSwitch: boolean;
}

/** What the last dry run of a hold has counted, in a `LedgerReport`. */
export interface DryRunReport {
  readonly epoch: number;
  /** Requests that a hold would have parked, and those of them for which there was no room. */
  readonly waiting: number;
  readonly full: number;
  /** Whether its lease has expired: it counts no more. */
  readonly isOver: boolean;
}

/**
 * Why a request that would have been parked was not, or not to its end, and why an order to hold was not followed: `tooSoon`
 * after the last hold, or `off`: this proxy cannot hold for it, because it shuts down, or lacks the store or the other upstream.
 */
export const HOLD_REJECTIONS = ['full', 'windowOver', 'clientGone', 'tooSoon', 'off'] as const;
export type HoldRejection = (typeof HOLD_REJECTIONS)[number];
export type HoldRejections = Readonly<Record<HoldRejection, number>>;

/** What holds came to, since the start of the proxy. */
export interface HoldFigures {
  /** Requests that were parked, and released. */
  readonly released: number;
  readonly rejected: HoldRejections;
}

export const NO_HOLD_FIGURES: HoldFigures = {
  released: 0,
  rejected: { full: 0, windowOver: 0, clientGone: 0, tooSoon: 0, off: 0 },
};

export function combineHoldFigures(
  a: HoldFigures,
  b: HoldFigures,
  combine: (x: number, y: number) => number,
): HoldFigures {
  const rejected = HOLD_REJECTIONS.map((why) => [why, combine(a.rejected[why], b.rejected[why])]);
  return {
    released: combine(a.released, b.released),
    rejected: Object.fromEntries(rejected) as Record<HoldRejection, number>,
  };
}

/** Why an order was not followed, as it is counted; undefined of one that is of another time: a late or a doubled call. */
export function classifyRejectedOrder(now: Hold, order: HoldOrder, nowMs: number): 'tooSoon' | 'off' | undefined {
  const current = afterLease(now, nowMs);
  if (findConflict(current, order, nowMs) === undefined) return 'off';
  return findConflict(current, { ...order, minIntervalMs: 0 }, nowMs) === undefined ? 'tooSoon' : undefined;
}

export type Hold = NoHold | Holding | Deciding;

interface Known {
  /** The highest that was seen; 0 when there never was a hold. */
  readonly epoch: number;
  /**
   * Of the last switch that was committed, 0 before the first one. Each request to a backend carries it: it grows when the
   * side that serves changes, and by nothing else, so that a backend may refuse a lower one.
   */
  readonly committed: number;
}

export interface NoHold extends Known {
  readonly state: 'none';
  /** Undefined when the hold of this epoch was not released, but ended by itself. */
  readonly releasedTo: Side | undefined;
  /** Of the switch of this epoch. */
  readonly outcome?: keyof Outcomes;
  /** Undefined when there never was a hold. */
  readonly endedMs?: number;
}

export interface Holding extends Known {
  readonly state: 'holding';
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly limits: HoldLimits;
  readonly outcomes?: Outcomes;
}

/** The lease of a switch's hold has expired. Requests stay parked until the decision is known: it is never guessed. */
export interface Deciding extends Known {
  readonly state: 'deciding';
  readonly sinceMs: number;
  readonly limits: HoldLimits;
  readonly outcomes: Outcomes;
}

/** What an order leads to: a state, the same one if nothing is left to do, or why it cannot be followed. */
export type Transition = { readonly next: Hold } | { readonly conflict: string };

export const NEVER_HELD: NoHold = { state: 'none', epoch: 0, committed: 0, releasedTo: undefined };

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
  const committed = Math.max(current.committed, order.committed);
  const untilMs = nowMs + leaseMs;
  return { next: { state: 'holding', epoch, committed, sinceMs, untilMs, limits, ...(outcomes && { outcomes }) } };
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
export function release(now: Hold, order: Omit<ReleaseOrder, 'rampPerSecond'>, nowMs: number): Transition {
  const { epoch } = order;
  const current = afterLease(now, nowMs);
  if (current.state !== 'none') return releaseFrom(current, order, nowMs);
  if (epoch !== current.epoch)
    return { conflict: `'epoch' must be that of a hold in force, got ${epoch} without a hold` };
  if (current.releasedTo === undefined) {
    return { conflict: `'epoch' must be that of a hold in force, got ${epoch}, whose hold ended by itself` };
  }
  const [name, was] = current.outcome ? (['outcome', current.outcome] as const) : (['to', current.releasedTo] as const);
  if (order[name] === was) return { next: current };
  return { conflict: `'${name}' must be ${was}, as epoch ${epoch} was released, got ${order[name] ?? 'nothing'}` };
}

function releaseFrom(
  current: Holding | Deciding,
  { epoch, to, outcome }: Omit<ReleaseOrder, 'rampPerSecond'>,
  nowMs: number,
): Transition {
  if (epoch !== current.epoch) {
    return { conflict: `'epoch' must be ${current.epoch}, that of the hold in force, got ${epoch}` };
  }
  if (current.outcomes) {
    if (outcome) return { next: decided(current, epoch, outcome, nowMs) };
    return {
      conflict: `'outcome' must be given: the hold of a switch (epoch ${epoch}) ends by its decision, got nothing`,
    };
  }
  if (to) return { next: ended(current, to, nowMs) };
  return { conflict: `'to' must be given: the hold (epoch ${epoch}) is of no switch, got nothing` };
}

/** The state when a lease that has expired by `nowMs` has ended its hold, or has it ask for the decision. */
export function afterLease(now: Hold, nowMs: number): Hold {
  if (now.state !== 'holding' || nowMs < now.untilMs) return now;
  const { epoch, committed, sinceMs, limits, outcomes } = now;
  return outcomes ? { state: 'deciding', epoch, committed, sinceMs, limits, outcomes } : ended(now, undefined, nowMs);
}

/** The decision of an epoch was read from the store. It may come after a release, or after the hold of a later epoch began. */
export function decided(now: Hold, epoch: number, outcome: keyof Outcomes, nowMs: number): Hold {
  if (now.state === 'none' || now.epoch !== epoch || !now.outcomes) return now;
  const committed = outcome === 'commit' ? epoch : now.committed;
  return { state: 'none', epoch, committed, releasedTo: now.outcomes[outcome], outcome, endedMs: nowMs };
}

/** No hold any more; `releasedTo` is undefined when no order released it. */
export function ended(now: Hold, releasedTo: Side | undefined, nowMs: number): Hold {
  if (now.state === 'none') return now;
  const { epoch, committed } = now;
  return { state: 'none', epoch, committed, releasedTo, endedMs: nowMs };
}

/** The same hold by another clock, which is `ms` ahead. */
export function moveClock(held: Hold, ms: number): Hold {
  if (held.state === 'none') return held.endedMs === undefined ? held : { ...held, endedMs: held.endedMs + ms };
  const sinceMs = held.sinceMs + ms;
  return held.state === 'holding' ? { ...held, sinceMs, untilMs: held.untilMs + ms } : { ...held, sinceMs };
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
  const isOfSwitch = now.state !== 'none' && now.outcomes !== undefined;
  return { state: now.state, epoch: now.epoch, waiting, leaseRemainingMs, isOfSwitch };
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
  committed: {
    kind: 'integer',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    default: 0,
    sentence: 'Of a switch: the epoch of the last one that was committed.',
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
  const raw = problems.object(name, value, [...Object.keys(HOLD_FIELDS), 'outcomes', 'moves']);
  const moves = readMoves(within(name, 'moves'), raw.moves, problems);
  const order = { ...readFields(problems, name, pick(raw, HOLD_FIELDS), HOLD_FIELDS), ...(moves && { moves }) };
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
  const raw = problems.object(name, value, [...Object.keys(RELEASE_FIELDS), 'to', 'outcome']);
  const order = readFields(problems, name, pick(raw, RELEASE_FIELDS), RELEASE_FIELDS);
  const { to, outcome } = raw;
  if (outcome === undefined) return { ...order, to: readSide(within(name, 'to'), to, problems) };
  if (to !== undefined) problems.add(within(name, 'to'), 'absent beside an outcome', to);
  const isOutcome = outcome === 'commit' || outcome === 'abort';
  if (!isOutcome) problems.add(within(name, 'outcome'), 'one of commit, abort', outcome);
  return { ...order, outcome: isOutcome ? outcome : 'abort' };
}

export function readRetargetOrder(name: string, value: unknown, problems: Problems): RetargetOrder {
  const { to, epoch, moves } = problems.object(name, value, ['to', 'epoch', 'moves']);
  const isEpoch = epoch === undefined || (Number.isSafeInteger(epoch) && (epoch as number) >= 0);
  if (!isEpoch) problems.add(within(name, 'epoch'), 'an integer of at least 0', epoch);
  const side = readSide(within(name, 'to'), to, problems);
  const asked = readMoves(within(name, 'moves'), moves, problems);
  return {
    to: side,
    ...(isEpoch && epoch !== undefined && { epoch: epoch as number }),
    ...(asked && { moves: asked }),
  };
}

/** Why a retarget cannot be followed now. @param hasStore whether a switch may hold the proxy */
export function findRetargetConflict(now: Hold, { to, epoch }: RetargetOrder, hasStore: boolean): string | undefined {
  if (now.state !== 'none' && now.outcomes) {
    return `the side must stay as it is while a switch holds (epoch ${now.epoch}), got '${to}'`;
  }
  if (!hasStore || epoch === now.epoch) return undefined;
  return `'epoch' must be ${now.epoch}, the highest seen, where a switch may come, got ${epoch ?? 'nothing'}`;
}

/** The others were looked at before. */
function pick(raw: Readonly<Record<string, unknown>>, fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(raw).filter(([key]) => Object.hasOwn(fields, key)));
}

function readMoves(name: string, value: unknown, problems: Problems): Moves | undefined {
  return problems.choice(name, value, { values: MOVES, isOptional: true }) as Moves | undefined;
}

function readSide(name: string, value: unknown, problems: Problems): Side {
  const side = SIDES.find((known) => known === value);
  if (side === undefined) problems.add(name, `one of ${SIDES.join(', ')}`, value);
  return side ?? 'source';
}

function within(name: string, part: string): string {
  return name === '' ? part : `${name}.${part}`;
}
