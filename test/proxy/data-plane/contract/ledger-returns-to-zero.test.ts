import net from 'node:net';
import { get, later, liveIn, startBackend, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

test('clients that leave at any point of an exchange leave nothing behind', async () => {
  const backend = await startBackend((request, response) => {
    if (request.url === '/half') response.write('half');
    if (request.url === '/upload') request.resume();
  });
  const engine = await startEngine(backend.port);
  const heads = [
    'GET /none HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /half HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf',
    // Two in a row: the second waits for its turn, which never comes.
    'GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /half HTTP/1.1\r\nHost: a\r\n\r\n',
  ];
  for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
    const sockets = heads.map((head) => {
      const socket = net.connect(engine.port, '127.0.0.1', () => socket.write(head));
      socket.on('error', () => undefined);
      socket.resume();
      later(() => void socket.destroy());
      return socket;
    });
    await until(() => liveIn(engine.ledger) === 4);
    for (const socket of sockets) socket[leave]();
    await until(() => liveIn(engine.ledger) === 0);
  }
  expect(engine.outcomes).toHaveLength(12);
  expect(engine.ledger.ended.http.forced).toBe(12);
  await until(() => backend.sockets.size === 0);
});

test('upstreams that fail at any point of an exchange leave nothing behind', async () => {
  const responses: Record<string, string> = {
    '/nothing': '',
    '/part-of-head': 'HTTP/1.1 200 OK\r\nContent-Le',
    '/part-of-body': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc',
    '/part-of-chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc',
    '/nonsense': 'nonsense\r\n\r\n',
    '/bad-chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  };
  const port = await startRawBackend((socket) => {
    socket.on('data', (bytes) => {
      const path = bytes.toString().split(' ')[1] ?? '';
      socket.end(responses[path] ?? '');
    });
  });
  const engine = await startEngine(port);
  for (const method of ['GET', 'POST']) {
    for (const path of Object.keys(responses)) {
      await get({ port: engine.port, path, method }, method === 'POST' ? 'body' : undefined).catch(() => undefined);
    }
  }
  await until(() => liveIn(engine.ledger) === 0);
  const count = Object.keys(responses).length * 2;
  expect(engine.outcomes).toHaveLength(count);
  expect(engine.outcomes.every((outcome) => outcome.failure !== undefined)).toBe(true);
});

test('closing the data plane ends everything at once', async () => {
  const backend = await startBackend((_, response) => response.write('half'));
  const engine = await startEngine(backend.port);
  const broken = get({ port: engine.port });
  await until(() => liveIn(engine.ledger) === 1);
  await Promise.all([engine.plane.close(), expect(broken).rejects.toThrow()]);
  await until(() => liveIn(engine.ledger) === 0);
  await until(() => backend.sockets.size === 0);
});

test('a plain exchange that a drain has to cut is forced, and cannot be taken for a whole one', async () => {
  const backend = await startBackend((_, response) => response.write('half'));
  const engine = await startEngine(backend.port);
  const broken = get({ port: engine.port });
  await until(() => liveIn(engine.ledger) === 1);
  for (const closable of engine.ledger.closables('http')) void closable.close();
  await expect(broken).rejects.toThrow();
  expect(engine.ledger.ended.http.forced).toBe(1);
});
