import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { WebSocketServer } from 'ws';
import { callAdmin, findReport, startTestProxy } from '../proxy/support/proxy-world';
import { Got, exchangeBytes, get, later, startBackend, stopAll, until } from '../proxy/support/world';
import { connect } from '../proxy/data-plane/websocket/support/peers';

// The time of a kind once counted from the start of the drain: behind it every further request of the kind was cut as it came.

afterEach(stopAll);

/** Long enough to be cut where a request has no time; a small part of what it should have, so that a slow machine cuts none. */
const SLOW_MS = 200;
const KIND_SECONDS = 4;

/** Responds late; what is asked for at `/never` not at all. */
async function startSlowBackend() {
  const backend = await startBackend((request, response) => {
    if (request.url !== '/never') setTimeout(() => response.end('whole'), SLOW_MS);
  });
  new WebSocketServer({ server: backend.server }).on('connection', (socket) => {
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
  });
  return backend;
}

/** Resolves when a request without a response has been cut, with the milliseconds that it had. */
async function cutAfter(port: number): Promise<number> {
  const beganMs = performance.now();
  await get({ port, path: '/never' }).then(
    () => Promise.reject(new Error('it was answered')),
    () => undefined,
  );
  return performance.now() - beganMs;
}

function getHttp2(port: number): Promise<Got> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  later(() => session.destroy());
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({ ':path': '/' });
    let body = '';
    let status = 0;
    stream.on('response', (headers) => (status = headers[':status'] ?? 0));
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    stream.on('end', () => resolve({ status, body, headers: {}, trailers: {} }));
    stream.on('error', reject);
  });
}

test('behind the time of its kind a draining proxy serves who comes, each with its whole time', async () => {
  const backend = await startSlowBackend();
  const proxy = await startTestProxy(backend.port);
  const port = proxy.data.port;
  const admin = proxy.admin?.port ?? 0;
  const order = async (path: string, body: object) =>
    expect(await callAdmin(admin, { method: 'POST', path, body: JSON.stringify(body) })).toMatchObject({ status: 202 });
  const socket = await connect(port);
  const early = cutAfter(port);
  await until(() => proxy.report().active.http === 1);
  await order('/drain', { perKindSeconds: { http: KIND_SECONDS }, closeRatePerSecond: 1000, jitter: 0 });
  // From here on the drain has lasted longer than the time of its kind.
  await early;
  await order('/hold', { epoch: 1, leaseMs: 60_000, maxWaiting: 10 });
  const held = get({ port });
  await until(() => proxy.report().hold.waiting === 1);
  await order('/release', { epoch: 1, to: 'source' });
  const one = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const late = await Promise.all([get({ port }), held, getHttp2(port), get({ port, method: 'POST' }, 'body')]);
  expect(late.map(({ status, body }) => `${status} ${body}`)).toEqual(late.map(() => '200 whole'));
  expect(await exchangeBytes(port, one)).toContain('whole');
  expect(socket.readyState).toBe(socket.OPEN);
  // One that is never answered is not served for ever.
  expect(await cutAfter(port)).toBeGreaterThanOrEqual(KIND_SECONDS * 1000 - 1);
  expect(proxy.report().ended.http).toMatchObject({ completed: 5, forced: 2 });
});

test('a drain that was at zero gives who comes its time, and no more', async () => {
  const proxy = await startTestProxy((await startSlowBackend()).port);
  const { port } = proxy.data;
  const body = JSON.stringify({ perKindSeconds: { http: 1 } });
  await callAdmin(proxy.admin?.port ?? 0, { method: 'POST', path: '/drain', body });
  expect(proxy.report().state).toBe('drained');
  const cut = cutAfter(port);
  await until(() => proxy.report().active.http === 1);
  const report = await findReport(proxy.admin?.port ?? 0);
  expect(report).toMatchObject({ state: 'draining', active: { http: 1 } });
  expect(report.drainRemainingSeconds).toBeGreaterThan(5);
  expect(await cut).toBeGreaterThanOrEqual(999);
});

test('SIGTERM: a request on a kept connection has more than what is left of the grace period', async () => {
  const backend = await startSlowBackend();
  const proxy = await startTestProxy(backend.port, { gracePeriodSeconds: 1, gracefulShutdownTimeoutSeconds: 6 });
  const { port } = proxy.data;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  later(() => agent.destroy());
  await get({ port, agent });
  // It does not respond to the Close, so that the drain goes on behind the grace period.
  const deaf = net.connect(port, '127.0.0.1');
  later(() => void deaf.destroy());
  deaf.write(
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await until(() => proxy.report().active.websocket === 1);
  const early = cutAfter(port);
  await until(() => proxy.report().active.http === 1);
  const ended = proxy.shutDown();
  await early;
  const late = await get({ port, agent });
  expect(late).toMatchObject({ status: 200, body: 'whole', headers: { connection: 'close' } });
  deaf.destroy();
  await ended;
});
