import { spawnSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import net, { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { SMOKE_AGENT } from '../../../../core/plan/smoke';
import { clientAddress } from '../../../../rehearsal/processes/loopback';
import { OwnClients } from '../../../../rehearsal/load-balancer/counting/own-clients';
import { lossesOfYours } from '../../../../rehearsal/report/losses';
import { until } from '../../../support/until';
import { Fixture } from '../fixture';

const HAS_PYTHON = spawnSync('python3', ['--version']).status === 0;
if (!HAS_PYTHON) process.stderr.write('skipped: a client of the rehearsal in Python, python3 is not installed\n');
const withPython = HAS_PYTHON ? test : test.skip;

// Whoever asks the rehearsal's load balancer and is not the rehearsal is counted, and a failure of the way there is a loss.

let cloud: Fixture;
let own: OwnClients;
const targets: { close(): void }[] = [];

beforeEach(async () => {
  own = new OwnClients();
  cloud = await new Fixture().start({ events: own });
});
afterEach(async () => {
  for (const target of targets.splice(0)) target.close();
  await cloud.stop();
});

async function rawTarget(onSocket: (socket: Socket) => void): Promise<void> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      if (bytes.toString().startsWith('GET /health ')) socket.write(respond('200 OK'));
      else onSocket(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  targets.push(server);
  cloud.server.targets.register('source', [{ id: '127.0.0.1', port: (server.address() as AddressInfo).port }]);
}

const sends = (bytes: string) => (socket: Socket) => void socket.write(bytes);
const respond = (status: string, fields = '') => `HTTP/1.1 ${status}\r\n${fields}Content-Length: 0\r\n\r\n`;

test.each<[string, (socket: Socket) => void, number, object]>([
  ['a response', sends(respond('200 OK')), 0, { 200: 1 }],
  ['an error of the application', sends(respond('500 No')), 0, { 500: 1 }],
  ['a page that is not there', sends(respond('404 No')), 0, { 404: 1 }],
  ['a backend that is away, as a proxy says it', sends(respond('502 Bad Gateway')), 1, { 502: 1 }],
  ['a backend that is late, as a proxy says it', sends(respond('504 Late')), 1, { 504: 1 }],
  ['a loop, as a proxy says it', sends(respond('508 Loop')), 1, { 508: 1 }],
  ['a proxy that is full', sends(respond('503 Full', 'Retry-After: 2\r\n')), 1, { 503: 1 }],
  ['a target that resets', (socket) => socket.resetAndDestroy(), 1, { 502: 1 }],
])('%s', async (_, behaves, failed, statuses) => {
  await rawTarget(behaves);
  await cloud.get('/cart');
  await until(() => Object.keys(own.tally().statuses).length > 0);
  expect(own.tally()).toMatchObject({ requests: 1, failed, refused: 0, left: 0, statuses });
  expect(lossesOfYours(own.tally())).toEqual(failed > 0 ? ['1 of 1 request of your own clients failed'] : []);
  const line = /^\d{4}-\S+ your own client 127\.0\.0\.1: GET \/cart got \d{3}( of the load balancer: reset)?$/;
  for (const failure of own.tally().failures) expect(failure).toMatch(line);
});

test('no target, half a response, a client that leaves, a client that is asked to come back', async () => {
  expect((await cloud.get()).status).toBe(503);
  expect(own.tally()).toMatchObject({ requests: 1, failed: 1, statuses: { 503: 1 } });

  const sockets: Socket[] = [];
  await rawTarget((socket) => {
    if (sockets.push(socket) === 1) return void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
    if (sockets.length === 3) socket.write(respond('503 Draining', 'Retry-After: 2\r\n'));
  });
  open('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => sockets.length === 1);
  sockets[0]?.resetAndDestroy();
  await until(() => own.tally().failed === 2);

  const leaving = open('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => sockets.length === 2);
  leaving.destroy();
  await until(() => own.tally().left === 1);

  expect((await cloud.get('/events', { accept: 'text/event-stream' })).status).toBe(503);
  expect(own.tally()).toMatchObject({ requests: 4, failed: 2, left: 1, refused: 1, statuses: { 200: 1, 503: 2 } });
});

function open(request: string): tls.TLSSocket {
  const socket = tls.connect({ host: '127.0.0.1', port: cloud.port, rejectUnauthorized: false });
  socket.on('error', () => undefined);
  socket.write(request);
  return socket;
}

test("the rehearsal's own traffic and the cutover's smoke requests are no one's", async () => {
  await rawTarget(sends(respond('502 Bad Gateway')));
  await cloud.get('/', {}, clientAddress(3));
  await cloud.get('/', { 'user-agent': SMOKE_AGENT });
  expect(own.haveCome).toBe(false);
  expect(own.tally()).toMatchObject({ requests: 0, failed: 0, statuses: {} });
});

test('what cannot be read is a request that got a response', async () => {
  const socket = open('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
  await once(socket, 'data');
  expect(own.tally()).toMatchObject({ requests: 1, failed: 0, statuses: { 400: 1 } });
  socket.destroy();
});

describe('WebSockets', () => {
  let server: WebSocketServer;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    const http = createServer();
    server = new WebSocketServer({ server: http });
    server.on('connection', (webSocket, request) => {
      sockets.push(request.socket);
      webSocket.on('message', (data: Buffer) => webSocket.send(data));
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    targets.push({
      close: () => (http.close(), http.closeAllConnections(), sockets.splice(0).forEach((s) => s.destroy())),
    });
    cloud.server.targets.register('source', [{ id: '127.0.0.1', port: (http.address() as AddressInfo).port }]);
  });

  async function connect(): Promise<WebSocket> {
    const client = new WebSocket(`wss://127.0.0.1:${cloud.port}/`, { rejectUnauthorized: false });
    client.on('error', () => undefined);
    await once(client, 'open');
    return client;
  }

  test.each<[string, (client: WebSocket) => void, object, string[]]>([
    ['closed by the client', (client) => client.close(1000), { closed: 1 }, []],
    ['closed by the server', () => server.clients.forEach((one) => one.close(1012)), { closed: 1 }, []],
    ['left by the client', (client) => client.terminate(), { left: 1 }, []],
    [
      'reset by its target',
      () => sockets[0]?.resetAndDestroy(),
      { dropped: 1 },
      ['1 WebSocket of your own clients dropped'],
    ],
    [
      'ended by its target without a word',
      () => sockets[0]?.end(),
      { dropped: 1 },
      ['1 WebSocket of your own clients dropped'],
    ],
  ])('%s', async (_, end, counts, lost) => {
    const client = await connect();
    expect(own.tally()).toMatchObject({ requests: 1, webSockets: { opened: 1, live: 1 } });
    end(client);
    await until(() => own.tally().webSockets.live === 0);
    const none = { closed: 0, dropped: 0, left: 0, timedOut: 0 };
    expect(own.tally()).toMatchObject({ requests: 1, failed: 0, statuses: { 101: 1 } });
    expect(own.tally().webSockets).toEqual({ ...none, opened: 1, live: 0, ...counts });
    expect(lossesOfYours(own.tally())).toEqual(lost);
    client.terminate();
  });

  withPython('a client in Python that speaks bytes and is cut by the end of its target is a loss', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'drainshift-test-'));
    writeFileSync(join(folder, 'ca.pem'), cloud.certificate.cert);
    const python = spawn('python3', ['-c', PYTHON, String(cloud.port), join(folder, 'ca.pem')]);
    python.stdout.setEncoding('utf8');
    await once(python.stdout, 'data');
    sockets[0]?.resetAndDestroy();
    await once(python, 'close');
    rmSync(folder, { recursive: true });
    expect(own.tally()).toMatchObject({ requests: 1, webSockets: { opened: 1, dropped: 1, live: 0 } });
    expect(own.tally().failures).toHaveLength(1);
  });
});

/** Asks for a WebSocket, says that it has one, and reads until its end. */
const PYTHON = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
connection = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))), server_hostname='shop.example.com')
connection.sendall(b'GET / HTTP/1.1\\r\\nHost: shop.example.com\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n'
  b'Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n')
print(connection.recv(4096).split(b'\\r\\n')[0].decode(), flush=True)
try:
  while connection.recv(4096): pass
except OSError: pass
`;
