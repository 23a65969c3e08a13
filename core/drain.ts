import { DrainOrder } from './admin';
import { CONNECTION_KINDS, ConnectionKind, KindCounts, total } from './connections';

/** After the last paced close a client has this long to answer it before its socket is destroyed. */
export const CLOSE_HANDSHAKE_SECONDS = 5;

/** The last seconds of a drain: an operator who watches wants to see each of them. */
const LAST_SECONDS = 10;
const LAST_PROGRESS_MS = 1_000;
const PROGRESS_MS = 5_000;

export type DrainVerdict = 'wait' | 'drained' | 'overdue';

/**
 * Whether a drain is over. `limitMs` is counted from `startedMs`.
 *
 * @returns `drained` at a measured zero, `overdue` when the limit is over and something is still live.
 */
export function drainVerdict(
  drain: { active: number; startedMs: number; limitMs: number },
  nowMs: number,
): DrainVerdict {
  if (drain.active === 0) return 'drained';
  return nowMs - drain.startedMs >= drain.limitMs ? 'overdue' : 'wait';
}

/** How long a drain of these connections on one task can take: the longest deadline, the paced closes, the last handshake. */
export function drainLimitSeconds(order: DrainOrder, active: KindCounts): number {
  const longest = Math.max(...CONNECTION_KINDS.map((kind) => order.perKindSeconds[kind]));
  const closing = Math.ceil((total(active) * (1 + order.jitter)) / order.closeRatePerSecond);
  return longest + closing + CLOSE_HANDSHAKE_SECONDS;
}

/** The kinds whose own time is over, short-lived first: these are closed now. */
export function kindsToClose(order: DrainOrder, elapsedSeconds: number): ConnectionKind[] {
  return CONNECTION_KINDS.filter((kind) => elapsedSeconds >= order.perKindSeconds[kind]);
}

/** Milliseconds until the next paced close. `random` is from [0, 1). */
export function nextCloseMs(order: DrainOrder, random: number): number {
  return (1000 / order.closeRatePerSecond) * (1 + order.jitter * random);
}

/** The line that a draining proxy logs. */
export function drainProgress(active: KindCounts, remainingSeconds: number): string {
  const streaming = active.grpcStream + active.serverSentEvents;
  const parts = `${active.http} HTTP, ${active.websocket} WebSocket, ${streaming} streaming`;
  return `Draining connections: ${total(active)} active (${parts}), ${Math.max(0, remainingSeconds).toFixed(1)}s remaining`;
}

/** Milliseconds until the next such line. */
export function nextProgressMs(remainingSeconds: number): number {
  return remainingSeconds <= LAST_SECONDS ? LAST_PROGRESS_MS : PROGRESS_MS;
}

/** The line with which a drain ends. */
export function drainEnd(active: KindCounts): string {
  if (total(active) === 0) return 'All connections drained gracefully';
  const streaming = active.grpcStream + active.serverSentEvents;
  return `Drain timeout reached with ${total(active)} connections still active (${active.websocket} WebSocket, ${streaming} streaming)`;
}
