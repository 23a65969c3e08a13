import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { NO_CAPTURE } from '../../../core/capture/capture-report';
import { Capture, CaptureConfig } from '../../../proxy/capture/capture';
import { FakeClock } from '../support/fake-clock';
import { exchangeBytes, get, later, selfSigned, startBackend, startRawBackend, stopAll, until } from '../support/world';
import { startTestProxy } from '../support/proxy-world';
import { captureTo, joinCaptured, readCaptured } from './captured';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'drainshift-capture-'))));
afterEach(async () => {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
});

const host = 'Host: a\r\n';

test('requests of one connection are in the record byte for byte, with their responses', async () => {
  const backend = await startBackend((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      response.sendDate = false;
      if (request.url === '/chunked') response.write('part ');
      response.end(`${request.method} ${Buffer.concat(pieces).toString()}`);
    });
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder) });
  const asked = [
    `GET /a?b=%20c HTTP/1.1\r\n${host}X-Odd:  two  spaces \r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n`,
    `POST /length HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`,
    `PUT /chunked HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`,
    `DELETE /none HTTP/1.1\r\n${host}\r\n`,
    `HEAD /head HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
  ];
  // All of them at once: they are pipelined.
  const text = await exchangeBytes(proxy.data.port, asked.join(''));
  expect(text.match(/HTTP\/1.1 200 OK/g)).toHaveLength(5);
  await until(() => proxy.report().capture?.recorded === 5 && proxy.report().capture?.pendingBytes === 0);
  const [connection, ...others] = joinCaptured(folder).values();
  expect(others).toEqual([]);
  // What is hop by hop is left out (RFC 9110 section 7.6.1).
  const expected = asked.join('').replace('Connection: close\r\n', '');
  expect(connection!.read).toBe(expected);
  const response = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  expect(connection!.written).toBe(
    response('GET ') +
      response('POST hello') +
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npart \r\n9\r\nPUT abcde\r\n0\r\n\r\n' +
      response('DELETE ') +
      'HTTP/1.1 200 OK\r\n\r\n',
  );
  // Each part of the connection has a number, and says how many requests came before.
  const parts = readCaptured(folder);
  expect(parts.map(({ index }) => index)).toEqual(parts.map((_, at) => at));
  expect(parts.map(({ priorRequests }) => priorRequests)).toEqual([0, 1, 1, 2, 2, 3, 3, 4]);
});

test('a request that changes something reaches the backend when its record is durable, and not before', async () => {
  const seen: string[] = [];
  const backend = await startBackend((request, response) => {
    // The record is there already, for whoever looks.
    const [connection] = [...joinCaptured(folder).values()].slice(-1);
    seen.push(`${request.method}: ${connection?.read.split(' ', 1)[0] ?? 'nothing'}`);
    request.resume().on('end', () => response.end('ok'));
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder) });
  const { port } = proxy.data;
  expect((await get({ port, method: 'POST' }, 'x')).status).toBe(200);
  expect((await get({ port, method: 'GET' })).status).toBe(200);
  expect((await get({ port, method: 'PATCH' }, 'x')).status).toBe(200);
  expect(seen).toEqual(['POST: POST', 'GET: POST', expect.stringMatching(/^PATCH: (PATCH|GET)$/)]);
});

test('a client that waits for 100 gets it, and its request is forwarded when it is whole and recorded', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => response.end('ok'));
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder) });
  const { body, status } = await get(
    { port: proxy.data.port, method: 'POST', headers: { expect: '100-continue', 'content-length': 4 } },
    (request) => request.once('continue', () => request.end('body')),
  );
  expect([status, body]).toEqual([200, 'ok']);
  expect([...joinCaptured(folder).values()][0]!.read).toMatch(/^POST \/ HTTP\/1.1\r\n[^]*\r\n\r\nbody$/);
});

test('the streams of HTTP/2 are connections of their own, in the framing of HTTP/1.1', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => response.end(request.url));
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder), tls: await selfSigned() });
  const session = http2.connect(`https://127.0.0.1:${proxy.data.port}`, { rejectUnauthorized: false });
  later(() => session.destroy());
  const ask = (path: string) =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': path, 'x-sent': path });
      stream.resume().on('end', resolve).on('error', reject);
      stream.end(`body of ${path}`);
    });
  await Promise.all(['/1', '/2', '/3'].map(ask));
  await until(() => proxy.report().capture?.pendingBytes === 0);
  const seen = [...joinCaptured(folder)];
  expect(seen.map(([, { read }]) => read.split(' ')[1]).sort()).toEqual(['/1', '/2', '/3']);
  for (const [, { read, written }] of seen) {
    expect(read).toMatch(
      /^POST (\/\d) HTTP\/1.1\r\n[^]*x-sent: \1\r\n[^]*Transfer-Encoding: chunked\r\n\r\n[^]*body of \1\r\n0\r\n\r\n$/i,
    );
    expect(written).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  }
});

test('a client that leaves in the middle of its body: the backend hears nothing, and the record says so', async () => {
  let requests = 0;
  const backend = await startBackend((_, response) => {
    requests += 1;
    response.end();
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder) });
  const socket = net.connect(proxy.data.port, '127.0.0.1');
  socket.write(`POST / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhalf`);
  await until(() => proxy.report().active.http === 1);
  socket.destroy();
  await until(() => proxy.report().active.http === 0);
  await proxy.close();
  const [connection] = joinCaptured(folder).values();
  expect(connection!.read).toMatch(/half$/);
  expect(connection).toMatchObject({ written: '', dropped: [0] });
  expect(requests).toBe(0);
});

test('a store that takes nothing: 503 with Retry-After, the backend hears nothing, reads go on; later all is well again', async () => {
  const methods: string[] = [];
  const backend = await startBackend((request, response) => {
    methods.push(request.method!);
    request.resume().on('end', () => response.end('ok'));
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder, { timeoutMs: 1_000 }) });
  const { port } = proxy.data;
  const away = `${folder}.away`;
  later(() => rmSync(away, { recursive: true, force: true }));
  const succeeded: string[] = [];
  const send = async (body: string) => {
    const { status } = await get({ port, method: 'POST' }, body);
    if (status === 200) succeeded.push(body);
    return status === 200;
  };
  // On a machine that is slow it may be late.
  await until(() => send('1'));
  renameSync(folder, away);
  writeFileSync(folder, 'a file where the folder was');
  const refused = await get({ port, method: 'POST' }, '2');
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '2']);
  expect(refused.body).toContain('must be recorded, and was not forwarded');
  expect((await get({ port })).status).toBe(200);
  const { refused: count, unrecorded, isFailing } = proxy.report().capture!;
  expect([count >= 1, unrecorded, isFailing]).toEqual([true, 0, true]);
  // From here on it does not wait for what fails.
  expect((await get({ port, method: 'DELETE' })).status).toBe(503);
  rmSync(folder);
  renameSync(away, folder);
  await until(() => proxy.report().capture?.isFailing === false);
  await until(() => send('3'));
  expect(methods).toEqual(['POST', 'GET', 'POST']);
  await until(() => proxy.report().capture?.pendingBytes === 0);
  // What was refused may be in the record; then it says that it was not forwarded.
  const bodies = [...joinCaptured(folder).values()].filter(({ read }) => read.startsWith('POST'));
  expect(bodies.filter(({ dropped }) => dropped.length === 0).map(({ read }) => read.slice(-1))).toEqual(succeeded);
  expect(bodies.find(({ read }) => read.endsWith('2'))?.dropped).toEqual([0]);
});

test('with forward it goes on without a record, and is counted', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => response.end('ok'));
  });
  const blocked = join(folder, 'file');
  writeFileSync(blocked, '');
  const proxy = await startTestProxy(backend.port, {
    capture: captureTo(blocked, { timeoutMs: 50, onFailure: 'forward' }),
  });
  for (let sent = 0; sent < 3; sent += 1)
    expect((await get({ port: proxy.data.port, method: 'POST' }, 'x')).status).toBe(200);
  expect(proxy.report().capture).toMatchObject({ unrecorded: 3, refused: 0, isFailing: true });
});

test('a body that is too long is forwarded as it comes, counted, and its record is no request', async () => {
  const body = 'x'.repeat(300_000);
  let received = 0;
  const backend = await startBackend((request, response) => {
    request.on('data', (piece: Buffer) => (received += piece.length));
    request.on('end', () => response.end('y'.repeat(5_000)));
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder, { bodyBytes: 1_000 }) });
  expect(await get({ port: proxy.data.port, method: 'POST' }, body)).toMatchObject({
    status: 200,
    body: 'y'.repeat(5_000),
  });
  expect(received).toBe(body.length);
  await proxy.close();
  expect(proxy.report().capture).toMatchObject({ unrecorded: 1, refused: 0 });
  const [connection] = joinCaptured(folder).values();
  expect(connection!.dropped).toEqual([0]);
  expect(connection!.written).toMatch(/\r\nContent-Length: 5000\r\n\r\ny+$/i);
  expect(connection!.written.length).toBeLessThan(2_000);
});

test.each(['refuse', 'forward'] as const)('a body for which there is no room, with %s', async (onFailure) => {
  let requests = 0;
  const backend = await startBackend((request, response) => {
    requests += 1;
    request.resume().on('end', () => response.end('ok'));
  });
  const capture = captureTo(folder, { memoryBytes: 4_000, onFailure });
  const proxy = await startTestProxy(backend.port, { capture });
  const { port } = proxy.data;
  const { status, headers } = await get({ port, method: 'POST' }, 'x'.repeat(100_000));
  const isRefused = onFailure === 'refuse';
  expect([status, headers['retry-after']]).toEqual(isRefused ? [503, '2'] : [200, undefined]);
  expect(requests).toBe(isRefused ? 0 : 1);
  expect(proxy.report().capture).toMatchObject(
    isRefused ? { refused: 1, unrecorded: 0 } : { refused: 0, unrecorded: 1 },
  );
  // What it held is free again.
  expect((await get({ port, method: 'POST' }, 'y')).status).toBe(200);
});

test('what is hidden has the same hash wherever it is, and nothing of it is in the record', async () => {
  const port = await startRawBackend((socket) => {
    const json = '{"id":1,"card":{"number":"4111-secret"},"list":[{"pin":"1234-secret"}]}';
    const fields = `Set-Cookie: sid=s3cret; Path=/; HttpOnly\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n`;
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${fields}Connection: close\r\n\r\n${json}`));
  });
  const redacted = ['authorization', 'cookie', 'set-cookie', '/card/number', '/list/*/pin'];
  const proxy = await startTestProxy(port, { capture: captureTo(folder, { redacted }) });
  const headers = { cookie: 'a=1; sid=s3cret', authorization: 'Bearer t0ken', 'content-type': 'application/json' };
  await get({ port: proxy.data.port, method: 'POST', headers }, '{ "card": {"number":"4111-secret"} }');
  await proxy.close();
  const { read, written } = [...joinCaptured(folder).values()][0]!;
  expect(read + written).not.toMatch(/s3cret|t0ken|4111|1234-secret/);
  const hash = 'redacted-[0-9a-f]{32}';
  expect(read).toMatch(new RegExp(`cookie: a=${hash}; sid=${hash}\r\n`, 'i'));
  expect(read).toMatch(new RegExp(`authorization: Bearer ${hash}\r\n`, 'i'));
  const sid = new RegExp(`sid=(${hash})`).exec(read)![1]!;
  expect(written).toContain(`sid=${sid}; Path=/; HttpOnly`);
  const number = new RegExp(`"number":"(${hash})"`).exec(read)![1]!;
  expect(written).toContain(`"number":"${number}"`);
  // Its length is that of what is there.
  const [head, body] = read.split('\r\n\r\n') as [string, string];
  expect(head).toContain(`Content-Length: ${body.length}`);
});

test('JSON that cannot be read is not recorded where something of it must be hidden', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => response.end('ok'));
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder, { redacted: ['/pin'] }) });
  const headers = { 'content-type': 'application/json' };
  expect((await get({ port: proxy.data.port, method: 'POST', headers }, '{"pin": 12 secret')).status).toBe(200);
  await proxy.close();
  expect(proxy.report().capture).toMatchObject({ unrecorded: 1 });
  const [connection] = joinCaptured(folder).values();
  expect(connection!.read).not.toContain('secret');
  expect(connection!.dropped).toEqual([0]);
});

test('filters: what is not asked for is forwarded and not recorded', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => response.end('ok'));
  });
  const capture = captureTo(folder, { methods: ['POST'], paths: ['/api/*'], never: ['x-test', '/api/private*'] });
  const proxy = await startTestProxy(backend.port, { capture });
  const { port } = proxy.data;
  await get({ port, path: '/api/a' });
  await get({ port, path: '/other', method: 'POST' }, '');
  await get({ port, path: '/api/private/1', method: 'POST' }, '');
  await get({ port, path: '/api/b', method: 'POST', headers: { 'x-test': '1' } }, '');
  await get({ port, path: '/api/c', method: 'POST' }, '');
  await proxy.close();
  expect([...joinCaptured(folder).values()].map(({ read }) => read.split(' ')[1])).toEqual(['/api/c']);
});

test('a share of the connections', async () => {
  const backend = await startBackend((request, response) => {
    request.resume().on('end', () => response.end('ok'));
  });
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder, { share: 30 }) });
  for (let sent = 0; sent < 20; sent += 1) await get({ port: proxy.data.port, path: `/${sent}` });
  await proxy.close();
  expect(joinCaptured(folder).size).toBe(6);
});

test('a folder without the right to write gives 503, and says why once', async () => {
  if (process.getuid?.() === 0) return;
  chmodSync(folder, 0o500);
  const backend = await startBackend((_, response) => void response.end('ok'));
  const proxy = await startTestProxy(backend.port, { capture: captureTo(folder, { timeoutMs: 50 }) });
  expect((await get({ port: proxy.data.port, method: 'POST' }, 'x')).status).toBe(503);
  expect(proxy.lines.filter(({ msg }) => msg.includes('could not be written'))).toHaveLength(1);
});

test('a report names the store, and the settings by which writes are left out', () => {
  const report = (changes: Partial<CaptureConfig>) =>
    new Capture(captureTo(folder, changes), 'p', { side: 'source' }, new FakeClock(), pino({ enabled: false })).report;
  expect(report({ methods: ['POST', 'PUT', 'PATCH', 'DELETE'], never: ['/login'] })).toEqual({
    ...NO_CAPTURE,
    store: folder,
  });
  expect(report({ share: 99, methods: ['POST'], paths: ['/api/*'], onFailure: 'forward' }).leavesOut).toEqual([
    'capture_share',
    'capture_methods',
    'capture_paths',
    'capture_on_failure',
  ]);
});
