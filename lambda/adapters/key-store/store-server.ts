import { lookup } from 'node:dns/promises';
import type { Redis } from 'iovalkey';
import type { StorePlan } from '../../../core/plan/state-plan';
import type { ReplicaEntry, ServerState, StorePlace } from '../../../core/state/replication';
import type { Guard, KeyName, StoreServer } from '../../contract/store-ports';
import { READERS } from './canonical';
import { ServerInfo, readAddress, readInfo, splitAt } from './connect';
import { ValkeyStore, isForbidden } from './key-store';

/** What a switch calls of both servers, in an order that changes nothing: it is queued, and never executed. */
const NEEDED = [
  ['REPLICAOF', 'NO', 'ONE'],
  ['FAILOVER', 'ABORT'],
  ['FLUSHALL', 'ASYNC'],
] as const;

/** A server as a whole: its role, and all its databases. */
export class ValkeyServer extends ValkeyStore implements StoreServer {
  constructor(
    redis: Redis,
    database: number,
    readonly place: StorePlace,
  ) {
    super(redis, database);
  }

  async readState(): Promise<ServerState> {
    return parseState(await readInfo(this.redis, 'replication', 'keyspace', 'stats'));
  }

  async findForbidden(): Promise<string[]> {
    await this.redis.multi({ pipeline: false });
    const forbidden: string[] = [];
    for (const [name, ...given] of NEEDED) {
      // A replica rejects a write: that is no matter of the user's.
      await this.redis.call(name, ...given).catch((error: unknown) => isForbidden(error) && forbidden.push(name));
    }
    // Where a command could not be queued, all are dropped.
    await this.redis.discard();
    return forbidden;
  }

  replicate({ hosts: [host], port }: StorePlace, guard: Guard): Promise<void> {
    return this.write([['REPLICAOF', host!, String(port)]], guard);
  }

  promote(guard: Guard): Promise<void> {
    return this.write([['REPLICAOF', 'NO', 'ONE']], guard);
  }

  failOver({ host, port }: ReplicaEntry, limitMs: number, guard: Guard): Promise<void> {
    return this.write([['FAILOVER', 'TO', host, String(port), 'TIMEOUT', String(limitMs)]], guard);
  }

  empty(guard: Guard): Promise<void> {
    return this.write([['FLUSHALL', 'ASYNC']], guard);
  }

  async sample(count: number): Promise<KeyName[]> {
    const found = await this.all(Array.from({ length: count }, () => ['RANDOMKEY']));
    const keys = [...new Set(found.flatMap((key) => (Buffer.isBuffer(key) ? [key.toString('latin1')] : [])))];
    const types = await this.all(keys.map((key) => ['TYPE', Buffer.from(key, 'latin1')]));
    return keys.filter((_, at) => READERS[String(types[at])] !== undefined);
  }
}

/** Where other servers find it: REPLICAOF gets the host of the URL, and servers list each other by their addresses. */
export async function findHosts(store: StorePlan): Promise<StorePlace> {
  const { host, port } = readAddress(store);
  const found = await lookup(host, { all: true }).catch(() => []);
  return { hosts: [host, ...found.map(({ address }) => address)], port };
}

function parseState(info: ServerInfo): ServerState {
  const isReplica = info.get('role') === 'slave';
  const number = (name: string) => Number(info.get(name) ?? '0');
  return {
    role: isReplica ? 'replica' : 'primary',
    ...(isReplica && { primary: { host: info.get('master_host') ?? '', port: number('master_port') } }),
    replicationId: info.get('master_replid') ?? '',
    offset: number(isReplica ? 'slave_repl_offset' : 'master_repl_offset'),
    isLinkUp: info.get('master_link_status') === 'up',
    isSyncing: info.get('master_sync_in_progress') === '1',
    isReadOnly: info.get('slave_read_only') !== '0',
    isFailingOver: !['no-failover', undefined].includes(info.get('master_failover_state')),
    replicas: listLines(info, /^slave\d+$/).map(([, entry]) => parseReplica(entry)),
    receivedBytes: number('total_net_repl_input_bytes'),
    keys: Object.fromEntries(listLines(info, /^db\d+$/).map(([name, { keys }]) => [name, Number(keys)])),
  };
}

/** Lines such as `db0:keys=1,expires=0`. */
function listLines(info: ServerInfo, name: RegExp): [string, Readonly<Record<string, string>>][] {
  return [...info].flatMap(([key, value]) =>
    name.test(key) ? [[key, Object.fromEntries(value.split(',').map((each) => splitAt(each, '=')))]] : [],
  );
}

function parseReplica({ ip = '', port, offset, state }: Readonly<Record<string, string>>): ReplicaEntry {
  return { host: ip, port: Number(port), offset: Number(offset), isOnline: state === 'online' };
}
