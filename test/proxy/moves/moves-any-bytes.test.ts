import type { Socket } from 'node:net';
import { closeFrame } from '../../../proxy/data-plane/websocket/frame-scanner';
import { CONTINUATION, PING, TEXT, connectRaw, frame } from '../data-plane/websocket/support/peers';
import { later, stopAll, until } from '../support/world';
import { RawHandshake, Session, connectClient, startApplication, startMoves, startRaw } from './support/world';

afterEach(stopAll);

const TOKEN = 'X-Drainshift-Resume-Token: t\r\n';
const masked = { mask: true };

interface Side {
  readonly port: number;
  /** What came before a Close, which it echoes. */
  received(): string;
  peer(): RawHandshake;
}

/** Keeps what it received up to a Close, and responds to that with `last` and a Close. */
async function startSide(last: Buffer = Buffer.alloc(0)): Promise<Side> {
  const handshakes: RawHandshake[] = [];
  const port = await startRaw((handshake) => {
    handshakes.push(handshake);
    handshake.accept(TOKEN);
    let hasEnded = false;
    handshake.onData(() => {
      if (hasEnded || !handshake.received().includes(CLOSE_1001)) return;
      hasEnded = true;
      handshake.socket.end(Buffer.concat([last, closeFrame(1001, '', false)]));
    });
  });
  const received = () => {
    const bytes = handshakes[0]?.received() ?? Buffer.alloc(0);
    const close = bytes.indexOf(CLOSE_1001);
    return bytes.subarray(0, close < 0 ? bytes.length : close).toString('latin1');
  };
  return { port, received, peer: () => handshakes[0]! };
}

/** The head of a masked Close frame with a code and no reason. */
const CLOSE_1001 = Buffer.from([0x88, 0x82]);
const text = (...frames: Buffer[]) => Buffer.concat(frames).toString('latin1');

const whole = frame(TEXT, 'whole', masked);
const first = frame(TEXT, 'fir', { mask: true, fin: false });
const ping = frame(PING, 'p', masked);
const rest = frame(CONTINUATION, 'st', masked);

// Where the client is when the order comes, and what the old backend gets of what it sends then.
const PLACES: [string, Buffer, Buffer, Buffer][] = [
  ['between two messages', whole, Buffer.alloc(0), whole],
  ['within the head of a frame', whole.subarray(0, 1), whole.subarray(1), whole],
  ['within a frame', whole.subarray(0, 8), whole.subarray(8), whole],
  [
    'within a message in fragments, pings between them',
    Buffer.concat([first, ping]),
    Buffer.concat([ping, rest]),
    whole,
  ],
  ['within a ping', ping.subarray(0, 3), ping.subarray(3), Buffer.concat([ping, whole])],
  [
    'within a ping in a message',
    Buffer.concat([first, ping.subarray(0, 4)]),
    Buffer.concat([ping.subarray(4), rest]),
    ping,
  ],
];

test.each(PLACES)(
  'a client %s: the old backend gets the rest of it, the new one what follows',
  async (_, before, then, after) => {
    const [source, target] = [await startSide(), await startSide()];
    const { port, proxy, retarget } = await startMoves(source.port, target.port);
    const client = connectRaw(port, before);
    await until(() => source.received() === text(before));
    await retarget('target');
    client.socket.write(Buffer.concat([then, after]));
    await until(() => target.received() === text(after));
    expect(source.received()).toBe(text(before, then));
    expect([client.received().length, client.hasEnded(), proxy.report().carried!.websocket]).toEqual([0, false, 1]);
    // And the other way.
    target.peer().socket.write(frame(TEXT, 'hello'));
    await until(() => text(client.received()) === text(frame(TEXT, 'hello')));
  },
);

test('the backend may be within a message in fragments: it ends that, and its pings go on', async () => {
  const source = await startSide(Buffer.concat([frame(PING, 'q'), frame(CONTINUATION, 'st')]));
  const target = await startSide();
  const { port, proxy, retarget } = await startMoves(source.port, target.port);
  const client = connectRaw(port);
  await until(() => proxy.report().active.websocket === 1);
  const begin = frame(TEXT, 'fir', { fin: false });
  source.peer().socket.write(begin);
  await until(() => client.received().length === begin.length);
  await retarget('target');
  await until(() => proxy.report().carried!.websocket === 1);
  expect(text(client.received())).toBe(text(begin, frame(PING, 'q'), frame(CONTINUATION, 'st')));
});

test('a client that reads slowly gets all of the old backend before the new one is asked', async () => {
  const many = Array.from({ length: 400 }, (_, at) => frame(TEXT, `${at} ${'x'.repeat(20_000)}`));
  const source = await startSide(Buffer.concat(many));
  const target = await startSide();
  const { port, proxy, retarget } = await startMoves(source.port, target.port, { timeoutMs: 60_000 });
  const client = connectRaw(port);
  await until(() => proxy.report().active.websocket === 1);
  client.socket.pause();
  await retarget('target');
  await until(() => source.received() !== '' || proxy.report().moves!.underWay === 1);
  // What waits is in the kernel, and in one read of ours.
  const bytes = () => proxy.report().bytes.websocket.sent;
  let before = -1;
  while (bytes() !== before) {
    before = bytes();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect([proxy.report().moves!.underWay, target.peer()]).toEqual([1, undefined]);
  expect(before).toBeLessThan(Buffer.concat(many).length);
  client.socket.resume();
  await until(() => proxy.report().carried!.websocket === 1);
  target.peer().socket.write(frame(TEXT, 'on'));
  const expected = text(...many, frame(TEXT, 'on'));
  await until(() => client.received().length === expected.length);
  expect(text(client.received()) === expected).toBe(true);
});

test('a client that reads nothing at all gets Close 1012 when the time has passed', async () => {
  // More than the kernel keeps on its way.
  const many = Array.from({ length: 400 }, () => frame(TEXT, 'x'.repeat(60_000)));
  const source = await startSide(Buffer.concat(many));
  const target = await startSide();
  const { port, proxy, retarget } = await startMoves(source.port, target.port, { timeoutMs: 200 });
  const client = connectRaw(port);
  await until(() => proxy.report().active.websocket === 1);
  client.socket.pause();
  await retarget('target');
  await until(() => proxy.report().moves!.rejected.noEnd === 1);
  expect(target.peer()).toBeUndefined();
  client.socket.resume();
  // Within a frame there is no place for a Close.
  await until(
    () =>
      client.hasEnded() ||
      client
        .received()
        .subarray(-19)
        .equals(closeFrame(1012, 'service restart', false)),
  );
  client.socket.end();
  await until(() => proxy.report().active.websocket === 0);
});

test('what a client sends while it is away pushes back on it', async () => {
  const source = await startSide();
  let accept: () => void = () => undefined;
  let peer: Socket | undefined;
  const target = await startRaw((handshake) => {
    peer = handshake.socket;
    accept = () => handshake.accept();
  });
  const { port, proxy, retarget } = await startMoves(source.port, target, { timeoutMs: 60_000 });
  const client = await connectClient(port);
  await retarget('target');
  await until(() => peer !== undefined);
  const messages = 500;
  for (let at = 0; at < messages; at += 1) client.socket.send('y'.repeat(20_000));
  let before = -1;
  while (client.socket.bufferedAmount !== before) {
    before = client.socket.bufferedAmount;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(before).toBeGreaterThan(0);
  expect(proxy.report().bytes.websocket.received).toBeLessThan(1_000_000);
  let bytes = 0;
  peer!.on('data', (chunk) => (bytes += chunk.length));
  accept();
  await until(() => bytes >= messages * 20_000);
  expect(client.codes).toEqual([]);
});

test('an end that has closed its direction is left as it is', async () => {
  const [source, target] = [await startSide(), await startSide()];
  const { port, proxy, retarget } = await startMoves(source.port, target.port);
  const client = connectRaw(port);
  await until(() => proxy.report().active.websocket === 1);
  client.socket.end();
  let hasEnded = false;
  source.peer().socket.on('end', () => (hasEnded = true));
  await until(() => hasEnded);
  await retarget('target');
  source.peer().socket.end(frame(TEXT, 'late'));
  await until(() => client.isGone() && proxy.report().active.websocket === 0);
  expect([text(client.received()), target.peer()]).toEqual([text(frame(TEXT, 'late')), undefined]);
});

describe('compression', () => {
  const deflating = { perMessageDeflate: { threshold: 0 } };

  test.each([
    ['as the backend likes it', deflating],
    [
      'with a backend that keeps its own context',
      { perMessageDeflate: { threshold: 0, clientNoContextTakeover: false } },
    ],
  ])('without context takeover, %s, goes on after a move', async (_, options) => {
    const sessions = new Map<string, Session>();
    const [source, target] = [await startApplication(sessions, options), await startApplication(sessions, options)];
    const { port, proxy, retarget } = await startMoves(source.port, target.port, { dropsContextTakeover: true });
    const client = await connectClient(port, '/ws', deflating);
    expect(client.fields['sec-websocket-extensions']).toBe(
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    );
    const say = async (count: number) => {
      for (let at = client.texts.length; at < count; at += 1) client.socket.send(`${at} ${'same '.repeat(200)}`);
      await until(() => client.texts.length === count);
    };
    await say(10);
    await retarget('target');
    await until(() => proxy.report().carried!.websocket === 1);
    await say(20);
    expect(client.texts).toEqual(Array.from({ length: 20 }, (_, at) => `echo ${at}`));
    expect([client.codes, proxy.report().moves!.rejected]).toEqual([[], {}]);
  });

  test('is left as it was offered without the option', async () => {
    const source = await startApplication(new Map(), deflating);
    const { port } = await startMoves(source.port, source.port);
    const client = await connectClient(port, '/ws', deflating);
    expect(client.fields['sec-websocket-extensions']).toBe('permessage-deflate');
    expect(source.handshakes[0]!['sec-websocket-extensions']).toBe('permessage-deflate; client_max_window_bits');
  });
});

test('the subprotocol stays', async () => {
  const sessions = new Map<string, Session>();
  const handleProtocols = (offered: Set<string>) => [...offered].at(-1)!;
  const options = { handleProtocols };
  const [source, target] = [await startApplication(sessions, options), await startApplication(sessions, options)];
  const { port, proxy, retarget } = await startMoves(source.port, target.port);
  const client = await connectClient(port, '/ws', { protocols: ['a', 'b'] });
  await retarget('target');
  await until(() => proxy.report().carried!.websocket === 1);
  expect([client.socket.protocol, [...target.server.clients][0]!.protocol, client.codes]).toEqual(['b', 'b', []]);
});

test('a response that the backend still computes comes before its Close', async () => {
  const sessions = new Map<string, Session>();
  // The library of this backend responds to a Close at once, and drops what it is to send behind that.
  const options = { respondsAfterMs: 10 };
  const [source, target] = [await startApplication(sessions, options), await startApplication(sessions, options)];
  const { port, proxy, retarget } = await startMoves(source.port, target.port);
  const clients = await Promise.all(Array.from({ length: 10 }, () => connectClient(port)));
  const timer = setInterval(() => clients.forEach(({ socket }) => socket.send('1')), 5);
  later(() => clearInterval(timer));
  await until(() => clients.every(({ texts }) => texts.length > 0));
  await retarget('target');
  await until(() => proxy.report().carried!.websocket === clients.length);
  clearInterval(timer);
  const count = () => clients.reduce((sum, { texts }) => sum + texts.length, 0);
  const received = () => [...sessions.values()].reduce((sum, session) => sum + session.received.length, 0);
  clients.forEach(({ socket }) => socket.send('2'));
  await until(() => clients.every(({ texts }) => texts.at(-1) === 'echo 2'));
  expect(count()).toBe(received());
});
