import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { callAdmin, startTestProxy } from '../../support/proxy-world';
import { get, later, liveIn, startBackend, startEngine, stopAll, until } from '../../support/world';

afterEach(stopAll);

const EVENTS = { 'content-type': 'text/event-stream' };

/** Each responds to a part and goes on for as long as no one finishes it. */
async function startStreams() {
  const open: http.ServerResponse[] = [];
  const backend = await startBackend((request, response) => {
    const begin = (headers: http.OutgoingHttpHeaders, part: string) => {
      response.writeHead(200, headers).write(part);
      open.push(response);
    };
    const path = request.url ?? '';
    if (path === '/events') begin(EVENTS, 'data: 1\n\n');
    else if (path === '/encoded') begin({ ...EVENTS, 'content-encoding': 'gzip' }, 'bytes');
    else if (path === '/ndjson') begin({ 'content-type': 'application/x-ndjson' }, '{"n":1}\n');
    else if (path === '/download') begin({ 'content-length': 1_000_000 }, 'a part');
    else if (path === '/grpc-web') begin({ 'content-type': 'application/grpc-web+proto' }, '\0\0\0\0\x01a');
    else if (path === '/short') response.end('whole');
  });
  return { ...backend, open };
}

/** How a response ended for its client: `whole`, or why it is known to be cut. */
function read(port: number, method: string, path: string): Promise<string> {
  return get({ port, method, path }).then(
    ({ body }) => `whole: ${body}`,
    (error: Error) => error.message,
  );
}

function readHttp2(port: number, method: string, path: string): Promise<string> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  later(() => session.destroy());
  return new Promise((resolve) => {
    const stream = session.request({ ':method': method, ':path': path }, { endStream: true });
    stream.resume();
    stream.on('error', (error: Error) => resolve(error.message));
    stream.on('end', () => stream.rstCode === 0 && resolve('whole'));
  });
}

/** A response without a length to a client of HTTP/1.0 ends with its connection: only a reset tells. */
function readHttp10(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.0\r\nHost: a\r\n\r\n`));
    later(() => void socket.destroy());
    socket.resume();
    socket.on('end', () => resolve('whole'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
}

const CUT = /aborted|ECONNRESET|socket hang up|NGHTTP2_INTERNAL_ERROR/;

test('whatever streams and is no EventSource’s is streaming, and a drain resets it', async () => {
  const backend = await startStreams();
  const engine = await startEngine(backend.port);
  const { port, ledger } = engine;
  const responses = [
    read(port, 'POST', '/events'),
    read(port, 'PUT', '/events'),
    read(port, 'POST', '/encoded'),
    readHttp2(port, 'POST', '/events'),
  ];
  // An event stream is known by its type, at once.
  await until(() => ledger.active.streaming === 4);
  responses.push(
    read(port, 'GET', '/ndjson'),
    read(port, 'POST', '/ndjson'),
    read(port, 'GET', '/download'),
    read(port, 'POST', '/grpc-web'),
    readHttp2(port, 'GET', '/download'),
    readHttp10(port, '/ndjson'),
  );
  await until(() => ledger.active.http === 6);
  await read(port, 'GET', '/short');
  // Anything else shows by lasting.
  await until(() => ledger.active.streaming === responses.length);
  for (const closable of ledger.closables('streaming')) void closable.close();
  for (const end of await Promise.all(responses)) expect(end).toMatch(CUT);
  expect(ledger.ended.streaming).toEqual({ completed: 0, moved: 0, closed: 0, forced: responses.length });
  expect(ledger.ended.http).toEqual({ completed: 1, moved: 0, closed: 0, forced: 0 });
  await until(() => backend.sockets.size === 0);
});

test('in a drain it has the time of its own kind, and ends with its own last event', async () => {
  const backend = await startStreams();
  const proxy = await startTestProxy(backend.port);
  const { port } = proxy.data;
  const order = { perKindSeconds: { http: 30, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 60 } };
  const early = read(port, 'POST', '/events');
  const download = read(port, 'GET', '/ndjson');
  const eventSource = get({ port, path: '/events', headers: { accept: 'text/event-stream' } });
  await until(() => proxy.report().active.streaming === 2 && proxy.report().active.serverSentEvents === 1);
  const drained = await callAdmin(proxy.admin?.port ?? 0, {
    method: 'POST',
    path: '/drain',
    body: JSON.stringify(order),
  });
  expect(drained.status).toBe(202);
  expect((await eventSource).body).toMatch(/^data: 1\n\nretry: \d+\n\n$/);
  // MCP asks so by POST: this is a request, and no stream that could be opened elsewhere.
  const accept = 'application/json, text/event-stream';
  const late = get({ port, method: 'POST', path: '/events', headers: { accept } });
  await until(() => backend.open.length === 4);
  expect(proxy.lines.map(({ msg }) => msg)).toContainEqual(
    expect.stringMatching(/^Draining connections: 3 active \(0 HTTP, 0 WebSocket, 3 streaming\), 6\d\.\ds remaining$/),
  );
  await expect(get({ port, path: '/events', headers: { accept } })).resolves.toMatchObject({ status: 503 });
  for (const response of backend.open) response.end('data: [DONE]\n\n');
  expect(await early).toBe('whole: data: 1\n\ndata: [DONE]\n\n');
  expect(await download).toContain('[DONE]');
  expect((await late).body).toBe('data: 1\n\ndata: [DONE]\n\n');
  expect(proxy.report().ended.streaming).toMatchObject({ completed: 3, closed: 0, forced: 0 });
});

test('an event stream by POST may be silent for as long as any, a download may not', async () => {
  const backend = await startStreams();
  const engine = await startEngine(backend.port, { timeouts: { upstreamIdleMs: 1_400 } });
  const events = read(engine.port, 'POST', '/events');
  await until(() => engine.ledger.active.streaming === 1);
  expect(await read(engine.port, 'GET', '/download')).toMatch(CUT);
  expect(engine.outcomes).toMatchObject([{ kind: 'streaming', ending: 'forced', failure: 'idleTimeout' }]);
  backend.open[0]?.end('data: 2\n\n');
  expect(await events).toBe('whole: data: 1\n\ndata: 2\n\n');
});

test('the end of the proxy is no end of a response either', async () => {
  const backend = await startStreams();
  const engine = await startEngine(backend.port);
  const ends = [readHttp10(engine.port, '/ndjson'), read(engine.port, 'POST', '/events')];
  await until(() => liveIn(engine.ledger) === 2 && backend.open.length === 2);
  await engine.plane.close();
  for (const end of await Promise.all(ends)) expect(end).toMatch(CUT);
});
