import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { adminAddress, adminResponseToSign } from '../../../core/proxy/admin-api';
import { AdminKeys } from '../../../proxy/admin-keys/admin-keys';
import { SignatureCheck, sign } from '../../../proxy/admin/signature';
import {
  AdminCall,
  SECRET,
  adminHeaders,
  callAdmin,
  findIdentity,
  findReport,
  startTestProxy,
} from '../support/proxy-world';
import { get, later, startBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

async function cloud() {
  const backend = await startBackend((request, response) => {
    response.statusCode = Number(/^\/status\/(\d+)/.exec(request.url ?? '')?.[1] ?? 200);
    const slowMs = Number(/^\/slow\/(\d+)/.exec(request.url ?? '')?.[1] ?? 0);
    if (slowMs > 0) setTimeout(() => response.end('ok'), slowMs);
    else response.end('ok');
  });
  const proxy = await startTestProxy(backend.port);
  return { proxy, data: proxy.data.port, admin: proxy.admin?.port ?? 0 };
}

/** Signs one call and makes another. */
function resigned(port: number, signed: AdminCall, made: Partial<AdminCall>) {
  return callAdmin(port, { ...signed, ...made, identity: '', headers: adminHeaders(port, signed) });
}

const undrain = { method: 'POST', path: '/undrain' } as const;
const look = { path: '/drain-status' } as const;

describe('signatures', () => {
  test('a call that is signed with the secret is let in, and its response is signed over it', async () => {
    const { admin } = await cloud();
    const headers = adminHeaders(admin, look);
    const got = await get({ port: admin, path: look.path, headers });
    expect(got.status).toBe(200);
    const request = String(headers['x-drainshift-signature']);
    expect(got.headers['x-drainshift-signature']).toBe(sign(SECRET, adminResponseToSign(request, 200, got.body)));
    // One that is rejected for what it asks, too.
    const call = { method: 'POST', path: '/drain', body: '{"jitter":2}', identity: await findIdentity(admin) };
    const refused = adminHeaders(admin, call);
    const response = await get({ port: admin, path: '/drain', method: 'POST', headers: refused }, call.body);
    const signed = adminResponseToSign(String(refused['x-drainshift-signature']), 400, response.body);
    expect(response.headers['x-drainshift-signature']).toBe(sign(SECRET, signed));
  });

  test('another secret, an old or early time, a change and no signature at all are rejected, in one line', async () => {
    const { admin } = await cloud();
    const identity = await findIdentity(admin);
    const time = (timeMs: number) => callAdmin(admin, { ...look, timeMs });
    const refused = [
      await callAdmin(admin, { ...look, secret: `${SECRET}x` }),
      await time(Date.now() - 61_000),
      await time(Date.now() + 7_000),
      await callAdmin(admin, { ...look, headers: { 'x-drainshift-time': '1e3' } }),
      await callAdmin(admin, { ...look, headers: { 'x-drainshift-signature': 'abc' } }),
      await callAdmin(admin, { ...look, headers: { 'x-drainshift-time': String(Date.now() + 1_000) } }),
      await callAdmin(admin, { ...look, headers: { 'x-drainshift-nonce': 'another-one-of-16' } }),
      await callAdmin(admin, { ...look, nonce: 'short' }),
      await callAdmin(admin, { ...look, address: '' }),
      await callAdmin(admin, { ...undrain, identity, headers: { 'x-drainshift-identity': 'another' } }),
      await resigned(
        admin,
        { method: 'POST', path: '/drain', body: '{"jitter":1}', identity },
        { body: '{"jitter":0}' },
      ),
      await resigned(admin, look, { path: '/metrics' }),
      await get({ port: admin, path: '/drain-status' }),
      await get({ port: admin, path: '/metrics' }),
    ];
    for (const got of refused) {
      expect(got.status).toBe(401);
      expect(got.body).toMatch(/^'x-drainshift-[a-z]+' [^\n]+\n$/);
      expect(got.headers).not.toHaveProperty('x-drainshift-signature');
    }
    expect((await time(Date.now() + 3_000)).status).toBe(200);
    expect(refused[2]?.body).toMatch(/ at most 60 s behind and 5 s ahead of this clock, got 7 s ahead of it\n$/);
  });

  test('the one who records a call can use it nowhere: not again, not at another task, not at the next process', async () => {
    const { admin } = await cloud();
    const other = (await cloud()).admin;
    const identity = await findIdentity(admin);
    const call = { ...undrain, identity };
    const headers = adminHeaders(admin, call);
    const send = (port: number) => get({ port, ...undrain, headers });
    expect(await send(admin)).toMatchObject({ status: 202 });
    expect(await send(admin)).toMatchObject({ status: 401, body: "'x-drainshift-nonce' was used before\n" });
    const elsewhere = `'x-drainshift-address' must be 127.0.0.1:${other}, got 127.0.0.1:${admin}\n`;
    expect(await send(other)).toMatchObject({ status: 401, body: elsewhere });
    // A new process at the same address has forgotten every nonce.
    const next = `'x-drainshift-identity' must be ${await findIdentity(other)}, got ${identity}\n`;
    expect(await callAdmin(other, call)).toMatchObject({ status: 401, body: next });
    expect((await callAdmin(other, { ...undrain, identity: '' })).body).toMatch(/got none\n$/);
    // A look is not repeated either, and may name a process.
    const looked = adminHeaders(admin, look);
    expect(await get({ port: admin, path: look.path, headers: looked })).toMatchObject({ status: 200 });
    expect(await get({ port: admin, path: look.path, headers: looked })).toMatchObject({ status: 401 });
    expect(await callAdmin(admin, { ...look, identity })).toMatchObject({ status: 200 });
    expect(await callAdmin(admin, { ...look, identity: 'another' })).toMatchObject({ status: 401 });
  });

  test('a nonce is remembered for as long as its call could come again', () => {
    const check = new SignatureCheck(new AdminKeys([SECRET]), 'one');
    const startMs = 1_000_000;
    const at = '127.0.0.1:9901';
    const call = (nonce: string, timeMs: number) => {
      const headers = adminHeaders(9901, { ...look, nonce, timeMs }) as Record<string, string>;
      return { method: 'GET', path: look.path, headers, body: '', at };
    };
    const early = call('n'.repeat(16), startMs + 4_000);
    expect(check.check(early, startMs)).toHaveProperty('signature');
    for (let ms = 500; ms <= 65_000; ms += 500) {
      expect(check.check(early, startMs + ms)).toHaveProperty('rejection');
      expect(check.check(call(`other-nonce-${ms}-----`, startMs + ms), startMs + ms)).toHaveProperty('signature');
    }
  });
});

test('an address is named as the task itself sees it', () => {
  expect(adminAddress('10.0.1.7', 9901)).toBe('10.0.1.7:9901');
  expect(adminAddress('::ffff:10.0.1.7', 9901)).toBe('10.0.1.7:9901');
  expect(adminAddress('::1', 9901)).toBe('[::1]:9901');
});

test('the report counts what went through, without health checks', async () => {
  const { data, admin } = await cloud();
  await get({ port: data });
  await get({ port: data, path: '/status/404' });
  await get({ port: data, path: '/status/500' });
  await get({ port: data, path: '/.drainshift/health' });
  const report = await findReport(admin);
  expect(report).toMatchObject({
    state: 'serving',
    active: { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 },
    requests: { total: 3, errors: 1 },
    oldestSeconds: { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 },
    hold: { state: 'none', epoch: 0, waiting: 0, leaseRemainingMs: 0, isOfSwitch: false },
    upstream: 'source',
  });
  expect(report.bytes.websocket).toEqual({ received: 0, sent: 0 });
  expect(report.ended.http).toEqual({ completed: 3, moved: 0, closed: 0, forced: 0 });
  expect((await findReport(admin)).instance).toBe(report.instance);
});

test('a request that was slow is in the report when it has ended', async () => {
  const { data, admin } = await cloud();
  await get({ port: data, path: '/slow/120' });
  await get({ port: data });
  expect((await findReport(admin)).longestRequestMs).toBeGreaterThanOrEqual(100);
});

test('a wrong order is rejected with all its problems', async () => {
  const { admin, proxy } = await cloud();
  const body = JSON.stringify({ perKindSeconds: { http: -1 }, closeRatePerSecond: 0, speed: 1 });
  const got = await callAdmin(admin, { method: 'POST', path: '/drain', body });
  expect(got.status).toBe(400);
  expect(JSON.parse(got.body)).toEqual({
    problems: [
      '\'speed\' must be one of perKindSeconds, closeRatePerSecond, jitter, order, moves, got "speed"',
      "'perKindSeconds.http' must be an integer from 0 to 86400, got -1",
      "'closeRatePerSecond' must be an integer from 1 to 10000, got 0",
    ],
  });
  expect(await callAdmin(admin, { method: 'POST', path: '/drain', body: '{' })).toMatchObject({ status: 400 });
  expect(proxy.report().state).toBe('serving');
});

test('what is no call, no method of it, or too long is rejected', async () => {
  const { admin } = await cloud();
  expect(await callAdmin(admin, { path: '/' })).toMatchObject({ status: 404 });
  expect(await callAdmin(admin, { path: '/drain' })).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  const body = ' '.repeat(64 * 1024 + 1);
  expect(await callAdmin(admin, { method: 'POST', path: '/drain', body })).toMatchObject({ status: 413 });
});

test('metrics show the ledger', async () => {
  const { data, admin } = await cloud();
  await get({ port: data });
  const { body, headers } = await callAdmin(admin, { path: '/metrics' });
  expect(headers['content-type']).toContain('text/plain');
  expect(body).toContain('drainshift_connections_active{side="source",kind="http"} 0');
  expect(body).toContain('drainshift_connections_ended_total{side="source",kind="http",how="completed"} 1');
  expect(body).toContain('drainshift_requests_total{side="source",class="2xx"} 1');
  expect(body).toContain('process_cpu_seconds_total');
});

test('while draining: plain requests are served and connections closed, streams rejected; undrain takes it back', async () => {
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
  expect(proxy.lines.find(({ msg }) => msg.startsWith('Draining'))?.msg).toMatch(
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
