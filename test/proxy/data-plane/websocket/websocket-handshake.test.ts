import { exchangeBytes, liveIn, startBackend, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

test.each([
  ['a wrong version', HANDSHAKE.replace('Version: 13', 'Version: 8'), 426],
  ['a wrong key', HANDSHAKE.replace('dGhlIHNhbXBsZSBub25jZQ==', 'short'), 400],
  ['another method', HANDSHAKE.replace('GET', 'POST'), 400],
  ['a body', HANDSHAKE.replace('Host: a', 'Host: a\r\nContent-Length: 3'), 400],
])('a handshake with %s is rejected', async (_, bytes, status) => {
  const backend = await startBackend((_request, response) => response.end());
  const engine = await startEngine(backend.port);
  expect(await exchangeBytes(engine.port, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(engine.heads).toHaveLength(0);
});

test('an upstream that rejects the upgrade responds for itself', async () => {
  const backend = await startBackend((_, response) => response.writeHead(401, { 'x-why': 'login' }).end('log in'));
  const engine = await startEngine(backend.port);
  const response = await exchangeBytes(engine.port, HANDSHAKE);
  expect(response).toMatch(/^HTTP\/1\.1 401 /);
  expect(response).toContain('x-why: login');
  expect(response).toContain('log in');
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.outcomes).toMatchObject([{ status: 401, kind: 'http', ending: 'completed' }]);
});

test('a 101 with a wrong accept value is no tunnel', async () => {
  const port = await startRawBackend((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n');
    });
  });
  const engine = await startEngine(port);
  const response = await exchangeBytes(engine.port, HANDSHAKE);
  expect(response).toMatch(/^HTTP\/1\.1 502 /);
  expect(response).toContain('malformed');
});
