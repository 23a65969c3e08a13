import { randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { Engine, later, liveIn, selfSigned, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

const ASK = 'GET /tcp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
/** What a reader of frames would take for the begin of a long one. */
const LIKE_A_FRAME = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);

interface End {
  readonly socket: net.Socket;
  bytes: Buffer;
  hasEnded: boolean;
  isGone: boolean;
  /** Of the error that its connection ended with. */
  code: string | undefined;
}

function follow(socket: net.Socket): End {
  const end: End = { socket, bytes: Buffer.alloc(0), hasEnded: false, isGone: false, code: undefined };
  socket.on('data', (bytes: Buffer) => (end.bytes = Buffer.concat([end.bytes, bytes])));
  socket.on('error', (error: NodeJS.ErrnoException) => (end.code = error.code));
  socket.on('end', () => (end.hasEnded = true));
  socket.on('close', () => (end.isGone = true));
  later(() => void socket.destroy());
  return end;
}

/** A tunnel that is open, both its ends followed from behind the switch. */
async function cloud(secure = false): Promise<{ engine: Engine; client: End; upstream: End }> {
  let upstream: End | undefined;
  const port = await startRawBackend((socket) => {
    socket.allowHalfOpen = true;
    socket.once('data', () => {
      upstream = follow(socket);
      socket.write(SWITCH);
    });
  });
  const limits = { upgradeProtocols: ['tcp'] };
  const engine = await startEngine(port, secure ? { limits, tls: await selfSigned() } : { limits });
  const at = { port: engine.port, host: '127.0.0.1', allowHalfOpen: true };
  const client = follow(secure ? tls.connect({ ...at, rejectUnauthorized: false }) : net.connect(at));
  client.socket.write(ASK);
  await until(() => client.bytes.toString('latin1') === SWITCH && engine.ledger.active.websocket === 1);
  client.bytes = Buffer.alloc(0);
  return { engine, client, upstream: upstream! };
}

test.each([false, true])('bytes pass both ways as they are (TLS: %p)', async (secure) => {
  const { engine, client, upstream } = await cloud(secure);
  const up = Buffer.concat([LIKE_A_FRAME, randomBytes(3_000_000)]);
  const down = Buffer.concat([LIKE_A_FRAME, randomBytes(5_000_000)]);
  client.socket.write(up);
  upstream.socket.write(down);
  await until(() => upstream.bytes.length === up.length && client.bytes.length === down.length);
  expect([upstream.bytes.equals(up), client.bytes.equals(down)]).toEqual([true, true]);
  expect(engine.ledger.bytes.websocket).toEqual({ received: up.length, sent: down.length });
});

test.each([false, true])('the end of one half is passed on, and the other may still talk (TLS: %p)', async (secure) => {
  const { engine, client, upstream } = await cloud(secure);
  client.socket.end('question');
  await until(() => upstream.hasEnded);
  expect(upstream.bytes.toString()).toBe('question');
  upstream.socket.end('answer');
  await until(() => client.hasEnded && liveIn(engine.ledger) === 0);
  expect(client.bytes.toString()).toBe('answer');
  expect(engine.outcomes).toEqual([
    {
      status: 101,
      kind: 'websocket',
      ending: 'completed',
      leftFirst: 'client',
      sawClose: false,
      bytesReceived: 8,
      bytesSent: 6,
    },
  ]);
});

test.each(['client', 'upstream'] as const)('a reset of the %s is one for the other end, too', async (broken) => {
  const { engine, ...ends } = await cloud();
  const other = ends[broken === 'client' ? 'upstream' : 'client'];
  ends[broken].socket.write('half');
  await until(() => other.bytes.length === 4);
  ends[broken].socket.resetAndDestroy();
  await until(() => other.isGone && liveIn(engine.ledger) === 0);
  expect([other.hasEnded, other.code]).toEqual([false, 'ECONNRESET']);
  expect(engine.outcomes).toMatchObject([{ kind: 'websocket', ending: 'forced', leftFirst: broken }]);
});

test('a hold stops the client where it is, and the release lets it continue', async () => {
  const { engine, client, upstream } = await cloud();
  client.socket.write(LIKE_A_FRAME);
  await until(() => upstream.bytes.length === LIKE_A_FRAME.length);
  engine.plane.setHolding(true);
  client.socket.write('held');
  upstream.socket.write('down');
  await until(() => client.bytes.toString() === 'down');
  await until(() => engine.ledger.bytes.websocket.received === LIKE_A_FRAME.length + 4);
  expect(upstream.bytes).toHaveLength(LIKE_A_FRAME.length);
  client.socket.write(', too');
  engine.plane.setHolding(false);
  await until(() => upstream.bytes.subarray(LIKE_A_FRAME.length).toString() === 'held, too');
});

function closeAll({ ledger }: Engine): Promise<void>[] {
  return [...ledger.closables('websocket')].map((closable) => closable.close());
}

test('asked to leave, the upstream may say its last before the client hears the end', async () => {
  const { engine, client, upstream } = await cloud();
  client.socket.write(LIKE_A_FRAME);
  await until(() => upstream.bytes.length === LIKE_A_FRAME.length);
  const closing = closeAll(engine);
  await until(() => upstream.hasEnded);
  expect(client.hasEnded).toBe(false);
  upstream.socket.end('last words');
  await until(() => client.hasEnded);
  expect(client.bytes.toString()).toBe('last words');
  client.socket.end();
  await Promise.all(closing);
  expect(engine.outcomes).toMatchObject([{ kind: 'websocket', ending: 'closed', bytesSent: 10 }]);
  await until(() => client.isGone && upstream.isGone);
});

test('an upstream that does not end keeps the client no longer than its share, and the client knows that it is cut', async () => {
  const { engine, client, upstream } = await cloud();
  upstream.socket.write('half');
  await until(() => client.bytes.length === 4);
  await Promise.all(closeAll(engine));
  await until(() => client.isGone);
  expect([client.hasEnded, client.code, upstream.hasEnded]).toEqual([false, 'ECONNRESET', true]);
  expect(engine.outcomes).toMatchObject([{ ending: 'forced' }]);
});

test('a client that does not end is cut at the deadline', async () => {
  const { engine, client, upstream } = await cloud();
  const closing = closeAll(engine);
  await until(() => upstream.hasEnded);
  upstream.socket.end();
  await Promise.all(closing);
  // Nobody is there any more to take what it says.
  const timer = setInterval(() => client.socket.write('x'), 5);
  later(() => clearInterval(timer));
  await until(() => client.isGone);
  expect(engine.outcomes).toMatchObject([{ ending: 'forced' }]);
});

test('one whose client has ended its half already is ended in order as well', async () => {
  const { engine, client, upstream } = await cloud();
  client.socket.end();
  await until(() => upstream.hasEnded);
  const closing = closeAll(engine);
  upstream.socket.end('last words');
  await Promise.all(closing);
  expect(engine.outcomes).toMatchObject([{ ending: 'closed' }]);
  await until(() => client.bytes.toString() === 'last words' && client.hasEnded);
});

test('the signal of the route cuts it', async () => {
  const cut = new AbortController();
  const port = await startRawBackend((socket) => socket.once('data', () => socket.write(SWITCH)));
  const upstream = { protocol: 'http' as const, host: '127.0.0.1', port };
  const engine = await startEngine(port, {
    limits: { upgradeProtocols: ['tcp'] },
    decide: () => ({ forward: { upstream, signal: cut.signal, settled: (outcome) => engine.outcomes.push(outcome) } }),
  });
  const client = follow(net.connect(engine.port, '127.0.0.1'));
  client.socket.write(ASK);
  await until(() => engine.ledger.active.websocket === 1);
  cut.abort();
  await until(() => client.isGone && liveIn(engine.ledger) === 0);
  expect(engine.outcomes).toMatchObject([{ status: 101, kind: 'websocket', ending: 'forced' }]);
});
