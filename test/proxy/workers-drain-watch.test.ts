import { KindCounts, NO_CONNECTIONS } from '../../core/connections';
import { DrainWatch } from '../../proxy/workers/drain-watch';
import { FakeClock } from './support/fake-clock';

function watch() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const world: { active: KindCounts | Error } = { active: NO_CONNECTIONS };
  const note = (message: string) => void lines.push(message);
  const drain = new DrainWatch(clock, { info: note, warn: note }, async () => {
    if (world.active instanceof Error) throw world.active;
    return world.active;
  });
  /** Turns the clock as a look does, and lets its answer come in. */
  const turn = async (seconds: number) => {
    await new Promise(setImmediate);
    for (let looks = Math.round(seconds * 10); looks > 0; looks -= 1) {
      clock.advance(0.1);
      await new Promise(setImmediate);
    }
  };
  return { clock, lines, world, drain, turn };
}

const sockets = (websocket: number): KindCounts => ({ ...NO_CONNECTIONS, websocket });

test('a line every 5 s, each second in the last 10, and one at the end', async () => {
  const { lines, world, drain, turn } = watch();
  world.active = sockets(3);
  drain.start(20);
  await turn(14.5);
  world.active = sockets(1);
  await turn(1);
  world.active = NO_CONNECTIONS;
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
  const { lines, world, drain, turn } = watch();
  world.active = sockets(2);
  drain.start(1);
  await turn(3);
  const over = 'Drain timeout reached with 2 connections still active (2 WebSocket, 0 streaming)';
  expect(lines.filter((line) => line === over)).toHaveLength(1);
  expect(lines).not.toContain('All connections drained gracefully');
});

test('what was there just before the limit and is gone behind it was cut, and not drained', async () => {
  const { lines, world, drain, turn } = watch();
  world.active = sockets(2);
  drain.start(1);
  await turn(0.9);
  world.active = new Error('The worker has ended');
  await turn(0.2);
  world.active = NO_CONNECTIONS;
  await turn(0.2);
  expect(lines.at(-1)).toBe('Drain timeout reached with 2 connections still active (2 WebSocket, 0 streaming)');
});

test('the same drain again keeps its start; a stopped one says no more', async () => {
  const { clock, lines, world, drain, turn } = watch();
  world.active = sockets(1);
  drain.start(1);
  await turn(0.5);
  drain.start(2);
  await turn(1);
  expect(lines.at(-1)).not.toMatch(/timeout/);
  await turn(0.6);
  expect(lines.at(-1)).toMatch(/^Drain timeout/);
  drain.stop();
  world.active = NO_CONNECTIONS;
  await turn(1);
  expect(lines.at(-1)).toMatch(/^Drain timeout/);
  expect(clock.waiting).toBe(0);
});
