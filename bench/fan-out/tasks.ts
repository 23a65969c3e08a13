// A process with many proxy tasks: the real admin server of each, on an address of its own, over a real hold and no traffic.
import { randomUUID } from 'node:crypto';
import { LedgerReport, NO_BYTES } from '../../core/proxy/admin-api';
import { NO_CONNECTIONS, NOTHING_ENDED, eachKind } from '../../core/proxy/connections';
import { Hold, NEVER_HELD, afterLease, hold, holdReport, release, NO_HOLD_FIGURES } from '../../core/proxy/hold';
import { AdminKeys } from '../../proxy/admin-keys/admin-keys';
import { AdminTarget, startAdminServer } from '../../proxy/admin/admin-server';
import { RecentTraffic } from '../../proxy/telemetry/recent-traffic';

/** Tells the parent when the first and the last task began to hold, by the wall clock. */
const [, , count = '1', port = '0', key = ''] = process.argv;

export function addressOfTask(index: number): string {
  return `127.9.${Math.floor(index / 250)}.${1 + (index % 250)}`;
}

/** What all tasks say that they did, so that a thousand of them need no memory of their own: 20 requests a second. */
const traffic = new RecentTraffic(Date.now() - performance.now(), performance.now());
const PATHS = ['/cart/7', '/checkout', '/product/12', '/search?q=x', '/'];

function serve(): void {
  for (let index = 0; index < 10; index += 1) {
    const nowMs = performance.now();
    const taken = traffic.take(PATHS[index % PATHS.length]!, undefined, undefined, nowMs);
    traffic.responded(taken, 5 * 1.4 ** (index * 2), nowMs);
  }
}

function startTask(index: number, held: (atMs: number) => void): AdminTarget {
  const identity = randomUUID();
  let current: Hold = NEVER_HELD;
  const now = () => performance.now();
  const report = (): LedgerReport => {
    current = afterLease(current, now());
    return {
      ...{ identity, instance: identity, state: 'serving', drainRemainingSeconds: 0, drainForced: 0 },
      ...{
        active: NO_CONNECTIONS,
        ended: NOTHING_ENDED,
        bytes: NO_BYTES,
        oldestSeconds: eachKind(() => 0),
        longestRequestMs: 0,
      },
      ...{
        requests: { total: 123_456_789 + index, responded: 123_456_700, errors: 12_345 },
        abandoned: { total: 0 },
        upstream: 'source',
        holds: NO_HOLD_FIGURES,
        fastPath: 'on',
      },
      hold: holdReport(current, 0, now()),
    };
  };
  const follow = (result: ReturnType<typeof hold>): string | undefined => {
    if ('conflict' in result) return result.conflict;
    if (current.state === 'none' && result.next.state === 'holding') held(Date.now());
    current = result.next;
    return undefined;
  };
  const nothing = () => undefined;
  return {
    identity,
    report,
    rejection: nothing,
    ...{ drain: nothing, undrain: nothing, retarget: nothing },
    hold: (order) => follow(hold(current, order, now())),
    release: (order) => follow(release(current, order, now())),
    window: (order) => traffic.report(order, now()),
    probe: () => Promise.reject(new Error(`task ${index} has no upstream`)),
    connections: () => ({ connections: [] }),
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: () => Promise.reject(new Error(`task ${index} has no upstream`)),
    metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
  };
}

async function main(): Promise<void> {
  let [firstMs, lastMs] = [Number.POSITIVE_INFINITY, 0];
  const held = (atMs: number) => {
    firstMs = Math.min(firstMs, atMs);
    lastMs = Math.max(lastMs, atMs);
  };
  const keys = new AdminKeys([key]);
  for (let index = 0; index < Number(count); index += 1) {
    await startAdminServer({ host: addressOfTask(index), port: Number(port) }, keys, startTask(index, held));
  }
  process.on('message', () => {
    process.send?.({ skewMs: Math.max(0, lastMs - firstMs) });
    [firstMs, lastMs] = [Number.POSITIVE_INFINITY, 0];
  });
  setInterval(serve, 500).unref();
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}

if (process.send) void main();
