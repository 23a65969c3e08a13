import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import net, { AddressInfo, Socket } from 'node:net';
import tls, { TLSSocket, TlsOptions } from 'node:tls';
import { generate } from 'selfsigned';
import { NO_USER } from '../../../../proxy/data-plane/contract/transport';
import { continueHere } from '../../../../proxy/data-plane/tls13/continue-here';
import { NOTE, findTlsWrap } from '../../../../proxy/data-plane/tls13/native-tls';
import { TLS13_REJECTIONS } from '../../../../proxy/data-plane/tls13/rejections';
import { TakenTls13, takeTls13 } from '../../../../proxy/data-plane/tls13/take-tls13';
import type { TrafficKeys } from '../../../../proxy/data-plane/tls13/record-layer/traffic-keys';
import type { Tls13Transport } from '../../../../proxy/data-plane/tls13/tls13-transport';
import { watchTls13 } from '../../../../proxy/data-plane/tls13/tls13-watch';
import { ShutdownRequest } from '../../../../proxy/data-plane/transport/native';
import { restartSocket, stopSocket } from '../../../../proxy/data-plane/transport/stream-transport';
import { until } from '../../../support/until';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const withOpenssl = hasOpenssl ? test : test.skip;
if (!hasOpenssl) process.stderr.write('openssl is not installed: its tests are skipped (apt-get install openssl)\n');

let certificate: { cert: string; key: string };
const open: { destroy(): void }[] = [];
const servers: net.Server[] = [];
beforeAll(async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
  certificate = { cert, key };
});
afterAll(() => {
  for (const connection of open) connection.destroy();
  for (const server of servers) server.close();
});

/** A server whose connections can be taken, and what they read. */
class Front {
  readonly sockets: TLSSocket[] = [];
  port = 0;

  constructor(readonly server: tls.Server) {
    server.on('secureConnection', (socket: TLSSocket) => {
      this.sockets.push(socket);
      open.push(socket);
      socket.on('error', () => undefined);
    });
    server.on('tlsClientError', () => undefined);
    servers.push(server);
  }

  /** The connection of that number, or the last, once it has read as much. It reads no more then. */
  async read(text: string, index = Math.max(0, this.sockets.length - 1)): Promise<TLSSocket> {
    await until(() => this.sockets.length > index);
    const socket = this.sockets[index]!;
    let received = '';
    const listener = (bytes: Buffer) => (received += bytes.toString('latin1'));
    socket.on('data', listener).resume();
    await until(() => received === text);
    socket.off('data', listener).pause();
    return socket;
  }
}

async function startFront(options: TlsOptions = {}, isWatched = true): Promise<Front> {
  const server = tls.createServer({ ...certificate, ...options });
  if (isWatched) watchTls13(server);
  const front = new Front(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  front.port = (server.address() as AddressInfo).port;
  return front;
}

async function connect(port: number, options: tls.ConnectionOptions = {}): Promise<TLSSocket> {
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  open.push(client);
  client.on('error', () => undefined);
  await once(client, 'secureConnect');
  return client;
}

/** As `StreamTransport` has it, for the streams that these tests read and write themselves. */
function take(socket: TLSSocket) {
  const isFlowing = socket.readableFlowing === true;
  return takeTls13({
    socket,
    hasPending: socket.writableLength > 0,
    hasEnded: socket.readableEnded || socket.writableEnded,
    stopReading: () => stopSocket(socket),
    readAgain: (bytes) => restartSocket(socket, bytes, isFlowing),
  });
}

/** A connection over which each side has said something. */
async function exchange(front: Front, options: tls.ConnectionOptions = {}) {
  const index = front.sockets.length;
  const client = await connect(front.port, options);
  client.write('hello');
  const socket = await front.read('hello', index);
  await Promise.all([once(client, 'data'), new Promise((written) => socket.write('hello', written))]);
  return { client, socket };
}

function taken(socket: TLSSocket): TakenTls13 {
  const result = take(socket);
  if (typeof result === 'string') throw new Error(TLS13_REJECTIONS[result].why);
  return result;
}

/** What comes goes back. */
function echo(transport: Tls13Transport): void {
  open.push(transport);
  transport.user = {
    ...NO_USER,
    onData: (bytes, length) => transport.writeBytes(bytes.subarray(0, length)),
    onEnd: () => transport.end(),
  };
}

/** It goes on, in both directions and past what one record holds, to its end. */
async function goesOn(client: TLSSocket): Promise<void> {
  const text = 'abcdefg'.repeat(10_000);
  let received = '';
  client.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
  client.write(text);
  await until(
    () => received.length === text.length,
    () => (client.destroyed ? 'the connection is lost' : undefined),
  );
  expect(received === text).toBe(true);
  client.end();
  await until(() => client.destroyed);
  expect(client.errored).toBe(null);
}

/** In the other direction: with Node's own TLS. */
async function staysHere(client: TLSSocket, socket: TLSSocket): Promise<void> {
  socket.on('data', (bytes: Buffer) => socket.write(bytes)).resume();
  socket.on('end', () => socket.end());
  await goesOn(client);
}

describe('a connection goes over', () => {
  let session: Buffer | undefined;

  test.each<[string, TlsOptions, tls.ConnectionOptions]>([
    ['after a full handshake', {}, {}],
    ['after a resumed one', {}, {}],
    ['after a HelloRetryRequest', { ecdhCurve: 'P-384' }, { ecdhCurve: 'X25519:P-384' }],
    [
      'with a name and a protocol',
      { ALPNProtocols: ['h2', 'http/1.1'] },
      { servername: 'a.example', ALPNProtocols: ['http/1.1'] },
    ],
  ])('%s', async (what, options, clientOptions) => {
    const front = await startFront({ ...options, ticketKeys: Buffer.alloc(48, 7) });
    const client = await connect(front.port, {
      ...clientOptions,
      session: what.includes('resumed') ? session : undefined,
    });
    client.on('session', (given: Buffer) => (session = given));
    client.write('hello');
    const socket = await front.read('hello');
    expect(socket.isSessionReused()).toBe(what.includes('resumed'));
    await Promise.all([once(client, 'data'), new Promise((written) => socket.write('hello', written))]);
    const { proof } = (() => {
      const result = taken(socket);
      echo(continueHere(socket, result));
      return result;
    })();
    expect(proof).toBe('counted');
    await goesOn(client);
  });

  test('before anything was said, and with what waits', async () => {
    const front = await startFront();
    const client = await connect(front.port);
    await until(() => front.sockets.length === 1);
    const socket = front.sockets[0]!;
    await until(() => findTlsWrap(socket)![NOTE]!.writtenBytes !== undefined);
    // Some of it is in the stream of the socket, and some in the kernel.
    client.write('1st ');
    await until(() => socket.readableLength === 4);
    findTlsWrap(socket)!.readStop();
    await new Promise((written) => client.write('2nd ', written));
    let result = take(socket);
    await until(() => {
      if (typeof result !== 'string' && result.proof === 'opened') return true;
      if (typeof result !== 'string') result.restore();
      findTlsWrap(socket)!.readStop();
      result = take(socket);
      return false;
    });
    let received = '';
    client.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
    echo(continueHere(socket, result as TakenTls13));
    client.write('3rd');
    await until(() => received === '1st 2nd 3rd');
  });

  test('after it was taken and stayed many times, under traffic', async () => {
    const front = await startFront();
    const { client, socket } = await exchange(front);
    let sent = '';
    let received = '';
    client.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
    const echoes = (bytes: Buffer) => void socket.write(bytes);
    socket.on('data', echoes).resume();
    const results: Record<string, number> = {};
    for (let n = 0; n < 300; n += 1) {
      const text = `${n}${'x'.repeat((n * 37) % 2_000)};`;
      sent += text;
      client.write(text);
      if (n % 3 === 0) await new Promise(setImmediate);
      const result = take(socket);
      const name = typeof result === 'string' ? result : result.proof;
      results[name] = (results[name] ?? 0) + 1;
      if (typeof result !== 'string') result.restore();
    }
    await until(() => received === sent);
    expect(results.opened).toBeGreaterThan(10);
    socket.off('data', echoes);
    socket.pause();
    await until(() => {
      const result = take(socket);
      if (typeof result === 'string') return false;
      echo(continueHere(socket, result));
      return true;
    });
    await goesOn(client);
  });

  test('behind a PROXY header that was read before', async () => {
    const front = await startFront();
    const outer = net.createServer((socket: Socket) => {
      socket.once('data', (bytes) => {
        socket.pause();
        const rest = bytes.subarray('PROXY '.length);
        if (rest.length > 0) socket.unshift(rest);
        front.server.emit('connection', socket);
      });
    });
    servers.push(outer);
    outer.listen(0, '127.0.0.1');
    await once(outer, 'listening');
    const below = net.connect((outer.address() as AddressInfo).port, '127.0.0.1');
    below.write('PROXY ');
    const client = tls.connect({ socket: below, rejectUnauthorized: false });
    open.push(client, below);
    client.write('hello');
    const socket = await front.read('hello');
    await Promise.all([once(client, 'data'), new Promise((written) => socket.write('hello', written))]);
    echo(continueHere(socket, taken(socket)));
    await goesOn(client);
  });
});

describe('a connection stays', () => {
  test('with TLS 1.2, with HTTP/2, with another cipher suite, where it is not watched', async () => {
    const front = await startFront({ ALPNProtocols: ['h2', 'http/1.1'] });
    const old = await exchange(front, { maxVersion: 'TLSv1.2' });
    expect(take(old.socket)).toBe('protocolVersion');
    await staysHere(old.client, old.socket);
    const http2 = await exchange(front, { ALPNProtocols: ['h2'] });
    expect(take(http2.socket)).toBe('applicationProtocol');
    const ciphers = 'TLS_AES_128_CCM_SHA256';
    const other = await exchange(await startFront({ ciphers }), { ciphers });
    expect(take(other.socket)).toBe('cipherSuite');
    const unwatched = await exchange(await startFront({}, false));
    expect(take(unwatched.socket)).toBe('notWatched');
    await staysHere(unwatched.client, unwatched.socket);
  });

  test('while its handshake goes on, and where we spoke in one go with its end', async () => {
    const front = await startFront();
    const early: unknown[] = [];
    front.server.on('keylog', (_: Buffer, socket: TLSSocket) => early.push(take(socket)));
    front.server.once('secureConnection', (socket: TLSSocket) => {
      early.push(take(socket));
      socket.write('hello');
    });
    const client = await connect(front.port);
    await once(client, 'data');
    const [socket] = front.sockets;
    await until(() => take(socket!) !== 'handshake');
    expect([new Set(early), take(socket!)]).toEqual([new Set(['handshake']), 'startNotSeen']);
    await staysHere(client, socket!);
  });

  test('while something that was written has not left', async () => {
    const { client, socket } = await exchange(await startFront());
    client.pause();
    const piece = Buffer.alloc(1_000_000, 'p');
    let pieces = 0;
    for (; socket.writableLength === 0 || pieces < 20; pieces += 1) socket.write(piece);
    expect(take(socket)).toBe('queued');
    let length = 0;
    client.on('data', (bytes: Buffer) => (length += bytes.length));
    client.resume();
    await until(() => length === pieces * piece.length);
    await until(() => typeof takeAndStay(socket) !== 'string');
    client.removeAllListeners('data');
    await staysHere(client, socket);
  });

  test('when one of its directions has ended, and when it is closed', async () => {
    const front = await startFront();
    const ofClient = await exchange(front);
    ofClient.socket.allowHalfOpen = true;
    const ended = once(ofClient.socket, 'end');
    ofClient.client.end();
    ofClient.socket.resume();
    await ended;
    expect(take(ofClient.socket)).toBe('ended');
    await until(() => ofClient.socket.destroyed || take(ofClient.socket) === 'ended');
    // A TCP connection may end without a word.
    const cut = await exchange(front);
    findTlsWrap(cut.socket)!.readStop();
    (cut.client as unknown as { _handle: { _parent: { shutdown(request: unknown): void } } })._handle._parent.shutdown(
      new ShutdownRequest(),
    );
    await until(() => {
      const result = takeAndStay(cut.socket);
      findTlsWrap(cut.socket)?.readStop();
      return result === 'ended';
    });
    const ofOurs = await exchange(front);
    ofOurs.socket.end();
    expect(take(ofOurs.socket)).toBe('ended');
    await until(() => ofOurs.socket.destroyed);
    expect(take(ofOurs.socket)).toBe('closed');
  });

  /** A connection on whose way the client's next record is cut behind so many bytes. */
  async function connectWithCut(front: Front, text: string) {
    const way = { cutAt: Infinity, held: Buffer.alloc(0) as Buffer, release: () => true };
    const relay = net.createServer({ pauseOnConnect: true }, (socket) => {
      const onward = net.connect(front.port, '127.0.0.1');
      open.push(socket, onward);
      onward.pipe(socket);
      socket.on('data', (bytes: Buffer) => {
        const pending = Buffer.concat([way.held, bytes]);
        onward.write(pending.subarray(0, way.cutAt));
        way.held = pending.subarray(way.cutAt);
        way.cutAt = way.cutAt === Infinity ? Infinity : 0;
        way.release = () => onward.write(way.held);
      });
      socket.resume();
    });
    servers.push(relay);
    relay.listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const client = await connect((relay.address() as AddressInfo).port);
    client.write(text);
    const socket = await front.read(text);
    await Promise.all([once(client, 'data'), new Promise((written) => socket.write('hello', written))]);
    const handle = findTlsWrap(socket)!;
    const cut = async (bytes: number) => {
      const before = handle._parent.bytesRead;
      way.cutAt = bytes;
      client.write(text);
      await until(() => handle._parent.bytesRead === before + bytes);
    };
    const complete = () => {
      way.cutAt = Infinity;
      way.release();
      way.held = Buffer.alloc(0);
      return front.read(text);
    };
    return { client, socket, cut, complete };
  }

  test('while half of a record was read; the other half and two more make it possible', async () => {
    const front = await startFront();
    const { client, socket, cut, complete } = await connectWithCut(front, 'hello');
    await cut(20);
    expect(take(socket)).toBe('betweenRecords');
    await complete();
    // Of a client that pads the counters fit now and then.
    for (const more of ['more', 'and more']) {
      expect([take(socket), take(socket)]).toEqual(['unsettled', 'unsettled']);
      client.write(more);
      await front.read(more);
    }
    echo(continueHere(socket, taken(socket)));
    await goesOn(client);
  });

  test('while a part of a long record was read that is as long as whole ones might be', async () => {
    const { client, socket, cut, complete } = await connectWithCut(await startFront(), 'x'.repeat(5_000));
    expect([take(socket), typeof takeAndStay(socket)]).toEqual(['unsettled', 'object']);
    await cut(44);
    expect(take(socket)).toBe('unsettled');
    await complete();
    expect(take(socket)).toBe('unsettled');
    echo(continueHere(socket, taken(socket)));
    await goesOn(client);
  });

  test('when what comes next is not what its counters say; nothing is lost of it', async () => {
    const { client, socket } = await exchange(await startFront());
    const note = findTlsWrap(socket)![NOTE]!;
    findTlsWrap(socket)!.readStop();
    await new Promise((written) => client.write('text', written));
    note.helloBytes -= 22;
    await until(() => takeAndStay(socket) === 'sequenceUnknown');
    let received = '';
    client.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
    socket.on('data', (bytes: Buffer) => socket.write(bytes)).resume();
    await until(() => received === 'text');
  });
});

/** For a look. */
function takeAndStay(socket: TLSSocket) {
  const result = take(socket);
  if (typeof result !== 'string') result.restore();
  return result;
}

describe('the client of OpenSSL', () => {
  function startClient(port: number, ...options: string[]) {
    const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_3', '-brief', ...options]);
    open.push({ destroy: () => client.kill() });
    const received = { text: '' };
    client.stdout.on('data', (bytes: Buffer) => (received.text += bytes.toString('latin1')));
    return { say: (text: string) => client.stdin.write(text), received };
  }

  withOpenssl.each([
    [['-no_middlebox'], undefined],
    [['-no_ticket'], undefined],
    [['-maxfraglen', '1024'], undefined],
    [['-max_send_frag', '512'], undefined],
    [['-record_padding', '512'], 'betweenRecords'],
  ] as const)('%s', async (options, rejection) => {
    const front = await startFront();
    const client = startClient(front.port, ...options);
    client.say('hello\n');
    const socket = await front.read('hello\n');
    await until(() => findTlsWrap(socket)![NOTE]!.writtenBytes !== undefined);
    const result = take(socket);
    if (typeof result === 'string' || rejection !== undefined) return expect(result).toBe(rejection);
    expect(result.state.maxContentBytes).toBe(options[0] === '-maxfraglen' ? 1_024 : 16_384);
    echo(continueHere(socket, result));
    const text = `${'abc'.repeat(1_000)}\n`;
    client.say(text);
    await until(() => client.received.text === text);
  });

  withOpenssl.each(['K', 'k'])('a key update (%s) before keeps it here, and is nothing behind', async (command) => {
    const front = await startFront();
    const client = startClient(front.port);
    client.say('hello\n');
    const socket = await front.read('hello\n');
    await until(() => findTlsWrap(socket)![NOTE]!.writtenBytes !== undefined);
    const before = startClient(front.port);
    before.say('hello\n');
    const other = await front.read('hello\n', 1);
    before.say(`${command}\n`);
    await until(() => takeAndStay(other) === 'keyUpdate');
    const transport = continueHere(socket, taken(socket));
    echo(transport);
    const { readKeys } = transport as unknown as { readKeys: TrafficKeys };
    for (const text of ['one\n', 'two\n']) {
      client.say(`${command}\n`);
      await until(() => readKeys.sequence === 0);
      client.say(text);
      await until(() => client.received.text.endsWith(text));
    }
    expect(client.received.text).toBe('one\ntwo\n');
  });
});

test('the secrets of a connection are wiped with it, and no line of the key log stays', async () => {
  const front = await startFront();
  const lines: Buffer[] = [];
  front.server.on('keylog', (line: Buffer) => lines.push(line));
  const { client, socket } = await exchange(front);
  const { secrets } = findTlsWrap(socket)![NOTE]!;
  expect(secrets!.some((byte) => byte !== 0)).toBe(true);
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) expect(line.every((byte) => byte === 0)).toBe(true);
  const closed = once(socket, 'close');
  client.destroy();
  socket.resume();
  await closed;
  expect(secrets!.every((byte) => byte === 0)).toBe(true);
});
