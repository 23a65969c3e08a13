import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../processes/resolve';
import { generateCapture } from './generate';

export interface ReplayBench {
  readonly megabytes: number;
  readonly requests: number;
  /** Requests a second. */
  readonly plain: number;
  readonly replay: Readonly<Record<string, number>>;
  /** Of captured lines, by connection. */
  readonly megabytesPerSecond: number;
  /** The most memory that a replay by connection took: of all of the capture, and of a fifth of it. */
  readonly peakMegabytes: number;
  readonly peakOfFifthMegabytes: number;
}

const CONNECTIONS = 100;
const KEYS = ['connection', '/carts/{key}', 'all'];
/** More of the capture must not take more memory than this. */
const MAX_GROWTH_MEGABYTES = 64;

/** Measures replays of a generated day beside a generator that sends the same requests. */
export async function runReplayBench(folder: string, megabytes: number, rounds: number): Promise<ReplayBench> {
  const [whole, fifth] = [join(folder, 'whole.proto.gz'), join(folder, 'fifth.proto.gz')];
  const { exchanges, lineBytes } = await generateCapture(whole, megabytes);
  await generateCapture(fifth, megabytes / 5);
  const target = spawn(process.execPath, [join(ROOT, 'dist/bench/replay/target.js')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const port = Number(await readLine(target));
  const plain: number[] = [];
  const replay = new Map<string, number[]>(KEYS.map((key) => [key, []]));
  const peaks: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    plain.push(await runPlain(port, exchanges));
    for (const key of KEYS) {
      // It takes longest, and says little more the second time.
      if (key === 'all' && round > 0) continue;
      const { perSecond, peakMegabytes } = await runOne(folder, whole, port, key);
      replay.get(key)!.push(perSecond);
      if (key === 'connection') peaks.push(peakMegabytes);
    }
  }
  const small = await runOne(folder, fifth, port, 'connection');
  target.stdin.end();
  await once(target, 'exit');
  const byConnection = median(replay.get('connection')!);
  return {
    ...{ megabytes: lineBytes / 1e6, requests: exchanges, plain: median(plain) },
    replay: Object.fromEntries([...replay].map(([key, rates]) => [key, median(rates)])),
    megabytesPerSecond: (byConnection * lineBytes) / exchanges / 1e6,
    peakMegabytes: Math.max(...peaks),
    peakOfFifthMegabytes: small.peakMegabytes,
  };
}

/** What is not as it should be, in lines. */
export function findBreaches({ peakMegabytes, peakOfFifthMegabytes }: ReplayBench): string[] {
  const growth = peakMegabytes - peakOfFifthMegabytes;
  if (growth <= MAX_GROWTH_MEGABYTES) return [];
  return [`five times the capture must take at most ${MAX_GROWTH_MEGABYTES} MB more, got ${Math.round(growth)} MB`];
}

async function runPlain(port: number, count: number): Promise<number> {
  const args = [join(ROOT, 'dist/bench/replay/plain-load.js'), String(port), String(count), String(CONNECTIONS)];
  return Number(await readLine(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })));
}

async function runOne(folder: string, from: string, port: number, key: string) {
  const flags = [
    '--speed',
    'max',
    '--connections',
    String(CONNECTIONS),
    '--key',
    key,
    '--json',
    '--checkpoint',
    join(folder, `${Math.random()}`),
  ];
  const args = ['replay', '--from', from, '--to', `http://127.0.0.1:${port}`, ...flags];
  const child = spawn(process.execPath, [join(ROOT, 'dist/bin/drainshift.js'), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (bytes) => (output += String(bytes)));
  let peakMegabytes = 0;
  const timer = setInterval(() => (peakMegabytes = Math.max(peakMegabytes, readPeak(child.pid!))), 100);
  const [code] = (await once(child, 'close')) as [number];
  clearInterval(timer);
  if (code !== 0) throw new Error(`the replay by ${key} must end with 0, got ${code}: ${output}`);
  const { sent, seconds } = JSON.parse(output) as { sent: number; seconds: number };
  return { perSecond: sent / seconds, peakMegabytes };
}

/** The most that it has had so far. */
function readPeak(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_000;
  } catch {
    return 0;
  }
}

async function readLine(child: ChildProcess): Promise<string> {
  const [bytes] = (await once(child.stdout!, 'data')) as [Buffer];
  return bytes.toString().trim();
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
