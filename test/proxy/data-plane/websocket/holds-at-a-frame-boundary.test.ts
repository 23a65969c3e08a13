import { stopAll, until } from '../../support/world';
import { Front, WIRES, startFront } from './support/front';
import {
  CONTINUATION,
  PING,
  RawPeer,
  TEXT,
  connect,
  connectRaw,
  frame,
  startCounter,
  startRawUpstream,
} from './support/peers';

afterEach(stopAll);

const ONE = frame(TEXT, 'one', { mask: true });
const TWO = frame(TEXT, 'two', { mask: true });

async function cloud(
  options: Parameters<typeof startFront>[1] = {},
): Promise<{ front: Front; client: RawPeer; peer: RawPeer }> {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port, options);
  const client = connectRaw(front.port);
  await until(() => front.tunnels.length === 1);
  return { front, client, peer: upstream.peers[0]! };
}

test.each(WIRES)(
  'the frame that is under way is completed, and what is behind it waits for the release (%s)',
  async (wires) => {
    const { front, client, peer } = await cloud({ wires });
    client.socket.write(ONE.subarray(0, 4));
    await until(() => peer.received().length === 4);
    front.tunnels[0]!.setHolding(true);
    client.socket.write(Buffer.concat([ONE.subarray(4), TWO]));
    await until(() => front.wires[0]!.client.isPaused);
    client.socket.write(ONE);
    peer.socket.write(frame(TEXT, 'down'));
    await until(() => client.received().equals(frame(TEXT, 'down')));
    expect(peer.received()).toEqual(ONE);
    front.tunnels[0]!.setHolding(false);
    await until(() => peer.received().length === 3 * ONE.length);
    expect(peer.received()).toEqual(Buffer.concat([ONE, TWO, ONE]));
    expect(front.tunnels[0]!.bytesReceived).toBe(3 * ONE.length);
  },
);

test('a fragment is a frame: the hold does not wait for the end of its message', async () => {
  const { front, client, peer } = await cloud();
  const started = frame(TEXT, 'be', { mask: true, fin: false });
  const rest = Buffer.concat([frame(PING, '', { mask: true }), frame(CONTINUATION, 'gun', { mask: true })]);
  client.socket.write(started);
  await until(() => peer.received().equals(started));
  front.tunnels[0]!.setHolding(true);
  client.socket.write(rest);
  await until(() => front.wires[0]!.client.isPaused);
  expect(peer.received()).toEqual(started);
  front.tunnels[0]!.setHolding(false);
  await until(() => peer.received().equals(Buffer.concat([started, rest])));
});

test('a tunnel that begins during a hold is held from its first byte on', async () => {
  const upstream = await startRawUpstream(frame(TEXT, 'welcome'));
  const front = await startFront(upstream.port, { isHolding: true });
  const client = connectRaw(front.port, ONE);
  await until(() => client.received().equals(frame(TEXT, 'welcome')));
  expect(upstream.peers[0]!.received()).toHaveLength(0);
  front.tunnels[0]!.setHolding(false);
  await until(() => upstream.peers[0]!.received().equals(ONE));
});

test('holding and releasing again and again loses, doubles and reorders nothing', async () => {
  const counter = await startCounter();
  const front = await startFront(counter.port);
  const socket = await connect(front.port);
  const got: string[] = [];
  const sent: string[] = [];
  socket.on('message', (data: Buffer) => got.push(data.toString()));
  for (let round = 0; round < 50; round += 1) {
    front.tunnels[0]!.setHolding(round % 2 === 0);
    for (let n = 0; n < 20; n += 1) {
      const message = `${round}-${n}-${'z'.repeat((round * n * 37) % 3000)}`;
      sent.push(message);
      socket.send(message);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  front.tunnels[0]!.setHolding(false);
  await until(() => got.length === sent.length);
  expect(got).toEqual(sent);
});

test('a held client that leaves in silence is noticed', async () => {
  const { front, client, peer } = await cloud();
  front.tunnels[0]!.setHolding(true);
  client.socket.resetAndDestroy();
  await until(() => front.endings.length === 1 && peer.hasEnded());
  expect(front.endings).toEqual(['forced']);
});

test('a message and the end behind it wait together', async () => {
  const { front, client, peer } = await cloud();
  front.tunnels[0]!.setHolding(true);
  client.socket.end(ONE);
  await until(() => front.tunnels[0]!.bytesReceived === ONE.length);
  peer.socket.write(frame(TEXT, 'down'));
  await until(() => client.received().length > 0);
  expect([peer.received().length, peer.hasEnded()]).toEqual([0, false]);
  front.tunnels[0]!.setHolding(false);
  await until(() => peer.hasEnded());
  expect(peer.received()).toEqual(ONE);
});

test('a hold does not count as silence', async () => {
  const { front, client, peer } = await cloud({ idle: { openMs: 60 } });
  front.tunnels[0]!.setHolding(true);
  client.socket.write(ONE);
  const other = await cloud({ idle: { openMs: 200 } });
  await until(() => other.front.endings.length === 1);
  expect(front.endings).toEqual([]);
  front.tunnels[0]!.setHolding(false);
  await until(() => peer.received().equals(ONE));
});
