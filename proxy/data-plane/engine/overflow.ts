import http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { RejectedRequest } from '../contract/data-plane';
import { plainAddress } from '../contract/transport';

/**
 * At once, so that rejecting costs no more than this. For a further client the first of them, which has been told, is cut.
 */
const MAX_LEAVING = 256;
/**
 * A client has this long to shake hands and read its response. A close over what it has sent would be a reset, and might
 * take the response with it.
 */
const LINGER_MS = 2_000;
const RETRY_AFTER = { 'retry-after': '2' };
const RESPONSE = (why: string) =>
  [
    'HTTP/1.1 503 Service Unavailable',
    'Retry-After: 2',
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${why.length + 1}`,
    '',
    `${why}\n`,
  ].join('\r\n');

/** Clients that there is no room for: each gets a 503, whatever it asks, and is closed. */
export class Overflow {
  /** By the client's address and port: a TLS socket does not say which TCP connection it is on. */
  private readonly leaving = new Map<string, { readonly socket: Socket; readonly why: string }>();

  constructor(private readonly refused: (rejection: RejectedRequest) => void) {}

  get size(): number {
    return this.leaving.size;
  }

  /** `isTls`: its handshake is yet to come, and `tell` is to be called after that. */
  turnAway(socket: Socket, why: string, isTls: boolean): void {
    const peer = describePeer(socket);
    if (peer === undefined) return void socket.destroy();
    if (this.leaving.size >= MAX_LEAVING) this.makeRoom();
    this.leaving.set(peer, { socket, why });
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      if (this.leaving.get(peer)?.socket === socket) this.leaving.delete(peer);
    });
    if (!isTls) respond(socket, why);
    this.refused({ status: 503, address: plainAddress(socket.remoteAddress), why });
  }

  /** Whether its TCP connection was turned away. */
  has(socket: Socket): boolean {
    const peer = describePeer(socket);
    return peer !== undefined && this.leaving.has(peer);
  }

  /** Tells a client of TLS, now that its handshake has ended. */
  tell(socket: TLSSocket): void {
    const { why = '' } = this.leaving.get(describePeer(socket) ?? '') ?? {};
    if (socket.alpnProtocol === 'h2') respondInHttp2(socket, why);
    else respond(socket, why);
  }

  /**
   * Cuts one that was told already, first one whose request was read: a close over unread bytes would be a reset.
   *
   * @returns whether there was one
   */
  makeRoom(): boolean {
    const all = [...this.leaving];
    const [peer, { socket }] = all.find(([, one]) => one.socket.bytesRead > 0) ?? all[0] ?? ['', { socket: undefined }];
    this.leaving.delete(peer);
    socket?.destroy();
    return socket !== undefined;
  }

  destroy(): void {
    for (const { socket } of this.leaving.values()) socket.destroy();
  }
}

function respond(socket: Socket, why: string): void {
  // What it sends is read, and forgotten.
  socket.resume();
  socket.end(RESPONSE(why));
}

/** The first streams of it get a response; the GOAWAY behind them says that no other was looked at. */
function respondInHttp2(socket: TLSSocket, why: string): void {
  const session = http2.performServerHandshake(socket);
  session.on('error', () => undefined);
  session.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 503, ...RETRY_AFTER });
    stream.end(`${why}\n`);
    session.close();
  });
}

function describePeer({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress}:${remotePort}`;
}
