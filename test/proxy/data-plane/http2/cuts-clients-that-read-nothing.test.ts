import http2, { type ClientHttp2Session } from 'node:http2';
import net, { type Socket } from 'node:net';
import { later, findPort, stopAll, until } from '../../support/world';
import { responseHead, startSessions } from './support/sessions';

afterEach(stopAll);

const HEADS = 100;
const WIDE = 2 ** 31 - 1;
/** More than two sockets between them take. */
const LONG = Buffer.alloc(32 * 1024 * 1024);

/** A network between a client and a port, which can stop to take what comes from there. */
async function startNetwork(to: number): Promise<{ port: number; stop: () => void }> {
  const inner: Socket[] = [];
  const server = net.createServer((socket) => {
    const other = net.connect(to, '127.0.0.1');
    inner.push(other);
    for (const one of [socket, other]) one.on('error', () => undefined);
    later(() => void other.destroy());
    later(() => void socket.destroy());
    socket.pipe(other).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => void server.close());
  const stop = () => {
    for (const socket of inner) socket.unpipe().pause();
  };
  return { port: findPort(server), stop };
}

/** Its windows have no limit: what stops a response is TCP. */
async function connectWide(scheme: string, port: number): Promise<ClientHttp2Session> {
  const settings = { initialWindowSize: WIDE };
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false, settings });
  session.on('error', () => undefined);
  later(() => session.destroy());
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  session.setLocalWindowSize(WIDE);
  return session;
}

async function startLocalCloud(scheme: 'http' | 'https') {
  const cloud = await startSessions({ timeouts: { bodyIdleMs: 50 }, isTls: scheme === 'https' });
  const network = await startNetwork(cloud.port);
  const session = await connectWide(scheme, network.port);
  const ask = (method: string) => session.request({ ':method': method, ':path': '/' }).on('error', () => undefined);
  return { ...cloud, network, ask };
}

test.each(['http', 'https'] as const)(
  'over %s a connection whose response was given up is not kept',
  async (scheme) => {
    const { sessions, notified, network, ask } = await startLocalCloud(scheme);
    ask('GET');
    await until(() => notified.length === 1);
    network.stop();
    notified[0]!.client.begin(responseHead());
    notified[0]!.client.write(LONG);
    notified[0]!.client.reset();
    await until(() => sessions.size === 0);
  },
);

test('responses without a body that do not leave are given up, too', async () => {
  const { sessions, notified, network, ask } = await startLocalCloud('http');
  ask('GET');
  for (let count = 0; count < HEADS; count += 1) ask('HEAD');
  await until(() => notified.length === 1 + HEADS);
  network.stop();
  notified[0]!.client.begin(responseHead());
  notified[0]!.client.write(LONG);
  // Those that come before the network is full still leave.
  const rest = notified.slice(1);
  const responses = setInterval(() => rest.pop()?.client.respond({ status: 204 }), 20);
  later(() => clearInterval(responses));
  await until(() => sessions.size === 0);
  expect(notified.every(({ isGone, isSent }) => isGone !== isSent)).toBe(true);
});
