import { KindCounts, addKinds, total } from './connections';

/** Whether ECS is to spare this task when it scales in or deploys. */
export type ProtectionOrder = 'protect' | 'release';

/** What a proxy knows of its task's scale-in protection. Times are milliseconds of any one clock. */
export interface TaskProtection {
  /** `unknown`: an order failed, and may have been followed all the same. */
  readonly state: 'off' | 'on' | 'unknown';
  /** When the protection was last asked for. */
  readonly askedAtMs: number;
  /** When a long-lived connection was last seen. */
  readonly neededAtMs: number;
  /** When it began to be protected in a row. */
  readonly sinceMs?: number;
  /** When it had been for as long as it may be, and gave way. */
  readonly gaveWayAtMs?: number;
  /** The order that failed last, how often in a row, and when. */
  readonly failed?: { readonly order: ProtectionOrder; readonly times: number; readonly atMs: number };
}

/** What a look at the proxy finds. */
export interface Snapshot {
  readonly active: KindCounts;
  /** It neither drains nor shuts down. */
  readonly isServing: boolean;
}

/**
 * What a task's connections are to its protection. Those that are carried are no traffic of its side, and would be lost with it:
 * they protect it in a drain, too.
 */
export function taskSnapshot(
  { state, active, carried }: { readonly state: string; readonly active: KindCounts; readonly carried: KindCounts },
  isShuttingDown: boolean,
): Snapshot {
  const isServing = state === 'serving';
  return {
    active: isServing ? addKinds(active, carried) : carried,
    isServing: (isServing || total(carried) > 0) && !isShuttingDown,
  };
}

export const UNPROTECTED: TaskProtection = { state: 'off', askedAtMs: 0, neededAtMs: 0 };

/** Short, because a protection that cannot be taken back holds up deployments for this long. */
export const PROTECTION_MINUTES = 15;

/**
 * How long a task protects itself in a row, and then does not. No task knows whether a deployment waits for it, and one that was
 * protected while a client is connected would hold it up forever: CloudFormation gives up after three hours.
 */
export const MAX_PROTECTION_MINUTES = 60;
/** Long enough for the scheduler of ECS, which then stops what has waited. */
export const GIVE_WAY_MINUTES = 5;

const MINUTE_MS = 60_000;
const PROTECTION_MS = PROTECTION_MINUTES * MINUTE_MS;
/** Leaves time for some attempts before the protection ends. */
const RENEW_MS = 10 * MINUTE_MS;
const MAX_MS = MAX_PROTECTION_MINUTES * MINUTE_MS;
const GIVE_WAY_MS = GIVE_WAY_MINUTES * MINUTE_MS;
/** Clients come and go; the calls to ECS are few. */
const LINGER_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = MINUTE_MS;

export function longLived(active: KindCounts): number {
  return total(active) - active.http;
}

/** The same by another clock, which is `ms` ahead. */
export function moveProtectionClock(protection: TaskProtection, ms: number): TaskProtection {
  const { askedAtMs, neededAtMs, sinceMs, gaveWayAtMs, failed } = protection;
  return {
    ...protection,
    askedAtMs: askedAtMs + ms,
    neededAtMs: neededAtMs + ms,
    ...(sinceMs !== undefined && { sinceMs: sinceMs + ms }),
    ...(gaveWayAtMs !== undefined && { gaveWayAtMs: gaveWayAtMs + ms }),
    ...(failed && { failed: { ...failed, atMs: failed.atMs + ms } }),
  };
}

/** What is to be asked of ECS after another look, if anything. */
export function observeProtection(
  before: TaskProtection,
  seen: Snapshot,
  nowMs: number,
): { readonly next: TaskProtection; readonly order: ProtectionOrder | undefined } {
  const current = giveWayInTime(before, nowMs);
  const isWay = givesWay(current, nowMs);
  const isNeeded = seen.isServing && !isWay && longLived(seen.active) > 0;
  const next = isNeeded ? { ...current, neededAtMs: nowMs, sinceMs: current.sinceMs ?? nowMs } : current;
  const order = dueOrder(next, seen.isServing && !isWay, isNeeded, nowMs);
  return { next, order: order !== undefined && isTooEarly(next, order, nowMs) ? undefined : order };
}

/** An order was followed, or it failed without a notice. */
export function settleProtection(
  before: TaskProtection,
  order: ProtectionOrder,
  isDone: boolean,
  nowMs: number,
): TaskProtection {
  const { failed, ...rest } = before;
  const askedAtMs = order === 'protect' ? nowMs : before.askedAtMs;
  if (isDone && order === 'protect') return { ...rest, state: 'on', askedAtMs };
  if (isDone) return { ...rest, state: 'off', sinceMs: undefined };
  const times = failed?.order === order ? failed.times + 1 : 1;
  return { ...rest, state: 'unknown', askedAtMs, failed: { order, times, atMs: nowMs } };
}

function giveWayInTime(before: TaskProtection, nowMs: number): TaskProtection {
  if (before.sinceMs === undefined || nowMs - before.sinceMs < MAX_MS) return before;
  return { ...before, sinceMs: undefined, gaveWayAtMs: nowMs };
}

/** Until it has been without protection for a while: one that could not be taken back ends by itself first. */
function givesWay({ state, askedAtMs, gaveWayAtMs }: TaskProtection, nowMs: number): boolean {
  if (gaveWayAtMs === undefined) return false;
  const isStillProtected = state !== 'off' && gaveWayAtMs >= askedAtMs && nowMs - askedAtMs < PROTECTION_MS;
  return isStillProtected || nowMs - gaveWayAtMs < GIVE_WAY_MS;
}

function dueOrder(
  { state, askedAtMs, neededAtMs }: TaskProtection,
  isServing: boolean,
  isNeeded: boolean,
  nowMs: number,
): ProtectionOrder | undefined {
  if (isNeeded) return state === 'on' && nowMs - askedAtMs < RENEW_MS ? undefined : 'protect';
  if (state === 'off' || (isServing && nowMs - neededAtMs < LINGER_MS)) return undefined;
  // A task that could not be reached has forgotten it by itself.
  return nowMs - askedAtMs < PROTECTION_MS ? 'release' : undefined;
}

function isTooEarly({ failed }: TaskProtection, order: ProtectionOrder, nowMs: number): boolean {
  if (failed?.order !== order) return false;
  return nowMs - failed.atMs < Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (failed.times - 1));
}
