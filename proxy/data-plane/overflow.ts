import type { Socket } from 'node:net';
import type { RefusedRequest } from './data-plane';
import { plainAddress } from './wire/wire';

/** At once; further clients are closed without a word, so that refusing costs no more than this. */
const MOST_LEAVING = 256;
/** A client has this long to read its answer. A close over what it has sent would be a reset, and might take the answer with it. */
const LINGER_MS = 2_000;
const WHY = 'Too many connections';
const ANSWER = [
  'HTTP/1.1 503 Service Unavailable',
  'Retry-After: 2',
  'Connection: close',
  'Content-Type: text/plain; charset=utf-8',
  `Content-Length: ${WHY.length + 1}`,
  '',
  `${WHY}\n`,
].join('\r\n');

/** Plain TCP clients that there is no room for: each is told so, whatever it asks, and let go. */
export class Overflow {
  private readonly leaving = new Set<Socket>();

  constructor(private readonly refused: (refusal: RefusedRequest) => void) {}

  turnAway(socket: Socket): void {
    if (this.leaving.size >= MOST_LEAVING) return void socket.destroy();
    this.leaving.add(socket);
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      this.leaving.delete(socket);
    });
    // What it sends is read, and forgotten.
    socket.resume();
    socket.end(ANSWER);
    this.refused({ status: 503, address: plainAddress(socket.remoteAddress), why: WHY });
  }

  destroy(): void {
    for (const socket of this.leaving) socket.destroy();
  }
}
