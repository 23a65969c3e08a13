import type { ValkeyPlan } from '../../core/plan/state-plan';
import { ServerState, countKeys, findReplica, follows } from '../../core/state/replication';
import { SIDES, Side } from '../../core/traffic/weights';
import type { Guard, KeyStoresPort, StoreServer } from '../contract/store-ports';
import { settle } from '../contract/settle';
import { MARKER } from './stores';

/** One way, and who goes it. */
export interface ReplicaWay {
  readonly from: Side;
  readonly to: Side;
  readonly execution: string;
}

export interface Servers {
  readonly from: StoreServer;
  readonly to: StoreServer;
  close(): void;
}

export async function openServers(
  plan: ValkeyPlan,
  { from, to }: Pick<ReplicaWay, 'from' | 'to'>,
  port: KeyStoresPort,
  limitMs: number,
): Promise<Servers> {
  const opened = await openEach(plan, port, limitMs);
  const close = () => SIDES.forEach((side) => opened[side].server?.close());
  const failed = SIDES.find((side) => opened[side].server === undefined);
  if (failed === undefined) return { from: opened[from].server!, to: opened[to].server!, close };
  close();
  throw new Error(opened[failed].problem);
}

interface Opened {
  readonly server?: StoreServer;
  readonly problem?: string;
}

/** One of both may be dead. */
export async function openEach(plan: ValkeyPlan, port: KeyStoresPort, limitMs: number): Promise<Record<Side, Opened>> {
  const open = async (side: Side): Promise<Opened> => {
    const opened = await settle(() => port.openServer(plan[side], limitMs));
    return 'value' in opened ? { server: opened.value } : opened;
  };
  const [source, target] = await Promise.all([open('source'), open('target')]);
  return { source, target };
}

/**
 * The mark of a switch that replicates, under the key of a copy: written at the primary, so that its replica has it too. Commands that change roles
 * are executed only where it is: a call that was late finds another one.
 *
 * `emptied`: the replica is emptied behind an abort. `kept`: it was a replica before, and goes on as one.
 */
const MARK = /^replicate:(source|target):(kept|emptied):([0-9]+):(.*)$/s;

interface Mark {
  readonly to: Side;
  readonly mode: 'kept' | 'emptied';
  /** Of the copy: two in a row have two marks. */
  readonly attempt: number;
  readonly execution: string;
}

function parseMark(text: string | undefined): Mark | undefined {
  const found = MARK.exec(text ?? '');
  if (!found) return undefined;
  const [, to, mode, attempt, execution = ''] = found;
  return { to: to as Side, mode: mode as Mark['mode'], attempt: Number(attempt), execution };
}

const formatMark = ({ to, mode, attempt, execution }: Mark) => `replicate:${to}:${mode}:${attempt}:${execution}`;

export const buildGuard = (text: string | undefined): Guard => ({ key: MARKER, text });

/** What both hold, without the mark. */
export function countReplicated(state: ServerState): number {
  return Math.max(0, countKeys(state) - 1);
}

/** @returns the guard of a promotion; undefined where the store has the mark of the other way */
export async function findPromotionGuard(store: StoreServer, to: Side): Promise<Guard | undefined> {
  const text = await store.readText(MARKER);
  return text === undefined || parseMark(text)?.to === to ? buildGuard(text) : undefined;
}

/** @returns the rules that two stores break of which one shall replicate the other. Nothing is written. */
export async function findObstacles({ from, to }: Servers, way: Pick<ReplicaWay, 'from' | 'to'>, isBack: boolean) {
  const [left, next] = await Promise.all([from.readState(), to.readState()]);
  const found: string[] = [];
  if (left.role !== 'primary') found.push(`the store of the ${way.from} must be a primary, got a replica`);
  const isReplica = follows(next, left, from.place);
  const rule = `the store of the ${way.to} must be a primary without keys, or replicate that of the ${way.from}`;
  if (next.role === 'replica' && !isReplica)
    found.push(`${rule}, got a replica of ${next.primary?.host}:${next.primary?.port}`);
  const hasOwn = next.role === 'primary' && !isBack && countKeys(next) > 0;
  if (hasOwn && (await to.readText(MARKER)) === undefined) found.push(`${rule}, got ${countKeys(next)} keys`);
  for (const [side, store] of [[way.from, from] as const, [way.to, to] as const]) {
    const forbidden = await store.findForbidden();
    if (forbidden.length === 0) continue;
    found.push(
      `the store of the ${side} must allow ${forbidden.join(', ')}, got a user or a service that may not: method 'copy' needs none of them`,
    );
  }
  return found;
}

/**
 * Before the store of the side that comes replicates the other one. What is left of an earlier copy is dropped.
 *
 * @param isBack whether it may have keys of its own: behind a commit the other side has what counts
 */
export async function claimReplica(
  { from, to }: Servers,
  way: ReplicaWay & { readonly attempt: number },
  isBack: boolean,
): Promise<void> {
  // Behind a commit, writes to the store that was left wait.
  await to.thaw();
  const [obstacle] = await findObstacles({ from, to, close: () => undefined }, way, isBack);
  if (obstacle !== undefined) throw new Error(obstacle);
  const before = parseMark(await from.readText(MARKER));
  const [left, next] = await Promise.all([from.readState(), to.readState()]);
  const isReplica = follows(next, left, from.place);
  const mode = before?.to === way.to ? before.mode : isReplica || isBack ? 'kept' : 'emptied';
  const text = formatMark({ ...way, mode });
  await from.writeText(MARKER, text);
  if (isReplica) return;
  await to.writeText(MARKER, text);
  await to.replicate(from.place, buildGuard(text));
}

/** @returns why a replica may not take the place of its primary yet; undefined when it may */
export function findUnready(left: ServerState, next: ServerState, servers: Servers): string | undefined {
  if (left.role !== 'primary') return 'a store that is left and is no primary any more';
  if (!follows(next, left, servers.from.place)) return 'a store that does not replicate it';
  if (next.isSyncing) return 'a first copy that is under way';
  if (!next.isLinkUp) return 'a link that is down';
  const listed = findReplica(left, servers.to.place);
  if (!listed) {
    const shown = left.replicas.map(({ host, port }) => `${host}:${port}`).join(', ') || 'none';
    return `a primary that lists other replicas: ${shown} (see replica-announce-ip and replica-announce-port)`;
  }
  return listed.isOnline ? undefined : 'a replica that is not online yet';
}

/**
 * Behind an abort: the store of the side that was not switched to is as it was, an empty primary or a replica.
 *
 * @returns what is left
 */
export async function discardReplica({ from, to }: Partial<Servers>, way: ReplicaWay): Promise<string | undefined> {
  const text = await (from ?? to)?.readText(MARKER);
  const mark = parseMark(text);
  if (mark?.to !== way.to || mark.execution !== way.execution) return undefined;
  const guard = buildGuard(text);
  if (mark.mode === 'emptied') {
    if (!to) return `the store of the ${way.to} may replicate that of the ${way.from} still`;
    await releaseReplica(to, guard);
  }
  if (!from) return `the store of the ${way.from} may have the key '${MARKER}' still`;
  await from.remove([MARKER], guard);
  return undefined;
}

async function releaseReplica(to: StoreServer, guard: Guard): Promise<void> {
  const state = await to.readState();
  if (state.role === 'replica') await to.promote(guard);
  // A server that was restarted meanwhile has nothing of it.
  else if ((await to.readText(MARKER)) !== guard.text) return;
  await to.empty(guard);
}
