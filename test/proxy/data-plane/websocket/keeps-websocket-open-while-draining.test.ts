import net from 'node:net';
import { closeFrame } from '../../../../proxy/data-plane/websocket/frame-scanner';
import type { Closable, Ledger } from '../../../../proxy/data-plane/contract/ledger';
import { get, later, liveIn, startEngine, startRawBackend, stopAll, until } from '../../support/world';
import { connect, startCounter } from './support/peers';
import { runRepeatingClient } from './support/repeating-client';

afterEach(stopAll);

function websockets(ledger: Ledger): Closable[] {
  return [...ledger.closables('websocket')];
}

test('messages of all sizes go through, in order, compressed or not', async () => {
  const counter = await startCounter();
  const engine = await startEngine(counter.port);
  const socket = await connect(engine.port);
  const got: number[] = [];
  socket.on('message', (data: Buffer) => got.push(data.length));
  const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000];
  for (const size of sizes) socket.send('x'.repeat(size));
  await until(() => got.length === sizes.length);
  expect(got).toEqual(sizes);
  expect(engine.ledger.active).toMatchObject({ websocket: 1, http: 0 });
  socket.close(1000);
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.websocket).toMatchObject({ completed: 1, forced: 0 });
  expect(engine.outcomes).toMatchObject([{ status: 101, kind: 'websocket', ending: 'completed' }]);
});

test('a WebSocket stays open and gets responses while its proxy drains', async () => {
  const counter = await startCounter();
  const engine = await startEngine(counter.port);
  const socket = await connect(engine.port);
  engine.plane.setDraining(true);
  await engine.plane.stopAccepting();
  const response = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())));
  socket.send('still here');
  expect(await response).toBe('still here');
});

test('closed with 1012 in the middle of traffic, clients that repeat what got no response lose and double nothing', async () => {
  const counter = await startCounter();
  const engine = await startEngine(counter.port);
  const clients = 10;
  const rounds = 5;
  let isStopping = false;

  const running = Array.from({ length: clients }, (_, name) =>
    runRepeatingClient(
      name,
      () => connect(engine.port),
      () => isStopping,
    ),
  );
  for (let round = 0; round < rounds; round += 1) {
    const before = counter.processed.size;
    await until(() => engine.ledger.active.websocket === clients && counter.processed.size > before + 200);
    await Promise.all(websockets(engine.ledger).map((closable) => closable.close()));
  }
  isStopping = true;
  const results = await Promise.all(running);
  const sent = results.reduce((sum, result) => sum + result.sent, 0);
  const codes = results.flatMap((result) => result.codes);
  expect(codes.filter((code) => code === 1012)).toHaveLength(clients * rounds);
  expect(results.flatMap((result) => result.responses)).toHaveLength(sent);
  expect(counter.processed.size).toBe(sent);
  expect([...counter.processed.values()].filter((times) => times !== 1)).toEqual([]);
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.websocket).toMatchObject({ closed: clients * rounds, forced: 0 });
});

test('a message in fragments is finished before the close, and gets its response', async () => {
  const counter = await startCounter();
  const engine = await startEngine(counter.port);
  const socket = await connect(engine.port, { perMessageDeflate: false });
  const got: string[] = [];
  socket.on('message', (data: Buffer) => got.push(data.toString()));
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.send('one ', { fin: false });
  await until(() => engine.ledger.active.websocket === 1);
  socket.send('ping me');
  const [tunnel] = websockets(engine.ledger);
  const done = tunnel?.close();
  socket.send('two', { fin: true });
  await done;
  expect(await closed).toBe(1012);
  expect(got.length).toBeLessThanOrEqual(1);
  expect([...counter.processed.keys()]).toEqual(got);
});

test('closing twice is closing once', async () => {
  const counter = await startCounter();
  const engine = await startEngine(counter.port);
  const socket = await connect(engine.port);
  const [tunnel] = websockets(engine.ledger);
  expect(tunnel?.close()).toBe(tunnel?.close());
  await tunnel?.close();
  expect(engine.ledger.ended.websocket.closed).toBe(1);
  await until(() => socket.readyState === WebSocket.CLOSED);
});

test('a client that never responds to the Close is destroyed, and counts as forced', async () => {
  const counter = await startCounter();
  const engine = await startEngine(counter.port);
  const client = net.connect(engine.port, '127.0.0.1');
  later(() => void client.destroy());
  let bytes = Buffer.alloc(0);
  client.on('data', (chunk) => (bytes = Buffer.concat([bytes, chunk])));
  const gone = new Promise((resolve) => client.once('close', resolve));
  client.write(HANDSHAKE);
  await until(() => engine.ledger.active.websocket === 1);
  await websockets(engine.ledger)[0]?.close();
  await gone;
  expect(bytes.includes(closeFrame(1012, 'service restart', false))).toBe(true);
  expect(engine.ledger.ended.websocket.forced).toBe(1);
  expect(liveIn(engine.ledger)).toBe(0);
});

const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
/** What RFC 6455 section 1.3 computes for that key. */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

test('bytes right behind the handshake are not lost, on either side', async () => {
  const first = Buffer.from([0x81, 0x02, 0x68, 0x69]);
  const received: Buffer[] = [];
  const port = await startRawBackend((socket) => {
    socket.once('data', () => {
      const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`;
      socket.write(Buffer.concat([Buffer.from(head), first]));
      socket.on('data', (bytes) => received.push(bytes));
    });
  });
  const engine = await startEngine(port);
  const client = net.connect(engine.port, '127.0.0.1');
  later(() => void client.destroy());
  let got = Buffer.alloc(0);
  client.on('data', (bytes) => (got = Buffer.concat([got, bytes])));
  const early = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x79, 0x6f]);
  client.write(Buffer.concat([Buffer.from(HANDSHAKE), early]));
  await until(() => got.subarray(-4).equals(first) && Buffer.concat(received).equals(early));
  expect(engine.ledger.active.websocket).toBe(1);
});

test('nothing of the client reaches the upstream behind the Close, and an upstream that never closes holds no one', async () => {
  const received: Buffer[] = [];
  const port = await startRawBackend((socket) => {
    socket.once('data', () => {
      socket.write(
        `HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
      );
      socket.on('data', (bytes) => received.push(bytes));
    });
  });
  const engine = await startEngine(port);
  const client = net.connect(engine.port, '127.0.0.1');
  later(() => void client.destroy());
  const message = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x79, 0x6f]);
  const echo = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4]);
  let bytes = Buffer.alloc(0);
  client.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.includes(closeFrame(1012, 'service restart', false))) client.write(Buffer.concat([message, echo]));
  });
  client.write(Buffer.concat([Buffer.from(HANDSHAKE), message]));
  await until(() => Buffer.concat(received).equals(message));
  const closing = websockets(engine.ledger)[0]?.close();
  client.write(message);
  await closing;
  expect(engine.ledger.ended.websocket.closed).toBe(1);
  const [, , ...close] = Buffer.concat(received).subarray(message.length);
  const [mask, masked] = [close.slice(0, 4), close.slice(4)];
  expect(masked.map((byte, index) => byte ^ mask[index]!)).toEqual([0x03, 0xe9]);
});

test('the sides of a tunnel notice each other’s end', async () => {
  const counter = await startCounter();
  const engine = await startEngine(counter.port);
  const first = await connect(engine.port);
  first.terminate();
  await until(() => liveIn(engine.ledger) === 0 && counter.server.clients.size === 0);
  const second = await connect(engine.port);
  const code = new Promise((resolve) => second.once('close', resolve));
  for (const client of counter.server.clients) client.terminate();
  expect(await code).toBe(1006);
  await until(() => liveIn(engine.ledger) === 0);
});

test('a WebSocket is not cut by the idle time of the upstream', async () => {
  const counter = await startCounter();
  const engine = await startEngine(counter.port, { timeouts: { upstreamIdleMs: 30 } });
  const socket = await connect(engine.port);
  // A plain request that is silent as long does time out, so the time has passed when it gets a response.
  const silent = await startRawBackend(() => undefined);
  const other = await startEngine(silent, { timeouts: { upstreamIdleMs: 120 } });
  expect(await get({ port: other.port })).toMatchObject({ status: 504 });
  const response = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())));
  socket.send('hello');
  expect(await response).toBe('hello');
});
