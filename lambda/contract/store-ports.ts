import type { StorePlan } from '../../core/plan/state-plan';
import type { ReplicaEntry, ServerState, StorePlace } from '../../core/state/replication';

/** The stores of an application: each a Valkey or a Redis. */
export interface KeyStoresPort {
  /**
   * @param limitMs of the connection, and of each command
   * @throws Error when it does not respond, is too old, or has only some of the keys, as a node of a cluster has
   */
  open(store: StorePlan, limitMs: number): Promise<KeyStore>;
  /** As `open`, of one that may be a replica, and may load what it holds. */
  openServer(store: StorePlan, limitMs: number): Promise<StoreServer>;
}

/** A server with all its databases: its role, and what it replicates. */
export interface StoreServer extends KeyStore {
  readonly place: StorePlace;
  readState(): Promise<ServerState>;
  /** Commands that the user may not call, or that a service has taken away. Nothing is changed. */
  findForbidden(): Promise<string[]>;
  /** It drops what it holds, and follows. */
  replicate(primary: StorePlace, guard: Guard): Promise<void>;
  /** A replica is a primary from then on, with what it holds. */
  promote(guard: Guard): Promise<void>;
  /**
   * A primary and its replica change places, once the replica has everything. It is accepted, and not done, when this
   * responds. Behind `limitMs` the primary goes on.
   */
  failOver(to: ReplicaEntry, limitMs: number, guard: Guard): Promise<void>;
  /** All databases. */
  empty(guard: Guard): Promise<void>;
  /** Names of up to so many keys at random, of types that can be compared. */
  sample(count: number): Promise<readonly KeyName[]>;
}

/** A key as the bytes of it, each a character: keys need not be UTF-8. */
export type KeyName = string;

/** What a key holds, in a form that does not depend on how a server lays it out. */
export interface KeyState {
  readonly digest: string;
  /** Milliseconds since the epoch. Absent of a key that does not expire. */
  readonly expiresAtMs?: number;
}

/** One connection to a database. Each call throws when the store does not respond in time, or forbids it. */
export interface KeyStore {
  /** A page of its keys; the first has the cursor `0`, and what follows the last as well. A key may come twice. */
  scan(cursor: string, pattern: string): Promise<{ readonly cursor: string; readonly keys: readonly KeyName[] }>;
  /** In their order; undefined of a key that is not there. @throws Error of a type that cannot be compared */
  digest(keys: readonly KeyName[]): Promise<(KeyState | undefined)[]>;
  /** How many of them are there. */
  count(keys: readonly KeyName[]): Promise<number>;
  dump(keys: readonly KeyName[]): Promise<DumpedKey[]>;
  /** Each takes the place of what is there. */
  restore(dumped: readonly DumpedKey[], guard: Guard): Promise<void>;
  remove(keys: readonly KeyName[], guard: Guard): Promise<void>;
  readText(key: KeyName): Promise<string | undefined>;
  writeText(key: KeyName, text: string): Promise<void>;
  /** Writes wait until `thaw`, and no longer than this. @returns false where the user may not do it */
  freeze(limitMs: number): Promise<boolean>;
  thaw(): Promise<void>;
  /** Follows which keys change. @returns undefined where the store does not say it, or the user may not ask */
  watch(pattern: string): Promise<KeyWatch | undefined>;
  close(): void;
}

/** Nothing is written but where this key has this text: a call that was late finds a store that serves without it. */
export interface Guard {
  readonly key: KeyName;
  /** Undefined: the key is not there. */
  readonly text: string | undefined;
}

export interface DumpedKey {
  readonly key: KeyName;
  readonly payload: Buffer;
  readonly expiresAtMs?: number;
}

export interface KeyWatch {
  /**
   * The keys that have changed up to now, since the last call. A database that was emptied as a whole names none.
   *
   * @throws Error when some may have been missed
   */
  take(): Promise<ReadonlySet<KeyName>>;
  close(): Promise<void>;
}
