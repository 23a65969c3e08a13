import http from 'node:http';
import net from 'node:net';
import { exchangeBytes, later, startBackend, startEngine, stopAll } from '../../support/world';

afterEach(stopAll);

test.each([
  ['two Host fields', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['no Host field', 'GET / HTTP/1.1\r\n\r\n', 400],
  [
    'both framings',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['an absolute target that is not the Host', 'GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n', 400],
  ['no HTTP', 'NONSENSE\r\n\r\n', 400],
  ['another expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nConnection: close\r\n\r\n', 417],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405],
  ['a head that is too long', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`, 431],
])('refused and closed: %s', async (_, bytes, status) => {
  const backend = await startBackend((_request, response) => response.end());
  const engine = await startEngine(backend.port);
  expect(await exchangeBytes(engine.port, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(engine.heads).toHaveLength(0);
});

test('a head that does not end in time is rejected', async () => {
  const backend = await startBackend((_, response) => response.end());
  const engine = await startEngine(backend.port, { timeouts: { headMs: 100 } });
  const response = await exchangeBytes(engine.port, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  expect(response).toMatch(/^HTTP\/1\.1 408 /);
});

test('bytes that are no request never stand between the bytes of another response', async () => {
  let half: http.ServerResponse | undefined;
  const backend = await startBackend((_, response) => {
    half = response.writeHead(200, { 'content-length': '8' });
    response.write('half');
  });
  const engine = await startEngine(backend.port);
  const socket = net.connect(engine.port, '127.0.0.1');
  later(() => void socket.destroy());
  socket.on('error', () => undefined);
  let response = '';
  socket.on('data', (bytes) => {
    response += bytes.toString();
    if (response.endsWith('half')) socket.write('NONSENSE\r\n\r\n', () => half?.end('more'));
  });
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  expect(response).toMatch(/halfmoreHTTP\/1\.1 400 /);
});
