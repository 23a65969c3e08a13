import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { ConnectionOptions, TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { NO_USER, Transport, TransportUser } from '../../../../proxy/data-plane/contract/transport';
import { BytePump, PumpOptions } from '../../../../proxy/data-plane/pump/byte-pump';
import { FramedState, FramedTransport } from '../../../../proxy/data-plane/pump/framed-transport';
import { HandleTransport } from '../../../../proxy/data-plane/transport/handle-transport';
import { TlsTransport } from '../../../../proxy/data-plane/transport/tls-transport';
import { until } from '../../../support/until';

const folder = mkdtempSync(join(tmpdir(), 'drainshift-pump-'));
const path = join(folder, 'serving.sock');
const open: { destroy(): void }[] = [];
let serving: Server;
let front: Server;
let accepted: Socket[];
let fronted: Socket[];
beforeAll(async () => {
  serving = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => accepted.push(socket));
  serving.listen(path);
  front = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => fronted.push(socket));
  front.listen(0, '127.0.0.1');
  await Promise.all([once(serving, 'listening'), once(front, 'listening')]);
});
beforeEach(() => {
  accepted = [];
  fronted = [];
});
afterAll(() => {
  for (const connection of open) connection.destroy();
  serving.close();
  front.close();
  rmSync(folder, { recursive: true });
});

/** Keeps all that happens to it. */
class Recorder implements TransportUser {
  readonly hash = createHash('sha256');
  readonly calls: string[] = [];
  length = 0;
  text = '';
  error: Error | undefined;

  onData(bytes: Buffer, length: number): void {
    this.hash.update(bytes.subarray(0, length));
    this.length += length;
    if (this.text.length < 100) this.text += bytes.toString('latin1', 0, Math.min(length, 100));
  }
  onDrain(): void {
    this.calls.push('drain');
  }
  onError(): void {
    this.calls.push('error');
  }
  onEnd(): void {
    this.calls.push('end');
  }
  onClose(error: Error | undefined): void {
    this.calls.push('close');
    this.error = error;
  }
}

interface Pumped {
  readonly served: FramedTransport;
  readonly user: Recorder;
  readonly pump: BytePump;
  /** Of the process with the client. */
  readonly client: Transport;
  readonly isClosed: () => boolean;
}

const PEER = { address: '192.0.2.7', port: 4711 };
const OPEN: FramedState = { peer: PEER, isTls: true, hasReadEnd: false, isShutDown: false, header: '', left: 0 };

/** What the process with the client and the one that serves it do. */
async function pumpTo(client: Transport, options?: PumpOptions): Promise<Pumped> {
  const socket = net.connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  const known = { ...OPEN, isTls: client.isTls };
  const { hasReadEnd = false, isShutDown = false } = options?.past ?? {};
  const near = { ...known, hasReadEnd: isShutDown, isShutDown: hasReadEnd };
  const onward = new FramedTransport(new HandleTransport(socket, true), near);
  await until(() => accepted.length > 0);
  const user = new Recorder();
  const served = new FramedTransport(new HandleTransport(accepted[0]!), { ...known, hasReadEnd, isShutDown });
  served.user = user;
  let closed = false;
  const pump = new BytePump(client, onward, () => (closed = true), options);
  open.push(served, pump);
  return { served, user, pump, client, isClosed: () => closed };
}

async function connectPlain(options?: PumpOptions): Promise<Pumped & { readonly socket: Socket }> {
  const socket = net.connect({ port: (front.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  open.push(socket);
  socket.on('error', () => undefined);
  await until(() => fronted.length > 0);
  return { socket, ...(await pumpTo(new HandleTransport(fronted[0]!), options)) };
}

function follow(socket: Socket) {
  const received = { text: '', length: 0, hash: createHash('sha256'), hasEnded: false };
  socket.on('data', (bytes: Buffer) => {
    received.length += bytes.length;
    received.hash.update(bytes);
    if (received.text.length < 100) received.text += bytes.toString('latin1');
  });
  socket.on('end', () => (received.hasEnded = true));
  return received;
}

test('the process that serves a client knows who it is, and both ends pass one after the other', async () => {
  const { socket, served, user, isClosed } = await connectPlain();
  expect([served.peer, served.isTls]).toEqual([PEER, false]);
  const received = follow(socket);
  socket.end('from the client');
  await until(() => user.calls.includes('end'));
  served.write('text \u00e4, ');
  served.writeBytes(Buffer.from('bytes'), 'text before ');
  served.end();
  await until(() => received.hasEnded && isClosed() && user.calls.includes('close'));
  expect([user.text, received.text]).toEqual(['from the client', 'text \u00e4, text before bytes']);
  expect([user.calls, user.error]).toEqual([['end', 'close'], undefined]);
});

test('all bytes pass in both directions, whatever the sizes, and push back on who sends them', async () => {
  const { socket, served, user, client } = await connectPlain();
  const bytes = randomBytes(20_000_000);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const received = follow(socket);
  socket.pause();
  let at = 0;
  const send = () => {
    while (at < bytes.length && !served.isBackedUp) {
      const end = Math.min(bytes.length, at + 1 + ((at * 31) % 300_000));
      served.writeBytes(bytes.subarray(at, end));
      at = end;
    }
  };
  user.onDrain = send;
  send();
  // No more than the sockets between hold.
  await until(() => client.isBackedUp && served.isBackedUp);
  expect(at).toBeLessThan(bytes.length);
  socket.write(bytes);
  socket.resume();
  await until(() => received.length === bytes.length && user.length === bytes.length);
  expect([received.hash.digest('hex'), user.hash.digest('hex')]).toEqual([digest, digest]);
});

test('a pause of the process that serves is one of the client, and nothing is lost behind it', async () => {
  const { socket, served, user, client } = await connectPlain();
  served.pause();
  const bytes = Buffer.alloc(20_000_000, 'abcdefg');
  let written = false;
  socket.write(bytes, () => (written = true));
  await until(() => client.isPaused);
  expect([user.length, written]).toEqual([0, false]);
  user.onData = (piece: Buffer, length: number) => {
    Recorder.prototype.onData.call(user, piece, length);
    served.pause();
    setImmediate(() => served.resume());
  };
  served.resume();
  socket.end();
  await until(() => user.calls.includes('end'));
  expect(user.hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
});

test('a response is whole for a slow client whose connection was closed with it', async () => {
  const { socket, served, isClosed } = await connectPlain();
  const received = follow(socket);
  socket.pause();
  const bytes = Buffer.alloc(3_000_000, 'r');
  served.writeBytes(bytes);
  await until(() => !served.hasPending);
  served.close();
  socket.resume();
  await until(() => received.hasEnded);
  expect(received.length).toBe(bytes.length);
  socket.end();
  await until(isClosed);
});

describe('a loss', () => {
  test.each<[string, (pumped: Pumped) => void]>([
    ['a reset by the process that serves', ({ served }) => served.reset()],
    ['that process is gone', ({ served }) => (served as unknown as { below: Transport }).below.destroy()],
    ['the process with the client ends', ({ pump }) => pump.destroy()],
  ])('%s: the client does not take what it got for the whole', async (_, lose) => {
    const pumped = await connectPlain();
    const received = follow(pumped.socket);
    pumped.served.write('a part');
    await until(() => received.text === 'a part');
    lose(pumped);
    await until(() => pumped.socket.destroyed && pumped.isClosed());
    expect(received.hasEnded).toBe(false);
  });

  test('of the client is one for the process that serves', async () => {
    const { socket, user, isClosed } = await connectPlain();
    socket.write('a part');
    await until(() => user.text === 'a part');
    socket.resetAndDestroy();
    await until(() => user.calls.includes('close'));
    expect([user.calls, user.error]).toMatchObject([['close'], { code: 'ECONNRESET' }]);
    await until(isClosed);
  });

  test('of the process that serves is noticed while the client takes nothing', async () => {
    const { socket, served, isClosed } = await connectPlain({ probeMs: 20, stallMs: 60_000 });
    socket.pause();
    served.writeBytes(Buffer.alloc(30_000_000));
    await until(() => served.isBackedUp);
    served.reset();
    await until(isClosed);
    socket.resume();
    await until(() => socket.destroyed);
  });

  test('of the process that serves costs a client that takes nothing no byte of a whole response', async () => {
    const { socket, served, client, isClosed } = await connectPlain({ probeMs: 20, stallMs: 60_000 });
    socket.pause();
    const received = follow(socket);
    socket.pause();
    const bytes = Buffer.alloc(5_000_000, 'r');
    let at = 0;
    const send = () => {
      for (; at < bytes.length && !served.isBackedUp; at += 50_000) served.writeBytes(bytes.subarray(at, at + 50_000));
      if (at === bytes.length && !served.hasPending) served.close();
    };
    served.user = { ...NO_USER, onDrain: send };
    send();
    await until(() => client.isBackedUp);
    socket.resume();
    await until(() => received.hasEnded);
    expect(received.length).toBe(bytes.length);
    socket.end();
    await until(isClosed);
  });

  test('is one for a user that closes at the first write that fails, too', async () => {
    const { served, user, pump } = await connectPlain();
    served.pause();
    user.onError = () => served.destroy();
    pump.destroy();
    await until(() => {
      served.write('x');
      return user.calls.includes('close');
    });
    expect(user.error).toMatchObject({ code: 'EPIPE' });
  });

  test('of one that was lost before the pump began is one for the process that serves', async () => {
    const socket = net.connect({ port: (front.address() as AddressInfo).port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    await until(() => fronted.length > 0);
    const client = new HandleTransport(fronted[0]!);
    client.destroy();
    const { user, isClosed } = await pumpTo(client);
    await until(() => isClosed() && user.calls.includes('close'));
    expect(user.error).toMatchObject({ code: 'ECONNRESET' });
  });
});

test('what had ended before the pump began stays so, and the other half goes on', async () => {
  const { socket, served, user, isClosed } = await connectPlain({ past: { hasReadEnd: true, isShutDown: false } });
  const received = follow(socket);
  served.write('the rest');
  served.end();
  await until(() => received.hasEnded);
  expect(received.text).toBe('the rest');
  socket.end();
  await until(() => isClosed() && user.calls.includes('close'));
  expect([user.calls, user.error]).toEqual([['close'], undefined]);
});

describe('frames', () => {
  async function acceptRaw() {
    const socket = net.connect({ path, allowHalfOpen: true });
    open.push(socket);
    socket.on('error', () => undefined);
    await until(() => accepted.length > 0);
    const user = new Recorder();
    const served = new FramedTransport(new HandleTransport(accepted[0]!), OPEN);
    served.user = user;
    return { socket, served, user };
  }
  const frame = (kind: number, content: string) =>
    Buffer.concat([Buffer.from([kind, 0, 0, content.length >> 8, content.length & 255]), Buffer.from(content)]);
  const FRAMES = Buffer.concat([
    frame(2, 'abc'),
    frame(1, ''),
    frame(2, ''),
    frame(2, 'd'),
    frame(3, ''),
    frame(1, ''),
  ]);

  test('may come byte by byte, and go to another process between any two of them', async () => {
    const { socket, served, user } = await acceptRaw();
    let transport = served;
    let reads = 0;
    for (const byte of FRAMES) {
      // What is read, and what waits in the kernel.
      const isRead = (reads += 1) % 2 === 0;
      const at = transport as unknown as { headerBytes: number; left: number; readState: string };
      const before = `${at.headerBytes} ${at.left} ${at.readState}`;
      await new Promise((written) => socket.write(Buffer.from([byte]), written));
      if (isRead) await until(() => `${at.headerBytes} ${at.left} ${at.readState}` !== before);
      transport = FramedTransport.unpack(transport.pack());
      open.push(transport);
      transport.user = user;
      transport.resume();
    }
    await until(() => user.calls.includes('end'));
    expect(user.text).toBe('abcd');
  });

  test('that were read and not used go along', async () => {
    const { socket, served, user } = await acceptRaw();
    user.onData = (bytes: Buffer, length: number) => {
      Recorder.prototype.onData.call(user, bytes, length);
      served.pause();
    };
    socket.write(FRAMES);
    await until(() => user.text === 'abc');
    const transport = FramedTransport.unpack(served.pack());
    open.push(transport);
    transport.user = user;
    expect(user.text).toBe('abc');
    transport.resume();
    await until(() => user.calls.includes('end'));
    expect(user.text).toBe('abcd');
  });

  test.each([
    ['of an unknown kind', Buffer.from([9, 0, 0, 0, 0])],
    ['behind the end', Buffer.concat([frame(3, ''), frame(2, 'x')])],
  ])('%s end the connection', async (_, bytes) => {
    const { socket, user } = await acceptRaw();
    socket.write(bytes);
    await until(() => user.calls.includes('close'));
    expect(user.error).toMatchObject({ code: 'ERR_PUMP_FRAME' });
  });
});

describe('a client of TLS 1.2', () => {
  let secured: tls.Server;
  beforeAll(async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
    secured = tls.createServer({ cert, key, maxVersion: 'TLSv1.2' });
    secured.listen(0, '127.0.0.1');
    await once(secured, 'listening');
  });
  afterAll(() => secured.close());

  async function connectSecured(options: ConnectionOptions = {}) {
    const { port } = secured.address() as AddressInfo;
    const accepting = once(secured, 'secureConnection') as Promise<[TLSSocket]>;
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    open.push(socket);
    const [there] = await accepting;
    return { socket, received: follow(socket), ...(await pumpTo(new TlsTransport(there))) };
  }

  test('is served by another process', async () => {
    const { socket, received, served, isClosed } = await connectSecured();
    expect(served.isTls).toBe(true);
    served.user = {
      ...NO_USER,
      onData: (bytes, length) => served.writeBytes(bytes.subarray(0, length)),
      onEnd: () => served.end(),
    };
    const bytes = randomBytes(1_000_000);
    socket.end(bytes);
    await until(() => received.hasEnded && isClosed());
    expect(received.hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  test('is freed when the process that serves it has ended, and then is gone, without a word of the client', async () => {
    const { socket, received, served, isClosed } = await connectSecured({ allowHalfOpen: true } as ConnectionOptions);
    served.end();
    await until(() => received.hasEnded);
    served.destroy();
    await until(isClosed);
    socket.destroy();
  });

  test('gets the whole of a last response', async () => {
    const { received, served, isClosed } = await connectSecured();
    const bytes = Buffer.alloc(150_000, 'r');
    served.writeBytes(bytes);
    served.close();
    await until(() => received.hasEnded && isClosed());
    expect(received.length).toBe(bytes.length);
  });
});
