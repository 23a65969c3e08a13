// Restarts as Pingora does: on a signal it starts a new process, gives it the listening socket, and lets its own connections end,
// until it cuts them. SIGUSR2: the order.
import { fork } from 'node:child_process';
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import { asked } from '../load/inside';
import { nodePeerJob, readNodePeerJob } from './node-peer';
import type { Job } from './peer';

const isSuccessor = process.send !== undefined;
const { port, target, tls } = isSuccessor ? readNodePeerJob() : nodePeerJob();
const { shutdownSeconds = 300 } = asked<Job>();
const { hostname, port: upstreamPort } = new URL(target);
const agent = new Agent({ keepAlive: true, maxFreeSockets: 1024 });

function forward({ method, url, headers }: IncomingMessage, own?: Agent | false): RequestOptions {
  return { host: hostname, port: upstreamPort, method, path: url, headers, agent: own ?? agent };
}

function serve(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const call = request(forward(incoming), (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(outgoing);
  });
  call.on('error', () => outgoing.destroy());
  incoming.pipe(call);
}

function upgrade(incoming: IncomingMessage, client: Socket, head: Buffer): void {
  const call = request(forward(incoming, false));
  client.on('error', () => call.destroy());
  call.on('error', () => client.destroy());
  call.on('upgrade', (response, upstream: Socket, early: Buffer) => {
    const fields = response.rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
    client.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
    client.write(early);
    upstream.write(head);
    upstream.setNoDelay(true).on('error', () => client.destroy());
    client.setNoDelay(true).on('error', () => upstream.destroy());
    client.pipe(upstream).pipe(client);
  });
  call.end();
}

const options = { keepAliveTimeout: 3_600_000, requestTimeout: 0 };
const server = tls === undefined ? createServer(options, serve) : createTlsServer({ ...options, ...tls }, serve);
server.on('upgrade', (incoming, socket, head) => upgrade(incoming, socket as Socket, head));

function takeOver(): void {
  process.once('message', (_, listening) => {
    server.listen(listening as Server, () => process.send?.('ready'));
  });
  process.send?.('loaded');
}

function handOver(): void {
  const next = fork(__filename, process.argv.slice(2), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  next.on('message', (message) => {
    if (message === 'loaded') next.send('listen', server);
    if (message === 'ready') drain();
  });
  next.unref();
}

/** Those of requests end with their next response; those that are upgraded have no end by themselves. */
function drain(): void {
  setTimeout(() => process.exit(0), shutdownSeconds * 1000);
  server.close();
}

process.once('SIGUSR2', handOver);
if (isSuccessor) takeOver();
else server.listen({ host: '127.0.0.1', port, backlog: 4096 });
