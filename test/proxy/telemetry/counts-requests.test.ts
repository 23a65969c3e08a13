import http from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { ProxyChanges, startTestProxy } from '../support/proxy-world';
import { get, later, startBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

async function cloud(changes: ProxyChanges = {}) {
  const streams: http.ServerResponse[] = [];
  const backend = await startBackend((request, response) => {
    if (request.url === '/silent') return;
    if (request.url === '/status/503') return void response.writeHead(503).end();
    if (request.url === '/half') response.writeHead(200, { 'content-length': '8' }).write('half');
    if (request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    }
    streams.push(response);
    if (request.url === '/') response.end('ok');
  });
  new WebSocketServer({ server: backend.server, path: '/ws' });
  const proxy = await startTestProxy(backend.port, changes);
  return { proxy, port: proxy.data.port, streams, counts: () => proxy.report().requests };
}

/** A request whose response no one waits for; `begun` is when its head is there. */
function begin(port: number, path: string): { request: http.ClientRequest; started: Promise<void> } {
  let head: () => void = () => undefined;
  const started = new Promise<void>((resolve) => (head = resolve));
  const request = http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
    response.on('error', () => undefined);
    response.resume();
    head();
  });
  request.on('error', () => undefined);
  later(() => void request.destroy());
  return { request, started };
}

test('a request counts when it is taken, and its response when it is whole', async () => {
  const { port, counts, proxy } = await cloud();
  const { request } = begin(port, '/silent');
  await until(() => counts().total === 1);
  await get({ port });
  await until(() => counts().responded === 1);
  await get({ port, path: '/status/503' });
  await until(() => counts().responded === 2);
  expect(counts()).toEqual({ total: 3, responded: 2, errors: 1 });
  request.destroy();
  await until(() => proxy.report().active.http === 0);
  expect(counts()).toEqual({ total: 3, responded: 2, errors: 1 });
});

test('a client that leaves inside its response is neither a response nor an error', async () => {
  const { port, counts, proxy } = await cloud();
  const { request, started } = begin(port, '/half');
  await started;
  request.destroy();
  await until(() => proxy.report().active.http === 0);
  expect(counts()).toEqual({ total: 1, responded: 0, errors: 0 });
});

test('an upstream that breaks off inside its response is an error', async () => {
  const { port, counts, streams } = await cloud();
  const broken = get({ port, path: '/half' });
  broken.catch(() => undefined);
  await until(() => streams.length === 1);
  streams[0]?.destroy();
  await expect(broken).rejects.toThrow();
  await until(() => counts().responded === 1);
  expect(counts()).toEqual({ total: 1, responded: 1, errors: 1 });
});

test('an upstream that hangs is a 504 of ours, and an error', async () => {
  const { port, counts } = await cloud({ timeouts: { upstreamIdleMs: 50 } });
  expect(await get({ port, path: '/silent' })).toMatchObject({ status: 504 });
  await until(() => counts().responded === 1);
  expect(counts()).toEqual({ total: 1, responded: 1, errors: 1 });
});

test('an event stream gets a response when it begins, and an error when its upstream breaks off', async () => {
  const { port, counts, streams } = await cloud();
  begin(port, '/events');
  begin(port, '/events');
  await until(() => counts().responded === 2);
  expect(counts()).toEqual({ total: 2, responded: 2, errors: 0 });
  streams[0]?.destroy();
  await until(() => counts().errors === 1);
  streams[1]?.end();
  expect(counts()).toEqual({ total: 2, responded: 2, errors: 1 });
});

test('a WebSocket gets a response when it is open', async () => {
  const { port, counts, proxy } = await cloud();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await new Promise((resolve) => socket.once('open', resolve));
  expect(counts()).toEqual({ total: 1, responded: 1, errors: 0 });
  socket.close();
  await until(() => proxy.report().active.websocket === 0);
  expect(counts()).toEqual({ total: 1, responded: 1, errors: 0 });
});

test('a stream that a draining proxy rejects says nothing of the upstream', async () => {
  const { port, counts, proxy } = await cloud({ gracePeriodSeconds: 1, gracefulShutdownTimeoutSeconds: 0 });
  begin(port, '/events');
  await until(() => counts().responded === 1);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  await get({ port, agent });
  const ended = proxy.shutDown();
  await until(() => proxy.report().state === 'draining');
  const refused = await get({ port, agent, headers: { accept: 'text/event-stream' } });
  agent.destroy();
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  expect(counts()).toEqual({ total: 3, responded: 3, errors: 0 });
  await ended;
});
