import { DEFAULT_DRAIN } from '../../../core/proxy/admin-api';
import { completeLimits } from '../../../core/proxy/settings/setting-names';
import type { ProxyConfig } from '../../../proxy/config/config';
import { configShare, drainQuotas, holdShare } from '../../../proxy/workers/quotas';
import { holdOrder } from '../../support/hold-order';

test('the rate of closing is shared out by live connections, and is the order’s together', () => {
  const order = { ...DEFAULT_DRAIN, closeRatePerSecond: 20 };
  const rates = drainQuotas(order, [97, 0, 0]).map(({ closeRatePerSecond }) => closeRatePerSecond);
  expect(rates).toEqual([19.6, 0.2, 0.2]);
  expect(drainQuotas({ ...order, closeRatePerSecond: 1 }, [0, 0]).map((share) => share.closeRatePerSecond)).toEqual([
    0.5, 0.5,
  ]);
});

test('the room for held requests is the order’s together', () => {
  const order = holdOrder({ epoch: 1, leaseMs: 1000, maxWaiting: 8 });
  expect([1, 2, 3].map((worker) => holdShare(order, worker, 3).maxWaiting)).toEqual([3, 3, 2]);
  expect([1, 2, 3].map((worker) => holdShare({ ...order, maxWaiting: 0 }, worker, 3).maxWaiting)).toEqual([0, 0, 0]);
});

const LIMITS = completeLimits();

test('a worker has no admin API, and its part of the limits that all share', () => {
  const config = {
    admin: { at: { host: '127.0.0.1', port: 1 }, keys: ['a-secret-of-a-test'] },
    workers: 4,
    limits: { ...LIMITS, clientConnections: 30_001, upstreamConnections: 2, memoryBytes: 1_000 },
    closeRatePerSecond: 10,
  } as unknown as ProxyConfig;
  const share = configShare(config);
  expect(share).toEqual({
    workers: 1,
    limits: {
      ...LIMITS,
      ...{ clientConnections: 7_501, upstreamConnections: 1, idleUpstreamConnections: 256, waitingRequests: 256 },
      memoryBytes: 250,
    },
    closeRatePerSecond: 2.5,
  });
  expect(JSON.stringify(share)).not.toContain('a-secret');
});
