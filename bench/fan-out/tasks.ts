// A process with many proxy tasks: the real admin server of each, on an address of its own, over a real hold and no traffic.
import { randomUUID } from 'node:crypto';
import { LedgerReport, NO_BYTES } from '../../core/proxy/admin-api';
import { NO_CONNECTIONS, NOTHING_ENDED, eachKind } from '../../core/proxy/connections';
import { Hold, NEVER_HELD, afterLease, hold, holdReport, release, NO_HOLD_FIGURES } from '../../core/proxy/hold';
import { AdminKeys } from '../../proxy/admin-keys/admin-keys';
import { AdminTarget, startAdminServer } from '../../proxy/admin/admin-server';

/** Tells the parent when the first and the last task began to hold, by the wall clock. */
const [, , count = '1', port = '0', key = ''] = process.argv;

export function addressOfTask(index: number): string {
  return `127.9.${Math.floor(index / 250)}.${1 + (index % 250)}`;
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
        requests: { total: 0, responded: 0, errors: 0 },
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
    window: () => Promise.reject(new Error('not asked')),
    probe: () => Promise.reject(new Error(`task ${index} has no upstream`)),
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
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}

if (process.send) void main();
