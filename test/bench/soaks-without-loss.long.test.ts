import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOAK = join(__dirname, '../../dist/bench/soak.js');
/** Two cycles, so that a proxy with TLS is drained, too, and few clients: the other tests want their share of the machine. */
const SHORT = ['--seconds', '8', '--cycles', '1', '--clients', '12'];

interface Result {
  readonly total: number;
  readonly breaches: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

let soak: ChildProcess | undefined;
const folder = mkdtempSync(join(tmpdir(), 'drainshift-soak-'));

// On SIGTERM it ends what it has started.
afterEach(() => void soak?.kill('SIGTERM'));
afterAll(() => rmSync(folder, { recursive: true }));

async function runSoak(): Promise<{ code: number | null; output: string; result: Result }> {
  const json = join(folder, 'soak.json');
  soak = spawn(process.execPath, [SOAK, ...SHORT, '--json', json], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  soak.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()));
  soak.stderr?.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise<number | null>((resolve) => soak?.once('close', resolve));
  const result = code === null || code > 1 ? undefined : (JSON.parse(readFileSync(json, 'utf8')) as Result);
  return { code, output, result: result ?? { total: 0, breaches: [output], counts: {} } };
}

test('mixed load with faults, holds and drains loses nothing, and every part of it happened', async () => {
  const { code, output, result } = await runSoak();
  expect(result.breaches).toEqual([]);
  expect(output).toContain('nothing lost, nothing leaked');
  expect(code).toBe(0);
  expect(result.total).toBeGreaterThan(0);
  const happened = Object.keys(result.counts);
  for (const part of [
    'GET: right',
    'HTTP/2 GET: right',
    'gRPC unary call: right',
    'GET in a hold: right',
    'WebSocket message: right',
    'WebSocket sent away: right',
    'event stream sent away: right',
    'gRPC stream sent away: right',
    'proxy drained on SIGTERM',
    'proxy with TLS drained on SIGTERM',
  ]) {
    expect(happened).toContain(part);
  }
});
