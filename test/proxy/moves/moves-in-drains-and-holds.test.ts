import type { Socket } from 'node:net';
import type { LedgerReport } from '../../../core/proxy/admin-api';
import { get, startBackend, stopAll, until } from '../support/world';
import { Application, Client, MoveWorld, Session, connectClient, startApplication, startMoves } from './support/world';

afterEach(stopAll);

interface Stand extends MoveWorld {
  readonly source: Application;
  readonly target: Application;
  /** Those of an application that can resume them, and one that it cannot. */
  readonly clients: Client[];
  readonly other: Client;
}

const HOUR = { http: 3600, websocket: 3600, grpcStream: 3600, serverSentEvents: 3600, streaming: 3600 };

async function startStand(changes: Parameters<typeof startMoves>[3] = {}): Promise<Stand> {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startApplication(sessions)];
  const world = await startMoves(source.port, target.port, { never: ['/plain'] }, changes);
  const clients = await Promise.all([1, 2, 3].map(() => connectClient(world.port)));
  return { ...world, source, target, clients, other: await connectClient(world.port, '/plain') };
}

/** Each says something, and gets its response. */
async function talk(clients: readonly Client[]): Promise<void> {
  for (const { socket, texts } of clients) {
    const before = texts.length;
    socket.send('7');
    await until(() => texts.length > before);
  }
}

const sockets = ({ active, carried }: LedgerReport) => [active.websocket, carried!.websocket];
const codes = ({ clients, other }: Stand) => [...clients, other].flatMap((client) => client.codes);

test('a drain moves at once what can be moved, and ends for it; an undrain brings it back', async () => {
  const stand = await startStand();
  const { proxy, order, source, target, clients, other } = stand;
  await order('/drain', { perKindSeconds: HOUR });
  await until(() => target.server.clients.size === 3 && sockets(proxy.report())[1] === 3);
  // The other one has its time.
  expect([proxy.report().state, sockets(proxy.report()), codes(stand)]).toEqual(['draining', [1, 3], []]);
  expect(proxy.report().moves!.rejected).toEqual({ neverMoved: 1 });
  await talk([...clients, other]);
  other.socket.close();
  await until(() => proxy.report().state === 'drained');
  await until(() => proxy.lines.some(({ msg }) => msg === 'All connections drained gracefully, 3 moved'));
  // The same order again changes nothing.
  await order('/drain', { perKindSeconds: HOUR });
  expect(proxy.report().moves!.rejected).toEqual({ neverMoved: 1 });

  await order('/undrain', {});
  await until(() => source.server.clients.size === 3 && sockets(proxy.report())[0] === 3);
  await talk(clients);
  expect([sockets(proxy.report()), codes(stand), target.server.clients.size]).toEqual([[3, 0], [1005], 0]);
  expect(proxy.report().carriedEnded!.websocket.moved).toBe(3);
});

test('an undrain with none leaves what was moved where it is, and so does a drain that allows no moves', async () => {
  const { proxy, order, target, clients } = await startStand();
  await order('/drain', { perKindSeconds: HOUR });
  await until(() => sockets(proxy.report())[1] === 3);
  await order('/undrain', { moves: 'none' });
  await order('/drain', { perKindSeconds: HOUR, moves: 'none' });
  await talk(clients);
  expect([sockets(proxy.report()), target.server.clients.size]).toEqual([[1, 3], 3]);
});

test('without another upstream a drain moves nothing', async () => {
  const source = await startApplication(new Map());
  const { proxy, port, order } = await startMoves(source.port, source.port, {}, { otherUpstream: undefined });
  const client = await connectClient(port);
  await order('/drain', { perKindSeconds: HOUR });
  await talk([client]);
  expect([sockets(proxy.report()), proxy.report().moves!.rejected]).toEqual([[1, 0], {}]);
});

test.each([
  ['source', [3, 0]],
  ['target', [0, 3]],
] as const)('in a hold they leave their backend, and join the %s when it is released there', async (to, counts) => {
  const stand = await startStand();
  const { proxy, order, source, target, clients } = stand;
  await order('/hold', { epoch: 1, leaseMs: 600_000, maxWaiting: 10, endsStreams: true });
  // Nothing is live any more; the one that cannot be moved was told to connect anew.
  await until(() => sockets(proxy.report())[0] === 0 && stand.other.codes.length === 1);
  await until(() => source.server.clients.size + target.server.clients.size === 0);
  expect([codes(stand), proxy.report().moves!.underWay, sockets(proxy.report())]).toEqual([[1012], 3, [0, 3]]);
  for (const { socket } of clients) socket.send('8');
  await order('/release', { epoch: 1, to });
  await until(() => clients.every(({ texts }) => texts.includes('echo 8')));
  await until(() => sockets(proxy.report()).join() === counts.join());
  expect((to === 'source' ? source : target).server.clients.size).toBe(3);
  expect([codes(stand), proxy.report().moves!.underWay]).toEqual([[1012], 0]);
});

test('in a hold those leave, too, that are connected to the other side, and the lease brings them to the side in force', async () => {
  const { proxy, order, retarget, source, target, clients } = await startStand();
  await retarget('target');
  await until(() => sockets(proxy.report()).join() === '0,3');
  await order('/hold', { epoch: 1, leaseMs: 300, maxWaiting: 10, endsStreams: true });
  await until(() => source.server.clients.size + target.server.clients.size === 0);
  await until(() => target.server.clients.size === 3);
  await talk(clients);
  expect(sockets(proxy.report())).toEqual([0, 3]);
});

test('a client that leaves while it is away is forgotten, and its last words reach the backend if it ends in order', async () => {
  const stand = await startStand();
  const { proxy, order, target, clients } = stand;
  await order('/hold', { epoch: 1, leaseMs: 600_000, maxWaiting: 10, endsStreams: true });
  await until(() => sockets(proxy.report()).join() === '0,3');
  (clients[0]!.socket as unknown as { _socket: Socket })._socket.resetAndDestroy();
  clients[1]!.socket.send('99');
  clients[1]!.socket.close(4000);
  await until(
    () => proxy.report().carriedEnded!.websocket.completed + proxy.report().carriedEnded!.websocket.forced === 1,
  );
  await order('/release', { epoch: 1, to: 'target' });
  await until(() => clients[1]!.codes.length === 1 && target.closed.length === 1);
  expect([clients[1]!.codes, clients[1]!.texts, target.closed]).toEqual([[4000], ['echo 99'], [4000]]);
  await talk([clients[2]!]);
  await until(() => sockets(proxy.report()).join() === '0,1');
});

test('carried connections are in the health response, and are closed in order when the proxy ends', async () => {
  const stand = await startStand({ gracePeriodSeconds: 0 });
  const { proxy, port, retarget } = stand;
  await retarget('target');
  await until(() => sockets(proxy.report()).join() === '0,3');
  const health = JSON.parse((await get({ port, path: '/.drainshift/health' })).body) as object;
  expect(health).toMatchObject({ connections: { websocket: 0 }, carried: { websocket: 3 } });
  void stand.proxy.shutDown();
  await until(() => codes(stand).length === 4);
  expect(codes(stand)).toEqual([1012, 1012, 1012, 1012]);
  await until(() => proxy.report().carriedEnded!.websocket.closed === 3);
});

test('moves happen so many at once as the setting says', async () => {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startApplication(sessions)];
  const { proxy, port, retarget } = await startMoves(source.port, target.port, { concurrency: 2 });
  const clients = await Promise.all(Array.from({ length: 12 }, () => connectClient(port)));
  let most = 0;
  target.server.on('connection', () => (most = Math.max(most, proxy.report().moves!.underWay)));
  await retarget('target');
  await until(() => sockets(proxy.report())[1] === 12);
  expect([most, clients.flatMap((client) => client.codes)]).toEqual([2, []]);
});

test('a request that becomes a WebSocket of the side that was left is moved, too', async () => {
  const sessions = new Map<string, Session>();
  const target = await startApplication(sessions);
  const inner = await startApplication(sessions, { noServer: true });
  let accept: () => void = () => undefined;
  const slow = await startBackend(() => undefined);
  slow.server.on('upgrade', (request, socket, head) => {
    accept = () =>
      inner.server.handleUpgrade(request, socket, head, (client) => inner.server.emit('connection', client, request));
  });
  const { proxy, port, retarget } = await startMoves(slow.port, target.port);
  const connecting = connectClient(port);
  await until(() => proxy.report().active.http === 1);
  await retarget('target');
  accept();
  const client = await connecting;
  await until(() => sockets(proxy.report()).join() === '0,1');
  await talk([client]);
});
