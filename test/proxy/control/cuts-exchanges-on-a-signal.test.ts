import { WebSocket, WebSocketServer } from 'ws';
import { get, later, liveIn, startBackend, startEngine, stopAll, until } from '../support/world';

afterEach(stopAll);

async function cloud() {
  const backend = await startBackend((request, response) => {
    if (request.url === '/half') response.writeHead(200, { 'content-length': '8' }).write('half');
    if (request.url === '/whole') response.end('whole');
  });
  new WebSocketServer({ server: backend.server }).on('connection', (socket) => socket.on('error', () => undefined));
  const cut = new AbortController();
  const outcomes: unknown[] = [];
  const engine = await startEngine(backend.port, {
    decide: () => ({
      forward: {
        upstream: { protocol: 'http', host: '127.0.0.1', port: backend.port },
        signal: cut.signal,
        settled: (outcome) => outcomes.push(outcome),
      },
    }),
  });
  const gone = () => until(() => liveIn(engine.ledger) === 0 && backend.sockets.size === 0);
  return { backend, engine, cut, outcomes, gone };
}

test('before the response began it is a reset', async () => {
  const { backend, engine, cut, outcomes, gone } = await cloud();
  const response = get({ port: engine.port, path: '/silent' });
  const upload = get({ port: engine.port, path: '/silent', method: 'POST' }, 'x');
  await until(() => backend.sockets.size === 2);
  cut.abort();
  expect(await response).toMatchObject({ status: 502, body: 'reset' });
  expect(await upload).toMatchObject({ status: 502, body: 'reset' });
  await gone();
  const outcome = { status: 502, kind: 'http', ending: 'completed', failure: 'reset' };
  expect(outcomes).toMatchObject([outcome, outcome]);
});

test('inside the response its stream breaks', async () => {
  const { engine, cut, outcomes, gone } = await cloud();
  const broken = get({ port: engine.port, path: '/half' }, (request) => {
    request.on('response', () => cut.abort());
    request.end();
  });
  await expect(broken).rejects.toThrow();
  await gone();
  expect(outcomes).toMatchObject([{ status: 200, kind: 'http', ending: 'forced', failure: 'reset' }]);
});

test('an upgraded connection is closed hard', async () => {
  const { engine, cut, outcomes, gone } = await cloud();
  const socket = new WebSocket(`ws://127.0.0.1:${engine.port}/`);
  later(() => socket.terminate());
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('open', resolve));
  const code = new Promise((resolve) => socket.once('close', resolve));
  cut.abort();
  expect(await code).toBe(1006);
  await gone();
  expect(outcomes).toMatchObject([{ status: 101, kind: 'websocket', ending: 'forced' }]);
});

test('a signal that was given before sends nothing, and one that comes after changes nothing', async () => {
  const { backend, engine, cut } = await cloud();
  expect(await get({ port: engine.port, path: '/whole' })).toMatchObject({ status: 200, body: 'whole' });
  let requests = 0;
  backend.server.on('request', () => (requests += 1));
  cut.abort();
  expect(await get({ port: engine.port, path: '/whole' })).toMatchObject({ status: 502, body: 'reset' });
  expect(requests).toBe(0);
});
