import type { DrainOrder } from '../../core/proxy/admin-api';
import type { HoldOrder, ReleaseOrder } from '../../core/proxy/hold';
import { SHARED_LIMITS } from '../../core/proxy/settings/setting-names';
import type { ProxyConfig } from '../config/config';
import { memoryBudget } from '../process/memory-limit';

/**
 * What one of the workers is started with: no admin API, and its share of what is configured for the whole proxy. A rate
 * may become a fraction, a limit is rounded up.
 */
export function configShare(config: ProxyConfig): ProxyConfig {
  const { workers, limits } = config;
  const shared = SHARED_LIMITS.map((name) => [name, Math.ceil(limits[name] / workers)] as const);
  return {
    ...config,
    admin: undefined,
    workers: 1,
    limits: {
      ...limits,
      ...Object.fromEntries(shared),
      memoryBytes: Math.ceil(memoryBudget(limits.memoryBytes) / workers),
    },
    closeRatePerSecond: config.closeRatePerSecond / workers,
  };
}

/**
 * The order for each of the workers: the rate of closing is shared out by their live connections, so that all are done at
 * about the same time. One without any still has a part, for those that are on their way.
 *
 * @param live connections of each worker
 */
export function drainQuotas(order: DrainOrder, live: readonly number[]): DrainOrder[] {
  const weights = live.map((count) => 1 + count);
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => ({ ...order, closeRatePerSecond: (order.closeRatePerSecond * weight) / sum }));
}

/** The room for waiting requests in even parts; the first workers have one more where it does not divide. */
export function holdShare(order: HoldOrder, worker: number, workers: number): HoldOrder {
  const part = Math.floor(order.maxWaiting / workers);
  const rest = order.maxWaiting % workers;
  return { ...order, maxWaiting: part + (worker <= rest ? 1 : 0) };
}

/** The ramp of a release in even parts, at least one request a second each. */
export function rampShare(order: ReleaseOrder, workers: number): ReleaseOrder {
  const { rampPerSecond = 0 } = order;
  return rampPerSecond === 0 ? order : { ...order, rampPerSecond: Math.max(1, rampPerSecond / workers) };
}
