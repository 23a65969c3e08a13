import net, { type Socket } from 'node:net';
import { encodeFrame } from '../../../proxy/data-plane/moves/adapters/encode-frame';
import { later, startRawBackend, stopAll, until } from '../support/world';
import { type Generation, bundleGeneration } from './support/generations';

const bundle = bundleGeneration();
afterEach(stopAll);
afterAll(() => bundle.remove());

const TEXT = 1;
const PING = 9;
const FIN = 0x80;
/** Of RFC 6455 section 1.3. */
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const handshake = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** What one end has received, as latin1. */
class End {
  text = '';
  hasEnded = false;
  isClosed = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => (this.text += bytes.toString('latin1')));
    socket.on('end', () => (this.hasEnded = true));
    socket.on('close', () => (this.isClosed = true));
    socket.on('error', () => undefined);
    later(() => void socket.destroy());
  }

  async expect(text: string): Promise<void> {
    await until(() => this.text.length >= text.length);
    expect(this.text).toBe(text);
    this.text = '';
  }
}

interface Pair {
  readonly client: End;
  /** The upstream's end, behind its switch. */
  readonly upstream: End;
}

/** The ends that the upstream has, by the path that was asked for. */
async function startScene(): Promise<{
  readonly old: Generation;
  readonly next: Generation;
  open(path: string): Promise<Pair>;
  connect(): Promise<End>;
}> {
  const upstreams = new Map<string, End>();
  const port = await startRawBackend((socket) => {
    socket.allowHalfOpen = true;
    socket.on('data', function first(bytes: Buffer) {
      const [, path = ''] = /^GET (\S+) /.exec(bytes.toString('latin1')) ?? [];
      if (path.startsWith('/get'))
        return void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
      socket.off('data', first);
      socket.write(SWITCH);
      upstreams.set(path, new End(socket));
    });
  });
  const [old, next] = await Promise.all([bundle.start(port), bundle.start(port)]);
  const connect = () =>
    new Promise<End>((resolve) => {
      const socket = net.connect({ port: old.port, host: '127.0.0.1', allowHalfOpen: true }, () =>
        resolve(new End(socket)),
      );
    });
  return {
    old,
    next,
    connect,
    open: async (path) => {
      const client = await connect();
      client.socket.write(handshake(path));
      await until(() => client.text.includes('\r\n\r\n') && upstreams.has(path));
      client.text = '';
      return { client, upstream: upstreams.get(path)! };
    },
  };
}

const latin1 = (bytes: Buffer) => bytes.toString('latin1');
const frame = (text: string) => encodeFrame(TEXT, Buffer.from(text), true);

test('what is under way goes on where it was: heads, frames, fragments, pings, and ends', async () => {
  const { old, next, open, connect } = await startScene();
  // Idle, and in the middle of a second head.
  const idle = await connect();
  idle.socket.write('GET /get/1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => idle.text.endsWith('/get/1'));
  idle.text = '';
  const inHead = await connect();
  inHead.socket.write('GET /get/2 HTTP/1.1\r\nHost: a\r\nX-A: b');
  // In the middle of a frame of the client, of its header, of a message in fragments with a ping, and of the upstream's frame.
  const inFrame = await open('/frame');
  const message = frame('a message that is cut somewhere');
  inFrame.client.socket.write(message.subarray(0, 12));
  const inHeader = await open('/header');
  inHeader.client.socket.write(message.subarray(0, 3));
  const inFragments = await open('/fragments');
  const fragment = frame('part');
  fragment[0]! &= ~FIN;
  const ping = encodeFrame(PING, Buffer.from('ping'), true);
  inFragments.client.socket.write(Buffer.concat([fragment, ping.subarray(0, 7)]));
  const inAnswer = await open('/answer');
  const answer = encodeFrame(TEXT, Buffer.from('y'.repeat(300)), false);
  inAnswer.upstream.socket.write(answer.subarray(0, 100));
  // One direction has ended.
  const half = await open('/half');
  half.client.socket.end(frame('last'));
  await until(() => half.upstream.hasEnded);
  await inFrame.upstream.expect(latin1(message.subarray(0, 12)));
  await inHeader.upstream.expect(latin1(message.subarray(0, 3)));
  await inFragments.upstream.expect(latin1(Buffer.concat([fragment, ping.subarray(0, 7)])));
  await inAnswer.client.expect(latin1(answer.subarray(0, 100)));

  expect(await old.handOver(await next.receive())).toMatchObject({ handedOver: { idle: 2, upgraded: 5 }, stays: {} });
  await old.kill();

  idle.socket.write('GET /get/3 HTTP/1.1\r\nHost: a\r\n\r\n');
  inHead.socket.write('c\r\n\r\n');
  await until(() => idle.text.endsWith('/get/3') && inHead.text.endsWith('/get/2'));
  expect(idle.text + inHead.text).not.toContain('close');
  inFrame.client.socket.write(message.subarray(12));
  inHeader.client.socket.write(message.subarray(3));
  const more = Buffer.concat([ping.subarray(7), encodeFrame(0, Buffer.from('the rest'), true)]);
  inFragments.client.socket.write(more);
  inAnswer.upstream.socket.write(answer.subarray(100));
  await inFrame.upstream.expect(latin1(message.subarray(12)));
  await inHeader.upstream.expect(latin1(message.subarray(3)));
  await inFragments.upstream.expect(latin1(more));
  await inAnswer.client.expect(latin1(answer.subarray(100)));
  half.upstream.socket.write(answer);
  await half.client.expect(latin1(answer));
  half.upstream.socket.end();
  await until(() => half.client.isClosed && half.upstream.isClosed);
  // A close in order finds its boundaries where the other process had left them.
  void next.call({ do: 'closeAll' }).catch(() => undefined);
  await until(() => inFrame.upstream.text.length > 0);
  expect(Buffer.from(inFrame.upstream.text, 'latin1')[0]).toBe(0x88);
  const { lines, ended } = await next.report();
  expect(lines).toEqual([]);
  expect(ended.websocket.completed).toBe(1);
});

test('what was held stays held in the next generation, and goes on in order behind the hold', async () => {
  const { old, next, open } = await startScene();
  const { client, upstream } = await open('/held');
  const [one, two, three] = [frame('one'), frame('two'), frame('three')] as const;
  client.socket.write(one.subarray(0, 4));
  await upstream.expect(latin1(one.subarray(0, 4)));
  await Promise.all([old.call({ do: 'hold', isHolding: true }), next.call({ do: 'hold', isHolding: true })]);
  client.socket.write(Buffer.concat([one.subarray(4), two]));
  // The frame that was under way is completed, and the next one is kept.
  await upstream.expect(latin1(one.subarray(4)));
  expect(await old.handOver(await next.receive())).toMatchObject({ handedOver: { upgraded: 1 } });
  await old.kill();
  client.socket.write(three);
  // The upstream's own go on.
  upstream.socket.write(encodeFrame(TEXT, Buffer.from('x'), false));
  await client.expect(latin1(encodeFrame(TEXT, Buffer.from('x'), false)));
  expect(upstream.text).toBe('');
  await next.call({ do: 'hold', isHolding: false });
  await upstream.expect(latin1(Buffer.concat([two, three])));
});

test('a client that does not read goes over when it has, and loses nothing', async () => {
  const { old, next, open } = await startScene();
  const { client, upstream } = await open('/slow');
  client.socket.pause();
  const bytes = encodeFrame(2, Buffer.alloc(24 * 1024 * 1024, 'z'), false);
  upstream.socket.write(bytes);
  await until(async () => (await old.report()).bytes.websocket.sent > 1_000_000);
  const [address] = await Promise.all([next.receive()]);
  expect(await old.handOver(address)).toMatchObject({ handedOver: { upgraded: 0 }, stays: { pending: 1 } });
  client.socket.resume();
  await until(() => client.text.length === bytes.length);
  await until(async () => (await next.report()).active.websocket === 1);
  await old.kill();
  upstream.socket.write('\x89\x00', 'latin1');
  await client.expect(latin1(bytes) + '\x89\x00');
});

test('a request that is under way ends in its process, and its connection goes over behind it', async () => {
  let respond: (() => void) | undefined;
  const port = await startRawBackend((socket) => {
    socket.on('data', () => (respond = () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')));
  });
  const [old, next] = await Promise.all([bundle.start(port), bundle.start(port)]);
  const client = new End(net.connect(old.port, '127.0.0.1'));
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => respond !== undefined);
  expect(await old.handOver(await next.receive())).toMatchObject({ handedOver: { idle: 0 }, stays: { request: 1 } });
  respond!();
  await until(() => client.text.endsWith('ok'));
  expect(client.text.toLowerCase()).not.toContain('connection: close');
  await until(async () => (await old.report()).figures?.handedOver.idle === 1);
  await old.kill();
  client.text = '';
  respond = undefined;
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => respond !== undefined);
  respond!();
  await until(() => client.text.endsWith('ok'));
});
