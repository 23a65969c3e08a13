import { DEFAULT_DRAIN, DrainOrder } from '../../core/proxy/admin-api';
import { eachKind } from '../../core/proxy/connections';
import { CLOSE_HANDSHAKE_SECONDS } from '../../core/proxy/drain';
import type { Clock } from '../process/clock';
import type { ProxyConfig } from '../config/config';

/** A request that was sent before its client knew of the end is here in this time. */
const QUIET_MS = 1_000;
const LOOK_MS = 50;

/** What a shutdown watches before it closes the connections that are left. */
export interface Stillness {
  /** When a request came last, by the clock. */
  lastRequestMs(): number;
  /** Live connections, idle ones aside, and requests that a hold keeps. */
  active(): number;
  /** Connections that a request may come on, idle ones too. */
  clients(): number;
}

/**
 * Resolves when nothing was live and no request came for a short while, or none can come: no client is connected. At `deadlineMs` at the
 * latest.
 */
export async function quiet(still: Stillness, deadlineMs: number, clock: Clock): Promise<void> {
  const beganMs = clock.nowMs();
  for (;;) {
    const nowMs = clock.nowMs();
    const sinceMs = Math.max(beganMs, still.lastRequestMs());
    // What the last requests came to is still being reported then, even if none can come any more.
    const isQuiet = () => nowMs - (still.clients() === 0 ? still.lastRequestMs() : sinceMs) >= QUIET_MS;
    if (nowMs >= deadlineMs || (still.active() === 0 && isQuiet())) return;
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}

/**
 * From the begin of the shutdown's drain until what came in it has to go, too: the process is killed soon after, and a
 * request that came within the grace period has until then.
 */
export function lastSeconds({ gracePeriodSeconds, gracefulShutdownTimeoutSeconds }: ProxyConfig): number {
  return gracePeriodSeconds + Math.max(0, gracefulShutdownTimeoutSeconds - CLOSE_HANDSHAKE_SECONDS);
}

/** From SIGTERM on, until a process has ended, if it does not hang. */
export function longestShutdownMs(config: ProxyConfig): number {
  const { propagationSeconds, gracePeriodSeconds, gracefulShutdownTimeoutSeconds } = config;
  return 1000 * (propagationSeconds + gracePeriodSeconds + gracefulShutdownTimeoutSeconds + CLOSE_HANDSHAKE_SECONDS);
}

/** Every kind has the grace period; what is left is closed as fast as the shutdown timeout asks, and no slower than configured. */
export function shutdownOrder(config: ProxyConfig, active: number): DrainOrder {
  const { gracePeriodSeconds: seconds, gracefulShutdownTimeoutSeconds, closeRatePerSecond } = config;
  const { jitter } = DEFAULT_DRAIN;
  const closingSeconds = Math.max(1, gracefulShutdownTimeoutSeconds - CLOSE_HANDSHAKE_SECONDS);
  const needed = Math.ceil((active * (1 + jitter)) / closingSeconds);
  return {
    perKindSeconds: eachKind(() => seconds),
    closeRatePerSecond: Math.max(closeRatePerSecond, needed),
    jitter,
  };
}
