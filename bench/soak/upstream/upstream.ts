// The soak's upstream: does to each request what the request's path says. Started again at the same port after it was killed.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { ACCEPT_MAGIC, FrameReader, messageFrame } from '../../load/frames';
import { asked, say, whenParentEnds } from '../../load/inside';
import { buildPattern, type Fault } from '../account/faults';
import { grpcService } from './grpc-service';

const OPCODE_CLOSE = 8;
const TRICKLE_MS = 20;

type Serve = (response: ServerResponse, body: Buffer) => void | Promise<void>;

/** Node's server refuses to send most of these, so they go straight to the socket. */
const FAULTY: Readonly<Record<Fault, Serve>> = {
  reset: (response) => void response.socket?.resetAndDestroy(),
  close: (response) => void response.socket?.destroy(),
  garbage: (response) => void response.socket?.end('NOT HTTP AT ALL\r\n\r\n'),
  'two-lengths': ({ socket }) =>
    void socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc'),
  stall: () => undefined,
  'reset-inside': async (response, body) => {
    response.writeHead(200, { 'content-length': body.length }).write(half(body));
    await pause(TRICKLE_MS);
    response.socket?.resetAndDestroy();
  },
  truncate: (response, body) => {
    response.socket?.end(
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), half(body)]),
    );
  },
  'truncate-chunked': ({ socket }) =>
    void socket?.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n'),
  'stall-inside': (response, body) => void response.writeHead(200, { 'content-length': body.length }).write(half(body)),
  overlong: ({ socket }, body) => {
    socket?.end(
      Buffer.concat([
        Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`),
        body,
        Buffer.from('MORE'),
      ]),
    );
  },
  trickle: async (response, body) => {
    const step = Math.ceil(body.length / 8);
    for (let from = 0; from < body.length; from += step) {
      response.write(body.subarray(from, from + step));
      await pause(TRICKLE_MS);
    }
    response.end();
  },
  interim: (response, body) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' });
    response.end(body);
  },
  'no-length': ({ socket }, body) => void socket?.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), body])),
};

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, name = '', count = '0', id = ''] = request.url?.split('/') ?? [];
  if (name === 'post') return takeBody(request, response);
  request.resume();
  if (name === 'events') return sendEvents(response, Number(count), id);
  const body = buildPattern(id, Number(count));
  if (name === 'ok') return void response.end(body);
  return FAULTY[name as Fault](response, body);
}

/** Responds with what arrived: its length and its checksum. */
async function takeBody(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let length = 0;
  let sum = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    sum = crc32(part, sum);
  }
  response.end(`${length}:${sum}`);
}

async function sendEvents(response: ServerResponse, count: number, id: string): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let index = 0; index < count && !response.destroyed; index += 1) {
    response.write(`data: ${id} ${index}\n\n`);
    await pause(TRICKLE_MS);
  }
  response.end();
}

function upgrade(request: IncomingMessage, socket: Socket): void {
  let left = Number(request.url?.split('/')[2] ?? 0);
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${ACCEPT_MAGIC}`).digest('base64');
  socket.on('error', () => socket.destroy());
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const frames = new FrameReader(({ opcode, payload }) => {
    if (opcode === OPCODE_CLOSE) return void socket.end(Buffer.concat([Buffer.from([0x88, payload.length]), payload]));
    left -= 1;
    if (left < 0) return void socket.resetAndDestroy();
    socket.write(messageFrame(payload, false));
  });
  socket.on('data', (bytes: Buffer) => frames.push(bytes));
}

function half(body: Buffer): Buffer {
  return body.subarray(0, Math.floor(body.length / 2));
}

whenParentEnds();
const { port } = asked<{ port: number }>();
const server = createServer((request, response) => {
  // A client that leaves ends its response in the middle: that is the soak's doing.
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  serve(request, response).catch(() => response.destroy());
});
server.on('upgrade', (request, socket) => upgrade(request, socket as Socket));
const grpc = grpcService();

/** gRPC comes in HTTP/2 by prior knowledge, everything else in HTTP/1.1: both on one port, as the proxy wants it. */
const entry = createTcpServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.once('data', (bytes: Buffer) => {
    socket.pause();
    socket.unshift(bytes);
    if (bytes.toString('latin1', 0, 3) === 'PRI') return grpc.injectConnection(socket);
    server.emit('connection', socket);
    socket.resume();
  });
});
entry.listen({ host: '127.0.0.1', port, backlog: 4096 }, () => say({ port: (entry.address() as AddressInfo).port }));
