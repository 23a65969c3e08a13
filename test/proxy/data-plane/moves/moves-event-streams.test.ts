import http from 'node:http';
import http2 from 'node:http2';
import zlib from 'node:zlib';
import type { Upstream } from '../../../../proxy/data-plane/contract/data-plane';
import type { DownstreamStream, UpstreamStream } from '../../../../proxy/data-plane/contract/streams';
import { Download } from '../../../../proxy/data-plane/exchange/download';
import { findPort, later, liveIn, startRawBackend, stopAll, until } from '../../support/world';
import {
  Feed,
  FeedBackend,
  findMovable,
  findStream,
  listIds,
  move,
  readStream,
  rejectionOf,
  startFeed,
  startMover,
  startStream,
  upTo,
} from './support/feed';

afterEach(stopAll);

const MOVED = { stallMs: expect.any(Number) as number };
const EVENTS = { 'content-type': 'text/event-stream' };

test('a stream goes on at another backend, and back, with its client none the wiser', async () => {
  const feed = new Feed();
  const [source, target] = [await startFeed(feed), await startFeed(feed)];
  const engine = await startMover(source.port);
  const reader = readStream(engine.port, { cookie: 'session=1', 'x-own': 'mine' });
  for (let count = 1; count <= 3; count += 1) feed.publish();
  await until(() => listIds(reader.text()).length === 3);
  expect(findStream(engine).destination?.port).toBe(source.port);
  expect(rejectionOf(engine)).toBeUndefined();
  const movable = findMovable(engine);
  expect([movable.isAway, await movable.leave(), movable.isAway]).toEqual([false, undefined, true]);
  await until(() => source.sockets.size === 0);
  // It is away, and the world goes on.
  feed.publish();
  feed.publish('event: x\ndata: a\ndata: b');
  expect([await movable.join(target.upstream, 7), movable.isAway]).toEqual([MOVED, false]);
  expect(findStream(engine).destination?.port).toBe(target.port);
  feed.publish();
  await until(() => listIds(reader.text()).length === 6);
  const { url, headers } = target.requests[0]!;
  expect([url, headers]).toMatchObject([
    '/feed?a=b',
    { ...source.requests[0]!.headers, 'last-event-id': '3', 'x-drainshift-epoch': '7' },
  ]);
  expect(headers['x-drainshift-resume']).toMatch(/^[\w-]{20,}$/);
  expect(source.requests[0]!.headers['x-drainshift-resume']).toBeUndefined();
  expect(await move(engine, source)).toEqual(MOVED);
  feed.publish();
  await until(() => listIds(reader.text()).length === 7);
  expect(source.requests[1]!.headers).toMatchObject({
    'last-event-id': '6',
    'x-drainshift-resume': headers['x-drainshift-resume'],
  });
  expect(listIds(reader.text())).toEqual(upTo(7));
  expect(reader.text()).toContain('id: 5\nevent: x\ndata: a\ndata: b\n\n');
  await until(() => target.sockets.size === 0);
  expect(engine.outcomes).toEqual([]);
  await findStream(engine).close();
  await reader.end;
  expect(engine.outcomes).toMatchObject([{ status: 200, kind: 'serverSentEvents', ending: 'closed' }]);
});

test.each<[string, (lastId: number) => string]>([
  ['the last event once more', (lastId) => (lastId === 0 ? '' : `id: ${lastId}\ndata: ${lastId}\n\n`)],
  ['a byte order mark', () => '\ufeff'],
  ['a comment and a time to retry', () => ': hello\n\nretry: 100\n\n'],
])('a backend may begin with %s', async (_, begin) => {
  const feed = new Feed();
  const [source, target] = [await startFeed(feed), await startFeed(feed, begin)];
  const engine = await startMover(source.port);
  const reader = readStream(engine.port);
  feed.publish();
  feed.publish();
  await until(() => listIds(reader.text()).length === 2);
  expect(await move(engine, target)).toEqual(MOVED);
  feed.publish();
  feed.publish();
  await until(() => listIds(reader.text()).length === 4);
  expect(listIds(reader.text())).toEqual(upTo(4));
  expect(reader.text()).not.toContain('\u00ef');
  expect(reader.text().includes('retry: 100\n')).toBe(begin(2).includes('retry'));
});

test('what a backend sends of an event behind the last whole one does not count', async () => {
  const target = await startStream((_, response) => {
    response.writeHead(200, EVENTS).write('id: 2\ndata: whole\n\n');
  });
  const source = await startStream((_, response) => {
    response.writeHead(200, EVENTS).write('id: 1\ndata: a');
  });
  const engine = await startMover(source.port);
  const reader = readStream(engine.port);
  await until(() => reader.text().endsWith('data: a'));
  const movable = findMovable(engine);
  // No event is whole yet.
  expect(movable.rejection('all')).toBe('noEventId');
  source.responses[0]!.write('\n\nid: 1\ndata: c');
  await until(() => reader.text().endsWith('data: c'));
  const left = movable.leave();
  source.responses[0]!.write('d\n\nid: 2\ndata: par');
  expect(await left).toBeUndefined();
  expect(await movable.join(target.upstream, undefined)).toEqual(MOVED);
  await until(() => reader.text().endsWith('whole\n\n'));
  expect(reader.text()).toBe('id: 1\ndata: a\n\nid: 1\ndata: cd\n\nid: 2\ndata: whole\n\n');
});

test('an event that does not end in time ends the stream', async () => {
  const source = await startStream((_, response) => {
    response.writeHead(200, EVENTS).write('id: 1\ndata: a\n\nid: 2\ndata: b');
  });
  const engine = await startMover(source.port, { moves: { timeoutMs: 50 } });
  const reader = readStream(engine.port);
  await until(() => reader.text().endsWith('data: b'));
  expect(await findMovable(engine).leave()).toBe('unsettled');
  await reader.end;
  expect(engine.ledger.ended.serverSentEvents.closed).toBe(1);
});

describe('nothing of a stream is touched that cannot be moved', () => {
  test.each<[string, http.OutgoingHttpHeaders, string, Partial<Parameters<typeof startMover>[1]>]>([
    ['noEventId', {}, 'data: a\n\n', {}],
    ['noEventId', {}, ': nothing yet\n\n', {}],
    ['noEventId', {}, 'id: 1\ndata: a\n\nid\ndata: b\n\n', {}],
    ['noEventId', {}, 'id: \u0001\ndata: a\n\n', {}],
    ['noEventId', {}, `id: ${'x'.repeat(5_000)}\ndata: a\n\n`, {}],
    // What it would be asked to go on after is before what the client has.
    ['noEventId', { 'last-event-id': '7' }, 'data: a\n\n', {}],
    ['neverMoved', { 'x-once': '1' }, 'id: 1\ndata: a\n\n', { moves: { never: ['x-once'] } }],
    ['neverMoved', {}, 'id: 1\ndata: a\n\n', { moves: { never: ['/feed'] } }],
  ])('%s: %j %j', async (rejection, headers, bytes, options) => {
    const source = await startStream((_, response) => void response.writeHead(200, EVENTS).write(bytes));
    const engine = await startMover(source.port, options);
    const reader = readStream(engine.port, headers);
    await until(() => reader.text().length === bytes.length);
    for (const moves of ['resumable', 'all'] as const) expect(rejectionOf(engine, moves)).toBe(rejection);
    expect(await findMovable(engine).leave()).toBe(rejection);
    source.responses[0]!.write('id: 9\ndata: b\n\n');
    await until(() => reader.text().endsWith('data: b\n\n'));
  });

  test('encoded ones', async () => {
    const gzip = zlib.createGzip();
    const source = await startStream((_, response) => {
      gzip.pipe(response.writeHead(200, { ...EVENTS, 'content-encoding': 'gzip' }));
      gzip.write('id: 1\ndata: a\n\n');
      gzip.flush();
    });
    const engine = await startMover(source.port);
    const reader = readStream(engine.port);
    await until(() => reader.text() !== '');
    expect(rejectionOf(engine)).toBe('encoded');
    gzip.destroy();
  });

  test('those that are closed, and all where nothing is to be moved', async () => {
    const source = await startStream((_, response) => {
      response.writeHead(200, EVENTS).write('id: 1\ndata: a\n\nid: 2\n');
    });
    const engine = await startMover(source.port);
    const reader = readStream(engine.port);
    await until(() => reader.text().endsWith('id: 2\n'));
    expect(rejectionOf(engine, 'none')).toBe('off');
    const movable = findMovable(engine);
    const closed = findStream(engine).close();
    expect([movable.rejection('all'), await movable.leave()]).toEqual(['closing', 'closing']);
    source.responses[0]!.write('\n');
    await closed;
    const off = await startMover(source.port, { moves: { mode: 'none' } });
    const other = readStream(off.port);
    await until(() => other.text() !== '');
    expect(findStream(off).movable).toBeUndefined();
  });
});

describe('a new backend that does not go on ends the stream in order', () => {
  async function moveTo(target: FeedBackend, timeoutMs = 2_000) {
    const feed = new Feed();
    const source = await startFeed(feed);
    const engine = await startMover(source.port, { moves: { timeoutMs } });
    const reader = readStream(engine.port);
    feed.publish();
    await until(() => listIds(reader.text()).length === 1);
    const result = await move(engine, target);
    await reader.end;
    expect(reader.text()).toMatch(/^id: 1\ndata: 1\n\nretry: \d{4}\n\n$/);
    await until(() => liveIn(engine.ledger) === 0);
    expect(engine.ledger.ended.serverSentEvents.closed).toBe(1);
    await until(() => target.sockets.size === 0);
    return result;
  }

  test.each<[string, http.RequestListener]>([
    ['204', (_, response) => void response.writeHead(204).end()],
    ['404', (_, response) => void response.writeHead(404).end('none')],
    ['a redirect', (_, response) => void response.writeHead(307, { location: '/' }).end()],
    ['401 in HTML', (_, response) => void response.writeHead(401, { 'content-type': 'text/html' }).end('in')],
    ['another type', (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).write('<p>')],
    ['gzip', (_, response) => void response.writeHead(200, { ...EVENTS, 'content-encoding': 'gzip' }).write('x')],
    ['a length', (_, response) => void response.writeHead(200, { ...EVENTS, 'content-length': 9 }).write('id: 2\n')],
  ])('otherResponse: %s', async (_, handler) => {
    expect(await moveTo(await startStream(handler))).toBe('otherResponse');
  });

  test('otherResponse: what is no HTTP', async () => {
    const port = await startRawBackend((socket) => socket.end('SSH-2.0-none\r\n\r\n'));
    const upstream = { protocol: 'http' as const, host: '127.0.0.1', port };
    expect(await moveTo({ ...(await startStream(() => undefined)), upstream })).toBe('otherResponse');
  });

  test('unreachable: nothing listens there, or it hangs up', async () => {
    const gone = http.createServer().listen(0, '127.0.0.1');
    await until(() => gone.listening);
    const upstream = { protocol: 'http' as const, host: '127.0.0.1', port: findPort(gone) };
    await new Promise((resolve) => gone.close(resolve));
    const target = await startStream((request) => request.socket.destroy());
    expect(await moveTo({ ...target, upstream })).toBe('unreachable');
    expect(await moveTo(target)).toBe('unreachable');
  });

  test('late: it does not respond', async () => {
    expect(await moveTo(await startStream(() => undefined), 50)).toBe('late');
  });
});

test('a drain that closes a stream on its way ends it in order', async () => {
  const feed = new Feed();
  const [source, target] = [await startFeed(feed), await startStream(() => undefined)];
  const engine = await startMover(source.port);
  const [away, joining] = [readStream(engine.port), readStream(engine.port)];
  feed.publish();
  await until(() => [away, joining].every((reader) => reader.text() !== ''));
  const entries = [...engine.ledger.closables('serverSentEvents')];
  await Promise.all(entries.map((entry) => entry.movable!.leave()));
  const joined = entries[1]!.movable!.join(target.upstream, undefined);
  await until(() => target.requests.length === 1);
  await Promise.all(entries.map((entry) => entry.close()));
  await Promise.all([away.end, joining.end]);
  expect(await joined).toBe('closing');
  expect(await entries[0]!.movable!.join(target.upstream, undefined)).toBe('stopped');
  expect(engine.ledger.ended.serverSentEvents).toMatchObject({ closed: 2, forced: 0 });
  await until(() => target.sockets.size === 0);
});

test('a client that leaves on the way is gone, and nothing stays', async () => {
  const feed = new Feed();
  const [source, target] = [await startFeed(feed), await startStream(() => undefined)];
  const engine = await startMover(source.port);
  for (const phase of ['leaving', 'away', 'joining'] as const) {
    const reader = readStream(engine.port);
    feed.publish();
    await until(() => reader.text() !== '');
    if (phase === 'leaving') source.responses.at(-1)!.write('data: begun');
    if (phase === 'leaving') await until(() => reader.text().endsWith('begun'));
    const movable = findMovable(engine);
    const left = movable.leave();
    if (phase !== 'leaving') await left;
    const joined = phase === 'joining' ? movable.join(target.upstream, undefined) : undefined;
    if (phase === 'joining') await until(() => target.requests.length > 0);
    reader.destroy();
    if (phase === 'leaving') expect(await left).toBe('closing');
    if (joined) expect(await joined).toBe('closing');
    await until(() => liveIn(engine.ledger) === 0);
  }
  await until(() => source.sockets.size + target.sockets.size === 0);
  expect(engine.ledger.ended.serverSentEvents.forced).toBe(3);
});

test('an old backend that ends the stream before it could be left has ended it', async () => {
  const source = await startStream((_, response) => {
    response.writeHead(200, EVENTS).write('id: 1\ndata: a\n\nid: 2\n');
  });
  const engine = await startMover(source.port);
  const reader = readStream(engine.port);
  await until(() => reader.text().endsWith('id: 2\n'));
  const left = findMovable(engine).leave();
  source.responses[0]!.end('data: b\n');
  expect(await left).toBe('closing');
  await reader.end;
  expect(reader.text()).toBe('id: 1\ndata: a\n\nid: 2\ndata: b\n');
});

test('a client that asked to go on after an event itself is moved by it before the first one comes', async () => {
  const feed = new Feed();
  for (let count = 1; count <= 5; count += 1) feed.publish();
  const repeats = (lastId: number) => `id: ${lastId}\ndata: ${lastId}\n\n`;
  const [source, target] = [await startFeed(feed, () => ': hello\n\n'), await startFeed(feed, repeats)];
  const engine = await startMover(source.port);
  const reader = readStream(engine.port, { 'last-event-id': '5' });
  await until(() => reader.text() !== '');
  expect(await move(engine, target)).toEqual(MOVED);
  expect(target.requests[0]!.rawHeaders.filter((name) => name.toLowerCase() === 'last-event-id')).toHaveLength(1);
  feed.publish();
  await until(() => listIds(reader.text()).length > 0);
  expect(listIds(reader.text())).toEqual([6]);
});

test('ids are sent back as the bytes that they are', async () => {
  const source = await startStream((_, response) => {
    response.writeHead(200, EVENTS).write('id: Grüße, 世界\ndata: a\n\n');
  });
  const target = await startStream((_, response) => void response.writeHead(200, EVENTS).flushHeaders());
  const engine = await startMover(source.port);
  const reader = readStream(engine.port);
  await until(() => reader.text().endsWith('\n\n'));
  expect(await move(engine, target)).toEqual(MOVED);
  const id = Buffer.from(String(target.requests[0]!.headers['last-event-id']), 'latin1').toString();
  expect(id).toBe('Grüße, 世界');
});

test('an application may name its stream, and its client does not see that', async () => {
  const token = { 'X-Drainshift-Resume-Token': 'mine' };
  const source = await startStream((_, response) => {
    response.writeHead(200, { ...EVENTS, ...token }).write('id: 1\ndata: a\n\n');
  });
  const target = await startStream((_, response) => void response.writeHead(200, EVENTS).flushHeaders());
  const engine = await startMover(source.port);
  const reader = readStream(engine.port, { 'x-drainshift-resume': 'forged' });
  expect((await reader.response).headers).not.toHaveProperty('x-drainshift-resume-token');
  await until(() => reader.text() !== '');
  expect(await move(engine, target)).toEqual(MOVED);
  expect(source.requests[0]!.headers).not.toHaveProperty('x-drainshift-resume');
  expect(target.requests[0]!.headers['x-drainshift-resume']).toBe('mine');
});

test('a client of HTTP/2 and backends of HTTP/2 move as well', async () => {
  const feed = new Feed();
  const streams: [string | undefined, () => boolean][] = [];
  const backends = await Promise.all(
    [1, 2].map(async () => {
      const server = http2.createServer((request, response) => {
        streams.push([request.headers['last-event-id'] as string | undefined, () => response.stream.destroyed]);
        response.writeHead(200, EVENTS);
        const stop = feed.follow(Number(request.headers['last-event-id'] ?? 0), (bytes) => void response.write(bytes));
        response.stream.on('close', stop);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      later(() => void server.close());
      return { protocol: 'http' as const, host: '127.0.0.1', port: findPort(server), isHttp2: true };
    }),
  );
  const [upstream, target] = backends as [Upstream, Upstream];
  const engine = await startMover(upstream.port, { decide: () => ({ forward: { upstream } }) });
  const session = http2.connect(`http://127.0.0.1:${engine.port}`);
  later(() => session.destroy());
  const stream = session.request({ ':path': '/feed', accept: 'text/event-stream' });
  let text = '';
  stream.on('data', (bytes: Buffer) => (text += bytes.toString()));
  for (let count = 1; count <= 4; count += 1) {
    feed.publish();
    await until(() => listIds(text).length === count);
    const movable = findMovable(engine);
    expect(await movable.leave()).toBeUndefined();
    expect(await movable.join(count % 2 === 1 ? target : upstream, undefined)).toEqual(MOVED);
  }
  feed.publish();
  await until(() => listIds(text).length === 5);
  expect(listIds(text)).toEqual(upTo(5));
  expect(streams.map(([id]) => id)).toEqual([undefined, '1', '2', '3', '4']);
  await until(() => streams.filter(([, isOver]) => isOver()).length === 4);
  stream.close();
  await until(() => liveIn(engine.ledger) === 0);
});

test('a client that does not read holds its next backend back as its first', async () => {
  const feed = new Feed();
  const [source, target] = [await startFeed(feed), await startFeed(feed)];
  const engine = await startMover(source.port);
  const reader = readStream(engine.port);
  feed.publish();
  await until(() => listIds(reader.text()).length === 1);
  const response = await reader.response;
  response.pause();
  for (let count = 2; count <= 400; count += 1) feed.publish(`data: ${'x'.repeat(40_000)}`);
  await until(() => source.responses[0]!.writableLength > 1_000_000);
  // In the middle of an event nothing more comes, because nothing more is read.
  const left = findMovable(engine).leave();
  response.resume();
  expect(await left).toBeUndefined();
  response.pause();
  expect(await findMovable(engine).join(target.upstream, undefined)).toEqual(MOVED);
  await until(() => target.responses[0]!.writableLength > 1_000_000);
  response.resume();
  await until(() => listIds(reader.text()).length >= 400);
  expect(listIds(reader.text())).toEqual(upTo(400));
});

test('a client that had not read when its upstream was left holds the next one back', () => {
  const paused: string[] = [];
  const upstream = (name: string) => ({ pauseResponse: () => paused.push(name) }) as unknown as UpstreamStream;
  const client = { write: () => undefined, isBackedUp: true } as unknown as DownstreamStream;
  const download = new Download(client);
  download.pass(Buffer.from('a'), upstream('source'));
  download.pass(Buffer.from('b'), upstream('source'));
  download.upstreamLeft();
  download.pass(Buffer.from('c'), upstream('target'));
  expect(paused).toEqual(['source', 'target']);
});

test.each([1, 2, 3])(
  'in whatever pieces events come, and whenever it moves, each comes once (seed %d)',
  async (seed) => {
    const random = seeded(seed);
    const feed = new Feed();
    const ends = ['\n', '\r', '\r\n'];
    const pick = <T>(all: readonly T[]) => all[Math.floor(random() * all.length)]!;
    const send = (response: http.ServerResponse, bytes: string) => {
      const end = pick(ends);
      let rest = bytes.replaceAll('\n', end);
      for (; rest !== ''; rest = rest.slice(Math.ceil(rest.length / 3))) {
        response.write(rest.slice(0, Math.ceil(rest.length / 3)));
      }
    };
    const backends = await Promise.all(
      [1, 2].map(() =>
        startStream((request, response) => {
          const lastId = Number(request.headers['last-event-id'] ?? 0);
          response.writeHead(200, EVENTS).flushHeaders();
          const first = pick([lastId, Math.max(0, lastId - 1)]);
          response.on(
            'close',
            feed.follow(first, (bytes) => send(response, bytes)),
          );
        }),
      ),
    );
    const engine = await startMover(backends[0]!.port);
    const reader = readStream(engine.port);
    const ids = () => listIds(reader.text().replaceAll(/\r\n?/g, '\n'));
    feed.publish();
    await until(() => ids().length >= 1);
    for (let round = 1; round <= 30; round += 1) {
      const published = [1, 2, 3].map(() =>
        pick([': c\ndata: x', 'event: y\ndata: x\ndata: y', `data: ${'z'.repeat(9_000)}`]),
      );
      for (const text of published.slice(Math.floor(random() * 3))) feed.publish(text);
      if (random() < 0.5) await until(() => ids().length >= feed.texts.length);
      expect(await move(engine, backends[round % 2]!)).toEqual(MOVED);
    }
    feed.publish();
    await until(() => ids().length >= feed.texts.length);
    expect(ids()).toEqual(upTo(feed.texts.length));
  },
);

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}
