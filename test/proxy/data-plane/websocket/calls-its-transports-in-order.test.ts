import type { Ending } from '../../../../core/proxy/connections';
import { Tunnel } from '../../../../proxy/data-plane/websocket/tunnel';
import { closeFrame } from '../../../../proxy/data-plane/websocket/frame-scanner';
import { FakeTransport } from './support/fake-transport';
import { CONTINUATION, TEXT, frame } from './support/peers';

const MASKED = { mask: true };
const ONE = frame(TEXT, 'one', MASKED);
const RESTART = closeFrame(1012, 'service restart', false).toString('latin1');
const NONE = Buffer.alloc(0);

function cloud() {
  const client = new FakeTransport();
  const upstream = new FakeTransport();
  const endings: Ending[] = [];
  const faults: unknown[] = [];
  const members = new Set<unknown>();
  const tunnel = new Tunnel(
    { transport: client, head: NONE },
    { transport: upstream, head: NONE },
    {
      idle: { openMs: 0, halfClosedMs: 1000 },
      ticker: { nowMs: 0, add: (member) => members.add(member), remove: (member) => members.delete(member) },
      isHolding: false,
      onClose: (how) => endings.push(how),
      faulted: (error) => faults.push(error),
    },
  );
  return { client, upstream, endings, faults, members, tunnel };
}

/** Lets what waits on promises go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

afterEach(() => {
  jest.useRealTimers();
});

test('an idle tunnel is in no list of what time concerns', () => {
  const { members, client } = cloud();
  expect(members.size).toBe(0);
  client.user.onEnd();
  expect(members.size).toBe(1);
  client.user.onClose(undefined);
});

test('an end that is reported during a hold comes behind what was kept', () => {
  const { client, upstream, tunnel } = cloud();
  tunnel.setHolding(true);
  client.receive(ONE);
  client.user.onEnd();
  expect([upstream.written, upstream.calls]).toEqual(['', []]);
  tunnel.setHolding(false);
  expect([upstream.written, upstream.calls]).toEqual([ONE.toString('latin1'), ['end']]);
});

test('released into an upstream that is backed up, a client stays paused until that drains', () => {
  const { client, upstream, tunnel } = cloud();
  tunnel.setHolding(true);
  client.receive(ONE);
  expect(client.isPaused).toBe(true);
  upstream.isBackedUp = true;
  tunnel.setHolding(false);
  expect(client.isPaused).toBe(true);
  upstream.drain();
  expect(client.isPaused).toBe(false);
});

test('drained during a hold, an upstream does not let a client go on that has said something', () => {
  const { client, upstream, tunnel } = cloud();
  tunnel.setHolding(true);
  client.receive(ONE);
  upstream.drain();
  expect(client.isPaused).toBe(true);
});

test('what is short goes on as text, what is long as the bytes that it is', () => {
  const { client, upstream } = cloud();
  const large = frame(TEXT, Buffer.alloc(150_000, 0x61), MASKED);
  client.receive(large.subarray(0, 100));
  expect(upstream.calls).toEqual([]);
  client.receive(large.subarray(100));
  expect(upstream.calls).toEqual(['writeBytes']);
  expect(upstream.written).toBe(large.toString('latin1'));
});

test('a close begun in a hold does not release what the hold keeps, in the middle of a message either', async () => {
  const { client, upstream, tunnel } = cloud();
  const started = frame(TEXT, 'be', { mask: true, fin: false });
  client.receive(started.subarray(0, 4));
  tunnel.setHolding(true);
  void tunnel.close();
  client.receive(Buffer.concat([started.subarray(4), frame(CONTINUATION, 'gun', MASKED)]));
  await settle();
  expect(upstream.written.slice(0, started.length)).toBe(started.toString('latin1'));
  // Behind it, and nothing between: a masked Close without a reason.
  expect(upstream.written).toHaveLength(started.length + 8);
  tunnel.destroy();
});

test('both Close frames exchanged, both wires are ended and read, and destroyed when nothing comes of it', async () => {
  jest.useFakeTimers();
  const { client, upstream, endings, tunnel } = cloud();
  const closing = tunnel.close();
  await settle();
  expect([upstream.written.length, client.written]).toEqual([8, '']);
  upstream.receive(closeFrame(1001, '', false));
  await settle();
  expect(client.written).toBe(RESTART);
  client.receive(closeFrame(1012, '', true));
  await closing;
  expect(endings).toEqual(['closed']);
  expect([client.calls, upstream.calls]).toEqual([['end'], ['end']]);
  expect([client.isPaused, upstream.isPaused]).toEqual([false, false]);
  jest.advanceTimersByTime(5_000);
  expect([client.calls, upstream.calls]).toEqual([
    ['end', 'destroy'],
    ['end', 'destroy'],
  ]);
  client.user.onClose(undefined);
  upstream.user.onClose(undefined);
  expect(jest.getTimerCount()).toBe(0);
});

test('an upstream that leaves during the close does not take its client along', async () => {
  const { client, upstream, endings, tunnel } = cloud();
  const closing = tunnel.close();
  await settle();
  upstream.user.onEnd();
  await settle();
  expect([client.calls, client.written]).toEqual([[], RESTART]);
  upstream.user.onClose(undefined);
  client.receive(closeFrame(1012, '', true));
  await closing;
  expect(endings).toEqual(['closed']);
  client.user.onClose(undefined);
});

test('an upstream in the middle of a frame has a moment to end it; then the client is cut, since no Close would be one', async () => {
  jest.useFakeTimers();
  const { client, upstream, endings, tunnel } = cloud();
  upstream.receive(frame(TEXT, 'torn').subarray(0, 4));
  const closing = tunnel.close();
  await jest.advanceTimersByTimeAsync(2_400);
  expect(endings).toEqual([]);
  await jest.advanceTimersByTimeAsync(100);
  await closing;
  expect(endings).toEqual(['forced']);
  expect(client.written).toBe(frame(TEXT, 'torn').toString('latin1', 0, 4));
});

test('a wire that was lost before the tunnel began is noticed, and not in the constructor', async () => {
  const client = new FakeTransport();
  const upstream = new FakeTransport();
  client.destroy();
  const endings: Ending[] = [];
  const ticker = { nowMs: 0, add: () => undefined, remove: () => undefined };
  const options = { idle: { openMs: 0, halfClosedMs: 0 }, ticker, isHolding: false, faulted: () => undefined };
  new Tunnel(
    { transport: client, head: NONE },
    { transport: upstream, head: NONE },
    { ...options, onClose: (how) => endings.push(how) },
  );
  expect(endings).toEqual([]);
  await settle();
  expect(upstream.calls).toEqual(['destroy']);
  // The wire may tell of it in its turn.
  client.user.onClose(undefined);
  expect(endings).toEqual([]);
  upstream.user.onClose(undefined);
  expect(endings).toEqual(['completed']);
});
