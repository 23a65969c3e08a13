import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SWITCH = join(__dirname, '../../dist/bench/switch.js');
/** One of each kind, in one world, there and back; `npm run bench:switch -- --rows all` makes them all. */
const ROWS = [
  'none',
  'coordinator-killed@decide',
  'response-lost@decided',
  'store-conflict@decide',
  'operator-aborts@enlist',
  'backend-killed@enlist',
  'hook-fails@hook',
  'task-killed@release',
];

interface Result {
  readonly row: string;
  readonly outcome: string;
  readonly wasMet: boolean;
  readonly marginMs?: number;
  readonly wrong: readonly string[];
}

const folder = mkdtempSync(join(tmpdir(), 'drainshift-switch-'));
let bench: ChildProcess | undefined;
afterAll(() => {
  bench?.kill('SIGTERM');
  rmSync(folder, { recursive: true });
});

async function run(): Promise<{ output: string; results: Result[] }> {
  const json = join(folder, 'switches.json');
  const args = [SWITCH, '--rows', ROWS.join(), '--json', json];
  bench = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  bench.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()));
  bench.stderr?.on('data', (bytes: Buffer) => (output += bytes.toString()));
  await new Promise((resolve) => bench?.once('close', resolve));
  return { output, results: (JSON.parse(readFileSync(json, 'utf8')) as { results: Result[] }).results };
}

test('whatever breaks in a switch, it ends decided, with one writer, and no write is lost or doubled', async () => {
  const { output, results } = await run();
  expect(results.flatMap(({ row, wrong }) => wrong.map((each) => `${row}: ${each}`))).toEqual([]);
  expect(results.map(({ row }) => row)).toEqual(ROWS);
  const find = (name: string) => results.find(({ row }) => row === name);
  expect(find('none')?.outcome).toBe('commit');
  expect(find('backend-killed@enlist')).toMatchObject({ outcome: 'abort', wasMet: true });
  expect(find('hook-fails@hook')).toMatchObject({ outcome: 'abort', wasMet: true });
  const commits = results.filter(({ outcome }) => outcome === 'commit');
  expect(commits.length).toBeGreaterThan(1);
  for (const { marginMs } of commits) expect(marginMs).toBeGreaterThan(0);
  expect(output).toContain('all were as they must be');
});
