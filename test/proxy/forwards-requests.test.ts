import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import {
  exchangeBytes,
  get,
  liveIn,
  startBackend,
  startEngine,
  startRawBackend,
  stopAll,
  until,
} from './support/world';

afterEach(stopAll);

/** Answers with what it received. */
const mirror: http.RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    const { method, url, headers, trailers } = request;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, trailers, body }));
  });
};

interface Mirrored {
  method: string;
  url: string;
  headers: Record<string, string | undefined>;
  trailers: Record<string, string>;
  body: string;
}

test('a GET reaches the upstream with its path, query and Host, and its answer comes back', async () => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port);
  const got = await get({ port: engine.port, path: '/a/b?c=d%20e', headers: { host: 'shop.example', 'x-one': '1' } });
  const seen = JSON.parse(got.body) as Mirrored;
  expect(got.status).toBe(200);
  expect(seen).toMatchObject({ method: 'GET', url: '/a/b?c=d%20e' });
  expect(seen.headers).toMatchObject({ host: 'shop.example', 'x-one': '1' });
  expect(seen.headers['transfer-encoding']).toBeUndefined();
  await until(() => engine.outcomes.length === 1);
  expect(engine.outcomes).toEqual([{ status: 200, kind: 'http' }]);
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

test('trailers pass both ways, except fields that have no place there', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('body');
      response.addTrailers({ 'x-sum': String(request.trailers['x-in']), 'set-cookie': 'a=1' });
      response.end();
    });
  });
  const engine = await startEngine(backend.port);
  const got = await get({ port: engine.port, method: 'POST', headers: { trailer: 'x-in' } }, (request) => {
    request.write('data');
    request.addTrailers({ 'x-in': '42' });
    request.end();
  });
  expect(got.body).toBe('body');
  expect(got.trailers).toEqual({ 'x-sum': '42' });
});

test('HEAD, 204 and 304 have no body and keep the connection', async () => {
  const fields = 'Trailer: X-Sum\r\nETag: "1"\r\n';
  const answers: Record<string, string> = {
    HEAD: `HTTP/1.1 200 OK\r\n${fields}Content-Length: 5\r\n\r\n`,
    'GET /204': `HTTP/1.1 204 No Content\r\n${fields}Content-Length: 5\r\n\r\n`,
    'GET /304': `HTTP/1.1 304 Not Modified\r\n${fields}\r\n`,
  };
  const port = await startRawBackend((socket) => {
    socket.on('data', (bytes) => {
      const answer = Object.entries(answers).find(([start]) => bytes.toString().startsWith(start));
      socket.write(answer?.[1] ?? '');
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

test('fields of one hop are stripped, and Connection cannot strip what the backend trusts', async () => {
  const backend = await startBackend((request, response) => {
    response.setHeader('connection', 'x-secret');
    response.setHeader('x-secret', '1');
    response.setHeader('keep-alive', 'timeout=9');
    mirror(request, response);
  });
  const engine = await startEngine(backend.port);
  const got = await get({
    port: engine.port,
    headers: {
      connection: 'x-hop, authorization, x-forwarded-for, host',
      'x-hop': '1',
      authorization: 'Basic abc',
      'x-forwarded-for': '192.0.2.1',
      'keep-alive': 'timeout=1',
      'proxy-connection': 'keep-alive',
      te: 'gzip, trailers',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABkAAQAAP__',
    },
  });
  const seen = (JSON.parse(got.body) as Mirrored).headers;
  expect(seen).toMatchObject({ authorization: 'Basic abc', 'x-forwarded-for': '192.0.2.1', te: 'trailers' });
  for (const name of ['x-hop', 'keep-alive', 'proxy-connection', 'upgrade', 'http2-settings']) {
    expect(seen[name]).toBeUndefined();
  }
  expect(got.headers['x-secret']).toBeUndefined();
});

test('an upgrade to anything but a WebSocket is served as a plain request', async () => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port);
  const answer = await exchangeBytes(
    engine.port,
    'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

test('several fields of one name stay several', async () => {
  const backend = await startBackend((_, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.end();
  });
  const engine = await startEngine(backend.port, {
    decide: () => ({
      forward: {
        upstream: { protocol: 'http', host: '127.0.0.1', port: backend.port },
        responseHeaders: () => ({ 'Set-Cookie': ['AWSALB=x'] }),
      },
    }),
  });
  const got = await get({ port: engine.port });
  expect(got.headers['set-cookie']).toEqual(['a=1', 'b=2', 'AWSALB=x']);
});

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

test('a slow reader pushes back on the upstream instead of filling memory', async () => {
  let written = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const backend = await startBackend((_, response) => {
    const fill = () => {
      while (response.write(chunk)) written += chunk.length;
      written += chunk.length;
      response.once('drain', fill);
    };
    fill();
  });
  const engine = await startEngine(backend.port);
  const request = http.get({ port: engine.port, host: '127.0.0.1', agent: false }, (response) => response.pause());
  request.on('error', () => undefined);
  let before = -1;
  // Stalled: nothing was written for a while.
  for (let still = 0; still < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    still = written > 0 && written === before ? still + 1 : 0;
    before = written;
  }
  expect(written).toBeLessThan(64 * 1024 * 1024);
  request.destroy();
  await until(() => liveIn(engine.ledger) === 0);
});

test('the head of a long answer does not wait for its body', async () => {
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

test('100-continue is the upstream’s to give', async () => {
  const backend = await startBackend(mirror);
  backend.server.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
    if (request.url === '/no') return void response.writeHead(413).end();
    response.writeContinue();
    mirror(request, response);
  });
  const engine = await startEngine(backend.port);
  const ask = (path: string) => {
    let continued = false;
    return get(
      { port: engine.port, method: 'POST', path, headers: { expect: '100-continue', 'content-length': '4' } },
      (request) => {
        request.on('continue', () => {
          continued = true;
          request.end('body');
        });
        request.on('response', () => request.end());
        request.flushHeaders();
      },
    ).then((got) => ({ ...got, continued }));
  };
  const yes = await ask('/yes');
  expect(yes).toMatchObject({ status: 200, continued: true });
  expect((JSON.parse(yes.body) as Mirrored).body).toBe('body');
  const no = await exchangeBytes(
    engine.port,
    'POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
  );
  expect(no).toMatch(/^HTTP\/1\.1 413 /);
});

test('early hints are relayed', async () => {
  const backend = await startBackend((_, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' });
    response.end('ok');
  });
  const engine = await startEngine(backend.port);
  const hints: http.InformationEvent[] = [];
  const got = await get({ port: engine.port }, (request) => {
    request.on('information', (info) => hints.push(info));
    request.end();
  });
  expect(got.body).toBe('ok');
  expect(hints.map((hint) => hint.statusCode)).toEqual([103]);
});

test('an HTTP/1.0 client gets a body that ends with the connection', async () => {
  const backend = await startBackend((_, response) => {
    response.write('one ');
    response.end('two');
  });
  const engine = await startEngine(backend.port);
  const answer = await exchangeBytes(engine.port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  expect(answer.toLowerCase()).not.toContain('transfer-encoding');
  expect(answer).toMatch(/\r\n\r\none two$/);
});

test('an absolute target is sent in origin form, and names the host', async () => {
  const backend = await startBackend(mirror);
  const engine = await startEngine(backend.port);
  const answer = await exchangeBytes(
    engine.port,
    'GET http://shop.example/p?q=1 HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n',
  );
  expect(answer).toContain('"url":"/p?q=1"');
  expect(answer).toContain('"host":"shop.example"');
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
