import { KindCounts, total } from './connections';

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
  /** The order that failed last, how often in a row, and when. */
  readonly failed?: { readonly order: ProtectionOrder; readonly times: number; readonly atMs: number };
}

/** What a look at the proxy finds. */
export interface Glance {
  readonly active: KindCounts;
  /** It neither drains nor shuts down. */
  readonly isServing: boolean;
}

export const UNPROTECTED: TaskProtection = { state: 'off', askedAtMs: 0, neededAtMs: 0 };

/** Short, because a protection that cannot be taken back holds up deployments for this long. */
export const PROTECTION_MINUTES = 15;

const MINUTE_MS = 60_000;
const PROTECTION_MS = PROTECTION_MINUTES * MINUTE_MS;
/** Leaves time for some attempts before the protection ends. */
const RENEW_MS = 10 * MINUTE_MS;
/** Clients come and go; the calls to ECS are few. */
const LINGER_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = MINUTE_MS;

export function longLived(active: KindCounts): number {
  return total(active) - active.http;
}

/** What is to be asked of ECS after another look, if anything. */
export function observeProtection(
  before: TaskProtection,
  seen: Glance,
  nowMs: number,
): { readonly next: TaskProtection; readonly order: ProtectionOrder | undefined } {
  const isNeeded = seen.isServing && longLived(seen.active) > 0;
  const next = isNeeded ? { ...before, neededAtMs: nowMs } : before;
  const order = dueOrder(next, seen.isServing, isNeeded, nowMs);
  return { next, order: order !== undefined && isTooEarly(next, order, nowMs) ? undefined : order };
}

/** An order was followed, or it failed and nobody knows. */
export function settleProtection(
  before: TaskProtection,
  order: ProtectionOrder,
  isDone: boolean,
  nowMs: number,
): TaskProtection {
  const { neededAtMs } = before;
  const askedAtMs = order === 'protect' ? nowMs : before.askedAtMs;
  if (isDone) return { state: order === 'protect' ? 'on' : 'off', askedAtMs, neededAtMs };
  const times = before.failed?.order === order ? before.failed.times + 1 : 1;
  return { state: 'unknown', askedAtMs, neededAtMs, failed: { order, times, atMs: nowMs } };
}

function dueOrder(
  { state, askedAtMs, neededAtMs }: TaskProtection,
  isServing: boolean,
  isNeeded: boolean,
  nowMs: number,
): ProtectionOrder | undefined {
  if (isNeeded) return state === 'on' && nowMs - askedAtMs < RENEW_MS ? undefined : 'protect';
  if (state === 'off' || (isServing && nowMs - neededAtMs < LINGER_MS)) return undefined;
  // Whoever could not be told has forgotten it by itself.
  return nowMs - askedAtMs < PROTECTION_MS ? 'release' : undefined;
}

function isTooEarly({ failed }: TaskProtection, order: ProtectionOrder, nowMs: number): boolean {
  if (failed?.order !== order) return false;
  return nowMs - failed.atMs < Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failed.times - 1));
}
