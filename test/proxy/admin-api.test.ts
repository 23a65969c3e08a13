import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { adminStringToSign } from '../../core/admin';
import { sign } from '../../proxy/admin/signature';
import { AdminCall, SECRET, callAdmin, reportOf, startTestProxy } from './support/proxy-world';
import { get, later, startBackend, stopAll, until } from './support/world';

afterEach(stopAll);

async function world() {
  const backend = await startBackend((request, response) => {
    response.statusCode = Number(/^\/status\/(\d+)/.exec(request.url ?? '')?.[1] ?? 200);
    response.end('ok');
  });
  const proxy = await startTestProxy(backend.port);
  return { proxy, data: proxy.data.port, admin: proxy.admin?.port ?? 0 };
}

/** Signs one call and makes another. */
function resigned(port: number, signed: AdminCall, made: Partial<AdminCall>) {
  const { method = 'GET', path, body = '' } = signed;
  const time = String(Date.now());
  const signature = sign(SECRET, adminStringToSign(method, path, time, body));
  const headers = { 'x-drainshift-time': time, 'x-drainshift-signature': signature };
  return callAdmin(port, { ...signed, ...made, headers });
}

describe('signatures', () => {
  test('a call that is signed with the secret is let in', async () => {
    const { admin } = await world();
    expect(await callAdmin(admin, { path: '/drain-status' })).toMatchObject({ status: 200 });
  });

  test('another secret, an old time, a changed body and no signature at all are refused, in one line', async () => {
    const { admin } = await world();
    const refused = [
      await callAdmin(admin, { path: '/drain-status', secret: `${SECRET}x` }),
      await callAdmin(admin, { path: '/drain-status', timeMs: Date.now() - 61_000 }),
      await callAdmin(admin, { path: '/drain-status', timeMs: Date.now() + 61_000 }),
      await callAdmin(admin, { path: '/drain-status', headers: { 'x-drainshift-time': '1e3' } }),
      await callAdmin(admin, { path: '/drain-status', headers: { 'x-drainshift-signature': 'abc' } }),
      await callAdmin(admin, { path: '/drain-status', headers: { 'x-drainshift-time': String(Date.now() + 1_000) } }),
      await resigned(admin, { method: 'POST', path: '/drain', body: '{"jitter":1}' }, { body: '{"jitter":0}' }),
      await resigned(admin, { path: '/drain-status' }, { path: '/metrics' }),
      await get({ port: admin, path: '/drain-status' }),
      await get({ port: admin, path: '/metrics' }),
    ];
    for (const got of refused) {
      expect(got.status).toBe(401);
      expect(got.body).toMatch(/^'x-drainshift-[a-z]+' [^\n]+\n$/);
    }
  });

  test('a call that changes something acts once, a look may be repeated', async () => {
    const { admin } = await world();
    const timeMs = Date.now();
    expect(await callAdmin(admin, { method: 'POST', path: '/undrain', timeMs })).toMatchObject({ status: 202 });
    const again = await callAdmin(admin, { method: 'POST', path: '/undrain', timeMs });
    expect(again).toMatchObject({ status: 401, body: "'x-drainshift-signature' was used before\n" });
    expect(await callAdmin(admin, { method: 'POST', path: '/undrain', timeMs: timeMs + 1 })).toMatchObject({
      status: 202,
    });
    expect(await callAdmin(admin, { path: '/drain-status', timeMs })).toMatchObject({ status: 200 });
    expect(await callAdmin(admin, { path: '/drain-status', timeMs })).toMatchObject({ status: 200 });
  });
});

test('the report counts what went through, without health checks', async () => {
  const { data, admin } = await world();
  await get({ port: data });
  await get({ port: data, path: '/status/404' });
  await get({ port: data, path: '/status/500' });
  await get({ port: data, path: '/.drainshift/health' });
  const report = await reportOf(admin);
  expect(report).toMatchObject({
    state: 'serving',
    active: { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 },
    requests: { total: 3, errors: 1 },
    oldestSeconds: { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 },
    hold: { state: 'none', epoch: 0, waiting: 0, leaseRemainingMs: 0 },
    upstream: 'source',
  });
  expect(report.bytes.websocket).toEqual({ received: 0, sent: 0 });
  expect(report.ended.http).toEqual({ completed: 3, moved: 0, closed: 0, forced: 0 });
  expect((await reportOf(admin)).instance).toBe(report.instance);
});

test('a wrong order is refused with all its problems', async () => {
  const { admin, proxy } = await world();
  const body = JSON.stringify({ perKindSeconds: { http: -1 }, closeRatePerSecond: 0, speed: 1 });
  const got = await callAdmin(admin, { method: 'POST', path: '/drain', body });
  expect(got.status).toBe(400);
  expect(JSON.parse(got.body)).toEqual({
    problems: [
      '\'speed\' must be one of perKindSeconds, closeRatePerSecond, jitter, got "speed"',
      "'perKindSeconds.http' must be an integer from 0 to 86400, got -1",
      "'closeRatePerSecond' must be an integer from 1 to 10000, got 0",
    ],
  });
  expect(await callAdmin(admin, { method: 'POST', path: '/drain', body: '{' })).toMatchObject({ status: 400 });
  expect(proxy.report().state).toBe('serving');
});

test('what is no call, no method of it, or too long is refused', async () => {
  const { admin } = await world();
  expect(await callAdmin(admin, { path: '/' })).toMatchObject({ status: 404 });
  expect(await callAdmin(admin, { path: '/drain' })).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  const body = ' '.repeat(64 * 1024 + 1);
  expect(await callAdmin(admin, { method: 'POST', path: '/drain', body })).toMatchObject({ status: 413 });
});

test('metrics show the ledger', async () => {
  const { data, admin } = await world();
  await get({ port: data });
  const { body, headers } = await callAdmin(admin, { path: '/metrics' });
  expect(headers['content-type']).toContain('text/plain');
  expect(body).toContain('drainshift_connections_active{side="source",kind="http"} 0');
  expect(body).toContain('drainshift_connections_ended_total{side="source",kind="http",how="completed"} 1');
  expect(body).toContain('drainshift_requests_total{side="source",class="2xx"} 1');
  expect(body).toContain('process_cpu_seconds_total');
});

test('while draining: plain requests are served and connections closed, streams refused; undrain takes it back', async () => {
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  later(() => {
    for (const client of sockets.clients) client.terminate();
    sockets.close();
  });
  await new Promise((resolve) => sockets.once('listening', resolve));
  const proxy = await startTestProxy((sockets.address() as AddressInfo).port);
  const admin = proxy.admin?.port ?? 0;
  const data = proxy.data.port;
  const live = new WebSocket(`ws://127.0.0.1:${data}/`);
  await new Promise((resolve) => live.once('open', resolve));

  const order = JSON.stringify({ perKindSeconds: { websocket: 3600 } });
  const got = await callAdmin(admin, { method: 'POST', path: '/drain', body: order });
  expect(got.status).toBe(202);
  expect(JSON.parse(got.body)).toMatchObject({ state: 'draining', active: { websocket: 1 } });
  expect(proxy.lines.map((line) => line.msg)[0]).toMatch(
    /^Draining connections: 1 active \(0 HTTP, 1 WebSocket, 0 streaming\), 36\d\d\.0s remaining$/,
  );
  expect(await get({ port: data })).toMatchObject({ status: 426, headers: { connection: 'close' } });
  const stream = await get({ port: data, headers: { accept: 'text/event-stream' } });
  expect(stream).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  const refused = new WebSocket(`ws://127.0.0.1:${data}/`);
  const status = await new Promise((resolve) => {
    refused.once('unexpected-response', (_, response) => resolve(response.statusCode));
    refused.on('error', () => undefined);
  });
  refused.terminate();
  expect(status).toBe(503);
  const health = await get({ port: data, path: '/.drainshift/health' });
  expect(health.status).toBe(200);
  expect(JSON.parse(health.body)).toMatchObject({ status: 'draining', side: 'source', connections: { websocket: 1 } });
  expect(live.readyState).toBe(WebSocket.OPEN);

  expect(await callAdmin(admin, { method: 'POST', path: '/undrain' })).toMatchObject({ status: 202 });
  const again = new WebSocket(`ws://127.0.0.1:${data}/`);
  await new Promise((resolve) => again.once('open', resolve));
  expect(live.readyState).toBe(WebSocket.OPEN);

  const now = JSON.stringify({ perKindSeconds: { http: 0, websocket: 0, serverSentEvents: 0, grpcStream: 0 } });
  const codes = [live, again].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  await callAdmin(admin, { method: 'POST', path: '/drain', body: now });
  expect(await Promise.all(codes)).toEqual([1012, 1012]);
  await until(() => proxy.report().state === 'drained');
  expect(proxy.report().ended.websocket).toEqual({ completed: 0, moved: 0, closed: 2, forced: 0 });
});

test('forwarding fields: the address is appended, protocol and port of the load balancer stay', async () => {
  const backend = await startBackend((request, response) => response.end(JSON.stringify(request.headers)));
  const proxy = await startTestProxy(backend.port);
  const { port } = proxy.data;
  const plain = JSON.parse((await get({ port, headers: { host: 'shop.example' } })).body) as Record<string, string>;
  expect(plain).toMatchObject({
    host: 'shop.example',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-port': String(port),
  });
  const headers = {
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
    'x-amzn-trace-id': 'Root=1',
  };
  const behind = JSON.parse((await get({ port, headers })).body) as Record<string, string>;
  expect(behind).toMatchObject({ ...headers, 'x-forwarded-for': '192.0.2.7, 127.0.0.1' });
});
