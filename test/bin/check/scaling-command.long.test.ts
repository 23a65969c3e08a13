import { spawn } from 'node:child_process';
import type { ScalingFigures } from '../../../core/check/scaling';
import type { Judgement } from '../../../core/check/verdict';
import { run } from '../../rehearsal/command';
import { hasRedisServer } from '../../support/redis-server';

const withStore = hasRedisServer('test/bin/check/scaling-command') ? test : test.skip;

const FEW = ['--connections', '12', '--room-size', '4', '--rounds', '1', '--interval', '200ms', '--hold', '500ms'];

async function check(
  ...flags: readonly string[]
): Promise<{ code: number | null; report: ScalingFigures & Judgement }> {
  const args = ['check', 'scaling', '--app', 'examples/websocket-scaling', '--max-tasks', '3'];
  const { code, output } = await run([...args, ...FEW, '--deregistration-delay', '3s', '--json', ...flags]);
  if (!output.includes('{')) throw new Error(output);
  return { code, report: JSON.parse(output.slice(output.indexOf('{\n'))) as ScalingFigures & Judgement };
}

/** A machine that is busy: so many processes do nothing but run, for five minutes at the most. */
async function beside<T>(count: number, work: () => Promise<T>): Promise<T> {
  const script = 'for (const endMs = Date.now() + 300_000; Date.now() < endMs; );';
  const busy = Array.from({ length: count }, () => spawn(process.execPath, ['-e', script], { stdio: 'ignore' }));
  try {
    return await work();
  } finally {
    for (const each of busy) each.kill();
  }
}

withStore(
  'a scaled chat loses nothing on a busy machine, and its clients stay with their tasks; without stickiness they do not, and it says so',
  async () => {
    const sticky = await beside(2, check);
    const loose = await check('--no-stickiness');
    const { report } = sticky;
    expect([sticky.code, report.broken, report.unknown]).toEqual([0, [], []]);
    expect(report).toMatchObject({ opened: 12, strayed: 0, dropped: 0, lost: 0, doubled: 0, wrongStates: 0 });
    expect(report.delivered).toBe(4 * report.sent);
    expect(report.events.map(({ from, to }) => [from, to])).toEqual([[2, 3], [3, 2]]); // prettier-ignore
    const [out, back] = report.events.map(({ tasks }) => Object.values(tasks));
    expect([out?.length, back?.length, out?.includes(0)]).toEqual([3, 2, false]);
    // The task that went had some.
    expect(report.events[1]?.moved).toBeGreaterThan(0);
    expect(Object.keys(report.latencyMs)).toEqual(['before', 'during', 'after']);

    expect(loose.code).toBe(1);
    expect(loose.report.broken.map(({ name }) => name)).toContain('strayed');
  },
);

test('what it cannot run is said', async () => {
  const wrong = await run(['check', 'scaling', '--app', 'examples/nowhere']);
  expect([wrong.code, wrong.output]).toEqual([
    64,
    expect.stringContaining("examples/nowhere' must have a package.json"),
  ]);
  const few = await run(['check', 'scaling', '--app', '.', '--min-tasks', '3', '--max-tasks', '3']);
  expect([few.code, few.output]).toEqual([
    64,
    expect.stringContaining("'--max-tasks' must be more than '--min-tasks'"),
  ]);
});
