import { constants, type ServerHttp2Stream } from 'node:http2';
import net from 'node:net';
import { findPort, startRawBackend, stopAll, until } from '../../support/world';
import { GOAWAY, SETTINGS, frame } from './support/frames';
import { ONE, Relay, startHttp2Backend, startRelay, startUpstreams } from './support/upstreams';

afterEach(stopAll);

const at = (port: number) => ({ protocol: 'http' as const, host: '127.0.0.1', port });

test('no one listens', async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = findPort(server);
  await new Promise((resolve) => server.close(resolve));
  const { open } = startUpstreams({ limits: ONE });
  // The second time there is room again for a connection.
  for (let time = 0; time < 2; time += 1) {
    const heard = open(at(port), { bodyLength: -1 });
    heard.half.send(Buffer.from('x'));
    await until(() => heard.isOver);
    expect(heard.failure).toEqual(['connectRefused', 'nothing']);
  }
});

test('a connection that does not come to be in time', async () => {
  // It takes the connection and never shakes hands.
  const port = await startRawBackend(() => undefined);
  const { open } = startUpstreams({ timeouts: { connectMs: 50 } });
  const heard = open({ ...at(port), protocol: 'https' });
  await until(() => heard.isOver);
  expect(heard.failure).toEqual(['connectTimeout', 'nothing']);
});

test.each([
  [constants.NGHTTP2_REFUSED_STREAM, ['reset', 'nothing']],
  [constants.NGHTTP2_INTERNAL_ERROR, ['reset', 'maybe']],
  [constants.NGHTTP2_CANCEL, ['reset', 'maybe']],
  [constants.NGHTTP2_PROTOCOL_ERROR, ['malformed', 'maybe']],
])('a stream that is reset with %d', async (code, failure) => {
  const backend = await startHttp2Backend((stream) => stream.close(code));
  const { open } = startUpstreams();
  const heard = open(backend.upstream, { method: 'POST', bodyLength: -1 });
  await until(() => heard.isOver);
  expect([heard.failure, heard.trailers]).toEqual([failure, undefined]);
});

/** How a response may break off in the middle; END_STREAM never comes. */
const BREAKS: Readonly<Record<string, (stream: ServerHttp2Stream, relay: Relay) => void>> = {
  'by a reset': (stream) => stream.close(constants.NGHTTP2_CANCEL),
  'by a reset without an error': (stream) => stream.close(constants.NGHTTP2_NO_ERROR),
  'by the end of the session': (stream) => stream.session?.destroy(),
  'by the end of the connection': (_, relay) => relay.cut(),
};

test.each(Object.keys(BREAKS))('a response that is broken off %s has no end', async (how) => {
  const backend = await startHttp2Backend((stream) => {
    // So that Node's own server does not end what it resets.
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.write('half');
  });
  const relay = await startRelay(backend.upstream.port);
  const { open } = startUpstreams();
  const heard = open(at(relay.port));
  await until(() => heard.body === 'half');
  BREAKS[how]!(backend.streams[0]!, relay);
  await until(() => heard.isOver);
  expect([heard.failure, heard.trailers]).toEqual([['reset', 'maybe'], undefined]);
});

test('a response shorter than it says is malformed', async () => {
  const backend = await startHttp2Backend((stream) => {
    stream.respond({ ':status': 200, 'content-length': '10' });
    stream.end('half');
  });
  const { open } = startUpstreams();
  const heard = open(backend.upstream);
  await until(() => heard.isOver);
  expect([heard.failure, heard.trailers]).toEqual([['malformed', 'maybe'], undefined]);
});

test('a request above the last stream of a GOAWAY was not looked at, and the next one finds another connection', async () => {
  const backend = await startHttp2Backend((stream, headers) => {
    if (headers[':path'] !== '/go') return stream.respond({ ':status': 200 }, { endStream: true });
    stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id! - 2);
  });
  const { open } = startUpstreams();
  const first = open(backend.upstream);
  await until(() => first.isOver);
  const heard = open(backend.upstream, { url: '/go', method: 'POST' });
  await until(() => heard.isOver);
  expect(heard.failure).toEqual(['reset', 'nothing']);
  const next = open(backend.upstream);
  await until(() => next.isOver);
  expect([next.head?.status, backend.sessions.length]).toEqual([200, 2]);
});

test('streams that are under way outlive a GOAWAY', async () => {
  const backend = await startHttp2Backend(() => undefined);
  const { open } = startUpstreams();
  const heard = open(backend.upstream);
  await until(() => backend.streams.length === 1);
  backend.sessions[0]!.close();
  // What crosses the GOAWAY is told to be untouched, and comes back.
  let next = open(backend.upstream);
  await until(() => {
    if (next.failure?.[1] === 'nothing') next = open(backend.upstream);
    return backend.streams.length === 2;
  });
  for (const stream of backend.streams) stream.respond({ ':status': 200 }, { endStream: true });
  await until(() => heard.isOver && next.isOver);
  expect([heard.failure, next.failure, backend.sessions.length]).toEqual([undefined, undefined, 2]);
});

test('a GOAWAY with an error is no proof that nothing was seen', async () => {
  const port = await startRawBackend((socket) => {
    socket.write(frame(SETTINGS, 0, 0));
    socket.once('data', () => {
      const end = Buffer.alloc(8);
      end.writeUInt32BE(2 ** 31 - 1, 0);
      end.writeUInt32BE(constants.NGHTTP2_REFUSED_STREAM, 4);
      socket.write(frame(GOAWAY, 0, 0, end));
    });
  });
  const { open } = startUpstreams();
  const heard = open(at(port), { method: 'POST' });
  await until(() => heard.isOver);
  expect(heard.failure).toEqual(['reset', 'maybe']);
});

test('a kept connection that was given up meanwhile', async () => {
  const backend = await startHttp2Backend((stream, headers) => {
    if (headers[':path'] === '/') stream.respond({ ':status': 200 }, { endStream: true });
  });
  const relay = await startRelay(backend.upstream.port);
  const { open } = startUpstreams();
  const first = open(at(relay.port));
  await until(() => first.isOver);
  // Both in one turn: the request leaves before the end of the connection is known here.
  relay.cut();
  const heard = open(at(relay.port), { url: '/other' });
  await until(() => heard.isOver);
  expect(heard.failure).toEqual(['reset', 'unlikely']);
  // On a connection that is new there is no such hope.
  const fresh = open(at(relay.port), { url: '/other' });
  await until(() => backend.streams.length === 2);
  relay.cut();
  await until(() => fresh.isOver);
  expect(fresh.failure).toEqual(['reset', 'maybe']);
});

test('an upstream that has gone silent is found out by a ping, a slow one is not', async () => {
  const backend = await startHttp2Backend(() => undefined);
  const relay = await startRelay(backend.upstream.port);
  const { open } = startUpstreams({ timeouts: { connectMs: 60, upstreamPingMs: 60 }, limits: ONE });
  const heard = open(at(relay.port));
  await until(() => backend.streams.length === 1);
  let pings = 0;
  backend.sessions[0]!.on('ping', () => (pings += 1));
  await until(() => pings === 3);
  expect(heard.isOver).toBe(false);
  relay.isMute = true;
  await until(() => heard.isOver);
  expect(heard.failure).toEqual(['idleTimeout', 'maybe']);
  relay.isMute = false;
  open(at(relay.port));
  await until(() => backend.streams.length === 2);
});

test('an idle connection is closed', async () => {
  const backend = await startHttp2Backend((stream) => stream.respond({}, { endStream: true }));
  const { open } = startUpstreams({ timeouts: { clientIdleMs: 50 }, limits: ONE });
  const heard = open(backend.upstream);
  await until(() => heard.isOver);
  await until(() => backend.sessions[0]!.destroyed);
  const next = open(backend.upstream);
  await until(() => next.isOver);
  expect([next.failure, backend.sessions.length]).toEqual([undefined, 2]);
});

test('what is given up is cancelled, before and after it began', async () => {
  const backend = await startHttp2Backend((stream) => {
    stream.respond({ ':status': 200 });
    stream.write(Buffer.alloc(500_000));
  });
  const { open } = startUpstreams();
  const early = open(backend.upstream);
  early.half.destroy();
  expect(early.half.isBackedUp).toBe(false);
  const paused = open(backend.upstream, { method: 'POST', bodyLength: -1 });
  await until(() => paused.bytes > 0);
  paused.half.pauseResponse();
  paused.half.destroy();
  await until(() => backend.streams[0]?.destroyed === true);
  expect(backend.streams).toHaveLength(1);
  expect([early.isOver, paused.isOver, backend.streams[0]!.rstCode]).toEqual([false, false, 8]);
});
