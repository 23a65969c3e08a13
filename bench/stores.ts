// `npm run bench:stores`: how long a switch takes to take the keys of a Valkey or Redis along, and what of it is in the hold. The parts are those of the
// Lambda steps, on two real servers of this machine; a client writes until the hold.
import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'iovalkey';
import { begin } from '../core/cutover/run';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { signalChild } from '../core/errors/signals';
import { Plan, parsePlan } from '../core/plan/plan';
import type { StatePreparation } from '../core/state/preparation';
import type { HookCallRecord } from '../core/switch/hook';
import { keyStoresPort } from '../lambda/adapters/key-store/key-stores';
import type { Ports } from '../lambda/contract/ports';
import { prepareState } from '../lambda/state/prepare';
import { findHook } from '../lambda/switch/switch-ports';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';

const USAGE = `Usage: npm run bench:stores -- [--server NAME] [--method copy|replicate] [--keys N,N,…] [--bytes N] [--writes N]

  --server NAME      'redis-server' or 'valkey-server' (default: the first that is installed)
  --method METHOD    of the plan (default copy)
  --keys N,N,…       how many keys there are (default 100000)
  --bytes N          how long each value is (default 100)
  --writes N         writes a second until the hold (default 200)
`;
const SERVERS = ['valkey-server', 'redis-server'];
const WAY = { from: 'source', to: 'target' } as const;
const EXECUTION = 'bench';

/** All that was started ends with the run. */
const started: (() => void)[] = [];
process.once('exit', () => started.forEach((end) => end()));

async function main(): Promise<number> {
  const text = (fallback: string) => ({ type: 'string', default: fallback }) as const;
  const { values } = parseArgs({
    options: {
      server: { type: 'string' },
      method: text('copy'),
      ...{ keys: text('100000'), bytes: text('100'), writes: text('200') },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const server = values.server ?? SERVERS.find((name) => spawnSync(name, ['--version']).status === 0);
  if (server === undefined) throw new UsageError("'valkey-server' or 'redis-server' must be installed, got neither");
  const [bytes, writes] = [readCount('--bytes', values.bytes), readCount('--writes', values.writes)];
  for (const each of values.keys.split(','))
    await measure(server, values.method, { keys: readCount('--keys', each), bytes, writes });
  return EXIT_CODES.done.code;
}

interface Load {
  readonly keys: number;
  readonly bytes: number;
  readonly writes: number;
}

async function measure(server: string, method: string, load: Load): Promise<void> {
  const [source, target] = [await startServer(server), await startServer(server)];
  const url = (port: number) => ({ url: `redis://127.0.0.1:${port}` });
  const plan = parsePlan({
    strategy: 'drainThenShift',
    switch: {
      ...{ pointOfNoReturn: 'shared', maxPauseMs: 25_000 },
      state: {
        valkey: { method, source: url(source.port), target: url(target.port) },
        ...{ prepareSeconds: 3_600, maxBytes: 1e12 },
        timeoutMs: { freeze: 1_000, transfer: 9_000, verify: 9_000, thaw: 3_000 },
      },
    },
  });
  await fill(source.port, load);
  const writer = new Writer(source.port, load);
  const parts = await takeAlong(plan, writer);
  const count = load.keys.toLocaleString('en');
  process.stdout.write(`${server}, ${method}, ${count} keys of ${load.bytes} bytes, ${load.writes} writes/s\n`);
  for (const { name, tookMs, more } of parts)
    process.stdout.write(`  ${name.padEnd(24)}${Math.round(tookMs).toLocaleString('en').padStart(8)} ms  ${more}\n`);
  source.stop();
  target.stop();
}

interface Part {
  readonly name: string;
  readonly tookMs: number;
  readonly more: string;
}

async function takeAlong(plan: Plan, writer: Writer): Promise<Part[]> {
  const ports = {
    stores: keyStoresPort(() => Promise.reject(new Error('no secret'))),
    smoke: { host: 'localhost' },
    now: () => Date.now(),
    pause: (milliseconds: number) => sleep(milliseconds),
  } as unknown as Ports;
  const prepared = await prepare(plan, ports);
  const { hook } = findHook(plan.switch, WAY.to, ports);
  const calls: HookCallRecord[] = [];
  const context = {
    ...{ ...WAY, epoch: 1, committed: 0, execution: EXECUTION, sessions: () => [] },
    ...{ signal: new AbortController().signal, note: (call: HookCallRecord) => calls.push(call) },
  };
  const beganMs = performance.now();
  await hook!.begin!({ ...WAY, execution: EXECUTION }, 600_000);
  const compared = performance.now() - beganMs;
  await writer.end();
  const heldMs = performance.now();
  await hook!.run(context);
  const problem = await hook!.thaw('target', context);
  const inHold = performance.now() - heldMs;
  await hook!.close!();
  if (problem !== undefined) throw new Error(problem);
  return [
    { name: 'prepare', tookMs: prepared.tookMs, more: `${prepared.keys} keys, ${prepared.bytes} bytes` },
    { name: 'right before the hold', tookMs: compared, more: '' },
    ...calls.map(({ part, tookMs, keys }) => ({ name: part, tookMs, more: keys === undefined ? '' : `${keys} keys` })),
    { name: 'the hold together', tookMs: inHold, more: '' },
  ];
}

/** As the step does, look by look. */
async function prepare(plan: Plan, ports: Ports): Promise<StatePreparation> {
  let run = begin(EXECUTION, new Date().toISOString(), plan);
  for (;;) {
    const prepared = await prepareState(run, { ...WAY, attempt: 1 }, ports);
    if (prepared.kind === 'failed') throw new Error(prepared.why);
    run = { ...run, preparation: prepared.preparation };
    if (prepared.kind === 'ready') return prepared.preparation!;
  }
}

async function fill(port: number, { keys, bytes }: Load): Promise<void> {
  const redis = new Redis({ port });
  for (let first = 0; first < keys; first += 10_000) {
    const pipeline = redis.pipeline();
    for (let at = first; at < Math.min(keys, first + 10_000); at += 1)
      pipeline.set(`key:${at}`, formatValue(at, bytes));
    await pipeline.exec();
  }
  await redis.quit();
}

const formatValue = (at: number, bytes: number) => String(at).padEnd(bytes, 'x').slice(0, bytes);

class Writer {
  private readonly redis: Redis;
  private readonly timer: NodeJS.Timeout;
  private count = 0;
  private last: Promise<unknown> = Promise.resolve();

  constructor(port: number, { keys, bytes, writes }: Load) {
    this.redis = new Redis({ port });
    this.timer = setInterval(
      () => {
        this.count += 1;
        this.last = this.redis.set(`key:${(this.count * 7_919) % keys}`, formatValue(-this.count, bytes));
      },
      1_000 / Math.max(1, writes),
    );
  }

  async end(): Promise<void> {
    clearInterval(this.timer);
    await this.last;
    await this.redis.quit();
  }
}

async function startServer(name: string): Promise<{ readonly port: number; stop(): void }> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  const folder = mkdtempSync(join(tmpdir(), 'bench-stores-'));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder];
  const child: ChildProcess = spawn(name, args, { stdio: 'ignore' });
  const stop = () => {
    signalChild(child, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  started.push(stop);
  const redis = new Redis({ port, retryStrategy: () => 20, maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  await redis.ping();
  await redis.quit();
  return { port, stop };
}

function readCount(name: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new UsageError(`'${name}' must be an integer of at least 1, got '${text}'`);
}

void runMain(main);
