import http from 'node:http';
import net from 'node:net';
import {
  exchangeBytes,
  get,
  later,
  liveIn,
  startBackend,
  startEngine,
  startRawBackend,
  stopAll,
  until,
} from '../../support/world';

afterEach(stopAll);

const QUICK = { bodyIdleMs: 60 };

/** Long enough for every timer of a test to have gone off: a silent upstream that is given up later than they are. */
async function longEnough(): Promise<void> {
  const silent = await startEngine(await startRawBackend(() => undefined), { timeouts: { upstreamIdleMs: 300 } });
  await get({ port: silent.port });
}

test.each(['', 'half'])('an upload that stalls behind %p gets 408, and its upstream released', async (body) => {
  const backend = await startBackend((request) => request.resume());
  const engine = await startEngine(backend.port, { timeouts: QUICK });
  const response = await exchangeBytes(engine.port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n${body}`);
  expect(response).toMatch(/^HTTP\/1\.1 408 /);
  expect(response).toMatch(/^connection: close\r$/im);
  await until(() => liveIn(engine.ledger) === 0 && backend.sockets.size === 0);
  expect(engine.outcomes).toMatchObject([{ status: 408, kind: 'http', ending: 'completed' }]);
});

test('an upload that goes on, however slowly, is not given up', async () => {
  const backend = await startBackend((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => response.end(body));
  });
  const engine = await startEngine(backend.port, { timeouts: { bodyIdleMs: 200 } });
  const got = await get({ port: engine.port, method: 'POST' }, (request) => {
    let left = 8;
    const timer = setInterval(() => {
      request.write('x');
      left -= 1;
      if (left > 0) return;
      clearInterval(timer);
      request.end();
    }, 50);
  });
  expect(got).toMatchObject({ status: 200, body: 'xxxxxxxx' });
});

test('a client that reads nothing of a long response is cut', async () => {
  const chunk = Buffer.alloc(64 * 1024);
  const backend = await startBackend((_, response) => {
    const fill = (): void => {
      while (response.write(chunk));
      response.once('drain', fill);
    };
    fill();
  });
  const engine = await startEngine(backend.port, { timeouts: QUICK });
  const request = http.get({ port: engine.port, host: '127.0.0.1', agent: false }, (response) => response.pause());
  request.on('error', () => undefined);
  later(() => void request.destroy());
  await until(() => engine.outcomes.length === 1);
  expect(engine.outcomes).toMatchObject([{ status: 200, kind: 'http', ending: 'forced' }]);
  await until(() => backend.sockets.size === 0);
});

test('an upstream that does not take an upload is the one to blame', async () => {
  const backend = await startBackend(() => undefined);
  const engine = await startEngine(backend.port, { timeouts: { bodyIdleMs: 60, upstreamIdleMs: 200 } });
  const request = http.request({ port: engine.port, host: '127.0.0.1', method: 'POST', agent: false });
  request.on('error', () => undefined);
  later(() => void request.destroy());
  request.write(Buffer.alloc(32 * 1024 * 1024));
  const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
  expect(response.statusCode).toBe(504);
});

test('so is one that never asks for the body that is held back for it', async () => {
  const port = await startRawBackend(() => undefined);
  const engine = await startEngine(port, { timeouts: { bodyIdleMs: 60, upstreamIdleMs: 200 } });
  const response = await exchangeBytes(
    engine.port,
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
  );
  expect(response).toMatch(/^HTTP\/1\.1 504 /);
});

test('a request that waits behind another of its connection is not given up', async () => {
  let slow: http.ServerResponse | undefined;
  const backend = await startBackend((request, response) => {
    if (request.url === '/slow') slow = response;
    else response.end('quick');
  });
  const engine = await startEngine(backend.port, { timeouts: QUICK });
  const socket = net.connect(engine.port, '127.0.0.1', () =>
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /quick HTTP/1.1\r\nHost: a\r\n\r\n'),
  );
  later(() => void socket.destroy());
  let text = '';
  socket.on('data', (bytes) => (text += bytes.toString()));
  await until(() => liveIn(engine.ledger) === 1 && slow !== undefined);
  await longEnough();
  slow?.end('slow');
  await until(() => text.includes('slow') && text.includes('quick'));
});

test('event streams may be silent, and their readers slow', async () => {
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let n = 0; n < 1_000; n += 1) response.write(`data: ${'x'.repeat(10_000)}\n\n`);
  });
  const engine = await startEngine(backend.port, { timeouts: QUICK });
  const options = { port: engine.port, host: '127.0.0.1', method: 'POST', agent: false };
  const request = http.request(options, (response) => response.pause());
  later(() => void request.destroy());
  request.on('error', () => undefined);
  request.end('{}');
  await until(() => engine.ledger.active.streaming === 1);
  await longEnough();
  expect(engine.ledger.active.streaming).toBe(1);
});
