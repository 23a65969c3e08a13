import http from 'node:http';
import { Mirrored, mirror } from '../../support/mirror';
import { exchangeBytes, get, startBackend, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

test('a GET reaches the upstream with its path, query and Host, and its response comes back', async () => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port);
  const got = await get({ port: engine.port, path: '/a/b?c=d%20e', headers: { host: 'shop.example', 'x-one': '1' } });
  const seen = JSON.parse(got.body) as Mirrored;
  expect(got.status).toBe(200);
  expect(seen).toMatchObject({ method: 'GET', url: '/a/b?c=d%20e' });
  expect(seen.headers).toMatchObject({ host: 'shop.example', 'x-one': '1' });
  expect(seen.headers['transfer-encoding']).toBeUndefined();
  await until(() => engine.outcomes.length === 1);
  expect(engine.outcomes).toMatchObject([{ status: 200, kind: 'http', ending: 'completed' }]);
  expect(engine.ledger.ended.http.completed).toBe(1);
});

test.each(['length', 'chunked'])('a POST body arrives whole with framing by %s', async (framing) => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port);
  const body = 'x'.repeat(100_000);
  const headers: Record<string, string> =
    framing === 'length' ? { 'content-length': String(body.length) } : { 'transfer-encoding': 'chunked' };
  const got = await get({ port: engine.port, method: 'POST', headers }, body);
  const seen = JSON.parse(got.body) as Mirrored;
  expect(seen.body).toBe(body);
  expect(seen.headers['content-length']).toBe(framing === 'length' ? '100000' : undefined);
});

test('HEAD, 204 and 304 have no body and keep the connection', async () => {
  const fields = 'Trailer: X-Sum\r\nETag: "1"\r\n';
  const responses: Record<string, string> = {
    HEAD: `HTTP/1.1 200 OK\r\n${fields}Content-Length: 5\r\n\r\n`,
    'GET /204': `HTTP/1.1 204 No Content\r\n${fields}Content-Length: 5\r\n\r\n`,
    'GET /304': `HTTP/1.1 304 Not Modified\r\n${fields}\r\n`,
  };
  const port = await startRawBackend((socket) => {
    socket.on('data', (bytes) => {
      const response = Object.entries(responses).find(([start]) => bytes.toString().startsWith(start));
      socket.write(response?.[1] ?? '');
    });
  });
  const engine = await startEngine(port);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const head = await get({ port: engine.port, method: 'HEAD', agent });
  expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': '5' } });
  const empty = await get({ port: engine.port, path: '/204', agent });
  expect(empty).toMatchObject({ status: 204, body: '' });
  expect(empty.headers['content-length']).toBeUndefined();
  expect(await get({ port: engine.port, path: '/304', agent })).toMatchObject({
    status: 304,
    headers: { etag: '"1"' },
  });
  agent.destroy();
});

test('an upgrade to anything but a WebSocket is served as a plain request', async () => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port);
  const response = await exchangeBytes(
    engine.port,
    'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n',
  );
  expect(response).toMatch(/^HTTP\/1\.1 200 /);
});

test('an HTTP/1.0 client gets a body that ends with the connection', async () => {
  const backend = await startBackend((_, response) => {
    response.write('one ');
    response.end('two');
  });
  const engine = await startEngine(backend.port);
  const response = await exchangeBytes(engine.port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  expect(response.toLowerCase()).not.toContain('transfer-encoding');
  expect(response).toMatch(/\r\n\r\none two$/);
});

test('an absolute target is sent in origin form', async () => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port);
  const response = await exchangeBytes(
    engine.port,
    'GET http://shop.example/p?q=1 HTTP/1.1\r\nHost: Shop.Example\r\nConnection: close\r\n\r\n',
  );
  expect(response).toContain('"url":"/p?q=1"');
  expect(response).toContain('"host":"shop.example"');
});
