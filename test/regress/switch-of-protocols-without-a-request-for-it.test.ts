import { exchangeBytes, get, liveIn, startEngine, startRawBackend, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

test.each([
  ['whole', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ['bare', ''],
])('a %s 101 is a malformed response', async (_, fields) => {
  const port = await startRawBackend((socket) => {
    socket.on('data', () => socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`));
  });
  const engine = await startEngine(port);
  expect(await get({ port: engine.port })).toMatchObject({ status: 502, body: 'malformed' });
  expect(await get({ port: engine.port, method: 'POST' }, 'x')).toMatchObject({ status: 502, body: 'malformed' });
  expect(await exchangeBytes(engine.port, UPGRADE)).toMatch(/^HTTP\/1\.1 502 [^]+malformed$/);
  await until(() => liveIn(engine.ledger) === 0);
});
