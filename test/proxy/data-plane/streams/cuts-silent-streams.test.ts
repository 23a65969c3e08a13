import http from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { later, liveIn, startBackend, startEngine, stopAll, until } from '../../support/world';

afterEach(stopAll);

/** Whoever talks does so for longer than this. */
const IDLE_MS = 300;

async function cloud(streamIdleMs: number) {
  const streams: http.ServerResponse[] = [];
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 0\n\n');
    streams.push(response);
  });
  new WebSocketServer({ server: backend.server }).on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
  });
  return { engine: await startEngine(backend.port, { timeouts: { streamIdleMs } }), backend, streams };
}

async function open(port: number): Promise<{ socket: WebSocket; code: Promise<number> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  later(() => socket.terminate());
  socket.on('error', () => undefined);
  const code = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise((resolve) => socket.once('open', resolve));
  return { socket, code };
}

test('a WebSocket without a byte either way is cut', async () => {
  const { engine, backend } = await cloud(80);
  const { code } = await open(engine.port);
  expect(await code).toBe(1006);
  await until(() => liveIn(engine.ledger) === 0 && backend.sockets.size === 0);
  expect(engine.outcomes).toMatchObject([{ status: 101, kind: 'websocket', ending: 'forced' }]);
});

test('a WebSocket that talks is not', async () => {
  const { engine } = await cloud(IDLE_MS);
  const { socket } = await open(engine.port);
  for (const endMs = performance.now() + 2 * IDLE_MS; performance.now() < endMs;) {
    const echo = new Promise((resolve) => socket.once('message', resolve));
    socket.send('x');
    await echo;
  }
  expect(engine.ledger.active.websocket).toBe(1);
});

test('an event stream that is silent is cut, and not blamed on its upstream', async () => {
  const { engine, backend, streams } = await cloud(IDLE_MS);
  const events = await new Promise<http.IncomingMessage>((resolve) =>
    http.get({ host: '127.0.0.1', port: engine.port, agent: false }, resolve).on('error', () => undefined),
  );
  let text = '';
  const broken = new Promise((resolve) => events.once('error', resolve));
  events.on('data', (bytes: Buffer) => (text += bytes.toString()));
  const endMs = performance.now() + 2 * IDLE_MS;
  for (let n = 1; performance.now() < endMs; n += 1) {
    streams[0]!.write(`data: ${n}\n\n`);
    await until(() => text.endsWith(`data: ${n}\n\n`));
  }
  await broken;
  await until(() => liveIn(engine.ledger) === 0 && backend.sockets.size === 0);
  expect(engine.outcomes).toMatchObject([{ status: 200, kind: 'serverSentEvents', ending: 'forced' }]);
});
