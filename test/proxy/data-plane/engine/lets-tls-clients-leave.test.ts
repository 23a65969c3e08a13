import https from 'node:https';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { startTestProxy } from '../../support/proxy-world';
import { later, startBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

const ROUNDS = 5;
/** Of pino. */
const ERROR = 50;

/** The first flight of a handshake, as a TLS client of Node sends it. */
async function clientHello(): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  const bytes = new Promise<Buffer>((resolve) => server.once('connection', (socket) => socket.once('data', resolve)));
  const client = tls.connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
  later(() => {
    client.destroy();
    server.close();
  });
  return bytes;
}

async function open(port: number): Promise<Socket> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  later(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

const LEAVES: Readonly<Record<string, (socket: Socket, hello: Buffer) => Promise<void> | void>> = {
  'without a byte': (socket) => void socket.end(),
  'without a byte, by a reset': (socket) => void socket.resetAndDestroy(),
  'in the middle of its hello': (socket, hello) => void socket.end(hello.subarray(0, 40)),
  'in the middle of its hello, by a reset': async (socket, hello) => {
    await new Promise((resolve) => socket.write(hello.subarray(0, 40), resolve));
    socket.resetAndDestroy();
  },
  'when it has the certificate': async (socket, hello) => {
    socket.write(hello);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.end();
  },
  'when it has the certificate, by a reset': async (socket, hello) => {
    socket.write(hello);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.resetAndDestroy();
  },
  'after plain HTTP': (socket) => void socket.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
  'as it is served, by a reset': async (socket) => {
    const secured = tls.connect({ socket, rejectUnauthorized: false }).on('error', () => undefined);
    await new Promise((resolve) => secured.once('secureConnect', resolve));
    socket.resetAndDestroy();
  },
};

/** The open connections of this process, the proxy's and those of its clients. */
function connections(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'TLSWrap').length;
}

test.each(Object.keys(LEAVES))('a client that leaves %s leaves nothing behind, and others go on', async (how) => {
  const backend = await startBackend((_, response) => response.end('ok'));
  // Room for the one that stays, and for fewer than come.
  const proxy = await startTestProxy(backend.port, { tls: 'self-signed', limits: { clientConnections: ROUNDS - 1 } });
  const { port } = proxy.data;
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
  later(() => agent.destroy());
  const hello = await clientHello();
  await getSecurely({ port, agent });
  const before = connections();
  for (let round = 0; round < ROUNDS; round += 1) {
    const socket = await open(port);
    await LEAVES[how]!(socket, hello);
    await until(() => connections() <= before);
  }
  expect(await getSecurely({ port, agent })).toBe('ok');
  await until(() => connections() <= before);
  expect(await getSecurely({ port, agent: new https.Agent({ rejectUnauthorized: false }) })).toBe('ok');
  expect(proxy.lines.filter(({ level }) => level >= ERROR)).toEqual([]);
});

function getSecurely(options: https.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = https.get({ host: '127.0.0.1', ...options }, (response) => {
      let body = '';
      response.on('data', (bytes: Buffer) => (body += bytes.toString()));
      response.on('end', () => resolve(body));
    });
    request.on('error', reject);
  });
}
