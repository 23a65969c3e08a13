import net, { type Socket } from 'node:net';
import { Pace } from '../../../../proxy/data-plane/exchange/pace';
import { later, startBackend, startEngine, stopAll, until } from '../../support/world';

afterEach(stopAll);

/** A client that sends a byte every 20 ms, behind what it begins with. */
function trickle(port: number, first: string): { received: () => string; isGone: () => boolean } {
  let [received, isGone] = ['', false];
  const socket: Socket = net.connect(port, '127.0.0.1', () => socket.write(first));
  const timer = setInterval(() => socket.write('x'), 20);
  later(() => {
    clearInterval(timer);
    socket.destroy();
  });
  socket.on('data', (bytes) => (received += bytes.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearInterval(timer);
    isGone = true;
  });
  return { received: () => received, isGone: () => isGone };
}

const UPLOAD = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n';

test('an upload that never stops and never gets on is given up, with 408', async () => {
  const backend = await startBackend((request, response) => void request.resume().on('end', () => response.end()));
  // It is never silent for as long as the time limit.
  const timeouts = { bodyIdleMs: 300 };
  const engine = await startEngine(backend.port, { timeouts, limits: { uploadBytesPerSecond: 1_000 } });
  const client = trickle(engine.port, UPLOAD);
  await until(client.isGone);
  expect(client.received()).toMatch(/^HTTP\/1\.1 408 /);
  const patient = await startEngine(backend.port, { timeouts, limits: { uploadBytesPerSecond: 10 } });
  const slow = trickle(patient.port, UPLOAD);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect([slow.received(), slow.isGone()]).toEqual(['', false]);
});

test('a head that comes too slowly is given up once it takes seconds, before its time limit', async () => {
  const backend = await startBackend((_, response) => response.end());
  const limits = { headBytesPerSecond: 1_000 };
  const engine = await startEngine(backend.port, { timeouts: { headMs: 25_000 }, limits });
  const startedMs = performance.now();
  const client = trickle(engine.port, 'GET / HTTP/1.1\r\nX: ');
  await until(client.isGone);
  expect(client.received()).toMatch(/^HTTP\/1\.1 408 /);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(5_000);
});

test('a reader that never stops and never gets on is given up; how fast an upload must be is nothing to it', async () => {
  const body = Buffer.alloc(50_000_000);
  const backend = await startBackend((_, response) => void response.end(body));
  const limits = { readBytesPerSecond: 1_000_000_000, uploadBytesPerSecond: 0 };
  const engine = await startEngine(backend.port, { timeouts: { bodyIdleMs: 1_000 }, limits });
  let [received, isGone] = [0, false];
  const socket = net.connect(engine.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  later(() => void socket.destroy());
  socket.on('data', (bytes) => {
    received += bytes.length;
    socket.pause();
    setTimeout(() => socket.resume(), 5);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => (isGone = true));
  await until(() => isGone || received >= body.length);
  expect(received).toBeLessThan(body.length);
});

describe('the pace of a client', () => {
  const ask = (pace: Pace, nowMs: number, bytes: number, isWaitedFor = true) =>
    pace.isTooSlow(nowMs, isWaitedFor, bytes, 100, 10_000);

  test('is what it moves on the average of the window', () => {
    const pace = new Pace(0, 0);
    expect([ask(pace, 5_000, 0), ask(pace, 10_000, 1_000)]).toEqual([false, false]);
    expect([ask(pace, 15_000, 1_500), ask(pace, 20_000, 1_999)]).toEqual([false, true]);
  });

  test('has no time in which someone else is waited for', () => {
    const pace = new Pace(0, 0);
    for (let nowMs = 1_000; nowMs <= 60_000; nowMs += 1_000) expect(ask(pace, nowMs, 0, false)).toBe(false);
    expect([ask(pace, 69_000, 0), ask(pace, 70_000, 0)]).toEqual([false, true]);
  });

  test('has no minimum where none is asked for', () => {
    expect(new Pace(0, 0).isTooSlow(60_000, true, 0, 0, 10_000)).toBe(false);
  });
});
