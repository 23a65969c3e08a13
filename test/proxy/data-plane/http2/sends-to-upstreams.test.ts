import http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import type { Upstream } from '../../../../proxy/data-plane/contract/data-plane';
import { later, findPort, selfSigned, startBackend, stopAll, until } from '../../support/world';
import { ONE, startHttp2Backend, startUpstreams } from './support/upstreams';

afterEach(stopAll);

test.each([false, true])('a request and its response, TLS: %s', async (isTls) => {
  const pair = await selfSigned();
  let asked: http.IncomingHttpHeaders = {};
  let body = '';
  const backend = await startHttp2Backend(
    (stream, headers) => {
      asked = headers;
      stream.on('data', (bytes: Buffer) => (body += bytes.toString()));
      stream.on('end', () => {
        stream.additionalHeaders({ ':status': 103, link: '</a>' });
        stream.respond({ ':status': 201, 'x-two': ['1', '2'], 'set-cookie': ['a', 'b'] }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '9', host: 'no' }));
        stream.end('answer');
      });
    },
    isTls ? pair : {},
    isTls ? { serverName: 'localhost', authorities: pair.cert } : {},
  );
  const { open } = startUpstreams();
  const fields = 'Host: shop.example\r\nX-Name: é\r\nCookie: a=1; b=2\r\nConnection: close\r\nUpgrade: h2c\r\n';
  const heard = open(backend.upstream, { method: 'POST', url: '/a?b', bodyLength: -1, takesTrailers: true }, fields);
  heard.half.send(Buffer.from('bo'));
  expect(heard.half.isBackedUp).toBe(true);
  await until(() => heard.drained === 1);
  heard.half.send(Buffer.from('dy'));
  heard.half.finish('x-up: 1\r\n');
  await until(() => heard.isOver);
  expect(asked).toMatchObject({ ':method': 'POST', ':path': '/a?b', ':authority': 'shop.example', te: 'trailers' });
  expect(asked).toMatchObject({ ':scheme': isTls ? 'https' : 'http', 'x-name': 'é', cookie: 'a=1; b=2' });
  expect([asked.connection, asked.upgrade, asked.host, body]).toEqual([undefined, undefined, undefined, 'body']);
  expect(heard.informs).toEqual([[103, 'link: </a>\r\n']]);
  expect(heard.head).toMatchObject({ status: 201, bodyLength: -1, statedLength: undefined, isEventStream: false });
  expect(heard.head!.fields).toMatch(/^x-two: 1\r\nx-two: 2\r\nset-cookie: a\r\nset-cookie: b\r\n/);
  expect([heard.body, heard.trailers, heard.failure]).toEqual(['answer', 'x-sum: 9\r\n', undefined]);
});

test('request trailers, and a length that is known', async () => {
  const got: Record<string, unknown>[] = [];
  const backend = await startHttp2Backend((stream, headers) => {
    got.push(headers);
    stream.on('trailers', (trailers) => got.push(trailers));
    stream.on('end', () => stream.respond({ ':status': 204 }, { endStream: true }));
    stream.resume();
  });
  const { open } = startUpstreams();
  const heard = open(backend.upstream, { method: 'PUT', bodyLength: 3 });
  heard.half.send(Buffer.from('abc'));
  heard.half.finish('X-Sum: 1\r\n');
  await until(() => heard.isOver);
  expect(got).toMatchObject([{ 'content-length': '3' }, { 'x-sum': '1' }]);
  expect(heard.head).toMatchObject({ status: 204, bodyLength: 0 });
});

test.each([
  ['HEAD', { ':status': 200, 'content-length': '77' }, { bodyLength: 0, statedLength: 77 }],
  ['GET', { ':status': 304, 'content-length': '77' }, { bodyLength: 0, statedLength: 77 }],
  [
    'GET',
    { ':status': 200, 'content-type': 'text/event-stream; charset=utf-8' },
    { bodyLength: 0, isEventStream: true },
  ],
  ['GET', { ':status': 200, 'content-encoding': 'gzip' }, { bodyLength: 0, isEncoded: true }],
] as const)('the head of a response to %s: %j', async (method, response, expected) => {
  const backend = await startHttp2Backend((stream) => stream.respond(response, { endStream: true }));
  const { open } = startUpstreams();
  const heard = open(backend.upstream, { method });
  await until(() => heard.isOver);
  expect(heard.head).toMatchObject(expected);
  expect([heard.trailers, heard.body]).toEqual(['', '']);
});

test('requests share a connection, and take another one where it is full', async () => {
  const backend = await startHttp2Backend(() => undefined, { settings: { maxConcurrentStreams: 2 } });
  const { open } = startUpstreams({ limits: { upstreamConnections: 2, waitingRequests: 1 } });
  open(backend.upstream);
  open(backend.upstream);
  await until(() => backend.streams.length === 2);
  expect(backend.sessions).toHaveLength(1);
  for (let count = 0; count < 2; count += 1) {
    open(backend.upstream);
    await until(() => backend.streams.length === 3 + count);
  }
  expect(backend.sessions).toHaveLength(2);
  const waiting = open(backend.upstream);
  const tooMany = [open(backend.upstream), open(backend.upstream)];
  await until(() => tooMany[1]!.isOver);
  expect(tooMany[1]!.failure).toEqual(['full', 'nothing']);
  for (const stream of backend.streams) stream.respond({ ':status': 200 }, { endStream: true });
  await until(() => backend.streams.length > 4);
  expect(waiting.failure).toBeUndefined();
});

test('an upstream without HTTP/2 is no upstream for this', async () => {
  const pair = await selfSigned();
  const respond = (_: unknown, response: http.ServerResponse) => void response.end('1.1');
  const secure = https.createServer(pair, respond);
  const mute = tls.createServer({ ...pair, ALPNProtocols: ['http/1.1'] }, (socket) =>
    socket.on('error', () => undefined),
  );
  for (const server of [secure, mute]) {
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    later(() => void server.close());
  }
  const plain = await startBackend(respond);
  const { open } = startUpstreams({ limits: ONE });
  const https11 = { protocol: 'https' as const, host: '127.0.0.1', verifyCertificate: false };
  const upstreams: Upstream[] = [
    { ...https11, port: findPort(secure) },
    { ...https11, port: findPort(mute) },
    { protocol: 'http', host: '127.0.0.1', port: plain.port },
  ];
  // The second time there is room again for a connection.
  for (let time = 0; time < 2; time += 1) {
    const heard = upstreams.map((upstream) => open(upstream));
    await until(() => heard.every(({ isOver }) => isOver));
    expect(heard.map(({ failure }) => failure?.[0])).toEqual(['malformed', 'malformed', 'malformed']);
  }
});

test('a certificate of someone else is rejected', async () => {
  const backend = await startHttp2Backend((stream) => stream.respond({}, { endStream: true }), await selfSigned());
  const { open } = startUpstreams();
  const heard = open(backend.upstream);
  const trusting = open({ ...backend.upstream, verifyCertificate: false });
  await until(() => heard.isOver && trusting.isOver);
  expect([heard.failure, trusting.head?.status]).toEqual([['certificateRejected', 'nothing'], 200]);
});
