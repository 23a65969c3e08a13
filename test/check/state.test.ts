import { once } from 'node:events';
import { AddressInfo, Server, connect, createServer } from 'node:net';
import tls from 'node:tls';
import { Redis } from 'iovalkey';
import { generate } from 'selfsigned';
import { StatePlan, checkState, liveAt } from '../../check/state';
import { Store, StoreAddress } from '../../check/store';
import { KeyPattern } from '../../core/check/key-pattern';
import { hasRedisServer, startRedisServer } from '../support/redis-server';
import { goOn, quiet, serve, stopServers, targetFor } from './servers';

const testWithStore = hasRedisServer('check state') ? test : test.skip;

let path: string;
let redis: Redis;
let stop: (() => Promise<void>) | undefined;
const fronts: Server[] = [];

/** @returns a store of its own with these keys */
async function store(keys: Readonly<Record<string, string>>): Promise<void> {
  const server = await startRedisServer();
  ({ path, stop } = server);
  redis = new Redis({ path });
  if (Object.keys(keys).length > 0) await redis.mset(keys);
}

afterEach(async () => {
  if (stop) await redis.quit();
  await Promise.all(fronts.splice(0).map((front) => new Promise((done) => front.close(done))));
  await stopServers();
  await stop?.();
  stop = undefined;
});

const address = (more: Partial<StoreAddress> = {}): StoreAddress => ({
  ...{ url: new URL(`unix:${path}`), database: 0, insecure: false, timeoutMs: 60_000 },
  ...more,
});
const STATE: KeyPattern = { prefix: 'state:', suffix: '' };
const CONNECTION: KeyPattern = { prefix: 'connection:', suffix: '' };
const PLAN: StatePlan = { stateKeys: STATE, connectionKeys: CONNECTION, compares: 'ids', settleMs: 0 };

async function check(more: Partial<StatePlan> = {}, at: Partial<StoreAddress> = {}) {
  const opened = await Store.open(address(at));
  try {
    return await checkState(opened, { ...PLAN, ...more }, goOn(), quiet());
  } finally {
    opened.close();
  }
}

/** A port of TCP before the store, with TLS where a certificate is given. */
async function front(pem?: { readonly key: string; readonly cert: string }): Promise<number> {
  const pass = (socket: NodeJS.ReadWriteStream & { destroy(): void }) => {
    const upstream = connect(path);
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) end.on('error', () => [socket, upstream].forEach((each) => each.destroy()));
  };
  const server = pem ? tls.createServer(pem, pass) : createServer(pass);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  fronts.push(server);
  return (server.address() as AddressInfo).port;
}

testWithStore('compares many keys with the lists of several servers, page by page', async () => {
  const ids = Array.from({ length: 2_500 }, (_, at) => `c${at}`);
  const servers = ids.map((id, at) => [`connection:${id}`, `server-${at % 2}`] as const);
  await store({
    ...Object.fromEntries(servers),
    ...Object.fromEntries(ids.map((id) => [`state:${id}`, '{}'])),
    other: '1',
  });
  await redis.hset('connection:hash', 'server', 'a');
  await redis.set('connection:gone', 'server-0');
  const asked: string[] = [];
  const port = await serve({
    onRequest: (request, response) => {
      asked.push(request.url!);
      const url = new URL(request.url!, 'http://localhost');
      const from = Number(url.searchParams.get('after') ?? 0);
      const all = url.pathname === '/one' ? ids.slice(0, 1_500) : [...ids.slice(1_499), 'hash', 'new'];
      const next = from + 1_000 < all.length ? { next: String(from + 1_000) } : {};
      response.end(JSON.stringify({ connections: all.slice(from, from + 1_000).map((id) => ({ id })), ...next }));
    },
  });
  const targets = ['one?a=b', 'two'].map((name) => targetFor(`http://127.0.0.1:${port}/${name}`));
  const { findings, figures } = await check({ readLive: liveAt(targets, { path: ['id'] }) });
  expect(figures).toEqual({
    ...{ stateKeys: 2_500, connectionKeys: 2_502, liveConnections: 2_503 },
    servers: [
      { server: 'server-0', connections: 1_251 },
      { server: 'server-1', connections: 1_250 },
    ],
  });
  expect(findings).toEqual({
    orphans: { count: 1, ids: ['gone'] },
    missing: { count: 1, ids: ['new'] },
    doubled: { count: 1, ids: ['c1499'] },
    stateWithoutConnection: { count: 0, ids: [] },
    connectionWithoutState: { count: 2, ids: ['hash', 'new'] },
  });
  expect(asked.sort()).toEqual(['/one?a=b', '/one?a=b&after=1000', '/two', '/two?after=1000']);
});

testWithStore('what is set right between two readings is not wrong, and what stays wrong is', async () => {
  await store({ 'connection:a': 's', 'connection:b': 's' });
  let calls = 0;
  const readLive = async () => {
    calls += 1;
    if (calls > 1) return ['c'];
    await redis.del('connection:a');
    // Only the second reading has it.
    await redis.set('connection:late', 's');
    return ['c'];
  };
  const { findings } = await check({ readLive, settleMs: 1 });
  expect(findings).toMatchObject({ orphans: { count: 1, ids: ['b'] }, missing: { count: 1, ids: ['c'] } });
  expect(calls).toBe(2);
});

testWithStore('reaches a database over TCP and over TLS, with a user who may read alone', async () => {
  await store({});
  const other = new Redis({ path, db: 3 });
  await other.set('state:a', '1');
  await other.quit();
  const rights = ['on', '>secret', '~state:*', '~connection:*', '+scan', '+mget', '+select', '+cluster|info'];
  await redis.call('ACL', 'SETUSER', 'reader', ...rights);
  const made = await generate([{ name: 'commonName', value: 'localhost' }]);
  const ports = [await front(), await front({ key: made.private, cert: made.cert })] as const;
  const as = { user: 'reader', password: 'secret', database: 3 };
  const urls = [`redis://127.0.0.1:${ports[0]}`, `rediss://localhost:${ports[1]}`].map((url) => new URL(url));
  for (const url of urls) {
    const { figures } = await check({}, { ...as, url, ca: made.cert });
    expect(figures).toMatchObject({ stateKeys: 1, connectionKeys: 0 });
  }
  await expect(check({}, { ...as, url: urls[1]! })).rejects.toThrow(
    /^the store must respond, got self.signed certificate/,
  );
  await expect(check({}, { ...as, password: 'wrong' })).rejects.toThrow(/^the store must respond, got WRONGPASS/);
  await redis.call('ACL', 'SETUSER', 'reader', '-mget', '-cluster|info');
  await expect(check({}, as)).rejects.toThrow('may call neither INFO nor CLUSTER INFO');
  await redis.call('ACL', 'SETUSER', 'reader', '+info');
  await redis.set('connection:x', 's');
  await expect(check({}, { ...as, database: 0 })).rejects.toThrow(/^the store must allow MGET, got NOPERM/);
});

testWithStore('a list that cannot be read makes it unknown, with its reason', async () => {
  await store({});
  const port = await serve({
    onRequest: (request, response) => response.writeHead(request.url === '/no' ? 500 : 200).end('x'),
  });
  const live = (name: string) => ({
    readLive: liveAt([targetFor(`http://127.0.0.1:${port}/${name}`)], { path: ['id'] }),
  });
  await expect(check(live('no'))).rejects.toThrow(/\/no must respond with 200, got 500$/);
  await expect(check(live('text'))).rejects.toThrow(/\/text must be a list of connections, or an object/);
});

test('a node of a cluster is rejected: it has only some of the keys', async () => {
  // What a node of a cluster says to INFO; all else is accepted.
  const server = createServer((socket) => {
    const info = '# Cluster\r\ncluster_enabled:1\r\n';
    socket.on('data', (data) =>
      socket.write(/info/i.test(String(data)) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n'),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  fronts.push(server);
  const url = new URL(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await expect(check({}, { url })).rejects.toThrow(/must be a store without cluster mode, got a node of a cluster/);
});
