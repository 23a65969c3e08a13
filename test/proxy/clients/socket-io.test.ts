import { randomBytes } from 'node:crypto';
import { Server } from 'socket.io';
import { ManagerOptions, Socket, io } from 'socket.io-client';
import { ProxyCommand, problemsOnceAllIsOver, startProxyCommand } from './support/proxy-command';
import { later, startBackend, stopAll, until } from '../support/world';

let proxy: ProxyCommand;
let server: Server;

beforeAll(async () => {
  const backend = await startBackend(() => undefined);
  server = new Server(backend.server, { maxHttpBufferSize: 4 * MIB });
  later(() => server.close());
  server.on('connection', (socket) => {
    socket.on('echo', (...sent: unknown[]) => (sent.pop() as (...response: unknown[]) => void)(...sent));
    socket.on('join', async (room: string, joined: () => void) => {
      await socket.join(room);
      joined();
    });
    socket.on('tell', (room: string, news: unknown) => socket.to(room).emit('news', news));
  });
  proxy = await startProxyCommand(backend.port);
});
afterAll(stopAll);

const MIB = 2 ** 20;
type Transport = NonNullable<ManagerOptions['transports']>;

async function connect(transports?: Transport): Promise<Socket> {
  const socket = io(`http://127.0.0.1:${proxy.port}`, { forceNew: true, reconnection: false, transports });
  later(() => void socket.disconnect());
  await new Promise((resolve, reject) =>
    socket.once('connect', () => resolve(undefined)).once('connect_error', reject),
  );
  return socket;
}

const findTransport = (socket: Socket) => socket.io.engine.transport.name;

describe.each<[string, Transport | undefined, string]>([
  ['polling alone', ['polling'], 'polling'],
  ['WebSocket alone', ['websocket'], 'websocket'],
  ['polling that becomes a WebSocket, the default', undefined, 'websocket'],
])('%s', (_, transports, settled) => {
  const settledClient = async () => {
    const socket = await connect(transports);
    await until(() => findTransport(socket) === settled);
    return socket;
  };

  test('acknowledged events bring their responses in order', async () => {
    const socket = await settledClient();
    const responses = Array.from({ length: 100 }, (__, index) => socket.emitWithAck('echo', `ö${index}`, { index }));
    // Of several values an acknowledgement's promise gives the first.
    expect(await Promise.all(responses)).toEqual(responses.map((__, index) => `ö${index}`));
    socket.disconnect();
  });

  test('bytes among other values arrive as bytes', async () => {
    const socket = await settledClient();
    const bytes = randomBytes(1000);
    const got = (await socket.emitWithAck('echo', { bytes, name: 'file' })) as { bytes: Buffer; name: string };
    expect(got.name).toBe('file');
    expect(Buffer.compare(got.bytes, bytes)).toBe(0);
    socket.disconnect();
  });

  test('payloads of 1 MiB, text and bytes, go both ways', async () => {
    const socket = await settledClient();
    const text = randomBytes(MIB / 2).toString('hex');
    expect((await socket.emitWithAck('echo', text)) === text).toBe(true);
    const bytes = randomBytes(MIB);
    expect(Buffer.compare((await socket.emitWithAck('echo', bytes)) as Buffer, bytes)).toBe(0);
    socket.disconnect();
  });

  test('a room hears what one of it says, and no one else does', async () => {
    const clients = await Promise.all([settledClient(), settledClient(), settledClient()]);
    const [teller, listener, stranger] = clients;
    const heard: string[] = [];
    listener.on('news', (news: string) => heard.push(`listener ${news}`));
    stranger.on('news', (news: string) => heard.push(`stranger ${news}`));
    await Promise.all([teller.emitWithAck('join', 'room'), listener.emitWithAck('join', 'room')]);
    for (const news of ['first', 'second']) teller.emit('tell', 'room', news);
    await until(() => heard.length >= 2);
    expect(await stranger.emitWithAck('echo', 'still here')).toBe('still here');
    expect(heard).toEqual(['listener first', 'listener second']);
    for (const client of clients) client.disconnect();
  });

  test('the server hears that a client leaves, and a client that the server sends it away', async () => {
    const [leaving, sentAway] = await Promise.all([settledClient(), settledClient()]);
    const left = new Promise((resolve) => server.sockets.sockets.get(leaving.id!)!.once('disconnect', resolve));
    leaving.disconnect();
    expect(await left).toMatch(/^(client namespace disconnect|transport close)$/);
    const heard = new Promise((resolve) => sentAway.once('disconnect', resolve));
    server.sockets.sockets.get(sentAway.id!)!.disconnect(true);
    expect(await heard).toMatch(/^(io server disconnect|transport close)$/);
  });
});

test('nothing of all this is left, and none of it was an error', async () => {
  await until(() => server.engine.clientsCount === 0);
  expect(await problemsOnceAllIsOver(proxy)).toEqual([]);
});
