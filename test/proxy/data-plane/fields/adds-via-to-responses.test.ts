import http2, { IncomingHttpHeaders } from 'node:http2';
import net from 'node:net';
import { startTestProxy } from '../../support/proxy-world';
import { exchangeBytes, get, later, findPort, startBackend, startRawBackend, stopAll } from '../../support/world';

// RFC 9110 section 7.6.3: each message that is forwarded says in which version it was received, and by whom.

afterEach(stopAll);

const NAME = 'a-deployment';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n';

/** Backends that send these bytes, whatever they are asked. */
async function behind(response: string, changes: { via?: string } = { via: NAME }): Promise<number> {
  const port = await startRawBackend((socket) => void socket.once('data', () => socket.end(response, 'latin1')));
  return (await startTestProxy(port, changes)).data.port;
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const findVias = (text: string) => [...text.matchAll(/^via: (.*)\r$/gim)].map(([, value]) => value);

test.each([
  ['a response', `${OK}\r\nok`, [`1.1 ${NAME}`]],
  ['one of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nok', [`1.0 ${NAME}`]],
  [
    'one that came through others',
    `${OK}Via: 1.1 b, 1.0 c\r\nVia: 2 d\r\n\r\nok`,
    ['1.1 b, 1.0 c', '2 d', `1.1 ${NAME}`],
  ],
  ['an error of the backend', 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n', [`1.1 ${NAME}`]],
  ['one without a body', 'HTTP/1.1 204 None\r\n\r\n', [`1.1 ${NAME}`]],
  ['304', 'HTTP/1.1 304 Same\r\nETag: "a"\r\n\r\n', [`1.1 ${NAME}`]],
  [
    'chunks with trailers',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n',
    [`1.1 ${NAME}`],
  ],
  ['an event stream', 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n', [`1.1 ${NAME}`]],
  ['an interim response', `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}\r\nok`, [`1.1 ${NAME}`, `1.1 ${NAME}`]],
  ['one that deviates from HTTP', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok', [`1.1 ${NAME}`]],
])('%s has it, behind those that came', async (_, response, vias) => {
  expect(findVias(await exchangeBytes(await behind(response), GET))).toEqual(vias);
});

test('without the setting there is none, and what others said stays', async () => {
  expect(findVias(await exchangeBytes(await behind(`${OK}Via: 1.1 b\r\n\r\nok`, {}), GET))).toEqual(['1.1 b']);
});

test('what the proxy says itself has passed no one', async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = findPort(server);
  await new Promise((resolve) => server.close(resolve));
  const proxy = await startTestProxy(port, { via: NAME });
  for (const path of ['/', '/.drainshift/health']) {
    expect((await get({ port: proxy.data.port, path })).headers.via).toBeUndefined();
  }
});

test('a switch of protocols has it', async () => {
  const port = await startRawBackend((socket) => {
    socket.once('data', () => {
      const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
      const head = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
      socket.end(`HTTP/1.1 101 Switching\r\n${head}`);
    });
  });
  const proxy = await startTestProxy(port, { via: NAME });
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13';
  const request = `GET / HTTP/1.1\r\nHost: a\r\n${upgrade}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  const text = await exchangeBytes(proxy.data.port, request);
  expect(text).toMatch(/^HTTP\/1\.1 101 /);
  expect(findVias(text)).toEqual([`1.1 ${NAME}`]);
});

describe('over HTTP/2', () => {
  async function ask(port: number) {
    const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    later(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    const heads: IncomingHttpHeaders[] = [];
    stream.on('headers', (head) => heads.push(head));
    stream.on('response', (head) => heads.push(head));
    stream.resume();
    await new Promise((resolve) => stream.once('close', resolve));
    return heads.map((head) => head.via);
  }

  test('clients get it, in interim responses, too', async () => {
    const { port } = await startBackend((_request, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.setHeader('via', '1.1 b');
      response.end('ok');
    });
    const proxy = await startTestProxy(port, { via: NAME, tls: 'self-signed' });
    expect(await ask(proxy.data.port)).toEqual([`1.1 ${NAME}`, `1.1 b, 1.1 ${NAME}`]);
  });

  test('an upstream of HTTP/2 is named as such', async () => {
    const backend = http2.createServer((_request, response) => {
      response.setHeader('via', '1.1 b');
      response.end('ok');
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    later(() => void backend.close());
    const upstream = { protocol: 'http', host: '127.0.0.1', port: findPort(backend), isHttp2: true } as const;
    const proxy = await startTestProxy(upstream.port, { via: NAME, tls: 'self-signed', upstream });
    expect(await ask(proxy.data.port)).toEqual([`1.1 b, 2.0 ${NAME}`]);
  });
});
