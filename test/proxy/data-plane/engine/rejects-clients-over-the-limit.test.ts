import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import type { RejectedRequest } from '../../../../proxy/data-plane/contract/data-plane';
import { connect, findField, send } from '../http1/support/raw-client';
import { expectResponseAndClose, head, startStand } from '../http1/support/rejections';
import { get, later, selfSigned, startBackend, startEngine, stopAll, until } from '../../support/world';

afterEach(stopAll);

const ASK = head('GET / HTTP/1.1', 'Host: a');

test('a client that there is no room for is rejected, and hears when to come again', async () => {
  const refused: RejectedRequest[] = [];
  const stand = await startStand({ limits: { clientConnections: 1 }, refused: (rejection) => refused.push(rejection) });
  const first = await send(stand.engine.port, ASK);
  expect(await first.statuses()).toEqual([200]);
  const response = await expectResponseAndClose(await send(stand.engine.port, ASK), 503);
  expect(findField(response, 'retry-after')).toBe('2');
  expect(refused).toEqual([{ status: 503, address: '127.0.0.1', why: 'Too many connections' }]);
  expect(stand.upstream.requests).toHaveLength(1);
  first.end();
  await first.when(({ isClosed }) => isClosed);
  expect(await (await send(stand.engine.port, ASK)).statuses()).toEqual([200]);
});

test('it gets that response whatever it sends, and nothing of that is read as a request', async () => {
  const stand = await startStand({ limits: { clientConnections: 1 } });
  await connect(stand.engine.port);
  for (const bytes of ['', `${ASK}${ASK}`, 'POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n', '\0\0\0']) {
    const client = await send(stand.engine.port, bytes);
    await client.when(({ hasEnded }) => hasEnded);
    expect(client.read().responses.map(({ status }) => status)).toEqual([503]);
  }
  expect([stand.engine.heads, stand.upstream.connections]).toEqual([[], []]);
});

test('one that leaves makes room for the response to the next', async () => {
  const stand = await startStand({ limits: { clientConnections: 1 } });
  await connect(stand.engine.port);
  for (let count = 0; count < 300; count += 1) {
    const client = await send(stand.engine.port, ASK);
    await client.when(({ isClosed }) => isClosed);
    expect([client.received.slice(9, 12), client.wasReset]).toEqual(['503', false]);
  }
});

test('one that neither ends nor stops sending is cut', async () => {
  const stand = await startStand({ limits: { clientConnections: 1 } });
  await connect(stand.engine.port);
  const socket = net.connect({ port: stand.engine.port, host: '127.0.0.1', allowHalfOpen: true });
  let isGone = false;
  socket.on('error', () => undefined).on('close', () => (isGone = true));
  const timer = setInterval(() => socket.write('x'), 20);
  later(() => clearInterval(timer));
  await until(() => isGone);
});

test('of a burst of them each gets a response, the first are cut for the last, and room is made again', async () => {
  const backend = await startBackend((_, response) => response.end());
  const engine = await startEngine(backend.port, { limits: { clientConnections: 1 } });
  const room = await connect(engine.port);
  const silent = await Promise.all(Array.from({ length: 300 }, () => quiet(engine.port)));
  await until(() => silent.every(({ received, hasEnded }) => received !== '' || hasEnded));
  const notified = silent.filter(({ received }) => received.startsWith('HTTP/1.1 503 '));
  // A cut may overtake what was told.
  expect(notified.length).toBeGreaterThanOrEqual(256);
  expect(silent.at(-1)!.received).toMatch(/^HTTP\/1\.1 503 /);
  expect(silent.filter(({ received }) => received === '')).toHaveLength(300 - notified.length);
  room.end();
  await room.when(({ isClosed }) => isClosed);
  expect(await get({ port: engine.port })).toMatchObject({ status: 200 });
});

/** A client that does not end its half. */
async function quiet(port: number): Promise<{ received: string; hasEnded: boolean }> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const client = { received: '', hasEnded: false };
  socket.on('data', (bytes) => (client.received += bytes.toString('latin1')));
  socket.on('error', () => undefined);
  for (const event of ['end', 'close']) socket.on(event, () => (client.hasEnded = true));
  later(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return client;
}

test.each([
  ['HTTP/1.1', askHttps],
  ['HTTP/2', askHttp2],
])('over TLS it gets the response in %s', async (_, ask) => {
  const backend = await startBackend((_, response) => response.end());
  const engine = await startEngine(backend.port, { limits: { clientConnections: 1 }, tls: await selfSigned() });
  const first = await connect(engine.port);
  expect(await ask(engine.port)).toEqual([503, '2', 'Too many connections\n']);
  first.end();
  await first.when(({ isClosed }) => isClosed);
  expect(await ask(engine.port)).toEqual([200, undefined, '']);
});

type Notified = [status: number | undefined, retryAfter: string | undefined, body: string];

async function askHttps(port: number): Promise<Notified> {
  const request = https.get({ port, host: '127.0.0.1', agent: false, rejectUnauthorized: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return [response.statusCode, response.headers['retry-after'], await text(response)];
}

async function askHttp2(port: number): Promise<Notified> {
  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => undefined);
  later(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
  const body = await text(stream);
  session.close();
  return [headers[':status'], headers['retry-after'], body];
}
