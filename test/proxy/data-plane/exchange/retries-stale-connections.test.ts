import type { Socket } from 'node:net';
import { exchangeBytes, get, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Responds to the first request of a connection, and resets the connection at its second. */
async function startForgetful(): Promise<{ port: number; requests: string[]; sockets: Socket[] }> {
  const requests: string[] = [];
  const sockets: Socket[] = [];
  const port = await startRawBackend((socket) => {
    sockets.push(socket);
    let seen = 0;
    socket.on('data', (bytes) => {
      seen += 1;
      requests.push(bytes.toString().split('\r\n')[0] ?? '');
      if (seen === 1) socket.write(OK);
      else socket.resetAndDestroy();
    });
  });
  return { port, requests, sockets };
}

test('a request without a body is sent again when its pooled connection was gone', async () => {
  const backend = await startForgetful();
  const engine = await startEngine(backend.port);
  expect(await get({ port: engine.port, path: '/1' })).toMatchObject({ status: 200 });
  expect(await get({ port: engine.port, path: '/2' })).toMatchObject({ status: 200, body: 'ok' });
  expect(backend.requests).toEqual(['GET /1 HTTP/1.1', 'GET /2 HTTP/1.1', 'GET /2 HTTP/1.1']);
  expect(backend.sockets).toHaveLength(2);
});

test('a POST is never sent twice', async () => {
  const backend = await startForgetful();
  const engine = await startEngine(backend.port);
  expect(await get({ port: engine.port, path: '/1', method: 'POST' }, 'x')).toMatchObject({ status: 200 });
  expect(await get({ port: engine.port, path: '/2', method: 'POST' }, 'x')).toMatchObject({
    status: 502,
    body: 'reset',
  });
  expect(backend.requests.filter((line) => line.includes('/2'))).toHaveLength(1);
});

test('a failure on a connection of its own is not tried again', async () => {
  let connections = 0;
  const port = await startRawBackend((socket) => {
    connections += 1;
    socket.on('data', () => socket.resetAndDestroy());
  });
  const engine = await startEngine(port);
  expect(await get({ port: engine.port })).toMatchObject({ status: 502, body: 'reset' });
  await until(() => engine.outcomes.length === 1);
  expect(connections).toBe(1);
});

test('nothing is sent again once the response has begun', async () => {
  let requests = 0;
  const port = await startRawBackend((socket) => {
    let seen = 0;
    socket.on('data', () => {
      requests += 1;
      seen += 1;
      if (seen === 1) socket.write(OK);
      else socket.end('HTTP/1.1 200 OK\r\nConte');
    });
  });
  const engine = await startEngine(port);
  await get({ port: engine.port });
  expect((await get({ port: engine.port })).status).toBe(502);
  expect(requests).toBe(2);
});

test('where a load balancer is played, a stale connection is a 502 and nothing is sent again', async () => {
  const backend = await startForgetful();
  // Past the age at which a proxy, too, would leave a connection alone.
  const engine = await startEngine(backend.port, { repeatsStale: false, timeouts: { clientIdleMs: 1_100 } });
  for (const method of ['GET', 'POST']) {
    // Its client's connection is idle as long as the upstream's, by the same clock, and ends when it is old enough.
    expect(await exchangeBytes(engine.port, 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    const again = await get({ port: engine.port, path: '/2', method }, method === 'POST' ? 'x' : undefined);
    expect(again).toMatchObject({ status: 502, body: 'reset' });
  }
  expect(backend.requests.filter((line) => line.includes('/2'))).toHaveLength(2);
});
