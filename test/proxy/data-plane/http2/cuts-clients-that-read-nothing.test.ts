import http2, { type ClientHttp2Session } from 'node:http2';
import net, { type Socket } from 'node:net';
import { later, portOf, stopAll, until } from '../../support/world';
import { answerHead, startSessions } from './support/sessions';

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
  return { port: portOf(server), stop };
}

/** Its windows have no limit: what stops an answer is TCP. */
async function connectWide(scheme: string, port: number): Promise<ClientHttp2Session> {
  const settings = { initialWindowSize: WIDE };
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false, settings });
  session.on('error', () => undefined);
  later(() => session.destroy());
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  session.setLocalWindowSize(WIDE);
  return session;
}

async function startWorld(scheme: 'http' | 'https') {
  const world = await startSessions({ timeouts: { bodyIdleMs: 50 }, isTls: scheme === 'https' });
  const network = await startNetwork(world.port);
  const session = await connectWide(scheme, network.port);
  const ask = (method: string) => session.request({ ':method': method, ':path': '/' }).on('error', () => undefined);
  return { ...world, network, ask };
}

test.each(['http', 'https'] as const)('over %s a connection whose answer was given up is not kept', async (scheme) => {
  const { sessions, told, network, ask } = await startWorld(scheme);
  ask('GET');
  await until(() => told.length === 1);
  network.stop();
  told[0]!.client.begin(answerHead());
  told[0]!.client.write(LONG);
  told[0]!.client.reset();
  await until(() => sessions.size === 0);
});

test('answers without a body that do not leave are given up, too', async () => {
  const { sessions, told, network, ask } = await startWorld('http');
  ask('GET');
  for (let count = 0; count < HEADS; count += 1) ask('HEAD');
  await until(() => told.length === 1 + HEADS);
  network.stop();
  told[0]!.client.begin(answerHead());
  told[0]!.client.write(LONG);
  // Those that come before the network is full still leave.
  const rest = told.slice(1);
  const answers = setInterval(() => rest.pop()?.client.answer({ status: 204 }), 20);
  later(() => clearInterval(answers));
  await until(() => sessions.size === 0);
  expect(told.every(({ isGone, isSent }) => isGone !== isSent)).toBe(true);
});
