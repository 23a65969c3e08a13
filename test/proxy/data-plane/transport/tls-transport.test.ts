import { once } from 'node:events';
import net, { AddressInfo, Socket } from 'node:net';
import tls, { TLSSocket } from 'node:tls';
import { TransportUser } from '../../../../proxy/data-plane/contract/transport';
import { TlsTransport } from '../../../../proxy/data-plane/transport/tls-transport';
import { tryTlsTransport } from '../../../../proxy/data-plane/transport/tls-transport-check';
import { later, selfSigned, stopAll, until } from '../../support/world';
import { Random } from '../http1/support/random';

let certificate: { cert: string; key: string };
beforeAll(async () => {
  certificate = await selfSigned();
});
afterEach(stopAll);

/** Notes what a transport tells. */
class Seen implements TransportUser {
  received = '';
  reads = 0;
  drains = 0;
  ends = 0;
  readonly errors: Error[] = [];
  readonly closes: (Error | undefined)[] = [];
  then: (text: string) => void = () => undefined;

  onData(bytes: Buffer, length: number): void {
    const text = bytes.toString('latin1', 0, length);
    this.received += text;
    this.reads += 1;
    this.then(text);
  }

  onDrain(): void {
    this.drains += 1;
  }

  onError(error: Error): void {
    this.errors.push(error);
  }

  onEnd(): void {
    this.ends += 1;
  }

  onClose(error: Error | undefined): void {
    this.closes.push(error);
  }
}

interface Pair {
  readonly transport: TlsTransport;
  readonly seen: Seen;
  readonly client: TLSSocket;
  /** Under the client's TLS. */
  readonly tcp: Socket;
}

async function connect(maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): Promise<Pair> {
  const seen = new Seen();
  const server = tls.createServer({ ...certificate, maxVersion });
  const accepting = new Promise<TlsTransport>((resolve) => {
    server.once('secureConnection', (socket) => {
      const transport = new TlsTransport(socket);
      transport.user = seen;
      resolve(transport);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const tcp = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const client = tls.connect({ socket: tcp, rejectUnauthorized: false });
  client.on('error', () => undefined);
  tcp.on('error', () => undefined);
  const [transport] = await Promise.all([accepting, once(client, 'secureConnect')]);
  later(() => {
    client.destroy();
    transport.destroy();
    server.close();
  });
  return { transport, seen, client, tcp };
}

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** `length` letters that differ from place to place. */
function letters(from: number, length: number): string {
  return Array.from({ length }, (_, at) => String.fromCharCode(97 + ((from + at) % 23))).join('');
}

test('on this Node.js it is right, and no time to see that is no result', async () => {
  expect(await tryTlsTransport(certificate, 0)).toEqual({
    result: 'untried',
    why: 'it came to no result within 0 s',
    isLate: true,
  });
  expect(await tryTlsTransport(certificate, 60_000)).toEqual({ result: 'right' });
});

test.each(VERSIONS)('whatever is written in whatever order arrives as it was written: %s', async (version) => {
  const { transport, seen, client } = await connect(version);
  const random = new Random(20);
  let received = '';
  client.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1');
    if (!random.once(4)) return;
    client.pause();
    setImmediate(() => client.resume());
  });
  let written = '';
  for (let turn = 0; turn < 30; turn += 1) {
    for (let count = random.below(5); count > 0; count -= 1) {
      const text = letters(written.length, random.below(random.once(5) ? 150_000 : 300));
      const split = random.once(3) ? random.below(text.length + 1) : 0;
      written += text;
      if (random.once(3)) {
        transport.write(text);
        continue;
      }
      const borrowed = Buffer.from(text.slice(split), 'latin1');
      transport.writeBytes(borrowed, text.slice(0, split));
      borrowed.fill(0);
    }
    if (random.once(2)) await new Promise((resolve) => setImmediate(resolve));
  }
  transport.end();
  transport.write('behind the end');
  await once(client, 'end');
  expect(received === written).toBe(true);
  await until(() => seen.closes.length === 1);
  expect([seen.closes, seen.errors, transport.isDestroyed]).toEqual([[undefined], [], true]);
});

test('it is backed up when the client does not read, and says when all has left', async () => {
  const { transport, seen, client } = await connect();
  const piece = 'x'.repeat(256 * 1024);
  let pieces = 0;
  client.pause();
  transport.write('a few bytes');
  expect([transport.isBackedUp, transport.hasPending]).toEqual([false, true]);
  // As long as the kernel takes what is written all of it leaves, so it is drained from turn to turn.
  while (!transport.isBackedUp || transport.pendingBytes < 1_000_000) {
    transport.write(piece);
    pieces += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { drains } = seen;
  let length = 0;
  client.on('data', (bytes: Buffer) => (length += bytes.length)).resume();
  await until(() => length === 11 + pieces * piece.length);
  await until(() => seen.drains > drains);
  expect([transport.isBackedUp, transport.hasPending, transport.pendingBytes]).toEqual([false, false, 0]);
});

test('nothing comes while it is paused, and all of it behind that, the end last', async () => {
  const { transport, seen, client } = await connect();
  const sent = letters(0, 200_000);
  let pauses = 0;
  seen.then = () => {
    transport.pause();
    pauses += 1;
    const { reads } = seen;
    setImmediate(() => {
      expect([seen.reads, seen.ends]).toEqual([reads, 0]);
      transport.resume();
    });
  };
  client.end(sent, 'latin1');
  await until(() => seen.ends === 1);
  expect(seen.received === sent).toBe(true);
  expect(pauses).toBeGreaterThan(5);
});

test.each([
  ['a reset', ({ tcp }: Pair) => void tcp.resetAndDestroy()],
  ['bytes that are no TLS', ({ tcp }: Pair) => void tcp.write('GET / HTTP/1.1\r\n\r\n')],
  ['its own destruction', ({ transport }: Pair) => transport.destroy()],
  ['that of the socket under it', ({ transport }: Pair) => void transport.socket.destroy()],
])('%s with writes under way and behind ends it once', async (_, end) => {
  const pair = await connect();
  const { transport, seen, client } = pair;
  client.pause();
  while (!transport.isBackedUp || transport.pendingBytes < 1_000_000) {
    transport.write('x'.repeat(100_000));
    transport.writeBytes(Buffer.alloc(1000), 'before');
    await new Promise((resolve) => setImmediate(resolve));
  }
  end(pair);
  await until(() => {
    transport.write('more');
    return seen.closes.length > 0;
  });
  transport.write('behind it');
  transport.end();
  transport.close();
  transport.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  expect([seen.closes.length, transport.isDestroyed]).toEqual([1, true]);
});

test('a socket that is given up has every byte, and can be written', async () => {
  const { transport, seen, client } = await connect();
  const sent = letters(0, 100_000);
  const given = new Promise<Socket>((resolve) => {
    seen.then = (text) => {
      seen.then = () => expect('a read').toBe('nothing');
      transport.pause();
      // In a later turn: more of the same read is held by then.
      setImmediate(() => resolve(transport.giveUp(Buffer.from(text, 'latin1'))));
    };
  });
  client.write(sent, 'latin1');
  const socket = await given;
  let received = '';
  socket.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
  await until(() => received.length === sent.length);
  expect(received === sent).toBe(true);
  socket.write('thanks');
  expect(String((await once(client, 'data'))[0])).toBe('thanks');
  client.end('last');
  await once(socket, 'end');
  expect(received.endsWith('last')).toBe(true);
});

test('it is closed behind what was written, with the end of TLS', async () => {
  const { transport, seen, client } = await connect();
  transport.write('last');
  let received = '';
  client.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
  transport.close();
  await once(client, 'end');
  expect(received).toBe('last');
  await until(() => seen.closes.length === 1);
});

test.each([false, true])(
  'reading stops and goes on, with what was read first: paused before, %s',
  async (wasPaused) => {
    const { transport, seen, client } = await connect();
    const sent = letters(0, 60_000);
    let taken: Buffer | undefined;
    seen.then = () => {
      seen.then = () => undefined;
      transport.pause();
      // In a later turn: more of the same read is held by then.
      setImmediate(() => {
        if (!wasPaused) transport.resume();
        taken = transport.stopReading();
      });
    };
    client.write(sent, 'latin1');
    await until(() => taken !== undefined);
    const { reads } = seen;
    await new Promise((resolve) => setImmediate(resolve));
    expect([seen.reads, transport.hasEnded]).toEqual([reads, false]);
    transport.readAgain(taken!);
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen.reads === reads).toBe(wasPaused);
    transport.resume();
    await until(() => seen.received.length === sent.length);
    expect(seen.received === sent).toBe(true);
  },
);
