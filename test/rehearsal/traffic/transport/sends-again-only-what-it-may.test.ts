import { createServer } from 'node:https';
import { Http2Server, ServerHttp2Stream, constants, createSecureServer } from 'node:http2';
import { AddressInfo, Server, Socket } from 'node:net';
import { generate } from 'selfsigned';
import { Http1Transport } from '../../../../rehearsal/traffic/transport/http1-transport';
import { Http2Transport } from '../../../../rehearsal/traffic/transport/http2-transport';
import { Endpoint } from '../../../../rehearsal/traffic/transport/endpoint';
import { Transport } from '../../../../rehearsal/traffic/transport/transport';

let cert: string;
let key: string;
let server: Server | Http2Server;
let transport: Transport;
let retries = 0;
const sockets = new Set<Socket>();
const countRetry = () => (retries += 1);

beforeAll(async () => {
  const pems = await generate([{ name: 'commonName', value: 'a.test' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'a.test' }] }],
  });
  [cert, key] = [pems.cert, pems.private];
});
beforeEach(() => (retries = 0));
afterEach(async () => {
  transport.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function listen(next: Server | Http2Server): Promise<Endpoint> {
  server = next;
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ca: cert,
    serverName: 'a.test',
    authority: 'a.test',
  };
}

/** Responds to the first request of each connection; closes the connection on the second one, after `bytes` of a response. */
async function http1(keepAlive: boolean, bytes: string): Promise<void> {
  const seen = new WeakMap<Socket, number>();
  const https = createServer({ cert, key }, ({ socket }, response) => {
    seen.set(socket, (seen.get(socket) ?? 0) + 1);
    if (seen.get(socket) === 1) return response.end('right');
    if (bytes !== '') socket.write(bytes);
    return socket.end();
  });
  transport = new Http1Transport(await listen(https), keepAlive, countRetry);
}

const get = { method: 'GET', path: '/' } as const;
const post = { method: 'POST', path: '/', body: Buffer.from('x') } as const;

describe('HTTP/1.1', () => {
  test('a GET on a kept connection that was closed meanwhile goes out once more', async () => {
    await http1(true, '');
    await transport.send(get);
    expect((await transport.send(get)).body.toString()).toBe('right');
    expect(retries).toBe(1);
  });

  test('a POST does not', async () => {
    await http1(true, '');
    await transport.send(post);
    await expect(transport.send(post)).rejects.toThrow('socket hang up');
    expect(retries).toBe(0);
  });

  test.each(['HTTP/1.1 200', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nri'])(
    'a GET with a part of a response (%j) does not',
    async (bytes) => {
      await http1(true, bytes);
      await transport.send(get);
      await expect(transport.send(get)).rejects.toThrow();
      expect(retries).toBe(0);
    },
  );

  test('a GET on a new connection does not', async () => {
    const https = createServer({ cert, key }, ({ socket }) => socket.destroy());
    transport = new Http1Transport(await listen(https), true, countRetry);
    await expect(transport.send(get)).rejects.toThrow('socket hang up');
    expect(retries).toBe(0);
  });
});

describe('HTTP/2', () => {
  /** What happens to each stream in turn; after the last, all get a response. */
  async function http2(...stallDetector: ((stream: ServerHttp2Stream) => void)[]): Promise<void> {
    const h2 = createSecureServer({ cert, key });
    h2.on('stream', (stream) => (stallDetector.shift() ?? respond)(stream.on('error', () => undefined)));
    transport = new Http2Transport(await listen(h2), countRetry);
  }
  const respond = (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 });
    stream.end('right');
  };
  const reject = (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM);
  const reset = (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  const cut = (stream: ServerHttp2Stream) => stream.session?.destroy();
  const goAway = (stream: ServerHttp2Stream) => {
    respond(stream);
    stream.session?.close();
  };

  test('a POST that was rejected goes out once more', async () => {
    await http2(reject);
    expect((await transport.send(post)).body.toString()).toBe('right');
    expect(retries).toBe(1);
  });

  test('a POST over the last stream of a GOAWAY goes out once more', async () => {
    await http2(respond, (stream) => stream.session?.goaway(constants.NGHTTP2_NO_ERROR, 1));
    await transport.send(post);
    expect((await transport.send(post)).body.toString()).toBe('right');
    expect(retries).toBe(1);
  });

  const processed = (code: number, lastStreamId: number) => (stream: ServerHttp2Stream) => {
    stream.session?.goaway(code, lastStreamId);
    stream.session?.destroy();
  };

  test('a POST over the last stream of a GOAWAY that reports an error goes out once more too', async () => {
    await http2(respond, (stream) => stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 1));
    await transport.send(post);
    expect((await transport.send(post)).body.toString()).toBe('right');
    expect(retries).toBe(1);
  });

  test.each(['NGHTTP2_NO_ERROR', 'NGHTTP2_REFUSED_STREAM'] as const)(
    'a POST that a GOAWAY with %s does not exclude is not sent again',
    async (code) => {
      await http2(respond, processed(constants[code], 3));
      await transport.send(post);
      await expect(transport.send(post)).rejects.toThrow();
      expect(retries).toBe(0);
    },
  );

  test('a GET that dies with one session after the other goes out once more, and not a third time', async () => {
    await http2(respond, cut, cut);
    await transport.send(get);
    await expect(transport.send(get)).rejects.toThrow();
    expect(retries).toBe(1);
  });

  test('a GOAWAY between requests is nothing but a new session', async () => {
    await http2(goAway, goAway);
    for (let turn = 0; turn < 3; turn += 1) expect((await transport.send(post)).status).toBe(200);
    expect(retries).toBe(0);
  });

  test('a GET on a session that had responded and was cut goes out once more, a POST does not', async () => {
    await http2(respond, cut, respond, cut);
    await transport.send(get);
    expect((await transport.send(get)).status).toBe(200);
    expect(retries).toBe(1);
    await expect(transport.send(post)).rejects.toThrow();
    expect(retries).toBe(1);
  });

  test('a stream that was reset after it was taken does not go out again', async () => {
    await http2(respond, reset);
    await transport.send(get);
    await expect(transport.send(get)).rejects.toThrow(/NGHTTP2_INTERNAL_ERROR/);
    expect(retries).toBe(0);
  });
});
