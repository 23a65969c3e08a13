import { Server } from 'socket.io';
import { Socket, io } from 'socket.io-client';
import { ProxyCommand, startProxyCommand } from './support/proxy-command';
import { callAdmin } from '../support/proxy-world';
import { later, startBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

interface LocalCloud {
  readonly server: Server;
  readonly backendPort: number;
  readonly proxy: ProxyCommand;
  /** What the server got, of any client. */
  readonly got: string[];
}

async function startLocalCloud(): Promise<LocalCloud> {
  const backend = await startBackend(() => undefined);
  const server = new Server(backend.server, { connectionStateRecovery: {} });
  later(() => server.close());
  const got: string[] = [];
  server.on('connection', (socket) => {
    socket.on('say', (word: string, done: () => void) => {
      got.push(word);
      done();
    });
    socket.on('ask', (response: (word: string) => void) => response('answered'));
  });
  return { server, backendPort: backend.port, proxy: await startProxyCommand(backend.port, { flags: GRACELESS }), got };
}

/** Closes every connection at once when it is asked to end. */
const GRACELESS = ['--grace-period-seconds', '0'];

interface Client {
  readonly socket: Socket;
  readonly heard: string[];
  readonly lost: string[];
}

/** The defaults of the package, but impatient. */
async function connect(port: number): Promise<Client> {
  const socket = io(`http://127.0.0.1:${port}`, {
    ...{ forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50 },
    // What is said in the moment in which a connection ends is lost otherwise: the package promises no more.
    ...{ retries: 100, ackTimeout: 2_000 },
  });
  later(() => void socket.disconnect());
  const client: Client = { socket, heard: [], lost: [] };
  socket.on('news', (news: string) => client.heard.push(news));
  socket.on('disconnect', (reason) => client.lost.push(reason));
  await until(() => socket.connected && socket.io.engine.transport.name === 'websocket');
  return client;
}

test('clients of a drained proxy come back when it is undrained, and miss nothing', async () => {
  const { server, proxy, got } = await startLocalCloud();
  const clients = await Promise.all([connect(proxy.port), connect(proxy.port), connect(proxy.port)]);
  // Whoever has got no event yet has no place in the stream to go on from.
  server.emit('news', 'before');
  await until(() => clients.every(({ heard }) => heard.length === 1));

  const body = JSON.stringify({ perKindSeconds: { http: 0, websocket: 0 }, closeRatePerSecond: 1000 });
  expect(await callAdmin(proxy.adminPort, { method: 'POST', path: '/drain', body })).toMatchObject({ status: 202 });
  await until(() => clients.every(({ lost }) => lost.length > 0));
  // By now some may be back by polling, which a draining proxy still serves, and others wait: the news finds both.
  server.emit('news', 'meanwhile');
  for (const [index, { socket }] of clients.entries()) socket.emit('say', `from ${index}`);

  expect(await callAdmin(proxy.adminPort, { method: 'POST', path: '/undrain' })).toMatchObject({ status: 202 });
  await until(() => clients.every(({ socket }) => socket.connected));
  await until(() => new Set(got).size === clients.length);
  await until(() => clients.every(({ heard }) => heard.length === 2));
  expect([...new Set(got)].sort()).toEqual(['from 0', 'from 1', 'from 2']);
  for (const { heard, lost } of clients) {
    expect(heard).toEqual(['before', 'meanwhile']);
    expect(lost[0]).toBe('transport close');
  }
  // And one that asks for a WebSocket gets it again.
  await connect(proxy.port);
});

test('clients of a proxy that ends come back to the next one, and miss nothing', async () => {
  const { server, backendPort, proxy, got } = await startLocalCloud();
  const clients = await Promise.all([connect(proxy.port), connect(proxy.port), connect(proxy.port)]);
  server.emit('news', 'before');
  await until(() => clients.every(({ heard }) => heard.length === 1));

  expect(await proxy.end()).toBe(0);
  await until(() => clients.every(({ socket }) => !socket.connected));
  server.emit('news', 'meanwhile');
  for (const [index, { socket }] of clients.entries()) socket.emit('say', `from ${index}`);

  await startProxyCommand(backendPort, { port: proxy.port, flags: GRACELESS });
  await until(() => clients.every(({ socket }) => socket.connected));
  await until(() => new Set(got).size === clients.length);
  await until(() => clients.every(({ heard }) => heard.length === 2));
  expect([...new Set(got)].sort()).toEqual(['from 0', 'from 1', 'from 2']);
  for (const { socket, heard, lost } of clients) {
    expect(heard).toEqual(['before', 'meanwhile']);
    expect(lost).toEqual(['transport close']);
    expect(await socket.emitWithAck('ask')).toBe('answered');
  }
});
