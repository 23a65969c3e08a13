// `npm run bench:move-clients`: unmodified clients of socket.io and graphql-ws behind a real proxy process, moved from one server to
// another and back, with restarts of the proxy between, counting for themselves. Exit code 1 when one of them noticed.
import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ADMIN_PATHS, type LedgerReport } from '../core/proxy/admin-api';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { signalChild } from '../core/errors/signals';
import { callAdmin } from '../lambda/adapters/proxies/admin-client';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { ROOT } from './processes/resolve';

const USAGE = `npm run bench:move-clients -- [--clients socket.io|graphql] [--count N] [--moves N] [--restarts N] [--publish-ms N]

  --clients     only these (both; socket.io needs a redis-server or valkey-server)
  --count       how many clients (500)
  --moves       how many times all of them are moved (4)
  --restarts    how many times the proxy is restarted before each of these (0)
  --publish-ms  socket.io: so often a process of its own publishes an event to all of them (1000)
`;

const SECRET = 'the secret of this bench';
/** From one restart to the next: connections go over meanwhile. */
const RESTART_MS = 3_000;
/** What a round of moves may take. */
const ROUND_MS = 120_000;
const STORE = ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0);

type Report = Readonly<Record<string, unknown>>;

/** What the run has started; all of it ends with it. */
const started: (() => void)[] = [];
process.once('exit', () => started.forEach((end) => end()));

async function startScript<T>(
  name: string,
  args: readonly string[],
  first: (message: T) => boolean,
): Promise<Talker<T>> {
  const child = fork(join(ROOT, 'bench/move-clients', name), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  started.push(() => signalChild(child, 'SIGTERM'));
  for (;;) {
    const [message] = (await once(child, 'message')) as [T];
    if (first(message)) return { message, ask: (order) => ask(child, order) };
  }
}

interface Talker<T> {
  readonly message: T;
  ask(order: string): Promise<Report>;
}

async function ask(child: ChildProcess, order: string): Promise<Report> {
  child.send(order);
  const [report] = (await once(child, 'message')) as [Report];
  return report;
}

const startServer = (name: string, ...args: string[]) =>
  startScript<{ port?: number }>(name, args, ({ port }) => port !== undefined);

async function startStore(): Promise<string> {
  if (STORE === undefined)
    throw new UsageError('socket.io needs a redis-server or a valkey-server; --clients graphql needs none');
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-bench-'));
  const path = join(folder, 'socket');
  const child = spawn(STORE, ['--port', '0', '--unixsocket', path, '--save', '', '--dir', folder], { stdio: 'pipe' });
  started.push(() => {
    signalChild(child, 'SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });
  for await (const line of createInterface(child.stdout)) if (line.includes('eady to accept')) break;
  child.stdout.resume();
  return path;
}

interface Proxy {
  readonly port: number;
  retarget(to: 'source' | 'target'): Promise<void>;
  /** Resolves when the next generation serves. */
  restart(): Promise<void>;
  report(): Promise<LedgerReport>;
}

async function startProxy(source: number, target: number): Promise<Proxy> {
  const upstreams = ['--upstream', `http://127.0.0.1:${source}`, '--other-upstream', `http://127.0.0.1:${target}`];
  const places = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const child = spawn(process.execPath, [join(ROOT, 'dist/bin/drainshift.js'), 'proxy', ...places, ...upstreams], {
    env: { DRAINSHIFT_ADMIN_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Killed at once, it would leave its later generations.
  started.push(() => signalChild(child, 'SIGTERM'));
  let listening: { data: string; admin: string } | undefined;
  const lines = createInterface(child.stdout);
  for await (const line of lines) {
    const { msg, ...rest } = JSON.parse(line) as { msg: string; data: string; admin: string };
    if (msg !== 'Listening') continue;
    listening = rest;
    break;
  }
  child.stdout.resume();
  const portIn = (place = '') => Number(place.split(':').pop());
  const call = (method: 'GET' | 'POST', path: string, body?: unknown) =>
    callAdmin({
      ...{ address: '127.0.0.1', port: portIn(listening?.admin), method, path, body },
      ...{ keys: [SECRET], timeoutMs: 60_000 },
    });
  return {
    port: portIn(listening?.data),
    retarget: async (to) => void (await call('POST', ADMIN_PATHS.retarget, { to })),
    restart: async () => void (await call('POST', ADMIN_PATHS.restart)),
    report: async () => (await call('GET', ADMIN_PATHS.drainStatus)) as LedgerReport,
  };
}

/** Until no connection is left at the old server, or the time is up. @returns milliseconds */
async function moveAll(proxy: Proxy, to: 'source' | 'target', old: Talker<unknown>): Promise<number> {
  const startedMs = performance.now();
  await proxy.retarget(to);
  while (performance.now() - startedMs < ROUND_MS) {
    const [{ moves }, { clients }] = [await proxy.report(), await old.ask('report')];
    if (clients === 0 && moves?.underWay === 0) break;
    await sleep(50);
  }
  return performance.now() - startedMs;
}

interface Run {
  readonly servers: readonly [Talker<{ port?: number }>, Talker<{ port?: number }>];
  readonly clients: string;
  /** What must be zero in the clients' report. */
  readonly aims: (report: Report) => readonly (readonly [string, unknown])[];
}

interface Rounds {
  readonly count: number;
  readonly moves: number;
  /** Before each move. */
  readonly restarts: number;
}

async function run({ servers, clients: script, aims }: Run, { count, moves, restarts }: Rounds): Promise<boolean> {
  const [a, b] = servers;
  const proxy = await startProxy(a.message.port!, b.message.port!);
  const clients = await startScript<{ ready?: true }>(
    script,
    [`${proxy.port}`, `${count}`],
    ({ ready }) => ready === true,
  );
  await clients.ask('begin');
  await sleep(2_000);
  for (let round = 0; round < moves; round += 1) {
    const to = round % 2 === 0 ? 'target' : 'source';
    for (let number = 0; number < restarts; number += 1) {
      await proxy.restart();
      await sleep(RESTART_MS);
    }
    const tookMs = await moveAll(proxy, to, to === 'target' ? a : b);
    print(`moved to the ${to} in ${(tookMs / 1000).toFixed(1)} s`);
    await sleep(2_000);
  }
  await clients.ask('end');
  await sleep(2_000);
  const [report, ledger] = [await clients.ask('report'), await proxy.report()];
  print(JSON.stringify({ ...report, servers: [await a.ask('report'), await b.ask('report')] }, undefined, 2));
  print(`the proxy: ${JSON.stringify(ledger.moves)}`);
  const missed = aims(report).filter(([, value]) => value !== 0);
  for (const [name, value] of missed) print(`NOT AS IT MUST BE: ${name} is ${String(value)}`);
  return missed.length === 0;
}

const print = (text: string) => void process.stdout.write(`${text}\n`);
const part = (report: Report, name: string) => report[name] as Readonly<Record<string, unknown>>;
const listAims = (report: Report, name: string, ...parts: string[]) =>
  parts.map((each) => [`${name}.${each}`, part(report, name)[each]] as const);

async function runSocketIo(rounds: Rounds, publishMs: string): Promise<boolean> {
  const store = await startStore();
  const script = 'socket-io-server.mjs';
  const servers = [await startServer(script, store, 'a'), await startServer(script, store, 'b')] as const;
  await startServer(script, store, 'publisher', publishMs);
  const aims = (report: Report) => [
    ['disconnects', report.disconnects] as const,
    ['otherIds', report.otherIds] as const,
    ...listAims(report, 'own', 'missing', 'doubled', 'outOfOrder'),
    ...listAims(report, 'acks', 'missing', 'doubled'),
    ...listAims(report, 'broadcasts', 'missing', 'doubled'),
  ];
  return run({ servers, clients: 'socket-io-clients.mjs', aims }, rounds);
}

async function runGraphql(rounds: Rounds): Promise<boolean> {
  const servers = [await startServer('graphql-server.mjs'), await startServer('graphql-server.mjs')] as const;
  const aims = (report: Report) => [
    ['closes', report.closes] as const,
    ...listAims(report, 'subscriptions', 'ended', 'silent'),
    ...listAims(report, 'mutations', 'missing', 'doubled'),
  ];
  return run({ servers, clients: 'graphql-clients.mjs', aims }, rounds);
}

function readCount(name: string, given: string, min = 1): number {
  const value = Number(given);
  if (Number.isInteger(value) && value >= min) return value;
  throw new UsageError(`'--${name}' must be an integer of ${min} or more, got '${given}'`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string' },
      count: { type: 'string', default: '500' },
      moves: { type: 'string', default: '4' },
      restarts: { type: 'string', default: '0' },
      'publish-ms': { type: 'string', default: '1000' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    print(USAGE);
    return EXIT_CODES.done.code;
  }
  const { clients = 'both' } = values;
  if (!['both', 'socket.io', 'graphql'].includes(clients)) {
    throw new UsageError(`'--clients' must be one of socket.io, graphql, got '${clients}'`);
  }
  const [count, moves] = [readCount('count', values.count), readCount('moves', values.moves)];
  const rounds = { count, moves, restarts: readCount('restarts', values.restarts, 0) };
  const publishMs = `${readCount('publish-ms', values['publish-ms'])}`;
  const results: boolean[] = [];
  if (clients !== 'graphql') results.push(await runSocketIo(rounds, publishMs));
  if (clients !== 'socket.io') results.push(await runGraphql(rounds));
  return results.every(Boolean) ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

void runMain(main);
