import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { synthesize } from '../rehearsal/command';

const FAULTS = join(__dirname, '../../dist/bench/faults.js');
/** One of each kind; `npm run bench:faults` runs them all. */
const ROWS = [
  'source-dead-and-abort@last-bake',
  'source-proxy-hung-in-scale-in@drain',
  'store-away-and-target-dead@bake',
  'switch:function-killed@decided',
  'switch:state-planted@hook',
];

interface Row {
  readonly fault: string;
  readonly phase: string;
  readonly outcome: string;
  readonly cause: string;
  readonly weights: string;
  readonly lock: string;
  readonly requests: number;
  readonly lostBeyond: number;
  readonly dropped: number;
  readonly evidenceLost: number;
  readonly wrong: readonly string[];
}

const folder = mkdtempSync(join(tmpdir(), 'drainshift-faults-'));
let matrix: ChildProcess | undefined;
afterAll(() => {
  matrix?.kill('SIGTERM');
  rmSync(folder, { recursive: true });
});

async function run(): Promise<{ output: string; rows: Row[] }> {
  const json = join(folder, 'faults.json');
  const args = [FAULTS, '--rows', ROWS.join(), '--at-once', '2', '--app', synthesize(folder), '--json', json];
  matrix = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  matrix.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()));
  matrix.stderr?.on('data', (bytes: Buffer) => (output += bytes.toString()));
  await new Promise((resolve) => matrix?.once('close', resolve));
  return { output, rows: JSON.parse(readFileSync(json, 'utf8')) as Row[] };
}

test('a client that counts for itself sees what the evidence says, in every row', async () => {
  const { output, rows } = await run();
  expect(rows.flatMap(({ fault, phase, wrong }) => wrong.map((each) => `${fault}@${phase}: ${each}`))).toEqual([]);
  expect(rows.map(({ outcome, weights, lock }) => [outcome, weights, lock])).toEqual([
    ['failed', '0/100', 'kept'],
    ['completed', '0/100', 'free'],
    ['rolled-back', '100/0', 'free'],
    ['completed', '0/100', 'free'],
    ['rolled-back', '100/0', 'free'],
  ]);
  // The key that changed on its way is named.
  expect(rows[4]?.cause).toMatch(/both sides must hold the same, got 1 that differ: 'counts\/.*' differs/);
  for (const { requests } of rows) expect(requests).toBeGreaterThan(50);
  expect(rows[1]?.dropped).toBeGreaterThan(0);
  expect(rows[1]?.evidenceLost).toBe(rows[1]?.dropped);
  expect(output).toContain('5 rows ended as they must');
});
