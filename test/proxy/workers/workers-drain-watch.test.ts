import { KindCounts, NOTHING_ENDED, NO_CONNECTIONS, total } from '../../../core/proxy/connections';
import { DrainWatch, WatchedReport } from '../../../proxy/workers/drain-watch';
import { FakeClock } from '../support/fake-clock';

function watch() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const cloud: { active: KindCounts | Error; limitMs: number } = { active: NO_CONNECTIONS, limitMs: 0 };
  const note = (message: string) => void lines.push(message);
  const drain = new DrainWatch(clock, { info: note, warn: note }, async () => {
    const { active, limitMs } = cloud;
    if (active instanceof Error) throw active;
    const drainRemainingSeconds = Math.max(0, limitMs - clock.nowMs()) / 1000;
    return {
      state: total(active) === 0 ? 'drained' : 'draining',
      active,
      drainRemainingSeconds,
      drainForced: 0,
      ended: NOTHING_ENDED,
    };
  });
  /** Turns the clock as a look does, and lets its response come in. */
  const turn = async (seconds: number) => {
    await new Promise(setImmediate);
    for (let looks = Math.round(seconds * 10); looks > 0; looks -= 1) {
      clock.advance(0.1);
      await new Promise(setImmediate);
    }
  };
  /** Of a drain that was begun now. */
  const limit = (seconds: number) => void (cloud.limitMs = clock.nowMs() + seconds * 1000);
  return { clock, lines, cloud, drain, turn, limit };
}

const sockets = (websocket: number): KindCounts => ({ ...NO_CONNECTIONS, websocket });

test('a line every 5 s, each second in the last 10, and one at the end', async () => {
  const { lines, cloud, drain, turn, limit } = watch();
  cloud.active = sockets(3);
  limit(20);
  drain.start();
  await turn(14.5);
  cloud.active = sockets(1);
  await turn(1);
  cloud.active = NO_CONNECTIONS;
  await turn(1);
  const at = (count: number, seconds: string) =>
    `Draining connections: ${count} active (0 HTTP, ${count} WebSocket, 0 streaming), ${seconds}s remaining`;
  // Looks are 0.1 s apart: a line may come a look late.
  const shown = lines.map((line) => line.replace(/(\d+\.\d)s/, (_, seconds) => `${Math.ceil(Number(seconds))}s`));
  expect(shown).toEqual([
    ...['20', '15', '10', '9', '8', '7', '6'].map((seconds) => at(3, seconds)),
    at(1, '5'),
    'All connections drained gracefully',
  ]);
});

test('a drain that takes too long says what is left, once', async () => {
  const { lines, cloud, drain, turn, limit } = watch();
  cloud.active = sockets(2);
  limit(1);
  drain.start();
  await turn(3);
  const over = 'Drain timeout reached with 2 connections still active (2 WebSocket, 0 streaming)';
  expect(lines.filter((line) => line === over)).toHaveLength(1);
  expect(lines).not.toContain('All connections drained gracefully');
});

test('what was there just before the limit and is gone behind it was cut, and not drained', async () => {
  const { lines, cloud, drain, turn, limit } = watch();
  cloud.active = sockets(2);
  limit(1);
  drain.start();
  await turn(0.9);
  cloud.active = new Error('The worker has ended');
  await turn(0.2);
  cloud.active = NO_CONNECTIONS;
  await turn(0.2);
  expect(lines.at(-1)).toBe('Drain timeout reached with 2 connections still active (2 WebSocket, 0 streaming)');
});

test('the same drain again keeps its start; a stopped one says no more', async () => {
  const { clock, lines, cloud, drain, turn, limit } = watch();
  cloud.active = sockets(1);
  limit(1);
  drain.start();
  await turn(0.5);
  limit(1.5);
  drain.start();
  await turn(1);
  expect(lines.at(-1)).not.toMatch(/timeout/);
  await turn(0.6);
  expect(lines.at(-1)).toMatch(/^Drain timeout/);
  drain.stop();
  cloud.active = NO_CONNECTIONS;
  await turn(1);
  expect(lines.at(-1)).toMatch(/^Drain timeout/);
  expect(clock.waiting).toBe(0);
});

test('an order that is still on its way to the workers is no timeout; what comes behind a zero is reported', async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const note = (message: string) => void lines.push(message);
  let report: WatchedReport = {
    state: 'serving',
    active: sockets(2),
    drainRemainingSeconds: 0,
    drainForced: 0,
    ended: NOTHING_ENDED,
  };
  const drain = new DrainWatch(clock, { info: note, warn: note }, async () => report);
  const look = async () => {
    clock.advance(1);
    await new Promise(setImmediate);
  };
  drain.start();
  await new Promise(setImmediate);
  // One drains already and has nothing, the other has not heard of it.
  report = { state: 'draining', active: sockets(2), drainRemainingSeconds: 0, drainForced: 0, ended: NOTHING_ENDED };
  await look();
  expect(lines).toEqual([]);
  report = { state: 'drained', active: NO_CONNECTIONS, drainRemainingSeconds: 0, drainForced: 0, ended: NOTHING_ENDED };
  for (let looks = 0; looks < 10; looks += 1) await look();
  expect(lines).toEqual(['All connections drained gracefully']);
  report = { state: 'draining', active: sockets(1), drainRemainingSeconds: 20, drainForced: 0, ended: NOTHING_ENDED };
  await look();
  expect(lines.at(-1)).toMatch(/^Draining connections: 1 active .* 20\.0s remaining$/);
  report = { state: 'drained', active: NO_CONNECTIONS, drainRemainingSeconds: 0, drainForced: 0, ended: NOTHING_ENDED };
  await look();
  expect(lines.at(-1)).toBe('All connections drained gracefully');
  expect(lines).toHaveLength(3);
});
