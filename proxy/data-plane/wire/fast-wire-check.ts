import net, { AddressInfo, Socket } from 'node:net';
import { FastWire, WriteRequest, WriteRequestClass, UNUSED, handleOf } from './fast-wire';
import { NOBODY } from './wire';

let checked: Promise<WriteRequestClass | undefined> | undefined;

/**
 * Tries what `FastWire` rests on, once a process: a text reaches it, and a text, bytes, both together and more than the
 * kernel takes at once leave it whole and in order. Resolves to what it writes with; to undefined where this Node does otherwise, or has no loopback to try it on.
 */
export function checkFastWire(): Promise<WriteRequestClass | undefined> {
  checked ??= tryFastWire()
    .catch(() => undefined)
    .then((Request) => {
      if (!Request) process.emitWarning('This Node.js does not write on socket handles as is known: streams are used');
      return Request;
    });
  return checked;
}

const TEXT = 'text \u00e4\r\n';
const BYTES = Buffer.from([0, 255, 13, 10]);
const EXPECTED = Buffer.concat([Buffer.from(TEXT, 'latin1'), BYTES, Buffer.from(TEXT, 'latin1'), BYTES]);
/** Pieces of this are written until the kernel takes no more. */
const PIECE = 'x'.repeat(512 * 1024);
const MAX_PIECES = 64;
const CHECK_MS = 2_000;

async function tryFastWire(): Promise<WriteRequestClass | undefined> {
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

async function tryBetween(server: net.Server, sockets: { destroy(): void }[]): Promise<WriteRequestClass | undefined> {
  const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(client);
  client.on('error', () => undefined);
  await new Promise((resolve) => client.once('connect', resolve));
  const Request = requestClassOf(client);
  const accepted = await accepting;
  if (!Request) return undefined;
  const wire = FastWire.accept(accepted, Request);
  sockets.push(wire);
  return (await passesBytes(wire, client)) ? Request : undefined;
}

/** The class of the requests that Node's own writes are made with. */
function requestClassOf(socket: Socket): WriteRequestClass | undefined {
  const handle = handleOf(socket);
  if (typeof handle?.writeLatin1String !== 'function' || typeof handle.writeBuffer !== 'function') return undefined;
  if (typeof handle.writev !== 'function') return undefined;
  let found: WriteRequestClass | undefined;
  const original = handle.writeLatin1String.bind(handle);
  handle.writeLatin1String = (request: WriteRequest, text: string) => {
    found = request.constructor as WriteRequestClass;
    return original(request, text);
  };
  socket.write(TEXT, 'latin1');
  delete (handle as unknown as Record<string, unknown>).writeLatin1String;
  return found && new found().getAsyncId?.() === UNUSED ? found : undefined;
}

/**
 * The wire gets the client's text, answers with all that it can write, and the client gets all of that; then the wire gets
 * another text, into the buffer of its own that it has asked for.
 */
function passesBytes(wire: FastWire, client: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const reader = new Reader();
    let first: ArrayBufferLike | undefined;
    let isDrained = false;
    const look = () => {
      if (!isDrained || reader.length < EXPECTED.length + reader.pieces * PIECE.length) return;
      if (reader.isRight) client.write(TEXT, 'latin1');
      else resolve(false);
    };
    const answer = () => {
      wire.write(TEXT);
      wire.writeBytes(BYTES);
      wire.writeBytes(BYTES, TEXT);
      if (wire.isBackedUp) return resolve(false);
      while (!wire.isBackedUp && reader.pieces < MAX_PIECES) {
        wire.write(PIECE);
        reader.pieces += 1;
      }
      wire.beginBulk();
      client.resume();
    };
    wire.user = {
      ...NOBODY,
      received: (bytes, length) => {
        if (bytes.toString('latin1', 0, length) !== TEXT) return resolve(false);
        if (first !== undefined) return resolve(bytes.buffer !== first);
        first = bytes.buffer;
        answer();
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
  });
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

function withinTime<T>(trial: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), CHECK_MS);
    trial.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
