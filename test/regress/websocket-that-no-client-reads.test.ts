import net from 'node:net';
import { later, liveIn, startEngine, startRawBackend, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const ACCEPTED =
  'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

test('one whose upstream takes nothing is cut after the idle time, its client gone or not', async () => {
  const port = await startRawBackend((socket) => {
    socket.once('data', () => {
      socket.write(ACCEPTED);
      socket.pause();
    });
  });
  const engine = await startEngine(port, { timeouts: { upstreamIdleMs: 300 } });
  const client = net.connect(engine.port, '127.0.0.1');
  later(() => void client.destroy());
  client.on('error', () => undefined);
  client.write(HANDSHAKE);
  await until(() => engine.ledger.active.websocket === 1);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(1_000_000_000n);
  client.write(Buffer.concat([Buffer.from([0x82, 0xff]), length, Buffer.alloc(4)]));
  client.write(Buffer.alloc(32_000_000));
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.outcomes).toMatchObject([{ kind: 'websocket', ending: 'forced' }]);
});
