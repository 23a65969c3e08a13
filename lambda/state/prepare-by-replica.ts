import { findDirection } from '../../core/plan/direction';
import type { CutoverRun } from '../../core/cutover/run';
import type { StatePlan, ValkeyPlan } from '../../core/plan/state-plan';
import type { StatePreparation } from '../../core/state/preparation';
import { ServerState, findListed } from '../../core/state/replication';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import type { Prepared } from './prepared';
import { Servers, claimReplica, countReplicated, findUnready, openServers } from './replicas';

interface Asked {
  readonly run: CutoverRun;
  readonly plan: StatePlan & { readonly valkey: ValkeyPlan };
  readonly preparation: StatePreparation;
  readonly waitMs: number;
}

/** Of a connection, and of a command. */
const STORE_MS = 10_000;
const LOOK_MS = 100;
/** A replica tries to connect once a second. */
const LINK_MS = 12_000;

/**
 * The store of the side that comes replicates the other one from here on; the next call finds how far it is. Both servers go on with
 * it between two calls.
 */
export async function prepareByReplica(asked: Asked, ports: Ports): Promise<Prepared> {
  const { plan, preparation } = asked;
  const opened = await settle(() => openServers(plan.valkey, preparation, ports.stores, STORE_MS));
  if ('problem' in opened) return { kind: 'failed', preparation, why: opened.problem };
  const servers = opened.value;
  try {
    const claimed = await settle(() => claim(asked, servers));
    if ('problem' in claimed) return { kind: 'failed', preparation, why: claimed.problem };
    return await follow(asked, claimed.value, servers, ports);
  } finally {
    servers.close();
  }
}

/** `cursor`: how many bytes it had received before. */
async function claim({ run, preparation }: Asked, servers: Servers): Promise<StatePreparation> {
  const before = await servers.to.readState();
  // Also of one that was restarted meanwhile, and follows no more.
  if (preparation.starts > 0 && preparation.cursor !== undefined && before.role === 'replica') return preparation;
  const isBack = preparation.to !== findDirection(run.plan).to;
  await claimReplica(servers, { ...preparation, execution: run.execution }, isBack);
  return { ...preparation, starts: preparation.starts + 1, cursor: String(before.receivedBytes) };
}

async function follow(
  { plan, waitMs }: Asked,
  started: StatePreparation,
  servers: Servers,
  ports: Ports,
): Promise<Prepared> {
  const beganMs = ports.now();
  let linkedMs = beganMs;
  let preparation = started;
  for (;;) {
    const read = await settle(() => Promise.all([servers.from.readState(), servers.to.readState()]));
    if ('problem' in read) return { kind: 'failed', preparation, why: read.problem };
    const [left, next] = read.value;
    const nowMs = ports.now();
    const why = findUnready(left, next, servers);
    preparation = note(preparation, next, nowMs, why);
    if (preparation.bytes > plan.maxBytes) {
      const rule = `at most ${plan.maxBytes} bytes may be copied, got ${preparation.bytes}`;
      return { kind: 'failed', preparation, why: rule };
    }
    if (why === undefined) return findReady(preparation, next);
    if (isConnected(left, next, servers)) linkedMs = nowMs;
    if (nowMs - linkedMs >= LINK_MS) return { kind: 'failed', preparation, why: describeDown(preparation) };
    if (nowMs - beganMs >= waitMs) return { kind: 'copying', preparation };
    await ports.pause(LOOK_MS);
  }
}

/** One that may not log in tries again and again, and seems to copy for a moment. */
function isConnected(left: ServerState, next: ServerState, { to }: Servers): boolean {
  if (next.isLinkUp || findListed(left, to.place)) return true;
  return next.isSyncing && left.replicas.length > 0;
}

function note(before: StatePreparation, next: ServerState, nowMs: number, why?: string): StatePreparation {
  const bytes = Math.max(before.bytes, next.receivedBytes - Number(before.cursor ?? 0));
  const tookMs = Math.max(0, nowMs - Date.parse(before.startedAt));
  if (why !== undefined) return { ...before, bytes, tookMs, isReady: false, why };
  const ready: { -readonly [K in keyof StatePreparation]: StatePreparation[K] } = {
    ...before,
    bytes,
    tookMs,
    isReady: true,
  };
  delete ready.why;
  return ready;
}

/** One that clients can write to would not hold the same. */
function findReady(preparation: StatePreparation, next: ServerState): Prepared {
  if (next.isReadOnly) return { kind: 'ready', preparation: { ...preparation, keys: countReplicated(next) } };
  const why = `the store of the ${preparation.to} must have 'replica-read-only yes', got no`;
  return { kind: 'failed', preparation: { ...preparation, isReady: false }, why };
}

function describeDown({ from, to }: StatePreparation): string {
  const rule = `the store of the ${to} must reach that of the ${from} as its replica within ${LINK_MS / 1000} s`;
  return `${rule}, got a link that is down: its log says why; it logs in by its settings masteruser and masterauth, and uses TLS where tls-replication is set`;
}
