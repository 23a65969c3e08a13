import { getFips } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls, { Server, TLSSocket } from 'node:tls';
import { NO_USER } from '../contract/transport';
import { SelfCheck, Verdict, withinTime } from '../shared/self-check';
import { hasBinding } from '../transport/native';
import { StreamTransport } from '../transport/stream-transport';
import { continueHere } from './continue-here';
import { takeTls13 } from './take-tls13';
import type { Tls13Transport } from './tls13-transport';
import { watchTls13 } from './tls13-watch';
import { SUITES } from './record-layer/traffic-keys';

/** Nothing waits for it but a restart. */
const CHECK_MS = 20_000;
const RIGHT: Verdict = { result: 'right' };
const wrong = (why: string): Verdict => ({ result: 'wrong', why });
/** More than two records. */
const LONG = 'x'.repeat(40_000);

/** In PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** Whether a TLS 1.3 connection of this Node.js can be continued by another process. Where it cannot, connections stay where they are. */
export function createTls13Check(certificate: CertificatePair): SelfCheck {
  return new SelfCheck(() => tryTls13(certificate));
}

/**
 * Has a client of this machine connect with each cipher suite, and again with a session that it knows; takes the connection out of
 * its socket after a message in each direction, and continues it.
 */
export async function tryTls13(certificate: CertificatePair, limitMs = CHECK_MS): Promise<Verdict> {
  // What the validated module computed would go on in code without validation.
  if (getFips() === 1) return wrong('FIPS mode is on');
  if (!hasBinding) return wrong('this Node.js has no such handles');
  const server = tls.createServer({ cert: certificate.cert, key: certificate.key, minVersion: 'TLSv1.3' });
  watchTls13(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const open: { destroy(): void }[] = [];
  try {
    return await withinTime(tryAll(server, open), limitMs);
  } finally {
    for (const connection of open) connection.destroy();
    server.close();
  }
}

async function tryAll(server: Server, open: { destroy(): void }[]): Promise<Verdict> {
  for (const { name } of SUITES) {
    const first = await tryOne(server, open, name, undefined);
    if (first.verdict.result !== 'right') return first.verdict;
    const second = await tryOne(server, open, name, first.session);
    if (second.verdict.result !== 'right') return second.verdict;
  }
  return RIGHT;
}

interface Attempt {
  readonly verdict: Verdict;
  /** What the client may resume. */
  readonly session: Buffer | undefined;
}

async function tryOne(
  server: Server,
  open: { destroy(): void }[],
  suite: string,
  session: Buffer | undefined,
): Promise<Attempt> {
  const accepting = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({ port, host: '127.0.0.1', ciphers: suite, rejectUnauthorized: false, session });
  open.push(client);
  let ticket: Buffer | undefined;
  client.on('session', (given) => (ticket = given));
  const failed = new Promise<never>((_, reject) => client.once('error', reject));
  failed.catch(() => undefined);
  const trial = async (): Promise<Attempt> => {
    const [socket] = await accepting;
    open.push(socket);
    socket.on('error', () => undefined);
    const source = new StreamTransport(socket);
    await exchange(client, source);
    const taken = takeTls13(source);
    if (typeof taken === 'string')
      return { verdict: wrong(`a connection with ${suite} cannot be taken: ${taken}`), session };
    const transport = continueHere(socket, taken);
    open.push(transport);
    return { verdict: await continues(client, transport, suite), session: ticket };
  };
  return Promise.race([trial(), failed]);
}

/** One message in each direction, over Node's own TLS. */
async function exchange(client: TLSSocket, source: StreamTransport): Promise<void> {
  const received = new Promise<void>((resolve) => (source.user = { ...NO_USER, onData: () => resolve() }));
  client.write('to the server');
  await received;
  const written = new Promise<void>((resolve) => (source.user = { ...NO_USER, onDrain: () => resolve() }));
  source.write('to the client');
  await Promise.all([once(client, 'data'), written]);
}

/** What the client sends comes back, and then both ends do. */
function continues(client: TLSSocket, transport: Tls13Transport, suite: string): Promise<Verdict> {
  return new Promise((resolve) => {
    transport.user = {
      ...NO_USER,
      onData: (bytes, length) => transport.writeBytes(bytes.subarray(0, length)),
      onEnd: () => transport.end(),
      onClose: (error) => resolve(error ? wrong(`a connection with ${suite} does not go on: ${error.message}`) : RIGHT),
    };
    let received = 0;
    client.on('data', (bytes: Buffer) => {
      received += bytes.length;
      if (received === LONG.length) client.end();
    });
    client.write(LONG);
  });
}
