import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import http2, { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { Digest, pieces, sha256, findStream } from './support/bytes';
import { certificateFiles } from './support/certificate-files';
import { ExpressApp, PAGE, startExpressApp } from './support/express-app';
import { ProxyCommand, problemsOnceAllIsOver, startProxyCommand } from './support/proxy-command';
import { later, stopAll, until } from '../support/world';

let app: ExpressApp;
/** With a certificate of its own making, as behind a load balancer. */
let selfSigned: ProxyCommand;

beforeAll(async () => {
  app = await startExpressApp();
  new WebSocketServer({ server: app.server }).on('connection', (socket) => {
    socket.on('message', (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }));
  });
  selfSigned = await startProxyCommand(app.port, { flags: ['--tls', 'self-signed'] });
});
afterAll(stopAll);

const MIB = 2 ** 20;
const UNCHECKED = { host: '127.0.0.1', rejectUnauthorized: false };

interface Got {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

/** One request to the proxy with a self-signed certificate, by one of the clients that Node has. */
type Ask = (method: string, path: string, body?: AsyncIterable<Buffer>) => Promise<Got>;

async function send(stream: NodeJS.WritableStream, body: AsyncIterable<Buffer> | undefined): Promise<void> {
  for await (const piece of body ?? []) if (!stream.write(piece)) await once(stream, 'drain');
  stream.end();
}

const agent = new https.Agent({ keepAlive: true, maxSockets: 2, ...UNCHECKED });

const askHttp1: Ask = async (method, path, body) => {
  const request = https.request({ ...UNCHECKED, port: selfSigned.port, agent, method, path });
  const sent = send(request, body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const received = Buffer.concat((await response.toArray()) as Buffer[]);
  await sent;
  return { status: response.statusCode, headers: response.headers, body: received };
};

let session: ClientHttp2Session | undefined;

const askHttp2: Ask = async (method, path, body) => {
  session ??= http2.connect(`https://127.0.0.1:${selfSigned.port}`, UNCHECKED);
  const headers: OutgoingHttpHeaders = { ':method': method, ':path': path };
  const stream = session.request(headers, { endStream: body === undefined });
  const sent = body === undefined ? undefined : send(stream, body);
  const [{ ':status': status, ...fields }] = (await once(stream, 'response')) as [
    http2.IncomingHttpHeaders & { ':status': number },
  ];
  const response = Buffer.concat((await stream.toArray()) as Buffer[]);
  await sent;
  return { status, headers: fields, body: response };
};

afterAll(() => {
  agent.destroy();
  session?.destroy();
});

describe.each<[string, Ask]>([
  ['HTTP/1.1', askHttp1],
  ['HTTP/2', askHttp2],
])('--tls self-signed: %s', (_, ask) => {
  test('a file, its head, and what is missing', async () => {
    const file = await ask('GET', '/files/page.html');
    expect(file.status).toBe(200);
    expect(file.body.toString()).toBe(PAGE);
    const head = await ask('HEAD', '/files/page.html');
    expect(head).toMatchObject({
      status: 200,
      headers: { etag: file.headers.etag, 'content-length': `${PAGE.length}` },
    });
    expect(head.body).toHaveLength(0);
    expect(await ask('GET', '/files/absent')).toMatchObject({ status: 404 });
    expect(await ask('GET', '/nothing')).toMatchObject({ status: 204 });
    expect(await ask('GET', '/old')).toMatchObject({ status: 301, headers: { location: '/json?from=old' } });
  });

  test('the app knows that the client came by HTTPS', async () => {
    const { body } = await ask('GET', '/who');
    expect(JSON.parse(body.toString())).toMatchObject({ protocol: 'https', hostname: '127.0.0.1' });
  });

  test('8 MiB each way are whole', async () => {
    const length = 8 * MIB;
    const expected: Digest = { bytes: length, sha256: sha256(pieces(length)) };
    const down = await ask('GET', `/download?length=${length}`);
    expect({ bytes: down.body.length, sha256: sha256([down.body]) }).toEqual(expected);
    expect(down.headers['x-sha256']).toBe(expected.sha256);
    const up = await ask('PUT', '/upload', findStream(length));
    expect(JSON.parse(up.body.toString())).toEqual(expected);
  });

  test('100 requests at a time each get their own response', async () => {
    const ids = Array.from({ length: 100 }, (__, index) => String(index));
    const got = await Promise.all(ids.map((id) => ask('GET', `/json?id=${id}`)));
    expect(got.map(({ body }) => (JSON.parse(body.toString()) as { query: { id: string } }).query.id)).toEqual(ids);
  });

  test('a response that the app breaks off is broken off, not ended', async () => {
    await expect(ask('GET', '/breaks')).rejects.toThrow();
  });
});

test('events reach a client of HTTP/2 as they are sent', async () => {
  await askHttp2('GET', '/nothing');
  const stream = session!.request({ ':path': '/events' });
  let heard = '';
  stream.on('data', (bytes: Buffer) => (heard += bytes.toString()));
  await until(() => heard === 'retry: 500\n: since the start\n\n');
  for (const listener of app.listeners) listener.write('data: tick\n\n');
  await until(() => heard.endsWith('data: tick\n\n'));
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await until(() => app.listeners.size === 0);
});

test('a WebSocket over TLS', async () => {
  const socket = new WebSocket(`wss://127.0.0.1:${selfSigned.port}`, { rejectUnauthorized: false });
  later(() => socket.terminate());
  await once(socket, 'open');
  const echoed = once(socket, 'message');
  const bytes = Buffer.concat([...pieces(MIB)]);
  socket.send(bytes);
  expect(((await echoed)[0] as Buffer).equals(bytes)).toBe(true);
  const closed = once(socket, 'close');
  socket.close(4002);
  expect((await closed)[0]).toBe(4002);
});

test('fetch trusts a certificate that was given', async () => {
  const { cert, flags } = await certificateFiles();
  const proxy = await startProxyCommand(app.port, { flags });
  const before = tls.getCACertificates('default');
  later(() => tls.setDefaultCACertificates(before));
  await expect(fetch(`https://localhost:${proxy.port}/files/page.html`)).rejects.toThrow('fetch failed');
  tls.setDefaultCACertificates([...before, cert]);
  const response = await fetch(`https://localhost:${proxy.port}/files/page.html`);
  expect(await response.text()).toBe(PAGE);
  expect(await problemsOnceAllIsOver(proxy)).toEqual([]);
});

test('nothing of all this is left, and none of it was an error', async () => {
  expect(await problemsOnceAllIsOver(selfSigned)).toEqual([]);
});
