/** How one server is found by others. */
export interface StorePlace {
  /** The host of its URL first, then its addresses. */
  readonly hosts: readonly string[];
  readonly port: number;
}

/** A replica as its primary lists it. */
export interface ReplicaEntry {
  readonly host: string;
  readonly port: number;
  /** Bytes of the stream that it has acknowledged, which it does once a second. */
  readonly offset: number;
  readonly isOnline: boolean;
}

/** A Valkey or Redis, as far as replication goes. */
export interface ServerState {
  readonly role: 'primary' | 'replica';
  /** Whom a replica follows. */
  readonly primary?: { readonly host: string; readonly port: number };
  /** A primary and its replicas have the same. */
  readonly replicationId: string;
  /** Bytes of the stream that were written, and at a replica applied. */
  readonly offset: number;
  readonly isLinkUp: boolean;
  readonly isSyncing: boolean;
  /** Whether clients cannot write to it while it is a replica. */
  readonly isReadOnly: boolean;
  /** Whether it is giving up its place. */
  readonly isFailingOver: boolean;
  readonly replicas: readonly ReplicaEntry[];
  /** Since it was started, as a replica. */
  readonly receivedBytes: number;
  /** How many keys each database has that has any. */
  readonly keys: Readonly<Record<string, number>>;
}

export function countKeys({ keys }: ServerState): number {
  return Object.values(keys).reduce((sum, count) => sum + count, 0);
}

/** Whether a server replicates another one, whether or not it reaches it. */
export function follows(replica: ServerState, primary: ServerState, { hosts, port }: StorePlace): boolean {
  const at = replica.primary;
  if (replica.role !== 'replica' || !at) return false;
  if (at.port === port && hosts.includes(at.host)) return true;
  // Behind a failover it has the address that the primary was listed by.
  return replica.isLinkUp && replica.replicationId === primary.replicationId;
}

/** A replica in the list of its primary, for FAILOVER: it may be listed by another address where it is the only one. */
export function findReplica(primary: ServerState, place: StorePlace): ReplicaEntry | undefined {
  const { replicas } = primary;
  return findListed(primary, place) ?? (replicas.length === 1 ? replicas[0] : undefined);
}

/** A replica that has logged in, and may wait for its first copy. */
export function findListed({ replicas }: ServerState, { hosts, port }: StorePlace): ReplicaEntry | undefined {
  return replicas.find((each) => each.port === port && hosts.includes(each.host));
}

/** @returns what a replica lacks that is to take the place of its primary; undefined when it has all */
export function findLag(primary: ServerState, replica: ServerState, writtenBytes: number): string | undefined {
  if (primary.role !== 'primary') return 'a store that is left and is no primary any more';
  if (replica.role !== 'replica') return 'a store that replicates no more';
  if (!replica.isLinkUp) return 'a link that is down';
  if (replica.replicationId !== primary.replicationId) return 'a replica of another history';
  return replica.offset >= writtenBytes ? undefined : `${replica.offset} of ${writtenBytes} bytes`;
}

/** @returns how the counts of both sides differ, which hold the same when they agree */
export function compareCounts(one: ServerState, other: ServerState): string | undefined {
  const names = [...new Set([...Object.keys(one.keys), ...Object.keys(other.keys)])].sort();
  const differing = names.find((name) => (one.keys[name] ?? 0) !== (other.keys[name] ?? 0));
  if (differing === undefined) return undefined;
  return `${one.keys[differing] ?? 0} and ${other.keys[differing] ?? 0} keys in ${differing}`;
}

/** What is next for the side that a switch has decided for. */
export type Promotion =
  | { readonly kind: 'done' | 'wait' | 'promote' }
  | { readonly kind: 'failOver'; readonly replica: ReplicaEntry }
  | { readonly kind: 'refuse'; readonly got: string };

export interface PromotionView {
  /** Undefined: it does not respond. */
  readonly from: ServerState | undefined;
  readonly to: ServerState;
  /** Of the side that was decided for. */
  readonly place: StorePlace;
  /** From 1 on. */
  readonly attempt: number;
  readonly isLast: boolean;
  /** Whether the mark of this switch is at that side. */
  readonly isMarked: boolean;
}

/**
 * The decision is a commit, and that side had all that was written when it was made: it becomes a primary, whatever has become of the other
 * one. First by FAILOVER, which carries along what was written since, and leaves no two primaries. Where that cannot be, by itself.
 */
export function nextPromotion({ from, to, place, attempt, isLast, isMarked }: PromotionView): Promotion {
  if (to.role === 'primary') {
    if (isMarked || from?.role !== 'primary') return { kind: 'done' };
    // It was discarded, or never followed: what it holds is not known.
    return { kind: 'refuse', got: 'a primary that is not of this switch' };
  }
  if (isLast) return { kind: 'promote' };
  if (from?.isFailingOver) return { kind: 'wait' };
  // It is dead, or each follows the other: a failover ended in the middle.
  if (from?.role !== 'primary') return { kind: attempt > 1 ? 'promote' : 'wait' };
  const replica = findReplica(from, place);
  return replica ? { kind: 'failOver', replica } : { kind: 'wait' };
}
