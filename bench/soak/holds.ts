import { pause } from '../processes/ports';
import type { ClientSetup } from './clients/client';
import { ClientConnection, findOutcome } from './clients/connection';
import { getText, isPattern } from './clients/exchanges';
import { formatPath } from './account/faults';
import { waits } from './upstream/outages';
import type { SoakedProxy } from './proxy/proxy';

const PROBES = 4;
const PROBE_BYTES = 1000;
/** Room for every client and then some, and for hardly any. */
const ROOMY = 100_000;
const NARROW = 3;
const SHORT_LEASE_MS = 600;
const LONG_LEASE_MS = 30_000;
/** Clocks of two processes and their timers. */
const EARLY_MS = 5;

/** When a hold ends; unknown while it lasts. */
interface Hold {
  endsMs: number;
}

/** Holds that are released, to either side, or run out, or have hardly any room, one after the other until `signal`. */
export async function holdNowAndThen(proxy: SoakedProxy, cloud: ClientSetup, signal: AbortSignal): Promise<void> {
  while (await waits(cloud.chance.between(800, 3000), signal)) {
    try {
      await holdOnce(proxy, cloud);
    } catch (error) {
      if (!proxy.child.isRunning()) return;
      cloud.account.breach((error as Error).message);
    }
  }
}

async function holdOnce({ admin }: SoakedProxy, cloud: ClientSetup): Promise<void> {
  const { account, chance, nextId } = cloud;
  const way = chance.of(['released', 'released', 'runs out', 'has hardly any room'] as const);
  const order = {
    epoch: nextId(),
    leaseMs: way === 'runs out' ? SHORT_LEASE_MS : LONG_LEASE_MS,
    maxWaiting: way === 'has hardly any room' ? NARROW : ROOMY,
  };
  const noMore = way === 'has hardly any room' ? account.excuse(['retryLater', 'unserved'], 0) : () => undefined;
  const hold: Hold = { endsMs: way === 'runs out' ? performance.now() + SHORT_LEASE_MS : Number.POSITIVE_INFINITY };
  await admin.hold(order);
  const probes = Array.from({ length: PROBES }, () => probe(cloud, hold));
  if (way !== 'runs out') {
    await pause(chance.between(100, 1500));
    hold.endsMs = performance.now();
    await admin.release({ epoch: order.epoch, to: chance.of(['source', 'target'] as const) });
  }
  noMore();
  await Promise.all(probes);
  account.count(`hold that ${way === 'released' ? 'is released' : way}`);
}

/** A request that comes in a hold: it may be rejected for want of room, but not served before the hold's end. */
async function probe(cloud: ClientSetup, hold: Hold): Promise<void> {
  const { account, door, nextId } = cloud;
  const id = nextId();
  const sentMs = performance.now();
  const connection = new ClientConnection(door);
  connection.send(getText(formatPath.get(id, PROBE_BYTES)));
  const responded = await connection.respond();
  const outcome = findOutcome(responded, isPattern(id, PROBE_BYTES));
  account.settle('GET in a hold', outcome, ['right'], sentMs);
  const earlyMs = hold.endsMs - performance.now();
  if (earlyMs > EARLY_MS && 'reply' in responded && outcome !== 'retryLater')
    account.breach(`GET in a hold must wait for its end, got a response (${outcome}) before it`);
  connection.close();
}
