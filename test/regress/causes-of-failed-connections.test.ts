import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import type { Upstream } from '../../proxy/data-plane/contract/data-plane';
import { startTestProxy } from '../proxy/support/proxy-world';
import { get, later, findPort, selfSigned, startRawBackend, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

async function startTls(options: tls.TlsOptions = {}): Promise<number> {
  const server = tls.createServer({ ...(await selfSigned()), ...options }, (socket) =>
    socket.on('error', () => undefined),
  );
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => void server.close());
  return findPort(server);
}

/** A port at which no one listens. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = findPort(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const at = (port: number, changes: Partial<Upstream> = {}): Upstream => ({
  protocol: 'https',
  host: '127.0.0.1',
  port,
  ...changes,
});

/** What can be wrong with an upstream before it is spoken to; each with what a log has to say of it. */
const CASES: [string, () => Promise<Upstream>, { failure: string; code?: unknown; why?: unknown }][] = [
  [
    'a certificate that no one vouches for',
    async () => at(await startTls()),
    {
      failure: 'certificateRejected',
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      why: expect.stringContaining('self-signed certificate'),
    },
  ],
  [
    'a certificate for another name',
    async () => {
      const { cert, key } = await selfSigned();
      return at(await startTls({ cert, key }), { serverName: 'other.test', authorities: cert });
    },
    {
      failure: 'certificateRejected',
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      why: expect.stringContaining('other.test'),
    },
  ],
  [
    'a name that does not exist',
    () => Promise.resolve(at(443, { host: 'no-such-name.invalid' })),
    { failure: 'nameNotFound', code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) as unknown },
  ],
  [
    'TLS to a port without it',
    async () =>
      at(await startRawBackend((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')))),
    {
      failure: 'tlsFailed',
      code: 'ERR_SSL_WRONG_VERSION_NUMBER',
      why: expect.stringContaining('wrong version number'),
    },
  ],
  [
    'a port that closes in the handshake',
    async () => at(await startRawBackend((socket) => socket.destroy())),
    { failure: 'tlsFailed', code: 'ECONNRESET' },
  ],
  [
    'a port at which no one listens',
    async () => at(await freePort(), { protocol: 'http' }),
    { failure: 'connectRefused', code: 'ECONNREFUSED' },
  ],
  [
    'an address that has no route',
    () => Promise.resolve(at(80, { protocol: 'http', host: '255.255.255.255' })),
    {
      failure: 'connectFailed',
      code: expect.stringMatching(/^(EACCES|ENETUNREACH|EHOSTUNREACH)$/) as unknown,
    },
  ],
];

describe.each(['HTTP/1.1', 'HTTP/2'])('over %s', (protocol) => {
  test.each(CASES)('%s is named in both logs, and not to the client', async (_, findUpstream, expected) => {
    const upstream = { ...(await findUpstream()), isHttp2: protocol === 'HTTP/2' };
    const proxy = await startTestProxy(0, { upstream, accessLog: 'errors' });
    const { status, body } = await get({ port: proxy.data.port });
    expect([status, body]).toEqual([502, 'The upstream failed: it could not be connected to\n']);
    await until(() => proxy.lines.some(({ msg }) => msg === 'Request'));
    for (const msg of ['Upstream failed', 'Request']) {
      expect(proxy.lines.find((line) => line.msg === msg)).toMatchObject({
        why: expect.any(String) as unknown,
        ...expected,
      });
    }
  });
});

test('an upstream that does not speak HTTP/2 is distinguished from one that speaks it badly', async () => {
  const { cert, key } = await selfSigned();
  const silent = await startTls({ cert, key });
  const upstream = at(silent, { isHttp2: true, verifyCertificate: false });
  const proxy = await startTestProxy(0, { upstream });
  expect(await get({ port: proxy.data.port })).toMatchObject({ status: 502 });
  const line = proxy.lines.find(({ msg }) => msg === 'Upstream failed');
  expect(line).toMatchObject({ failure: 'malformed', why: 'it does not offer HTTP/2 (ALPN)' });
});

test.each([
  ['ends before its response', (socket: net.Socket) => socket.end(), 'it closed the connection before its response'],
  [
    'ends within its response',
    (socket: net.Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
    'it closed the connection before its response was whole',
  ],
  ['resets', (socket: net.Socket) => socket.resetAndDestroy(), 'read ECONNRESET'],
])('an upstream that %s is reported with that', async (_, end, why) => {
  const port = await startRawBackend((socket) => socket.once('data', () => end(socket)));
  const proxy = await startTestProxy(port, { accessLog: 'errors' });
  await get({ port: proxy.data.port, method: 'POST' }, 'x').catch(() => undefined);
  await until(() => proxy.lines.some(({ msg }) => msg === 'Upstream failed'));
  const line = proxy.lines.find(({ msg }) => msg === 'Upstream failed');
  expect(line).toMatchObject({ failure: 'reset', why, address: '127.0.0.1' });
});

test('an HTTP/2 upstream that ends a stream is reported with the reason', async () => {
  const server = http2.createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => void server.close());
  const upstream = { protocol: 'http', host: '127.0.0.1', port: findPort(server), isHttp2: true } as const;
  const proxy = await startTestProxy(0, { upstream });
  await get({ port: proxy.data.port, method: 'POST' }, 'x');
  const line = proxy.lines.find(({ msg }) => msg === 'Upstream failed');
  expect(line).toMatchObject({ failure: 'reset', why: expect.stringContaining('ENHANCE_YOUR_CALM') as unknown });
});
