import { WebSocket, WebSocketServer } from 'ws';
import pino from 'pino';
import { AccessLog, startVisit } from '../../../proxy/telemetry/access-log';
import type { Outcome, RequestHead } from '../../../proxy/data-plane/contract/data-plane';
import { FakeClock } from '../support/fake-clock';
import { ProxyChanges, TestProxy, startTestProxy } from '../support/proxy-world';
import { get, startBackend, startRawBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [name: string]: unknown;
}

const requestsIn = (proxy: TestProxy) => (proxy.lines as readonly Line[]).filter(({ msg }) => msg === 'Request');

async function cloud(changes: ProxyChanges) {
  const backend = await startBackend((request, response) => {
    const status = Number(/^\/status\/(\d+)/.exec(request.url ?? '')?.[1] ?? 200);
    response.writeHead(status, { 'set-cookie': 'sid=cookie-secret' }).end('ok');
  });
  new WebSocketServer({ server: backend.server, path: '/ws' }).on('connection', (socket) => {
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
  });
  const proxy = await startTestProxy(backend.port, changes);
  return { proxy, port: proxy.data.port };
}

test('one line a request, with what an operator asks for', async () => {
  const { proxy, port } = await cloud({ accessLog: 'on' });
  const headers = { 'x-forwarded-for': '203.0.113.7' };
  await get({ port, method: 'POST', path: '/cart?token=query-secret', headers }, 'three');
  await until(() => requestsIn(proxy).length === 1);
  expect(requestsIn(proxy)[0]).toMatchObject({
    level: 30,
    method: 'POST',
    path: '/cart',
    hasQuery: true,
    protocol: 'HTTP/1.1',
    client: '127.0.0.1',
    forwardedFor: '203.0.113.7',
    traceId: expect.stringMatching(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/) as string,
    status: 200,
    kind: 'http',
    ended: 'completed',
    durationMs: expect.any(Number) as number,
    bytesReceived: 'three'.length,
    bytesSent: 'ok'.length,
  });
});

test('nothing that lets anyone in', async () => {
  const { proxy, port } = await cloud({ accessLog: 'on', logLevel: 'trace' });
  const headers = {
    authorization: 'Bearer authorization-secret',
    'proxy-authorization': 'Basic proxy-secret',
    cookie: 'sid=cookie-secret',
    'x-api-key': 'key-secret',
  };
  await get({ port, path: '/?password=query-secret', headers });
  await until(() => requestsIn(proxy).length === 1);
  expect(JSON.stringify(proxy.lines)).not.toContain('secret');
});

test('it has a level of its own: warnings only is about the other log', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const access = new AccessLog(log, false, new FakeClock());
  access.write(startVisit(head(), undefined), outcome(), 1.23456);
  expect(JSON.parse(lines[0]!)).toMatchObject({ msg: 'Request', durationMs: 1.235, bytesReceived: 7, bytesSent: 9 });
});

test('errors: a response of 500 and more, also the proxy’s own, and no other', async () => {
  const { proxy, port } = await cloud({ accessLog: 'errors' });
  await get({ port });
  await get({ port, path: '/status/404' });
  await get({ port, path: '/status/500' });
  await until(() => proxy.report().requests.responded === 3);
  expect(requestsIn(proxy)).toMatchObject([{ path: '/status/500', status: 500 }]);
  const broken = await startTestProxy(await startRawBackend((socket) => socket.destroy()), { accessLog: 'errors' });
  expect((await get({ port: broken.data.port, path: '/lost' })).status).toBe(502);
  await until(() => requestsIn(broken).length === 1);
  expect(requestsIn(broken)[0]).toMatchObject({ path: '/lost', status: 502, failure: 'reset' });
});

test('errors: a stream that a draining proxy rejects has its line', async () => {
  const { proxy, port } = await cloud({ accessLog: 'errors' });
  void proxy.target.drain({
    perKindSeconds: { http: 1, websocket: 1, grpcStream: 1, serverSentEvents: 1, streaming: 1 },
    closeRatePerSecond: 1,
    jitter: 0,
  });
  await get({ port, path: '/events', headers: { accept: 'text/event-stream' } });
  expect(requestsIn(proxy)).toMatchObject([{ path: '/events', status: 503, durationMs: 0 }]);
});

test('off: not a line', async () => {
  const { proxy, port } = await cloud({ accessLog: 'off' });
  await get({ port, path: '/status/500' });
  await until(() => proxy.report().requests.responded === 1);
  expect(requestsIn(proxy)).toEqual([]);
});

test('a WebSocket has its line when it has ended', async () => {
  const { proxy, port } = await cloud({ accessLog: 'on' });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?token=query-secret`);
  const echoed = new Promise((resolve) => socket.once('message', resolve));
  socket.once('open', () => socket.send('hello'));
  await echoed;
  expect(requestsIn(proxy)).toEqual([]);
  socket.close();
  await until(() => requestsIn(proxy).length === 1);
  expect(requestsIn(proxy)[0]).toMatchObject({
    method: 'GET',
    path: '/ws',
    status: 101,
    kind: 'websocket',
    ended: 'completed',
  });
  // The message and the Close frame: a masked frame has 6 bytes before its payload, an unmasked one 2.
  const { bytesReceived, bytesSent } = requestsIn(proxy)[0]!;
  expect(bytesReceived).toBeGreaterThanOrEqual(6 + 'hello'.length + 6);
  expect(bytesSent).toBeGreaterThanOrEqual(2 + 'hello'.length + 2);
});

test('a trace id that is there is the one in the line', () => {
  expect(startVisit(head({ 'x-amzn-trace-id': 'Root=1-a-b' }), undefined).traceId).toBe('Root=1-a-b');
  expect(startVisit(head(), 'Root=1-made').traceId).toBe('Root=1-made');
});

test('a long path or method, or a long reason, makes no long line', () => {
  const long = 'x'.repeat(5_000);
  const visit = startVisit({ ...head(), method: long, url: `/${long}` }, undefined);
  expect([visit.method.length, visit.path.length]).toEqual([1_024, 1_024]);
  const lines: string[] = [];
  const access = new AccessLog(pino({}, { write: (line: string) => lines.push(line) }), false, new FakeClock());
  access.unread(400, '127.0.0.1', long);
  expect((JSON.parse(lines[0]!) as { why: string }).why).toHaveLength(1_024);
});

test('errors that come in a flood are counted, not all written', () => {
  const lines: string[] = [];
  const clock = new FakeClock();
  const access = new AccessLog(pino({}, { write: (line: string) => lines.push(line) }), true, clock);
  for (let n = 0; n < 250; n += 1) access.refused(head(), 503);
  expect(lines).toHaveLength(100);
  clock.advance(1);
  expect(lines).toHaveLength(101);
  expect(JSON.parse(lines[100]!)).toMatchObject({ leftOut: 150, msg: '150 more failed requests within a second' });
  expect(clock.waiting).toBe(0);
  access.refused(head(), 503);
  expect(lines).toHaveLength(102);
});

function head(fields: Readonly<Record<string, string>> = {}): RequestHead {
  return {
    field: (name) => fields[name],
    method: 'GET',
    url: '/',
    httpVersion: '1.1',
    headers: fields,
    client: { address: '127.0.0.1', port: 1 },
    isTls: false,
    isUpgrade: false,
  };
}

function outcome(): Outcome {
  return { status: 200, kind: 'http', ending: 'completed', bytesReceived: 7, bytesSent: 9 };
}
