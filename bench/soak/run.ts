import { imageFlags } from '../peers/drainshift.ts';
import { join } from 'node:path';
import type { Child } from '../processes/children.ts';
import { freePort, HOST, listening, pause } from '../processes/ports.ts';
import { openFiles, residentBytes, treeOf } from '../processes/proc.ts';
import { ROOT } from '../processes/resolve.ts';
import type { Workplace } from '../processes/workplace.ts';
import type { SoakOptions } from '../options.ts';
import { Account } from './account.ts';
import { activeConnections, sumOf, type Active } from './admin.ts';
import { Chance } from './chance.ts';
import type { Activity, ClientWorld } from './client.ts';
import { getInTurn, getOnce, getPipelined, post, readEvents, readSlowly } from './exchanges.ts';
import { keptBytes } from './heap.ts';
import { MortalUpstream } from './outages.ts';
import { fallSilent, resetInTheMiddle } from './rudeness.ts';
import { memoryBreaches, type Settled } from './verdict.ts';
import { talk } from './web-socket.ts';

/** How often each activity is chosen. */
const ACTIVITIES: readonly Activity[] = [
  ...[getInTurn, getInTurn, getInTurn, getInTurn, getPipelined, getPipelined, getOnce, getOnce, post, post, post],
  ...[talk, talk, readEvents, readSlowly, resetInTheMiddle, resetInTheMiddle, fallSilent],
];

const SECRET = 'only-for-the-soak-0123456789';
/** An upstream that stalls must not take the soak's whole time. */
const UPSTREAM_IDLE_SECONDS = 2;
/** After the load, until every slot must be free again: longer than the upstream's idle time. */
const SETTLE_LIMIT_MS = 15_000;
/** Standard streams and the like come and go by a few. */
const SPARE_FILES = 4;
/** pino's `error`. */
const ERROR_LEVEL = 50;

export interface SoakResult {
  readonly seed: number;
  readonly minutes: number;
  readonly settled: readonly Settled[];
  readonly counts: Readonly<Record<string, number>>;
  readonly total: number;
  readonly breachCount: number;
  readonly breaches: readonly string[];
}

interface Proxy {
  readonly child: Child;
  readonly port: number;
  readonly admin: number;
  /** Undefined with several workers: there is one port for all of them. */
  readonly inspector: number | undefined;
}

/** Puts mixed load with faults on our proxy, and stops now and then to look at what is left of it. */
export async function soak(
  place: Workplace,
  options: SoakOptions,
  progress: (line: string) => void,
): Promise<SoakResult> {
  const { seed, minutes, cycles } = options;
  const account = new Account();
  const chance = new Chance(seed);
  const upstream = new MortalUpstream(place, account);
  await upstream.start();
  const proxy = await startProxy(place, upstream.port, options.workers);
  const filesAtStart = openFiles(treeOf(proxy.child.pid));
  const settled: Settled[] = [];
  const cycleMs = (minutes * 60_000) / cycles;
  // The first cycle warms up: what is compiled and allotted once is not growth.
  for (let cycle = 0; cycle <= cycles && proxy.child.isRunning(); cycle += 1) {
    const before = account.total;
    await loadFor(cycleMs, proxy, { port: proxy.port, account, chance }, upstream, options.clients);
    if (!proxy.child.isRunning()) break;
    // What was leaked stays leaked, and every further cycle would wait for it.
    if (!(await becomesZero(proxy, account))) break;
    const memory = await memoryOf(proxy);
    if (cycle > 0) settled.push(memory);
    const rate = Math.round((account.total - before) / (cycleMs / 1000));
    progress(
      `${cycle === 0 ? 'warm-up' : `cycle ${cycle}/${cycles}`}: ${rate} settled/s, ${account.breachCount} breaches, ` +
        `resident ${megabytes(memory.resident)}${memory.kept === undefined ? '' : `, kept ${megabytes(memory.kept)}`}`,
    );
  }
  await endProxy(proxy, account, filesAtStart);
  for (const breach of memoryBreaches(settled)) account.breachOfRun(breach);
  const { counts, total, breachCount, breaches } = account;
  return { seed, minutes, settled, counts, total, breachCount, breaches };
}

async function startProxy(place: Workplace, upstreamPort: number, workers: number): Promise<Proxy> {
  const [port, admin, inspector] = [await freePort(), await freePort(), await freePort()];
  const settings = {
    listen: `${HOST}:${port}`,
    admin: `${HOST}:${admin}`,
    upstream: `http://${HOST}:${upstreamPort}`,
    'upstream-idle-seconds': UPSTREAM_IDLE_SECONDS,
    'propagation-seconds': 0,
    'grace-period-seconds': 5,
    'log-level': 'error',
    ...(workers > 1 && { workers }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const inspect = workers > 1 ? [] : [`--inspect=${HOST}:${inspector}`];
  const args = [...imageFlags(), ...inspect, join(ROOT, 'dist/assets/proxy/proxy.js'), ...flags];
  const { proxyCore, openFiles: limit } = place.placement;
  const child = place.children.start(
    { command: process.execPath, args, env: { DRAINSHIFT_ADMIN_SECRET: SECRET, NODE_ENV: 'production' } },
    { name: 'drainshift', cores: proxyCore === undefined ? undefined : String(proxyCore), openFiles: limit },
  );
  await listening(port, child);
  await listening(admin, child);
  return { child, port, admin, inspector: workers > 1 ? undefined : inspector };
}

type LoadWorld = Omit<ClientWorld, 'goesOn' | 'nextId'>;

/** Resolves when every client has finished what it began, and the upstream is there. */
async function loadFor(
  ms: number,
  { child }: Proxy,
  world: LoadWorld,
  upstream: MortalUpstream,
  clients: number,
): Promise<void> {
  const endMs = performance.now() + ms;
  const end = new AbortController();
  const trouble = upstream.trouble(world.chance, end.signal);
  const inside: ClientWorld = { ...world, goesOn: () => performance.now() < endMs && child.isRunning(), nextId };
  await Promise.all(Array.from({ length: clients }, () => client(inside)));
  end.abort();
  await trouble;
}

async function client(world: ClientWorld): Promise<void> {
  while (world.goesOn()) {
    await world.chance.of(ACTIVITIES)(world);
    await pause(world.chance.between(0, 20));
  }
}

let lastId = 0;
function nextId(): number {
  lastId += 1;
  return lastId;
}

/** Nobody is connected any more: a slot that is still taken was leaked. */
async function becomesZero(proxy: Proxy, account: Account): Promise<boolean> {
  const deadline = performance.now() + SETTLE_LIMIT_MS;
  let active: Active = {};
  do {
    await pause(200);
    active = await activeConnections(proxy.admin, SECRET);
    if (sumOf(active) === 0) return true;
  } while (performance.now() < deadline);
  account.breachOfRun(`The ledger must come to zero after the load, got ${JSON.stringify(active)}`);
  return false;
}

async function memoryOf({ child, inspector }: Proxy): Promise<Settled> {
  const kept = inspector === undefined ? undefined : await keptBytes(inspector);
  await pause(500);
  return { resident: residentBytes(treeOf(child.pid)), ...(kept !== undefined && { kept }) };
}

async function endProxy({ child }: Proxy, account: Account, filesAtStart: number): Promise<void> {
  if (!child.isRunning())
    return account.breachOfRun(
      `The proxy must live through everything, ended (${await child.ended}): ${child.logTail()}`,
    );
  const deadline = performance.now() + SETTLE_LIMIT_MS;
  let files = openFiles(treeOf(child.pid));
  for (; files > filesAtStart + SPARE_FILES && performance.now() < deadline; files = openFiles(treeOf(child.pid)))
    await pause(500);
  if (files > filesAtStart + SPARE_FILES)
    account.breachOfRun(`Open files must come back to ${filesAtStart}, got ${files}`);
  const errors = child
    .log()
    .split('\n')
    .filter((line) => levelOf(line) >= ERROR_LEVEL);
  if (errors.length > 0)
    account.breachOfRun(`The proxy must log no error, got ${errors.length}, the first: ${errors[0]}`);
  child.process.kill('SIGTERM');
  const code = await Promise.race([child.ended, pause(SETTLE_LIMIT_MS).then(() => 'nothing')]);
  if (code !== 0) account.breachOfRun(`The proxy must end with 0 on SIGTERM, got ${code}`);
}

function levelOf(line: string): number {
  return Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 0);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
