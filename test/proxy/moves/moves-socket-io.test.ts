import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from 'socket.io';
import { Socket, io as connect } from 'socket.io-client';
import { BUILT_IN } from './support/adapters';
import { createSharedAdapter, startSocketIo } from './support/socket-io-servers';
import { MoveWorld, startMoves } from './support/world';
import { later, stopAll, until } from '../support/world';

afterEach(stopAll);

const RECOVERY = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };

function serve(io: Server): Server {
  for (const nsp of [io, io.of('/chat')]) {
    nsp.on('connection', (socket) => {
      socket.on('join', (room: string, joined: () => void) => void Promise.resolve(socket.join(room)).then(joined));
      socket.on('say', (number: number) => socket.emit('said', number));
      socket.on('save', (number: number, saved: (number: number) => void) => setTimeout(() => saved(number), 3));
      socket.on('file', (bytes: Buffer) => socket.emit('file', bytes, bytes.length));
      socket.on('ask me', () => socket.emit('ask', 'how?', (answer: string) => socket.emit('answer', answer)));
    });
  }
  return io;
}

interface World {
  readonly servers: readonly [Server, Server];
  readonly moves: MoveWorld;
  /** Moves every connection, and waits for it. */
  move(to: 'source' | 'target'): Promise<void>;
}

async function start(options: object = RECOVERY): Promise<World> {
  const adapter = createSharedAdapter();
  const [a, b] = [await startSocketIo({ ...options, adapter }), await startSocketIo({ ...options, adapter })];
  const servers = [serve(a.io), serve(b.io)] as const;
  const moves = await startMoves(a.port, b.port, { adapters: BUILT_IN });
  const move = async (to: 'source' | 'target') => {
    const [from, other] = to === 'target' ? servers : [servers[1], servers[0]];
    const before = from.engine.clientsCount;
    await moves.retarget(to);
    await until(() => from.engine.clientsCount === 0 && other.engine.clientsCount >= before);
  };
  return { servers, moves, move };
}

interface Client {
  readonly socket: Socket;
  readonly ids: (string | undefined)[];
  readonly news: number[];
  readonly said: number[];
  readonly saved: number[];
  readonly disconnects: string[];
}

async function join(port: number, path = '', options = {}): Promise<Client> {
  const socket = connect(`http://127.0.0.1:${port}${path}`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    ...options,
  });
  later(() => void socket.disconnect());
  const client: Client = { socket, ids: [], news: [], said: [], saved: [], disconnects: [] };
  socket.on('connect', () => client.ids.push(socket.id));
  socket.on('disconnect', (reason) => client.disconnects.push(reason));
  socket.on('news', (number: number) => client.news.push(number));
  socket.on('said', (number: number) => client.said.push(number));
  await until(() => client.ids.length > 0);
  return client;
}

const count = (to: number) => Array.from({ length: to }, (_, index) => index + 1);

test('clients that are moved back and forth under messages notice nothing', async () => {
  const { servers, moves, move } = await start();
  const clients = await Promise.all(count(20).map(() => join(moves.port)));
  let news = 0;
  let said = 0;
  let isTalking = true;
  const talk = (async () => {
    while (isTalking) {
      servers[0].emit('news', (news += 1));
      said += 1;
      for (const { socket, saved } of clients) {
        socket.emit('say', said);
        const number = said;
        if (number % 5 === 0) socket.emit('save', number, () => saved.push(number));
      }
      await sleep(2);
    }
  })();
  await until(() => clients.every(({ news: had }) => had.length > 5));
  for (const to of ['target', 'source', 'target'] as const) await move(to);
  isTalking = false;
  await talk;
  await until(() => clients.every((client) => client.said.length >= said && client.news.includes(news)));
  await until(() => clients.every(({ saved }) => saved.length >= Math.floor(said / 5)));
  for (const client of clients) {
    expect(client.disconnects).toEqual([]);
    expect(client.ids).toEqual([client.socket.id]);
    expect(client.said).toEqual(count(said));
    // One that was late at the old backend comes behind what it had said by itself.
    expect(client.news.sort((a, b) => a - b)).toEqual(count(news).slice(news - client.news.length));
    expect(client.saved.sort((a, b) => a - b)).toEqual(count(Math.floor(said / 5)).map((number) => 5 * number));
  }
  expect(moves.proxy.report().moves).toMatchObject({ rejected: {}, underWay: 0 });
});

test('rooms, namespaces with credentials, bytes and acks go on', async () => {
  const { servers, moves, move } = await start();
  const auths: Record<string, unknown>[] = [];
  for (const server of servers) server.of('/chat').on('connection', ({ handshake }) => auths.push(handshake.auth));
  const [inRoom, outside] = [
    await join(moves.port, '/chat', { auth: { token: 't' } }),
    await join(moves.port, '/chat', { auth: { token: 'u' } }),
  ];
  await inRoom.socket.emitWithAck('join', 'room');
  servers[0].of('/chat').emit('news', 1);
  await until(() => inRoom.news.length === 1 && outside.news.length === 1);
  await move('target');
  servers[0].of('/chat').to('room').emit('news', 2);
  servers[1].of('/chat').emit('news', 3);
  await until(() => inRoom.news.length === 3 && outside.news.length === 2);
  expect([inRoom.news.sort(), outside.news.sort()]).toEqual([
    [1, 2, 3],
    [1, 3],
  ]);
  const file = new Promise((resolve) => inRoom.socket.once('file', (bytes: Buffer) => resolve(bytes.toString())));
  inRoom.socket.emit('file', Buffer.from('bytes'));
  expect(await file).toBe('bytes');
  await move('source');
  inRoom.socket.on('ask', (question: string, respond: (answer: string) => void) => respond(`${question} so`));
  const answer = new Promise((resolve) => inRoom.socket.once('answer', resolve));
  inRoom.socket.emit('ask me');
  expect(await answer).toBe('how? so');
  // Which of the two is moved first is no matter.
  const resumed = { pid: expect.any(String) as string, offset: expect.any(String) as string };
  const byToken = (round: readonly { token?: unknown }[]) =>
    [...round].sort((a, b) => (a.token === 't' ? -1 : b.token === 't' ? 1 : 0));
  expect(auths.slice(0, 2)).toEqual([{ token: 't' }, { token: 'u' }]);
  for (const round of [auths.slice(2, 4), auths.slice(4)]) {
    expect(byToken(round)).toEqual([
      { token: 't', ...resumed },
      { token: 'u', ...resumed },
    ]);
  }
  expect([...inRoom.disconnects, ...outside.disconnects]).toEqual([]);
});

test('an ack that is open holds the move up until it has come, and messages wait meanwhile', async () => {
  const { servers, moves } = await start();
  const client = await join(moves.port);
  servers[0].emit('news', 1);
  let save: () => void = () => undefined;
  [...servers[0].sockets.sockets.values()][0]!.on('slow', (saved: (by: string) => void) => (save = () => saved('a')));
  const saved = client.socket.emitWithAck('slow');
  await until(() => client.news.length === 1);
  await moves.retarget('target');
  await until(() => moves.proxy.report().moves?.underWay === 1);
  client.socket.emit('say', 1);
  await until(() => client.said.length === 1);
  expect(servers[1].engine.clientsCount).toBe(0);
  save();
  expect(await saved).toBe('a');
  await until(() => servers[1].engine.clientsCount === 1);
  expect(await client.socket.emitWithAck('save', 7)).toBe(7);
  expect(client.disconnects).toEqual([]);
});

test.each([
  ['without recovery', {}, 'cannotResume'],
  ['with nothing that both servers have', RECOVERY, 'notResumed'],
])('servers %s: the client is asked to connect anew', async (_, options, why) => {
  const [a, b] = [await startSocketIo(options), await startSocketIo(options)];
  serve(a.io);
  serve(b.io);
  const moves = await startMoves(a.port, b.port, { adapters: BUILT_IN });
  const client = await join(moves.port);
  a.io.emit('news', 1);
  await until(() => client.news.length === 1);
  await moves.retarget('target');
  await until(() => client.disconnects.length > 0);
  expect(client.disconnects).toEqual(['transport close']);
  expect(moves.proxy.report().moves?.rejected).toEqual({ [why]: 1 });
});

test('a session that began with long polling is closed, and its client comes back by itself', async () => {
  const { servers, moves } = await start();
  const client = await join(moves.port, '', { transports: undefined, reconnection: true, reconnectionDelay: 10 });
  await until(() => client.socket.io.engine.transport.name === 'websocket');
  servers[0].emit('news', 1);
  await until(() => client.news.length === 1);
  await moves.retarget('target');
  await until(() => servers[1].engine.clientsCount === 1 && client.socket.connected);
  expect(client.disconnects).toEqual(['transport close']);
  expect(moves.proxy.report().moves?.rejected).toEqual({ cannotResume: 1 });
});

test('a client whose next ping the old backend would have sent gets one in time', async () => {
  const { servers, moves, move } = await start({ ...RECOVERY, pingInterval: 400, pingTimeout: 1_600 });
  const client = await join(moves.port);
  servers[0].emit('news', 1);
  await until(() => client.news.length === 1);
  // No backend has it for long enough to ping it, for longer than a client waits.
  const endMs = performance.now() + 2_400;
  for (let to: 'source' | 'target' = 'target'; performance.now() < endMs; to = to === 'target' ? 'source' : 'target') {
    await sleep(200);
    await move(to);
  }
  expect(client.disconnects).toEqual([]);
});
