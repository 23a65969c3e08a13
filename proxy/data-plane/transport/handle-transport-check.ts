import net, { AddressInfo, Socket } from 'node:net';
import { Accepting } from './accepting';
import { SelfCheck, Verdict, reachVerdict, withinTime } from '../shared/self-check';
import { HandleTransport } from './handle-transport';
import { Handle, hasBinding } from './native';
import { NO_USER, Transport } from '../contract/transport';

/**
 * Whether this Node.js handles sockets as `FastWire` knows: tried once a process, and again while there is no result. Until then,
 * and where it does otherwise, its streams are used.
 */
export const fastPath = new SelfCheck(tryHandleTransport);

const TEXT = 'text \u00e4\r\n';
const BYTES = Buffer.from([0, 255, 13, 10]);
const EXPECTED = Buffer.concat([Buffer.from(TEXT, 'latin1'), BYTES, Buffer.from(TEXT, 'latin1'), BYTES]);
/** Pieces of these are written in turns until the kernel takes no more. */
const PIECE = 'x'.repeat(512 * 1024);
const PIECE_BYTES = Buffer.from(PIECE);
const MAX_PIECES = 64;
export const CHECK_MS = 2_000;

export const RIGHT: Verdict = { result: 'right' };
export const wrong = (why: string): Verdict => ({ result: 'wrong', why });

/**
 * Tries reads, a pause, writes of text, of bytes, of both and of more than the kernel takes at once, the ends of both sides and
 * the close, between two sockets of this machine.
 */
export async function tryHandleTransport(limitMs = CHECK_MS): Promise<Verdict> {
  if (!hasBinding) return wrong('this Node.js has no such handles');
  const server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const sockets: { destroy(): void }[] = [];
  try {
    return await withinTime(tryBetween(server, sockets), limitMs);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function tryBetween(server: net.Server, sockets: { destroy(): void }[]): Promise<Verdict> {
  const accepting = acceptHandle(server);
  if (accepting === undefined) return wrong('a listening handle does not say who has connected');
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(client);
  const failed = new Promise<never>((_, reject) => client.on('error', reject));
  failed.catch(() => undefined);
  await Promise.race([new Promise((resolve) => client.once('connect', resolve)), failed]);
  const accepted = await Promise.race([accepting, failed]);
  if (accepted instanceof Socket) return wrong('a listening handle gives its connections to another receiver');
  const transport = new HandleTransport(accepted);
  sockets.push(transport);
  if (transport.peer.port !== client.localPort) return wrong('a handle does not know its peer');
  return Promise.race([tryBothWays(transport, client), failed]);
}

/** Tries all that can be between a transport that is open and its client. */
export async function tryBothWays(transport: Transport, client: Socket): Promise<Verdict> {
  const passed = await passesBytes(transport, client);
  return passed.result === 'right' ? ends(transport, client) : passed;
}

/** The first connection, as a handle; as a socket where that is not how it comes. Undefined: there is no way to it. */
function acceptHandle(server: net.Server): Promise<Handle | Socket> | undefined {
  let resolve: (accepted: Handle | Socket) => void = () => undefined;
  const accepting = new Promise<Handle | Socket>((accepted) => (resolve = accepted));
  server.once('connection', resolve);
  const take = (handle: Handle) => {
    resolve(handle);
    return true;
  };
  return new Accepting(server).takeHandles(take) ? accepting : undefined;
}

/** The transport gets the client's text, responds with all that it can write while it is paused, and the client gets that. */
function passesBytes(transport: Transport, client: Socket): Promise<Verdict> {
  return new Promise((resolve) => {
    const reader = new Reader();
    const respond = () => {
      transport.pause();
      transport.write(TEXT);
      transport.writeBytes(BYTES);
      transport.writeBytes(BYTES, TEXT);
      if (transport.isBackedUp) return resolve(wrong('a few bytes are not taken at once'));
      while (!transport.isBackedUp && reader.pieces < MAX_PIECES) {
        if (reader.pieces % 2 === 0) transport.write(PIECE);
        else transport.writeBytes(PIECE_BYTES);
        reader.pieces += 1;
      }
      client.resume();
    };
    let isDrained = false;
    const look = () => {
      if (isDrained && reader.length >= EXPECTED.length + reader.pieces * PIECE.length)
        resolve(reader.isRight ? RIGHT : wrong('other bytes arrive than were written'));
    };
    transport.user = {
      ...NO_USER,
      onData: (bytes, length) => {
        if (transport.isPaused) resolve(wrong('a paused handle reads'));
        else if (bytes.toString('latin1', 0, length) !== TEXT) resolve(wrong('other bytes are read than arrive'));
        else respond();
      },
      onDrain: () => {
        isDrained = !transport.isBackedUp;
        look();
      },
      onClose: (error) => resolve(error ? reachVerdict(error) : wrong('a handle closes by itself')),
    };
    client.on('data', (bytes: Buffer) => {
      reader.take(bytes);
      look();
    });
    client.pause();
    client.write(TEXT, 'latin1');
  });
}

/** A paused transport reads on, gets the client's end, ends its own half, and is closed with that. */
async function ends(transport: Transport, client: Socket): Promise<Verdict> {
  let received = '';
  const clientEnded = new Promise((resolve) => client.once('end', resolve));
  const closed = new Promise<Verdict>((resolve) => {
    transport.user = {
      ...NO_USER,
      onData: (bytes, length) => (received += bytes.toString('latin1', 0, length)),
      onEnd: () => transport.end(),
      onClose: (error) => {
        if (error) resolve(reachVerdict(error));
        else resolve(received === TEXT ? RIGHT : wrong('bytes are lost behind a pause'));
      },
    };
  });
  client.end(TEXT, 'latin1');
  transport.resume();
  await clientEnded;
  return closed;
}

/** Compares what comes with what was written. */
class Reader {
  length = 0;
  pieces = 0;
  isRight = true;

  take(bytes: Buffer): void {
    const rest = Math.max(0, EXPECTED.length - this.length);
    const isBegin = bytes.subarray(0, rest).equals(EXPECTED.subarray(this.length, this.length + bytes.length));
    this.isRight &&= isBegin && bytes.subarray(rest).every((byte) => byte === PIECE.charCodeAt(0));
    this.length += bytes.length;
  }
}
