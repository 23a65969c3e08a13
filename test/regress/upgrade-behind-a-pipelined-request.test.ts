import http from 'node:http';
import net from 'node:net';
import { WebSocketServer } from 'ws';
import { later, liveIn, startBackend, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const UPGRADE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

function send(port: number, bytes: string): { text: () => string; socket: net.Socket } {
  let text = '';
  const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  later(() => void socket.destroy());
  return { text: () => text, socket };
}

test('behind a request that waits for its response, an upgrade waits for its turn', async () => {
  let slow: http.ServerResponse | undefined;
  const backend = await startBackend((_, response) => void (slow = response));
  new WebSocketServer({ server: backend.server });
  const engine = await startEngine(backend.port);
  const client = send(engine.port, `GET /slow HTTP/1.1\r\nHost: a\r\n\r\n${UPGRADE}`);
  await until(() => slow !== undefined);
  expect(engine.heads.map((head) => head.isUpgrade)).toEqual([false]);
  slow?.end('slow');
  await until(() => client.text().includes('101 Switching Protocols'));
  expect(client.text()).toMatch(/^HTTP\/1\.1 200 [^]+slow[^]*HTTP\/1\.1 101 /);
  client.socket.destroy();
  await until(() => liveIn(engine.ledger) === 0);
});

test('behind a response that is whole and not yet written, an upgrade waits for it', async () => {
  const backend = await startBackend((_, response) => response.end());
  new WebSocketServer({ server: backend.server });
  later(() => backend.server.closeAllConnections());
  const engine = await startEngine(backend.port, {
    decide: (head) => (head.url === '/own' ? { response: { status: 200, body: 'own' } } : undefined),
  });
  const client = send(engine.port, `GET /own HTTP/1.1\r\nHost: a\r\n\r\n${UPGRADE}`);
  await until(() => client.text().includes('101 Switching Protocols'));
  expect(client.text()).toMatch(/^HTTP\/1\.1 200 [^]+own[^]*HTTP\/1\.1 101 /);
  expect(engine.ledger.active.websocket).toBe(1);
  client.socket.destroy();
  await until(() => liveIn(engine.ledger) === 0);
});
