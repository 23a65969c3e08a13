import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { encodeFrame } from '../../../proxy/data-plane/moves/adapters/encode-frame';
import { findPort, later, selfSigned, stopAll, until } from '../support/world';
import { type Generation, type GenerationOptions, bundleGeneration } from './support/generations';

const bundle = bundleGeneration();
afterEach(stopAll);
afterAll(() => bundle.remove());
let certificate: { cert: string; key: string };
beforeAll(async () => void (certificate = await selfSigned()));

const BINARY = 2;
/** Of RFC 6455 section 1.3. */
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const HANDSHAKE =
  'GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** What one end has received behind the handshake. */
class End {
  text = '';
  length = 0;
  readonly hash = createHash('sha256');
  hasEnded = false;
  isClosed = false;

  constructor(readonly socket: Socket) {
    socket.on('end', () => (this.hasEnded = true));
    socket.on('close', () => (this.isClosed = true));
    socket.on('error', () => undefined);
    later(() => void socket.destroy());
  }

  /** Its peer is: this one may still be open. */
  get isGone(): boolean {
    return this.hasEnded || this.isClosed;
  }

  /** From here on. */
  read(): this {
    this.socket.on('data', (bytes: Buffer) => {
      this.length += bytes.length;
      this.hash.update(bytes);
      if (this.text.length < 200) this.text += bytes.toString('latin1', 0, 200);
    });
    return this;
  }
}

interface Pair {
  readonly client: End;
  readonly upstream: End;
}

/** Generations with TLS at both ends, whose state cannot go: of the client it is TLS 1.2, and of the upstream it never can. */
async function startScene(count: number): Promise<{ generations: readonly Generation[]; open(): Promise<Pair> }> {
  const arrived: End[] = [];
  const server = tls.createServer({ ...certificate, allowHalfOpen: true }, (socket) =>
    socket.once('data', () => {
      socket.write(SWITCH);
      arrived.push(new End(socket).read());
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => void server.close());
  const how: GenerationOptions = { isUpstreamTls: true };
  const generations = await Promise.all(
    Array.from({ length: count }, () => bundle.start(findPort(server), certificate, how)),
  );
  return {
    generations,
    open: async () => {
      const where = { port: generations[0]!.port, host: '127.0.0.1', allowHalfOpen: true };
      const socket = tls.connect({ ...where, maxVersion: 'TLSv1.2', rejectUnauthorized: false });
      const client = new End(socket);
      const known = arrived.length;
      socket.write(HANDSHAKE);
      const head = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
      expect(head.toString()).toMatch(/^HTTP.1.1 101 (?:.*\r\n)+\r\n$/);
      await until(() => arrived.length > known);
      return { client: client.read(), upstream: arrived[known]! };
    },
  };
}

async function handOver([first, ...others]: readonly Generation[]): Promise<void> {
  let before = first!;
  for (const next of others) {
    const figures = await before.handOver(await next.receive());
    expect(figures?.stays).toEqual({});
    before = next;
  }
}

const frame = (length: number) => encodeFrame(BINARY, randomBytes(length), true);
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

test('half-closed ends, frames in pieces, resets and ends go through two pumps, at the first restart and behind it', async () => {
  const { generations, open } = await startScene(3);
  const last = generations[2]!;
  const byClient = await open();
  byClient.client.socket.end('from the client');
  await until(() => byClient.upstream.hasEnded);
  const byUpstream = await open();
  byUpstream.upstream.socket.end('from the upstream');
  await until(() => byUpstream.client.hasEnded);
  const inPieces = await open();
  const bytes = frame(3_000);
  inPieces.client.socket.write(bytes.subarray(0, 5));
  inPieces.upstream.socket.write(bytes.subarray(0, 700));
  const [lostClient, lostUpstream, closing] = [await open(), await open(), await open()];
  await until(() => inPieces.upstream.length === 5 && inPieces.client.length === 700);
  await handOver(generations.slice(0, 2));
  inPieces.client.socket.write(bytes.subarray(5, 9));
  inPieces.upstream.socket.write(bytes.subarray(700, 701));
  await until(() => inPieces.upstream.length === 9 && inPieces.client.length === 701);
  await handOver(generations.slice(1));
  inPieces.client.socket.write(bytes.subarray(9));
  inPieces.upstream.socket.write(bytes.subarray(701));
  await until(() => inPieces.upstream.length === bytes.length && inPieces.client.length === bytes.length);
  expect([inPieces.upstream.hash.digest('hex'), inPieces.client.hash.digest('hex')]).toEqual([
    digest(bytes),
    digest(bytes),
  ]);

  expect([byClient.upstream.text, byUpstream.client.text]).toEqual(['from the client', 'from the upstream']);
  byClient.upstream.socket.end('late response');
  await until(() => byClient.client.hasEnded && byClient.client.isClosed && byClient.upstream.isClosed);
  expect(byClient.client.text).toBe('late response');
  byUpstream.client.socket.end('late request');
  await until(() => byUpstream.upstream.hasEnded && byUpstream.client.isClosed && byUpstream.upstream.isClosed);
  expect(byUpstream.upstream.text).toBe('late request');

  lostClient.client.socket.destroy();
  await until(() => lostClient.upstream.isGone);
  lostUpstream.upstream.socket.destroy();
  await until(() => lostUpstream.client.isGone);
  const left = [lostClient.upstream, lostUpstream.client, inPieces.client, inPieces.upstream];
  for (const { socket } of left) socket.destroy();
  closing.client.socket.end();
  await until(() => closing.upstream.hasEnded);
  closing.upstream.socket.end();
  await until(() => closing.client.isClosed && closing.upstream.isClosed);
  await until(async () => (await last.report()).active.websocket === 0);
  await until(async () => (await generations[0]!.report()).pumped === 0);
  expect((await last.report()).settled).toBe(6);
  for (const generation of generations) expect((await generation.report()).lines).toEqual([]);
});

test('64 MiB in each direction are whole over a restart among them, and wait in the sockets and not in memory', async () => {
  const { generations, open } = await startScene(2);
  const { client, upstream } = await open();
  const MIB = 1024 * 1024;
  const piece = frame(MIB);
  client.socket.pause();
  upstream.socket.pause();
  const rss = async () => Promise.all(generations.map(async (one) => (await one.report()).rssBytes));
  const before = await rss();
  for (let sent = 0; sent < 64; sent += 1) {
    client.socket.write(piece);
    upstream.socket.write(piece);
  }
  // It goes over with what was written to its ends, and has not left.
  await until(() => client.socket.writableLength < 64 * piece.length);
  await handOver(generations);
  // What no one takes is in the sockets by then, and the rest with its senders.
  let left = [Infinity, Infinity];
  for (let same = 0; same < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = [client.socket.writableLength, upstream.socket.writableLength];
    same = now.every((length, index) => length === left[index]) ? same + 1 : 0;
    left = now;
  }
  expect(Math.min(...left)).toBeGreaterThan(40 * MIB);
  const grown = (await rss()).map((bytes, index) => bytes - before[index]!);
  expect(Math.max(...grown)).toBeLessThan(32 * MIB);
  client.socket.resume();
  upstream.socket.resume();
  const all = 64 * piece.length;
  await until(() => client.length === all && upstream.length === all);
  const whole = createHash('sha256');
  for (let sent = 0; sent < 64; sent += 1) whole.update(piece);
  const wanted = whole.digest('hex');
  expect([client.hash.digest('hex'), upstream.hash.digest('hex')]).toEqual([wanted, wanted]);
});

test('a pumping process that is killed is a loss of both ends for the one that serves', async () => {
  const { generations, open } = await startScene(2);
  const [old, next] = generations;
  const { client, upstream } = await open();
  await handOver(generations);
  await old!.kill();
  await until(() => client.isGone && upstream.isGone);
  await until(async () => (await next!.report()).active.websocket === 0);
  expect((await next!.report()).ended.websocket).toMatchObject({ completed: 0, closed: 0, forced: 1 });
});
