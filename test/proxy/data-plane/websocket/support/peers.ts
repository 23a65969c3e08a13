import net, { Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { later, startRawBackend } from '../../../support/world';

export const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
/** The accept value is what RFC 6455 section 1.3 computes for that key. */
export const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

export interface FrameOptions {
  readonly fin?: boolean;
  readonly mask?: boolean;
}

export const TEXT = 0x1;
export const CONTINUATION = 0x0;
export const PING = 0x9;

/** A frame; its mask is of zeros, so that a masked payload reads as it is. */
export function frame(
  opcode: number,
  payload: Buffer | string,
  { fin = true, mask = false }: FrameOptions = {},
): Buffer {
  const { length } = Buffer.from(payload);
  const second = mask ? 0x80 : 0;
  const header = [(fin ? 0x80 : 0) | opcode];
  if (length < 126) header.push(second | length);
  else if (length < 65_536) header.push(second | 126, length >> 8, length & 0xff);
  else header.push(second | 127, 0, 0, 0, 0, 0, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff);
  if (mask) header.push(0, 0, 0, 0);
  return Buffer.concat([Buffer.from(header), Buffer.from(payload)]);
}

export interface RawPeer {
  readonly socket: Socket;
  readonly received: () => Buffer;
  readonly hasEnded: () => boolean;
  readonly isGone: () => boolean;
}

/** A socket with what came over it, without what `skip` says of its beginning. */
function follow(socket: Socket, skip: () => number): RawPeer {
  const chunks: Buffer[] = [];
  let hasEnded = false;
  let isGone = false;
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => undefined);
  socket.on('end', () => (hasEnded = true));
  socket.on('close', () => (isGone = true));
  later(() => void socket.destroy());
  return {
    socket,
    received: () => Buffer.concat(chunks).subarray(skip()),
    hasEnded: () => hasEnded,
    isGone: () => isGone,
  };
}

/** Connects, shakes hands, and sends `first` in the same packet. What it received counts from behind the 101. */
export function connectRaw(port: number, first: Buffer = Buffer.alloc(0)): RawPeer {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write(Buffer.concat([Buffer.from(HANDSHAKE), first]));
  return follow(socket, () => SWITCHED.length);
}

/** An upstream that speaks bytes: it switches, sends `first` in the same packet, and then does what the test says. */
export async function startRawUpstream(first: Buffer = Buffer.alloc(0)): Promise<{ port: number; peers: RawPeer[] }> {
  const peers: RawPeer[] = [];
  const port = await startRawBackend((socket) => {
    socket.allowHalfOpen = true;
    socket.once('data', (head: Buffer) => {
      socket.write(Buffer.concat([Buffer.from(SWITCHED), first]));
      peers.push(follow(socket, () => 0));
      const rest = head.subarray(head.indexOf('\r\n\r\n') + 4);
      if (rest.length > 0) socket.unshift(rest);
    });
  });
  return { port, peers };
}

export interface Counter {
  readonly port: number;
  readonly server: WebSocketServer;
  /** How often each message was processed. */
  readonly processed: Map<string, number>;
}

/** A backend that processes messages in order, and responds to each with itself before it echoes a Close. */
export async function startCounter(): Promise<Counter> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  const processed = new Map<string, number>();
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer, isBinary) => {
      const text = data.toString('latin1', 0, 100);
      processed.set(text, (processed.get(text) ?? 0) + 1);
      socket.send(data, { binary: isBinary });
    });
    socket.on('error', () => undefined);
  });
  await new Promise((resolve) => server.once('listening', resolve));
  later(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, processed };
}

export function connect(port: number, options: ConstructorParameters<typeof WebSocket>[2] = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, options);
  later(() => socket.terminate());
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}

export function closeCode(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => socket.once('close', resolve));
}
