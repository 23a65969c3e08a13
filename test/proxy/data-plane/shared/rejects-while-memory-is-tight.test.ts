import type { ServerResponse } from 'node:http';
import net from 'node:net';
import type { Notice } from '../../../../proxy/data-plane/contract/data-plane';
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
  const held: ServerResponse[] = [];
  const notices: string[] = [];
  const backend = await startBackend((_, response) => void held.push(response));
  const noticed = ({ message }: Notice) => void (message.startsWith('Memory') && notices.push(message));
  const engine = await startEngine(backend.port, { limits: { memoryBytes: 10 * CONNECTION_BYTES }, noticed });
  const clients = Array.from({ length: 40 }, () => ask(engine.port));
  const responses = (status: number) => clients.filter(({ text }) => text.startsWith(`HTTP/1.1 ${status} `));
  await until(() => responses(503).length + held.length === clients.length);
  // What was let in is counted with its request: nothing has to be closed for that at the next look.
  await until(() => notices.length > 0);
  expect(notices[0]).toBe('Memory is tight: new connections are rejected');
  for (const response of held) response.end('ok');
  // Where this takes longer than a second, the largest are closed for those who come.
  await until(() => responses(200).length + engine.plane.memory.shed === held.length);
  expect(held.length).toBeGreaterThan(0);
  expect(responses(503).length).toBeGreaterThanOrEqual(30);
  expect(responses(503)[0]?.text).toContain('Too little memory');
});

test('what waits for a client that has switched protocols counts', async () => {
  const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  let upstream: net.Socket | undefined;
  const port = await startRawBackend((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 101 Switching\r\n${fields}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`);
      upstream = socket;
    });
  });
  const engine = await startEngine(port, { limits: { memoryBytes: 1_000 * CONNECTION_BYTES } });
  const asked = `${fields}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
  const client = net.connect(engine.port, '127.0.0.1', () => client.write(`GET / HTTP/1.1\r\nHost: a\r\n${asked}\r\n`));
  later(() => void client.destroy());
  client.on('error', () => undefined);
  client.pause();
  await until(() => upstream !== undefined && engine.plane.memory.heldBytes === CONNECTION_BYTES);
  // How much the kernel takes before the proxy has to hold some of it differs by machine: it gets more until then.
  await until(() => {
    if (upstream?.writableNeedDrain !== true) upstream?.write(Buffer.alloc(1_000_000));
    return engine.plane.memory.heldBytes > CONNECTION_BYTES;
  });
  expect(engine.ledger.active.websocket).toBe(1);
});
