import { DrainOrder } from './admin-api';
import { CONNECTION_KINDS, ConnectionKind, KIND_FACTS, KindCounts, KindFacts, total } from './connections';

/** After the last paced close a client has this long to respond to it before its socket is destroyed. */
export const CLOSE_HANDSHAKE_SECONDS = 5;

/** The last seconds of a drain: an operator who watches wants to see each of them. */
const LAST_SECONDS = 10;
const LAST_PROGRESS_MS = 1_000;
const PROGRESS_MS = 5_000;

export type DrainVerdict = 'wait' | 'drained' | 'overdue';

/**
 * Whether a drain has ended. `limitMs` is counted from `startedMs`.
 *
 * @returns `drained` at a measured zero, `overdue` when the time limit has passed and something is still live.
 */
export function drainVerdict(
  drain: { active: number; startedMs: number; limitMs: number },
  nowMs: number,
): DrainVerdict {
  if (drain.active === 0) return 'drained';
  return nowMs - drain.startedMs >= drain.limitMs ? 'overdue' : 'wait';
}

/**
 * How long a drain of the connections that are live at its start can take on one task: the longest deadline, the paced
 * closes, the last handshake. One that comes later has its own time; see `ownLimitSeconds`.
 */
export function drainLimitSeconds(order: DrainOrder, active: KindCounts): number {
  const longest = Math.max(...CONNECTION_KINDS.map((kind) => order.perKindSeconds[kind]));
  return longest + closingSeconds(order, active);
}

/** Seconds from the begin of a connection, or of the drain where that is later, until it is gone at the latest. */
export function ownLimitSeconds(order: DrainOrder, kind: ConnectionKind, active: KindCounts): number {
  return order.perKindSeconds[kind] + closingSeconds(order, active);
}

function closingSeconds(order: DrainOrder, active: KindCounts): number {
  return Math.ceil((total(active) * (1 + order.jitter)) / order.closeRatePerSecond) + CLOSE_HANDSHAKE_SECONDS;
}

/**
 * Which connections of a kind are over their time. A deadline belongs to a connection and never to the drain: it counts
 * from the drain's start for those that were there, and from their own begin for all others.
 *
 * @returns in milliseconds: those that came in until then; undefined while it is too early for any
 */
export function overdueSince(order: DrainOrder, kind: ConnectionKind, startedMs: number, nowMs: number) {
  const beganMs = nowMs - order.perKindSeconds[kind] * 1000;
  return beganMs >= startedMs ? beganMs : undefined;
}

/** Milliseconds until the next paced close. `random` is from [0, 1). */
export function nextCloseMs(order: DrainOrder, random: number): number {
  return (1000 / order.closeRatePerSecond) * (1 + order.jitter * random);
}

/** Of the connections that a drain waits for no more: those that it has cut, and those that were moved to the other side. */
export interface Gone {
  readonly forced: number;
  readonly moved: number;
}

/** The line that a draining proxy logs. */
export function drainProgress(active: KindCounts, remainingSeconds: number, moved = 0): string {
  const parts = countLogged(active, 'HTTP', 'WebSocket', 'streaming');
  const remaining = `${Math.max(0, remainingSeconds).toFixed(1)}s remaining`;
  return `Draining connections: ${total(active)} active (${parts}), ${remaining}${moved === 0 ? '' : `, ${moved} moved`}`;
}

/** Milliseconds until the next such line. */
export function nextProgressMs(remainingSeconds: number): number {
  return remainingSeconds <= LAST_SECONDS ? LAST_PROGRESS_MS : PROGRESS_MS;
}

/** The line with which a drain ends. */
export function drainEnd(active: KindCounts, { forced, moved }: Gone): string {
  if (total(active) === 0) {
    const how = forced === 0 ? ' gracefully' : `, ${forced} of them by force`;
    return `All connections drained${how}${moved === 0 ? '' : `, ${moved} moved`}`;
  }
  return `Drain timeout reached with ${total(active)} connections still active (${countLogged(active, 'WebSocket', 'streaming')})`;
}

function countLogged(active: KindCounts, ...words: KindFacts['loggedAs'][]): string {
  const count = (word: string) =>
    CONNECTION_KINDS.reduce((sum, kind) => sum + (KIND_FACTS[kind].loggedAs === word ? active[kind] : 0), 0);
  return words.map((word) => `${count(word)} ${word}`).join(', ');
}
