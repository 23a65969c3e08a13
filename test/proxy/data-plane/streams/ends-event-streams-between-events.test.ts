import http from 'node:http';
import zlib from 'node:zlib';
import { get, liveIn, startBackend, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

/** Reads a stream to its proper end; rejects when it is cut. */
function read(port: number): {
  text: () => string;
  end: Promise<void>;
  headers: () => http.IncomingHttpHeaders | undefined;
} {
  let text = '';
  let headers: http.IncomingHttpHeaders | undefined;
  const end = new Promise<void>((resolve, reject) => {
    const request = http.get(
      { host: '127.0.0.1', port, agent: false, headers: { accept: 'text/event-stream' } },
      (response) => {
        headers = response.headers;
        response.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
        response.on('end', resolve);
        response.on('error', reject);
      },
    );
    request.on('error', reject);
  });
  return { text: () => text, end, headers: () => headers };
}

test('a drain ends a stream when the event under way is whole, and frees the upstream', async () => {
  let stream: http.ServerResponse | undefined;
  const backend = await startBackend((_, response) => {
    stream = response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('id: 1\ndata: one\n\nid: 2\ndata: t');
  });
  const engine = await startEngine(backend.port);
  const reader = read(engine.port);
  await until(() => reader.text().endsWith('data: t'));
  expect(engine.ledger.active).toMatchObject({ serverSentEvents: 1, http: 0 });
  const closing = [...engine.ledger.closables('serverSentEvents')][0]?.close();
  stream?.write('wo\n\nid: 3\ndata: thr');
  await reader.end;
  expect(reader.text()).toMatch(/^id: 1\ndata: one\n\nid: 2\ndata: two\n\nretry: \d{4}\n\n$/);
  await closing;
  expect(engine.ledger.ended.serverSentEvents.closed).toBe(1);
  expect(engine.outcomes).toMatchObject([{ status: 200, kind: 'serverSentEvents', ending: 'closed' }]);
  await until(() => backend.sockets.size === 0);
});

test('a stream that is silent between events ends at once', async () => {
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write('data: 1\r\n\r\n');
  });
  const engine = await startEngine(backend.port, { timeouts: { upstreamIdleMs: 30 } });
  const reader = read(engine.port);
  await until(() => reader.text() !== '');
  // A plain request that is silent for longer does time out, so the stream's silence was no reason to end it.
  const silent = await startEngine(await startRawBackend(() => undefined), { timeouts: { upstreamIdleMs: 120 } });
  expect(await get({ port: silent.port })).toMatchObject({ status: 504 });
  expect(engine.ledger.active.serverSentEvents).toBe(1);
  await [...engine.ledger.closables('serverSentEvents')][0]?.close();
  await reader.end;
  expect(reader.text()).toMatch(/^data: 1\r\n\r\nretry: \d{4}\n\n$/);
});

test('an event that does not end is waited for in bounds', async () => {
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: never');
  });
  const engine = await startEngine(backend.port);
  const reader = read(engine.port);
  await until(() => reader.text() !== '');
  await [...engine.ledger.closables('serverSentEvents')][0]?.close();
  await reader.end;
  expect(engine.ledger.ended.serverSentEvents.closed).toBe(1);
});

test('an encoded stream ends behind a chunk', async () => {
  const gzip = zlib.createGzip();
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
    gzip.pipe(response);
    gzip.write('data: 1\n\n');
    gzip.flush();
  });
  const engine = await startEngine(backend.port);
  const reader = read(engine.port);
  await until(() => reader.text() !== '');
  await [...engine.ledger.closables('serverSentEvents')][0]?.close();
  await reader.end;
  expect(engine.ledger.ended.serverSentEvents.closed).toBe(1);
  gzip.destroy();
});

test('a stream that its upstream ends is completed', async () => {
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('data: 1\n\n');
  });
  const engine = await startEngine(backend.port);
  const reader = read(engine.port);
  await reader.end;
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.serverSentEvents.completed).toBe(1);
});

test('one that states its length is a plain response: nothing is put into it, and a drain breaks it', async () => {
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': '100' });
    response.write('data: 1\n\n');
  });
  const engine = await startEngine(backend.port);
  const broken = get({ port: engine.port }, (request) => {
    request.on('response', () => {
      expect(engine.ledger.active).toMatchObject({ http: 1, serverSentEvents: 0 });
      for (const closable of engine.ledger.closables('http')) void closable.close();
    });
    request.end();
  });
  await expect(broken).rejects.toThrow();
  expect(engine.ledger.ended.http.forced).toBe(1);
});
