import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { ProxyBundle, bundleProxy, listening } from '../proxy/support/proxy-process';
import { later, startEngine, stopAll, until } from '../proxy/support/world';

// A proxy that had been stopped sent what cannot be sent twice over connections that its upstream had closed meanwhile: 502.

let bundle: ProxyBundle;
beforeAll(() => (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const CLIENTS = 4;
/** From then on a connection counts as old. */
const STANDSTILL_MS = 1_100;

interface Upstream {
  readonly url: string;
  /** As an upstream does with those that have been idle for long. */
  close(): void;
  readonly served: () => number;
}

async function startUpstream(isGrpc: boolean): Promise<Upstream> {
  let served = 0;
  const server = isGrpc
    ? http2.createServer().on('stream', (stream: http2.ServerHttp2Stream) => {
        stream.resume().once('end', () => {
          served += 1;
          stream.respond({ 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true });
        });
      })
    : http.createServer((request, response) => {
        request.resume().once('end', () => {
          served += 1;
          response.end('ok');
        });
      });
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const close = () => sockets.forEach((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => (close(), void server.close()));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close, served: () => served };
}

interface Client {
  send(): void;
  readonly statuses: () => readonly unknown[];
}

async function connect(port: number): Promise<Client> {
  const socket = net.connect(port, '127.0.0.1');
  later(() => void socket.destroy());
  let text = '';
  socket.on('data', (bytes) => (text += bytes.toString()));
  await new Promise((resolve) => socket.once('connect', resolve));
  return {
    send: () => void socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}'),
    statuses: () => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status)),
  };
}

/** What the proxy sends to its upstream over HTTP/2. */
async function connectGrpc(port: number): Promise<Client> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  later(() => session.destroy());
  await new Promise((resolve) => session.once('connect', resolve));
  const statuses: unknown[] = [];
  const head = { ':method': 'POST', ':path': '/a.B/C', 'content-type': 'application/grpc', te: 'trailers' };
  const send = () => {
    const stream = session.request(head).end(Buffer.alloc(5));
    const settle = ({ 'grpc-status': status }: http2.IncomingHttpHeaders) => void (status && statuses.push(status));
    stream.resume().on('response', settle).on('trailers', settle);
  };
  return { send, statuses: () => statuses };
}

test.each([
  ['HTTP/1.1', 200],
  ['gRPC', '0'],
])('no request fails on a connection that was closed in it: %s', async (protocol, ok) => {
  const upstream = await startUpstream(protocol === 'gRPC');
  const proxy = bundle.run(['--upstream', upstream.url, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  const { port } = await listening(proxy);
  const clients = await Promise.all(
    Array.from({ length: 2 * CLIENTS }, () => (protocol === 'gRPC' ? connectGrpc(port) : connect(port))),
  );
  for (const client of clients) client.send();
  await until(() => clients.every((client) => client.statuses().length === 1));
  proxy.child.kill('SIGSTOP');
  const [early, late] = [clients.slice(0, CLIENTS), clients.slice(CLIENTS)];
  for (const client of early) client.send();
  upstream.close();
  await new Promise((resolve) => setTimeout(resolve, STANDSTILL_MS));
  for (const client of late) client.send();
  proxy.child.kill('SIGCONT');
  await until(() => clients.every((client) => client.statuses().length === 2));
  expect(clients.flatMap((client) => client.statuses())).toEqual(Array(4 * CLIENTS).fill(ok));
  expect(upstream.served()).toBe(4 * CLIENTS);
});

/** On its own thread: it responds to what is first on a connection, and closes it, while this one stands still. */
const CLOSING_UPSTREAM = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      parentPort.postMessage('request');
      setTimeout(() => socket.end('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'), 50);
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

test('nor on one whose last response had waited unread, with the end of the connection behind it', async () => {
  const worker = new Worker(CLOSING_UPSTREAM, { eval: true });
  later(async () => void (await worker.terminate()));
  const heard: unknown[] = [];
  worker.on('message', (message) => heard.push(message));
  await until(() => heard.length === 1);
  const engine = await startEngine(heard[0] as number);
  const client = await connect(engine.port);
  client.send();
  client.send();
  await until(() => heard.includes('request'));
  // In the middle of a turn of the loop: timers are due before the sockets are read.
  await new Promise((resolve) => setImmediate(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STANDSTILL_MS);
  await until(() => client.statuses().length === 2);
  expect(client.statuses()).toEqual([200, 200]);
});
