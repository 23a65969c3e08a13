import { until, stopAll } from '../../support/world';
import { WIRES, startFront } from './support/front';
import { TEXT, connectRaw, frame, startRawUpstream } from './support/peers';

afterEach(stopAll);

const MESSAGE = frame(TEXT, Buffer.alloc(1_000_000, 0x61), { mask: true });
const MESSAGES = 30;

test.each(WIRES)(
  'an upstream that does not read stops its client, and gets everything when it does (%s)',
  async (wires) => {
    const upstream = await startRawUpstream();
    const front = await startFront(upstream.port, { wires });
    const client = connectRaw(front.port);
    await until(() => front.tunnels.length === 1);
    const [peer] = upstream.peers;
    peer!.socket.pause();
    for (let n = 0; n < MESSAGES; n += 1) client.socket.write(MESSAGE);
    await until(() => front.wires[0]!.client.isPaused);
    // The kernels' buffers are all that fills.
    expect(front.tunnels[0]!.bytesReceived).toBeLessThan(MESSAGES * MESSAGE.length);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    peer!.socket.resume();
    await until(() => peer!.received().length === MESSAGES * MESSAGE.length);
    expect(peer!.received().subarray(-MESSAGE.length).equals(MESSAGE)).toBe(true);
    expect(front.tunnels[0]!.bytesReceived).toBe(MESSAGES * MESSAGE.length);
  },
);

test('a client that does not read does not stop what it sends', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const client = connectRaw(front.port);
  await until(() => front.tunnels.length === 1);
  const [peer] = upstream.peers;
  client.socket.pause();
  for (let n = 0; n < MESSAGES; n += 1) peer!.socket.write(frame(TEXT, Buffer.alloc(1_000_000)));
  await until(() => front.wires[0]!.upstream.isPaused);
  const message = frame(TEXT, 'still here', { mask: true });
  client.socket.write(message);
  await until(() => peer!.received().equals(message));
  expect(front.wires[0]!.upstream.isPaused).toBe(true);
});

test.each([20_000, 200_000])(
  'what waits for one upstream is not touched by what others send, in frames of %i bytes',
  async (size) => {
    const upstream = await startRawUpstream();
    const front = await startFront(upstream.port);
    const streams = ['a', 'b', 'c'].map((letter) => {
      const message = frame(TEXT, Buffer.alloc(size, letter), { mask: true });
      return Buffer.concat(Array.from({ length: Math.ceil(12_000_000 / size) }, () => message));
    });
    for (const [index, stream] of streams.entries()) {
      const client = connectRaw(front.port);
      await until(() => front.tunnels.length === index + 1);
      upstream.peers[index]!.socket.pause();
      client.socket.write(stream);
      await until(() => front.wires[index]!.client.isPaused);
    }
    for (const peer of upstream.peers) peer.socket.resume();
    await until(() => front.tunnels.every(({ bytesReceived }, index) => bytesReceived === streams[index]!.length));
    for (const [index, stream] of streams.entries()) {
      const { socket, received } = upstream.peers[index]!;
      await until(() => socket.bytesRead >= stream.length && received().length === stream.length);
      expect(received().equals(stream)).toBe(true);
    }
  },
);
