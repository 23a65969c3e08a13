import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import { crc32 } from 'node:zlib';
import { HOST, pause } from '../../processes/ports';
import type { ClientSetup } from './client';
import { findOutcome, type Responded, type Reply } from './connection';
import { enter, type Door, type Entered } from '../proxy/door';
import { isPattern, SIZES } from './exchanges';
import { FAULT_NAMES, FAULTS, formatPath, buildPattern, SILENCE_MS, type Outcome } from '../account/faults';

const LARGE = 2 * 1024 * 1024;
const FAULT_SHARE = 0.15;
const TEXT_BYTES = 1024;

/** An HTTP/2 connection of a client: over TLS by ALPN, else by prior knowledge. */
class Http2Connection {
  readonly session: ClientHttp2Session;
  /** It is open, or will never be. */
  readonly opened: Promise<void>;
  /**
   * How else its requests may end. A GOAWAY overtakes heads that wait for a write to end, and node:http2 refuses on the
   * other side what comes behind one.
   */
  goaway: readonly Outcome[] = [];
  readonly #entered: Entered;

  constructor(door: Door) {
    this.#entered = enter(door, 'h2');
    const scheme = door.isTls ? 'https' : 'http';
    const createConnection = () => this.#entered.socket;
    this.session = http2.connect(`${scheme}://${HOST}:${door.port}`, { createConnection });
    this.session.on('error', () => undefined);
    this.opened = new Promise((resolve) => {
      this.session.once('connect', () => resolve());
      this.session.once('close', () => resolve());
    });
  }

  /** It was closed, or the proxy said GOAWAY. */
  get isOver(): boolean {
    return this.session.closed || this.session.destroyed;
  }

  /** @throws Error when the connection has ended */
  open(method: 'GET' | 'POST', path: string): ClientHttp2Stream {
    const fields: OutgoingHttpHeaders = { ':method': method, ':path': path };
    const stream = this.session.request(fields, { endStream: method === 'GET' });
    // Its callers see its end as `close`.
    return stream.on('error', () => undefined);
  }

  /** Says GOAWAY; streams that are under way go on. */
  leave(): void {
    this.session.close();
  }

  reset(): void {
    this.#entered.reset();
    this.session.destroy();
  }
}

/** Requests at once and in turn on one connection; it ends by GOAWAY, maybe while they are under way, or by a reset behind them. */
export async function askOverHttp2(cloud: ClientSetup): Promise<void> {
  const { chance } = cloud;
  const connection = new Http2Connection(cloud.door);
  for (let left = chance.between(1, 4); left > 0 && cloud.goesOn() && !connection.isOver; left -= 1) {
    const asked = Array.from({ length: chance.between(1, 8) }, () => askOne(cloud, connection));
    if (chance.share() < 0.2) await leaveEarly(cloud, connection);
    await Promise.all(asked);
  }
  if (chance.share() < 0.3) connection.reset();
  else connection.leave();
}

/** What was asked before the client's GOAWAY must get a response. */
async function leaveEarly({ account, chance }: ClientSetup, connection: Http2Connection): Promise<void> {
  // What was not sent yet would be given up, and the frames of one turn may leave in any order.
  await connection.opened;
  await pause(chance.between(1, 20));
  if (connection.isOver) return;
  connection.goaway = ['unserved'];
  connection.leave();
  account.count('client says GOAWAY with requests under way');
}

async function askOne(cloud: ClientSetup, connection: Http2Connection): Promise<void> {
  const { chance, nextId } = cloud;
  const kind = chance.share();
  if (kind < 0.25) return postOne(cloud, connection);
  const id = nextId();
  const isFault = kind < 0.25 + FAULT_SHARE;
  const bytes = isFault ? chance.between(100, 40_000) : chance.of(SIZES);
  const fault = chance.of(FAULT_NAMES);
  const what = isFault ? `HTTP/2 GET with fault '${fault}'` : 'HTTP/2 GET';
  const stream = connection.open('GET', isFault ? formatPath.fault(fault, id, bytes) : formatPath.get(id, bytes));
  await settle({ cloud, what, connection, stream }, isFault ? FAULTS[fault].allowed : ['right'], isPattern(id, bytes));
}

async function postOne(cloud: ClientSetup, connection: Http2Connection): Promise<void> {
  const body = buildPattern(cloud.nextId(), cloud.chance.of(SIZES));
  const stream = connection.open('POST', formatPath.post());
  const isRight = ({ text }: Reply) => text === `${body.length}:${crc32(body)}`;
  const done = settle({ cloud, what: 'HTTP/2 POST', connection, stream }, ['right'], isRight);
  const step = Math.max(1, Math.ceil(body.length / cloud.chance.between(1, 5)));
  for (let from = 0; from < body.length && stream.writable; from += step) {
    stream.write(body.subarray(from, from + step));
    await pause(cloud.chance.between(0, 10));
  }
  stream.end();
  await done;
}

/** Some streams of a connection are cancelled in the middle; the others must not feel it. */
export async function cancelStreams(cloud: ClientSetup): Promise<void> {
  const { account, chance, nextId } = cloud;
  const connection = new Http2Connection(cloud.door);
  const cancelled = Array.from({ length: chance.between(1, 4) }, () =>
    connection.open('GET', chance.of([formatPath.get(nextId(), LARGE), formatPath.fault('stall', nextId(), 10)])),
  );
  const others = Array.from({ length: chance.between(1, 4) }, () => askOne(cloud, connection));
  for (const stream of cancelled) {
    stream.resume();
    await pause(chance.between(0, 30));
    stream.close(http2.constants.NGHTTP2_CANCEL);
    account.count('client cancels an HTTP/2 stream');
  }
  await Promise.all(others);
  connection.leave();
}

interface Asked {
  readonly cloud: ClientSetup;
  readonly what: string;
  readonly connection: Http2Connection;
  readonly stream: ClientHttp2Stream;
}

async function settle(
  { cloud, what, connection, stream }: Asked,
  allowed: readonly Outcome[],
  isRight: (reply: Reply) => boolean,
): Promise<void> {
  const sentMs = performance.now();
  const outcome = findOutcome(await readResponse(stream), isRight);
  const why = `stream ${stream.id} ended with code ${stream.rstCode}`;
  cloud.account.settle(what, outcome, [...allowed, ...cloud.goaway, ...connection.goaway], sentMs, why);
}

function readResponse(stream: ClientHttp2Stream): Promise<Responded> {
  const reply = { status: 0, length: 0, sum: 0, text: '', closes: false, hasRetryAfter: false };
  stream.on('response', (fields) => {
    reply.status = fields[':status'] ?? 0;
    reply.hasRetryAfter = fields['retry-after'] !== undefined;
  });
  stream.on('data', (bytes: Buffer) => {
    reply.length += bytes.length;
    reply.sum = crc32(bytes, reply.sum);
    if (reply.text.length < TEXT_BYTES) reply.text += bytes.toString('latin1', 0, TEXT_BYTES);
  });
  return new Promise((resolve) => {
    const settle = (responded: Responded) => {
      clearTimeout(timer);
      resolve(responded);
    };
    const timer = setTimeout(() => {
      settle({ outcome: 'silent' });
      stream.close(http2.constants.NGHTTP2_CANCEL);
    }, SILENCE_MS);
    // The whole response may be there before all of the request is sent, and then `close` may never come.
    stream.once('end', () => {
      if (stream.rstCode === http2.constants.NGHTTP2_NO_ERROR && reply.status > 0) settle({ reply });
    });
    stream.once('close', () => {
      settle({ outcome: stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM ? 'unserved' : 'cut' });
    });
  });
}
