import net, { AddressInfo, Socket } from 'node:net';
import { FastWire } from './fast-wire';
import { hasBinding } from './native';
import { NOBODY } from './wire';

let checked: Promise<boolean> | undefined;

/**
 * Tries what `FastWire` rests on, once a process: reads, a pause, writes of text, of bytes, of both and of more than the
 * kernel takes at once, the ends of both sides and the close. Resolves to false where this Node does otherwise, or has no
 * loopback to try it on.
 */
export function checkFastWire(): Promise<boolean> {
  checked ??= tryFastWire()
    .catch(() => false)
    .then((isUsable) => {
      if (!isUsable) process.emitWarning('This Node.js does not handle sockets as is known: its streams are used');
      return isUsable;
    });
  return checked;
}

const TEXT = 'text \u00e4\r\n';
const BYTES = Buffer.from([0, 255, 13, 10]);
const EXPECTED = Buffer.concat([Buffer.from(TEXT, 'latin1'), BYTES, Buffer.from(TEXT, 'latin1'), BYTES]);
/** Pieces of these are written in turns until the kernel takes no more. */
const PIECE = 'x'.repeat(512 * 1024);
const PIECE_BYTES = Buffer.from(PIECE);
const MAX_PIECES = 64;
const CHECK_MS = 2_000;

async function tryFastWire(): Promise<boolean> {
  if (!hasBinding) return false;
  const server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const sockets: { destroy(): void }[] = [];
  try {
    return await withinTime(tryBetween(server, sockets));
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function tryBetween(server: net.Server, sockets: { destroy(): void }[]): Promise<boolean> {
  const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(client);
  client.on('error', () => undefined);
  await new Promise((resolve) => client.once('connect', resolve));
  const accepted = await accepting;
  const { remotePort } = accepted;
  const wire = new FastWire(accepted);
  sockets.push(wire);
  return wire.peer.port === remotePort && (await passesBytes(wire, client)) && (await ends(wire, client));
}

/** The wire gets the client's text, answers with all that it can write while it is paused, and the client gets that. */
function passesBytes(wire: FastWire, client: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const reader = new Reader();
    const answer = () => {
      wire.pause();
      wire.write(TEXT);
      wire.writeBytes(BYTES);
      wire.writeBytes(BYTES, TEXT);
      if (wire.isBackedUp) return resolve(false);
      while (!wire.isBackedUp && reader.pieces < MAX_PIECES) {
        if (reader.pieces % 2 === 0) wire.write(PIECE);
        else wire.writeBytes(PIECE_BYTES);
        reader.pieces += 1;
      }
      client.resume();
    };
    let isDrained = false;
    const look = () => {
      if (isDrained && reader.length >= EXPECTED.length + reader.pieces * PIECE.length) resolve(reader.isRight);
    };
    wire.user = {
      ...NOBODY,
      received: (bytes, length) => {
        if (wire.isPaused || bytes.toString('latin1', 0, length) !== TEXT) resolve(false);
        else answer();
      },
      drained: () => {
        isDrained = !wire.isBackedUp;
        look();
      },
      closed: () => resolve(false),
    };
    client.on('data', (bytes: Buffer) => {
      reader.take(bytes);
      look();
    });
    client.pause();
    client.write(TEXT, 'latin1');
  });
}

/** A paused wire reads on, gets the client's end, ends its own half, and is closed with that. */
async function ends(wire: FastWire, client: Socket): Promise<boolean> {
  let received = '';
  const clientEnded = new Promise((resolve) => client.once('end', resolve));
  const closed = new Promise<boolean>((resolve) => {
    wire.user = {
      ...NOBODY,
      received: (bytes, length) => (received += bytes.toString('latin1', 0, length)),
      ended: () => wire.end(),
      closed: (error) => resolve(error === undefined && received === TEXT),
    };
  });
  client.end(TEXT, 'latin1');
  wire.resume();
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

function withinTime(trial: Promise<boolean>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), CHECK_MS);
    trial.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
