import net from 'node:net';
import { later, liveIn, startBackend, startEngine, stopAll, until } from '../proxy/support/world';

// A proxy that had not run for longer than a time limit blamed its peers: it ended them before it read what they had sent meanwhile.

afterEach(stopAll);

const IDLE_MS = 100;
const REST = 'x'.repeat(500);

/** As a machine that is paused while others send, in the middle of a turn of the loop: its timers are due first after that. */
async function standStillAfter(send: () => void): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  send();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4 * IDLE_MS);
}

async function connect(port: number, received: (text: string) => void): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  later(() => void socket.destroy());
  socket.on('data', (bytes) => received(bytes.toString()));
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

test.each([
  ['an upload', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${REST.length}\r\n\r\n`],
  ['a head', 'GET / HTTP/1.1\r\nHost: a\r\nX: '],
])('the rest of %s that came while the proxy stood still is not late', async (what, begin) => {
  const backend = await startBackend(
    (request, response) => void request.resume().on('end', () => response.end('whole')),
  );
  const timeouts = { bodyIdleMs: IDLE_MS, headMs: IDLE_MS };
  const engine = await startEngine(backend.port, { timeouts });
  let text = '';
  const socket = await connect(engine.port, (received) => (text += received));
  socket.write(begin);
  if (what === 'an upload') await until(() => liveIn(engine.ledger) === 1);
  await standStillAfter(() => socket.write(what === 'an upload' ? REST : `${REST}\r\n\r\n`));
  await until(() => text !== '');
  expect(text).toMatch(/^HTTP\/1\.1 200 [^]*whole/);
});

test('a response that came while the proxy stood still is not late', async () => {
  let respond: (() => void) | undefined;
  const backend = await startBackend((_, response) => void (respond = () => response.end('whole')));
  const engine = await startEngine(backend.port, { timeouts: { firstByteMs: IDLE_MS, upstreamIdleMs: IDLE_MS } });
  let text = '';
  const socket = await connect(engine.port, (received) => (text += received));
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => respond !== undefined);
  await standStillAfter(() => respond?.());
  await until(() => text !== '');
  expect(text).toMatch(/^HTTP\/1\.1 200 [^]*whole/);
});
