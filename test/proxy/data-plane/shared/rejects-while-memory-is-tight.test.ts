import net from 'node:net';
import { CONNECTION_BYTES } from '../../../../proxy/data-plane/shared/memory-budget';
import { later, startBackend, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

/** Asks for something on a connection that stays open. */
function ask(port: number): { text: string } {
  const state = { text: '' };
  const socket = net.connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  later(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => (state.text += bytes.toString()));
  return state;
}

test('from 80 % of the budget on new connections get 503, those of one moment too, and the others go on', async () => {
  const backend = await startBackend((_, response) => void response.end('ok'));
  const engine = await startEngine(backend.port, { limits: { memoryBytes: 10 * CONNECTION_BYTES } });
  const clients = Array.from({ length: 40 }, () => ask(engine.port));
  await until(() => clients.every(({ text }) => text.includes('\r\n\r\n')));
  const rejected = clients.filter(({ text }) => text.startsWith('HTTP/1.1 503 '));
  expect(clients.filter(({ text }) => text.startsWith('HTTP/1.1 200 ')).length).toBe(40 - rejected.length);
  expect(rejected.length).toBeGreaterThanOrEqual(30);
  expect(rejected.length).toBeLessThan(40);
  expect(rejected[0]?.text).toContain('Too little memory');
});

test('what waits for a client that has switched protocols counts', async () => {
  const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  const port = await startRawBackend((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 101 Switching\r\n${fields}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`);
      socket.write(Buffer.alloc(20_000_000));
    });
  });
  const engine = await startEngine(port, { limits: { memoryBytes: 1_000 * CONNECTION_BYTES } });
  const asked = `${fields}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
  const client = net.connect(engine.port, '127.0.0.1', () => client.write(`GET / HTTP/1.1\r\nHost: a\r\n${asked}\r\n`));
  later(() => void client.destroy());
  client.on('error', () => undefined);
  client.pause();
  await until(() => engine.plane.memory.heldBytes > CONNECTION_BYTES);
  expect(engine.ledger.active.websocket).toBe(1);
});
