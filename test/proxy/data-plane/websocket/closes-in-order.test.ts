import { WebSocket } from 'ws';
import { closeFrame } from '../../../../proxy/data-plane/websocket/frame-scanner';
import { stopAll, until } from '../../support/world';
import { WIRES, startFront } from './support/front';
import { CONTINUATION, TEXT, connect, connectRaw, frame, startCounter, startRawUpstream } from './support/peers';
import { runRepeatingClient } from './support/repeating-client';

afterEach(stopAll);

const RESTART = closeFrame(1012, 'service restart', false);
const MESSAGE = frame(TEXT, 'yo', { mask: true });
/** How a client responds to the Close. */
const ECHO = frame(0x8, Buffer.from([0x03, 0xf4]), { mask: true });

/** The code of a masked Close frame. */
function findCode(close: Buffer): number {
  expect([close[0], close[1]! & 0x80]).toEqual([0x88, 0x80]);
  return ((close[6]! ^ close[2]!) << 8) | (close[7]! ^ close[3]!);
}

test.each(WIRES)(
  'closed with 1012 in the middle of traffic, clients that repeat what got no response lose and double nothing (%s)',
  async (wires) => {
    const counter = await startCounter();
    const front = await startFront(counter.port, { wires });
    const clients = 8;
    const rounds = 4;
    let isStopping = false;
    const open = () => front.tunnels.filter((tunnel) => !tunnel.isOver);

    const running = Array.from({ length: clients }, (_, name) =>
      runRepeatingClient(
        name,
        () => connect(front.port),
        () => isStopping,
      ),
    );
    for (let round = 0; round < rounds; round += 1) {
      const before = counter.processed.size;
      await until(() => open().length === clients && counter.processed.size > before + 200);
      await Promise.all(open().map((tunnel) => tunnel.close()));
    }
    isStopping = true;
    const results = await Promise.all(running);
    const sent = results.reduce((sum, result) => sum + result.sent, 0);
    const codes = results.flatMap((result) => result.codes);
    expect(codes.filter((code) => code === 1012)).toHaveLength(clients * rounds);
    expect(results.flatMap((result) => result.responses)).toHaveLength(sent);
    expect(counter.processed.size).toBe(sent);
    expect([...counter.processed.values()].filter((times) => times !== 1)).toEqual([]);
    await until(() => open().length === 0);
    expect(front.endings.filter((ending) => ending === 'closed')).toHaveLength(clients * rounds);
    expect(front.endings).not.toContain('forced');
    expect(front.faults).toEqual([]);
  },
);

test('a message in fragments is finished before the close, and gets its response', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const started = frame(TEXT, 'one ', { mask: true, fin: false });
  const rest = frame(CONTINUATION, 'two', { mask: true });
  const client = connectRaw(front.port, started);
  await until(() => upstream.peers[0]?.received().equals(started) ?? false);
  const [peer] = upstream.peers;
  const done = front.tunnels[0]!.close();
  client.socket.write(Buffer.concat([rest, MESSAGE]));
  await until(() => peer!.received().length === started.length + rest.length + 8);
  expect(peer!.received().subarray(started.length, started.length + rest.length)).toEqual(rest);
  expect(findCode(peer!.received().subarray(started.length + rest.length))).toBe(1001);
  expect(client.received()).toHaveLength(0);
  const response = frame(TEXT, 'answer');
  peer!.socket.write(Buffer.concat([response, closeFrame(1001, 'mine', false)]));
  await until(() => client.received().length === response.length + RESTART.length);
  // The upstream's own Close is kept back: the client hears one, and of a restart.
  expect(client.received()).toEqual(Buffer.concat([response, RESTART]));
  client.socket.write(ECHO);
  await done;
  expect(front.endings).toEqual(['closed']);
});

test('closing twice is closing once', async () => {
  const counter = await startCounter();
  const front = await startFront(counter.port);
  const socket = await connect(front.port);
  const [tunnel] = front.tunnels;
  expect(tunnel!.close()).toBe(tunnel!.close());
  await tunnel!.close();
  expect(front.endings).toEqual(['closed']);
  await until(() => socket.readyState === WebSocket.CLOSED);
  await tunnel!.close();
});

test('both connections end in order, and are freed when their peers end them too', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const client = connectRaw(front.port);
  await until(() => front.tunnels.length === 1);
  const [peer] = upstream.peers;
  const done = front.tunnels[0]!.close();
  await until(() => peer!.received().length === 8);
  peer!.socket.write(closeFrame(1001, '', false));
  await until(() => client.received().equals(RESTART));
  client.socket.write(ECHO);
  await done;
  await until(() => client.hasEnded() && peer!.hasEnded());
  client.socket.end();
  peer!.socket.end();
  await until(() => client.isGone() && front.wires[0]!.upstream.isDestroyed);
  expect(front.wires[0]!.client.isDestroyed).toBe(true);
});

test('a client that never responds to the Close is destroyed, and counts as forced', async () => {
  const counter = await startCounter();
  const front = await startFront(counter.port);
  const client = connectRaw(front.port);
  await until(() => front.tunnels.length === 1);
  await front.tunnels[0]!.close();
  await until(() => client.hasEnded() || client.isGone());
  expect(client.received()).toEqual(RESTART);
  expect(front.endings).toEqual(['forced']);
});

test('nothing of the client reaches the upstream behind the Close, and an upstream that never closes holds no one', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const client = connectRaw(front.port, MESSAGE);
  await until(() => upstream.peers[0]?.received().equals(MESSAGE) ?? false);
  const closing = front.tunnels[0]!.close();
  client.socket.write(MESSAGE);
  await until(() => client.received().equals(RESTART));
  client.socket.write(Buffer.concat([MESSAGE, ECHO]));
  await closing;
  expect(front.endings).toEqual(['closed']);
  const received = upstream.peers[0]!.received();
  expect(received).toHaveLength(MESSAGE.length + 8);
  expect(findCode(received.subarray(MESSAGE.length))).toBe(1001);
});

test('an upstream that takes nothing any more does not keep the client from leaving', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const client = connectRaw(front.port);
  await until(() => front.tunnels.length === 1);
  upstream.peers[0]!.socket.pause();
  const large = frame(TEXT, Buffer.alloc(16_000_000), { mask: true });
  client.socket.write(large);
  await until(() => front.wires[0]!.client.isPaused);
  const closing = front.tunnels[0]!.close();
  await until(() => client.received().equals(RESTART));
  client.socket.write(ECHO);
  await closing;
  expect(front.endings).toEqual(['closed']);
});

test('during a hold it ends between two frames, and what was kept reaches no one', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const started = frame(TEXT, 'half', { mask: true, fin: false });
  const client = connectRaw(front.port, started);
  await until(() => upstream.peers[0]?.received().equals(started) ?? false);
  const [peer] = upstream.peers;
  front.tunnels[0]!.setHolding(true);
  client.socket.write(frame(CONTINUATION, 'rest', { mask: true }));
  await until(() => front.wires[0]!.client.isPaused);
  const closing = front.tunnels[0]!.close();
  front.tunnels[0]!.setHolding(false);
  await until(() => peer!.received().length === started.length + 8);
  peer!.socket.write(closeFrame(1001, '', false));
  await until(() => client.received().equals(RESTART));
  client.socket.write(ECHO);
  await closing;
  expect(front.endings).toEqual(['closed']);
  expect(findCode(peer!.received().subarray(started.length))).toBe(1001);
});

test('a tunnel that is already closing by itself is left to it', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const bye = closeFrame(1000, '', true);
  const client = connectRaw(front.port, bye);
  await until(() => upstream.peers[0]?.received().equals(bye) ?? false);
  const closing = front.tunnels[0]!.close();
  upstream.peers[0]!.socket.end(closeFrame(1000, '', false));
  await until(() => client.hasEnded());
  client.socket.end();
  await closing;
  expect(client.received()).toEqual(closeFrame(1000, '', false));
  expect(front.endings).toEqual(['completed']);
});
