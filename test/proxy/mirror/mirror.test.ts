import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { get, later, selfSigned, startBackend, startRawBackend, stopAll, until } from '../support/world';
import { callAdmin, startTestProxy } from '../support/proxy-world';
import type { RecordedRequest } from '../../../proxy/data-plane/contract/data-plane';
import { Mirror } from '../../../proxy/mirror/mirror';
import { SYSTEM_CLOCK } from '../../../proxy/process/clock';
import { captureTo } from '../capture/captured';
import { exchangeAll, findMirror, mirrorTo } from './mirrored';

afterEach(stopAll);

const json = { 'content-type': 'application/json' };

/** Responds as both sides do, and keeps what it heard. */
async function startRecorder(respond = (url: string): object => ({ url, price: 10 })) {
  const heard: { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
  const { port } = await startBackend((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      heard.push({ method, url, headers, body: Buffer.concat(pieces).toString() });
      response.writeHead(200, json).end(JSON.stringify(respond(url)));
    });
  });
  return { port, heard };
}

test('a safe request is copied as it is, and what the target responds otherwise is in the report by route and field', async () => {
  const source = await startRecorder();
  const target = await startRecorder((url) => ({ url, price: url === '/items/7' ? 11 : 10 }));
  const proxy = await startTestProxy(source.port, { mirror: mirrorTo(target.port, { repeatShare: 100 }) });
  const { port } = proxy.data;
  const headers = { authorization: 'Bearer x', 'x-twice': ['1', '2'], host: 'shop.example' };
  for (const path of ['/items/7', '/items/8', '/carts?of=me']) {
    expect(JSON.parse((await get({ port, path, headers })).body)).toEqual({ url: path, price: 10 });
  }
  const { comparison, ...counts } = await findMirror(proxy);
  expect(counts).toMatchObject({ url: `http://127.0.0.1:${target.port}`, sent: 3, compared: 3, repeated: 3 });
  expect(comparison).toMatchObject({ version: 1, verdict: 'inconclusive', comparisons: 3, repeats: 3, differ: 1 });
  const [route] = comparison.routes;
  expect(route).toMatchObject({ route: 'GET /items/{id}', comparisons: 2, repeats: 2, differ: 1 });
  expect(route!.fields).toEqual([
    expect.objectContaining({
      field: 'body.price',
      examples: [{ request: 'GET /items/7', kind: 'changed', source: '10', target: '11' }],
    }),
  ]);
  // The target hears what the source hears, with a mark.
  const bySource = source.heard.filter(({ headers: { 'x-drainshift-mirror': mark } }) => mark === undefined);
  expect(bySource).toHaveLength(3);
  const withoutMark = target.heard.map((each) => ({
    ...each,
    headers: { ...each.headers, 'x-drainshift-mirror': undefined, connection: undefined },
  }));
  const plain = bySource.map((each) => ({
    ...each,
    headers: { ...each.headers, 'x-drainshift-mirror': undefined, connection: undefined },
  }));
  expect(withoutMark).toEqual(expect.arrayContaining(plain));
  expect(new Set(target.heard.map(({ headers: { 'x-drainshift-mirror': mark } }) => mark)).size).toBe(3);
});

test('a request that changes something is copied where all are, whole and once; by default it is not', async () => {
  const source = await startRecorder();
  const target = await startRecorder();
  const careful = await startTestProxy(source.port, { mirror: mirrorTo(target.port) });
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'])
    await get({ port: careful.data.port, method }, method === 'TRACE' ? '' : 'x');
  expect(await findMirror(careful)).toMatchObject({ sent: 0 });
  expect(target.heard).toEqual([]);
  const all = await startTestProxy(source.port, {
    mirror: mirrorTo(target.port, { methods: 'all', repeatShare: 100 }),
  });
  source.heard.length = 0;
  await get(
    { port: all.data.port, method: 'POST', path: '/chunked', headers: { 'transfer-encoding': 'chunked' } },
    'abc',
  );
  await get({ port: all.data.port, method: 'PUT', path: '/empty' });
  expect(await findMirror(all)).toMatchObject({ sent: 2, compared: 2, repeated: 0 });
  const shown = ({ method, url, body }: { method: string; url: string; body: string }) => `${method} ${url} ${body}`;
  expect(target.heard.map(shown).sort()).toEqual(['POST /chunked abc', 'PUT /empty ']);
  expect(source.heard.map(shown)).toEqual(['POST /chunked abc', 'PUT /empty ']);
});

test('what is marked is not copied again, nor what is left out, nor too long a body', async () => {
  const source = await startRecorder();
  const target = await startRecorder();
  const limits = { methods: 'all', bodyBytes: 4, never: ['/private*'], paths: ['/*'] } as const;
  const proxy = await startTestProxy(source.port, { mirror: mirrorTo(target.port, limits) });
  const { port } = proxy.data;
  await get({ port, headers: { 'X-Drainshift-Mirror': 'a.1' } });
  await get({ port, path: '/private/1' });
  await get({ port, method: 'POST', path: '/long' }, 'five!');
  await get({ port, method: 'POST', path: '/chunked', headers: { 'transfer-encoding': 'chunked' } }, 'five!');
  await get({ port, method: 'POST', path: '/short' }, 'four');
  expect(await findMirror(proxy)).toMatchObject({ sent: 1, dropped: { tooLong: 2 } });
  expect(target.heard.map(({ url }) => url)).toEqual(['/short']);
});

test('with a capture: a copy leaves when the request has its record and goes on, and never before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-mirror-'));
  later(() => rmSync(folder, { recursive: true, force: true }));
  const source = await startRecorder();
  const target = await startRecorder();
  const mirror = mirrorTo(target.port, { methods: 'all' });
  const proxy = await startTestProxy(source.port, { mirror, capture: captureTo(folder, { bodyBytes: 100 }) });
  const { port } = proxy.data;
  for (const body of ['', 'short', 'long'.repeat(100)]) {
    expect((await get({ port, method: 'POST', path: `/${body.length}` }, body)).status).toBe(200);
  }
  expect(await findMirror(proxy)).toMatchObject({ sent: 3, compared: 3 });
  expect(target.heard.map(({ body }) => body.length).sort()).toEqual([0, 400, 5]);
  expect(proxy.report().capture).toMatchObject({ recorded: 2, unrecorded: 1 });
  // No room for a record: the request is not forwarded, and neither is its copy.
  const broken = captureTo(folder, { memoryBytes: 0 });
  const refusing = await startTestProxy(source.port, { mirror, capture: broken });
  expect((await get({ port: refusing.data.port, method: 'POST' }, 'x')).status).toBe(503);
  expect(await findMirror(refusing)).toMatchObject({ sent: 0, dropped: { noResponse: 1 } });
  expect(target.heard).toHaveLength(3);
});

test('streams of HTTP/2 are copied, each by itself', async () => {
  const source = await startRecorder();
  const target = await startRecorder();
  const mirror = mirrorTo(target.port, { methods: 'all' });
  const proxy = await startTestProxy(source.port, { mirror, tls: await selfSigned() });
  const session = http2.connect(`https://127.0.0.1:${proxy.data.port}`, { rejectUnauthorized: false });
  later(() => session.destroy());
  const ask = (path: string, body?: string) =>
    new Promise<string>((resolve, reject) => {
      const stream = session.request({ ':method': body === undefined ? 'GET' : 'POST', ':path': path });
      let text = '';
      stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      stream.on('end', () => resolve(text)).on('error', reject);
      stream.end(body);
    });
  const paths = Array.from({ length: 8 }, (_, at) => `/${at}`);
  const responses = await Promise.all(paths.map((path, at) => ask(path, at % 2 === 0 ? undefined : `body of ${path}`)));
  expect(responses.map((text) => (JSON.parse(text) as { url: string }).url)).toEqual(paths);
  expect(await findMirror(proxy)).toMatchObject({ sent: 8, compared: 8, comparison: { differ: 0 } });
  expect(target.heard.map(({ url, body }) => url + body).sort()).toEqual(
    source.heard.map(({ url, body }) => url + body).sort(),
  );
});

/** With a date, so that none is added. */
const HEAD = 'HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 21:31:30 GMT\r\n';

/** Targets that a client must never notice. */
const BAD_TARGETS: Record<string, (socket: net.Socket) => void> = {
  'takes no connection': () => undefined,
  'never responds': (socket) => void socket.resume(),
  'responds too late': (socket) => {
    socket.on('data', () => setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 500));
  },
  resets: (socket) => void socket.once('data', () => socket.resetAndDestroy()),
  'resets in its body': (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', () => socket.resetAndDestroy());
    });
  },
  'has no end': (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = () => {
        while (socket.writable && socket.write(Buffer.alloc(16_384, 'x')));
      };
      socket.on('drain', more);
      more();
    });
  },
  'speaks no HTTP': (socket) => void socket.once('data', () => socket.end('220 smtp ready\r\n')),
  'switches unasked': (socket) => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    );
  },
};

test.each(Object.keys(BAD_TARGETS))('a target that %s is counted, and no client hears of it', async (name) => {
  const body = JSON.stringify({ ok: true });
  const source = await startRawBackend((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write(`${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`));
  });
  const target = await startRawBackend((socket) => {
    socket.on('error', () => undefined);
    BAD_TARGETS[name]!(socket);
  });
  const dead = await findDeadPort();
  const port = name === 'takes no connection' ? dead : target;
  const proxy = await startTestProxy(source, {
    mirror: mirrorTo(port, { concurrency: 4, timeoutMs: 200, bodyBytes: 1_000 }),
  });
  const request = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n';
  const responses = await exchangeAll(proxy.data.port, request, 50);
  expect(new Set(responses)).toEqual(new Set([responses[0]]));
  expect(responses[0]).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n\{"ok":true\}$/);
  const { sent, compared, failed, dropped, comparison } = await findMirror(proxy);
  const failures = failed.broken + failed.late + failed.unreached;
  // On a slow machine the source may be late, too.
  const expected = sent - dropped.noResponse;
  if (name === 'has no end') {
    expect(compared).toBeGreaterThanOrEqual(expected);
    expect(comparison.whole).toBeLessThanOrEqual(failures);
  } else {
    expect(compared).toBe(0);
    expect(failures).toBeGreaterThanOrEqual(expected);
  }
  // Every request was chosen: what was not sent has its reason.
  expect(sent + dropped.busy + dropped.down).toBe(50);
  expect(dropped).toMatchObject({ faulted: 0, tooLong: 0, memory: 0 });
});

async function findDeadPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('an error of the mirror itself costs no client its response', async () => {
  const source = await startRawBackend((socket) => {
    socket.on('data', () => socket.write(`${HEAD}Content-Length: 2\r\n\r\nok`));
  });
  const target = await startRecorder();
  const mirror = mirrorTo(target.port, { methods: 'all' });
  const proxy = await startTestProxy(source, { mirror });
  const { port } = proxy.data;
  const thrown = jest.spyOn(http, 'request').mockImplementation(() => {
    throw new Error('not today');
  });
  const sent = await exchangeAll(port, 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi', 3);
  await until(() => proxy.report().mirror?.dropped.faulted === 3);
  expect(thrown).toHaveBeenCalledTimes(3);
  thrown.mockRestore();
  expect(sent.map((text) => text.split('\r\n', 1)[0])).toEqual(Array(3).fill('HTTP/1.1 200 OK'));
  expect(await findMirror(proxy)).toMatchObject({ underWay: 0, compared: 0 });
  expect(proxy.lines.filter(({ msg }) => msg.includes('could not be copied'))).toHaveLength(1);
});

test('an error at the beginning of a copy is counted, and the exchange goes on without one', () => {
  const told: string[] = [];
  const log = { warn: (_: object, message: string) => told.push(message), info: () => undefined };
  const upstream = { protocol: 'http', host: 'a', port: 1 } as const;
  const compared = () => true;
  const mirror = new Mirror(mirrorTo(1), { clock: SYSTEM_CLOCK, log, source: upstream, nodeId: 'n', compared });
  later(() => mirror.close());
  const head = { method: 'GET', url: '/', bodyLength: 0, isUpgrade: false, isGrpc: false } as RecordedRequest;
  const broken = { ...head, field: () => undefined, block: () => JSON.parse('{') as string };
  const route = { upstream, replaced: undefined, isForwarded: true };
  for (let at = 0; at < 3; at += 1) expect(mirror.begin(broken, route)).toBeUndefined();
  expect(mirror.counts).toMatchObject({ sent: 0, underWay: 0, dropped: { faulted: 3 } });
  expect(told).toHaveLength(1);
  // After a switch the requests go elsewhere, and are not copied.
  expect(mirror.begin({ ...broken, block: () => '' }, { ...route, upstream: { ...upstream } })).toBeUndefined();
  expect(mirror.counts.dropped.faulted).toBe(3);
});

test('more than the memory takes is dropped, and what was held is free again', async () => {
  const source = await startRecorder(() => ({ text: 'x'.repeat(60_000) }));
  const target = await startRecorder();
  const proxy = await startTestProxy(source.port, { mirror: mirrorTo(target.port, { memoryBytes: 100_000 }) });
  const ask = () => get({ port: proxy.data.port });
  const all = await Promise.all(Array.from({ length: 8 }, ask));
  expect(all.map(({ status, body }) => [status, body.length])).toEqual(Array(8).fill([200, 60_011]));
  const before = await findMirror(proxy);
  expect(before.compared + before.dropped.memory).toBe(8);
  // One by one there is room for each.
  for (let at = 0; at < 3; at += 1) {
    await ask();
    await findMirror(proxy);
  }
  expect((await findMirror(proxy)).compared).toBe(before.compared + 3);
});

test('a client that leaves, and a source that does not respond: there is nothing to compare', async () => {
  const held: http.ServerResponse[] = [];
  const source = await startBackend((request, response) => {
    if (request.url === '/reset') return void request.socket.destroy();
    held.push(response);
    response.writeHead(200, { 'content-length': 10 }).write('half');
  });
  const target = await startRecorder();
  const proxy = await startTestProxy(source.port, { mirror: mirrorTo(target.port) });
  const socket = net.connect(proxy.data.port, '127.0.0.1').resume();
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => held.length === 1 && target.heard.length === 1);
  socket.destroy();
  await until(() => proxy.report().mirror?.dropped.noResponse === 1);
  expect((await get({ port: proxy.data.port, path: '/reset' })).status).toBe(502);
  expect(await findMirror(proxy)).toMatchObject({ compared: 0, dropped: { noResponse: 2 } });
});

test('an event stream is not compared, and its copy ends at once', async () => {
  const stream: http.RequestListener = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a\n\n');
  };
  const [source, target] = [await startBackend(stream), await startBackend(stream)];
  const proxy = await startTestProxy(source.port, { mirror: mirrorTo(target.port, { timeoutMs: 60_000 }) });
  const socket = net.connect(proxy.data.port, '127.0.0.1');
  later(() => void socket.destroy());
  let text = '';
  socket.on('data', (bytes) => (text += bytes.toString()));
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => text.includes('data: a\n\n'));
  expect(await findMirror(proxy)).toMatchObject({ compared: 0, dropped: { noResponse: 1 } });
  await until(() => target.sockets.size === 0);
  expect(proxy.report().active.serverSentEvents).toBe(1);
});

test('without a mirror there is no report of one', async () => {
  const source = await startRecorder();
  const proxy = await startTestProxy(source.port);
  const { status, body } = await callAdmin(proxy.admin!.port, { path: '/mirror' });
  expect([status, body]).toEqual([409, expect.stringContaining("'mirror_url' must be configured")]);
  expect(proxy.report()).not.toHaveProperty('mirror');
});
