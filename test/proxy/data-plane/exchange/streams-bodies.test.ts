import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { Mirrored, mirror } from '../../support/mirror';
import { get, later, liveIn, startBackend, startEngine, stopAll, until } from '../../support/world';

afterEach(stopAll);

/** More than the sockets between them take. */
const LONG = 64 * 1024 * 1024;

test('a body of many megabytes streams through in both directions to a slow reader', async () => {
  const backend = await startBackend((request, response) => {
    response.writeHead(200);
    request.pipe(response);
  });
  const engine = await startEngine(backend.port);
  const body = randomBytes(16 * 1024 * 1024);
  const sum = createHash('sha256');
  await new Promise<void>((resolve, reject) => {
    const request = http.request({ port: engine.port, host: '127.0.0.1', method: 'POST', agent: false }, (response) => {
      response.on('data', (chunk: Buffer) => {
        sum.update(chunk);
        response.pause();
        setImmediate(() => response.resume());
      });
      response.on('end', resolve);
      response.on('error', reject);
    });
    request.end(body);
  });
  expect(sum.digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
});

test('a reader that stops pushes back on the upstream instead of filling memory', async () => {
  let isWritten = false;
  const backend = await startBackend((_, response) => {
    const chunk = Buffer.alloc(64 * 1024);
    let left = LONG / chunk.length;
    const fill = (): void => {
      while (left > 0 && response.write(chunk)) left -= 1;
      if (left > 0) response.once('drain', fill);
      else response.end(() => (isWritten = true));
    };
    fill();
  });
  const engine = await startEngine(backend.port, { timeouts: { bodyIdleMs: 2_000 } });
  const request = http.get({ port: engine.port, host: '127.0.0.1', agent: false }, (response) => response.pause());
  request.on('error', () => undefined);
  later(() => void request.destroy());
  // What no one holds back is taken long before its reader is given up.
  await until(() => isWritten || engine.outcomes.length === 1);
  expect(isWritten).toBe(false);
  expect(engine.outcomes[0]!.bytesSent).toBeLessThan(LONG / 2);
  await until(() => liveIn(engine.ledger) === 0);
});

test('the head of a long response does not wait for its body', async () => {
  let finish: () => void = () => undefined;
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'x-early': '1' });
    response.flushHeaders();
    finish = () => response.end('late');
  });
  const engine = await startEngine(backend.port);
  const response = await new Promise<http.IncomingMessage>((resolve) =>
    http.get({ port: engine.port, host: '127.0.0.1', agent: false }, resolve),
  );
  expect(response.headers['x-early']).toBe('1');
  finish();
  response.resume();
  await new Promise((resolve) => response.once('end', resolve));
});

test('an upload that goes on is not cut by the idle time of the upstream', async () => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port, { timeouts: { upstreamIdleMs: 60 } });
  const got = await get({ port: engine.port, method: 'POST' }, (request) => {
    let left = 5;
    const timer = setInterval(() => {
      request.write('x');
      left -= 1;
      if (left > 0) return;
      clearInterval(timer);
      request.end();
    }, 100);
  });
  expect((JSON.parse(got.body) as Mirrored).body).toBe('xxxxx');
});

test('a kept-alive connection goes on after an upload that the upstream did not read', async () => {
  const backend = await startBackend((request, response) => {
    if (request.url === '/early') response.writeHead(413, { connection: 'close' }).end('no');
    else response.end('ok');
  });
  const engine = await startEngine(backend.port);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const early = await get({ port: engine.port, method: 'POST', path: '/early', agent }, 'y'.repeat(200_000));
  expect([413, 502]).toContain(early.status);
  expect(await get({ port: engine.port, path: '/next', agent })).toMatchObject({ status: 200, body: 'ok' });
  agent.destroy();
});
