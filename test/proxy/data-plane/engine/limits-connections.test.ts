import { WebSocket, WebSocketServer } from 'ws';
import { get, later, liveIn, startBackend, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

test('WebSockets count as client connections', async () => {
  const backend = await startBackend((_, response) => response.end('plain'));
  new WebSocketServer({ server: backend.server });
  const engine = await startEngine(backend.port, { limits: { clientConnections: 2 } });
  const sockets = [1, 2].map(() => new WebSocket(`ws://127.0.0.1:${engine.port}/`));
  for (const socket of sockets) {
    later(() => socket.terminate());
    socket.on('error', () => undefined);
  }
  await until(() => engine.ledger.active.websocket === 2);
  expect(await get({ port: engine.port })).toMatchObject({ status: 503 });
  sockets[0]?.close();
  await until(() => engine.ledger.active.websocket === 1);
  expect(await get({ port: engine.port })).toMatchObject({ status: 200 });
});

test('a request that waits for room takes the next free connection, and a WebSocket a new one', async () => {
  let connections = 0;
  let mayRespond = false;
  const port = await startRawBackend((socket) => {
    connections += 1;
    socket.on('data', (bytes) => {
      const isUpgrade = bytes.includes('websocket');
      if (isUpgrade) socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      else void until(() => mayRespond).then(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    });
  });
  const engine = await startEngine(port, { limits: { upstreamConnections: 1, waitingRequests: 10 } });
  const asked = [1, 2, 3].map(() => get({ port: engine.port }));
  await until(() => liveIn(engine.ledger) === 3);
  mayRespond = true;
  const responses = await Promise.all(asked);
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(connections).toBe(1);
  mayRespond = false;
  const plain = get({ port: engine.port });
  await until(() => liveIn(engine.ledger) === 1);
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const upgrade = get({ port: engine.port, headers });
  await until(() => liveIn(engine.ledger) === 2);
  mayRespond = true;
  expect(await plain).toMatchObject({ status: 200 });
  expect(await upgrade).toMatchObject({ status: 403 });
  expect(connections).toBe(2);
});

test('a request that finds no room to wait fails as full, and the next is served again', async () => {
  let response: (() => void) | undefined;
  const port = await startRawBackend((socket) => {
    socket.on('data', () => (response = () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')));
  });
  const engine = await startEngine(port, { limits: { upstreamConnections: 1, waitingRequests: 0 } });
  const first = get({ port: engine.port });
  await until(() => response !== undefined);
  expect(await get({ port: engine.port })).toMatchObject({ status: 502, body: 'full' });
  response?.();
  expect(await first).toMatchObject({ status: 200 });
  const again = get({ port: engine.port });
  response = undefined;
  await until(() => response !== undefined);
  response!();
  expect(await again).toMatchObject({ status: 200 });
});

test('an idle connection that a request may not take makes room for one that it may', async () => {
  const backend = await startBackend((_, response) => response.end('plain'), { keepAliveTimeout: 60_000 });
  new WebSocketServer({ server: backend.server });
  const engine = await startEngine(backend.port, {
    limits: { upstreamConnections: 1 },
    timeouts: { poolIdleMs: 60_000 },
  });
  expect(await get({ port: engine.port })).toMatchObject({ status: 200 });
  const socket = new WebSocket(`ws://127.0.0.1:${engine.port}/`);
  later(() => socket.terminate());
  await new Promise((resolve) => socket.once('open', resolve));
});
