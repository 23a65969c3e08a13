import { stopAll, until } from '../../support/world';
import { WIRES, startFront } from './support/front';
import { TEXT, closeCode, connect, connectRaw, frame, startCounter, startRawUpstream } from './support/peers';

afterEach(stopAll);

test.each(WIRES)('behind the end of one side the other may still talk (%s)', async (wires) => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port, { wires });
  const client = connectRaw(front.port);
  await until(() => upstream.peers.length === 1);
  const [peer] = upstream.peers;
  client.socket.end(frame(TEXT, 'last', { mask: true }));
  await until(() => peer!.hasEnded());
  expect(peer!.received()).toEqual(frame(TEXT, 'last', { mask: true }));
  const response = frame(TEXT, 'answer');
  peer!.socket.end(response);
  await until(() => client.hasEnded() && front.endings.length === 1);
  expect(client.received()).toEqual(response);
  expect(front.endings).toEqual(['completed']);
});

test('one end left, and silent, is released after its own time', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port, { idle: { halfClosedMs: 60 } });
  const client = connectRaw(front.port);
  await until(() => upstream.peers.length === 1);
  client.socket.end();
  await until(() => front.endings.length === 1);
  expect(front.endings).toEqual(['completed']);
  const { client: transport, upstream: other } = front.wires[0]!;
  expect([transport.isDestroyed, other.isDestroyed]).toEqual([true, true]);
});

test.each(WIRES)('the sides of a tunnel notice each other’s end (%s)', async (wires) => {
  const counter = await startCounter();
  const front = await startFront(counter.port, { wires });
  const first = await connect(front.port);
  first.terminate();
  await until(() => front.endings.length === 1 && counter.server.clients.size === 0);
  const second = await connect(front.port);
  const code = closeCode(second);
  for (const client of counter.server.clients) client.terminate();
  expect(await code).toBe(1006);
  await until(() => front.endings.length === 2);
});

test.each(WIRES)('a reset of one side ends the other, and counts as forced (%s)', async (wires) => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port, { wires });
  const client = connectRaw(front.port);
  await until(() => upstream.peers.length === 1);
  upstream.peers[0]!.socket.resetAndDestroy();
  await until(() => client.isGone() || client.hasEnded());
  await until(() => front.endings.length === 1);
  expect(front.endings).toEqual(['forced']);
});
