import { KindCounts, total } from '../../core/proxy/connections';
import type { Side } from '../../core/traffic/weights';
import type { DrainState } from './drain';
import type { Response, DataPlane } from '../data-plane/contract/data-plane';

export interface HealthOptions {
  readonly side: Side;
  readonly state: () => DrainState;
  readonly active: () => KindCounts;
  /** Those whose backend is the other side's. */
  readonly carried: () => KindCounts;
  readonly memory: () => Pick<DataPlane['memory'], 'heldBytes' | 'budgetBytes'>;
  readonly sessionStore?: { readonly isConnected: boolean };
  readonly isSessionStoreRequired?: boolean;
}

/**
 * The response to the target group's health check. Its status is 200 while draining, too: a side that was drained must be
 * able to take all traffic again at once when a cutover is rolled back. And it is 200 while the session store is away,
 * unless asked otherwise: every proxy of both sides has the same store, and to replace them all would cut every
 * connection and bring no store back.
 */
export class Health {
  private cpu = process.cpuUsage();
  private lookedMs = performance.now();

  constructor(private readonly options: HealthOptions) {}

  /** @param isForwarded whether it was asked by a client, through a load balancer: then it says only how it is */
  respond(isForwarded: boolean): Response {
    const { side, state, active, carried, memory, sessionStore, isSessionStoreRequired } = this.options;
    const isAway = sessionStore?.isConnected === false && isSessionStoreRequired === true;
    const status = isAway ? 'unhealthy' : state() === 'serving' ? 'ok' : 'draining';
    const body = isForwarded
      ? { status }
      : {
          status,
          side,
          connections: active(),
          ...(total(carried()) > 0 && { carried: carried() }),
          memory_usage: process.memoryUsage.rss(),
          memory_held: memory().heldBytes,
          memory_budget: memory().budgetBytes,
          cpu_usage: this.cpuUsage(),
          ...(sessionStore && { redis_connected: sessionStore.isConnected }),
        };
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    return { status: isAway ? 503 : 200, headers, body: `${JSON.stringify(body)}\n` };
  }

  /** The share of one core since the last call. */
  private cpuUsage(): number {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage(this.cpu);
    const share = (user + system) / 1000 / Math.max(1, nowMs - this.lookedMs);
    this.cpu = process.cpuUsage();
    this.lookedMs = nowMs;
    return Math.round(share * 1000) / 1000;
  }
}
