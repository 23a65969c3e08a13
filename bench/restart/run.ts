import { appendFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { nextLine, startScript } from '../load/script';
import { pause } from '../processes/ports';
import { cpuSeconds, openFiles, residentBytes } from '../processes/proc';
import type { Workplace } from '../processes/workplace';
import { allCores, isAlive } from './estate';
import type { PeerFigures, RestartFigures, Settled } from './figures';
import type { BackendLine, RequestsOrder, RequestsReport, SocketsOrder, SocketsReport } from './messages';
import type { RestartPeer, RunningPeer } from './peers';
import { Talker } from './talker';

export interface RestartOptions {
  readonly connections: number;
  readonly tlsConnections: number;
  readonly messagesPerSecond: number;
  readonly requests: number;
  readonly restarts: number;
  readonly shutdownSeconds: number;
  /** A file that gets what the proxies wrote. */
  readonly logs?: string | undefined;
}

export type Progress = (line: string) => void;

const WARM_UP_MS = 4_000;
const QUIET_MS = 3_000;
/** What is due at the end of a window has this long to come back. */
const REST_MS = 1_000;
const SETTLE_MS = 1_500;
/** Beyond the limit of a peer: then its old processes are left over. */
const MAX_REPLACE_MS = 60_000;
const POLL_MS = 20;

interface Load {
  readonly sockets: Talker<SocketsReport>;
  readonly requests: Talker<RequestsReport>;
}

/** Restarts a peer under load. A peer that keeps its connections in old processes is restarted once: then they are closed. */
export async function measurePeer(
  place: Workplace,
  peer: RestartPeer,
  options: RestartOptions,
  progress: Progress,
): Promise<PeerFigures> {
  const cores = allCores(place);
  const backend = startScript<BackendLine>(
    place,
    'restart/backend',
    {},
    { cores, openFiles: place.placement.openFiles },
  );
  const { port: upstreamPort } = await nextLine(backend);
  const { isTls } = peer;
  const running = await peer.start(place, { upstreamPort, isTls, shutdownSeconds: options.shutdownSeconds });
  try {
    return await measureRunning(place, peer, running, options, progress);
  } finally {
    if (options.logs !== undefined) appendFileSync(options.logs, running.log());
    await running.kill();
    await backend.child.kill();
  }
}

async function measureRunning(
  place: Workplace,
  { name, how, isOurs, isTls, loadShare = 1 }: RestartPeer,
  running: RunningPeer,
  options: RestartOptions,
  progress: Progress,
): Promise<PeerFigures> {
  const perSecond = options.messagesPerSecond * loadShare;
  const requestsPerSecond = options.requests * loadShare;
  const connections = isTls ? options.tlsConnections : options.connections;
  const load = await startLoad(place, running, { connections, perSecond, isTls }, requestsPerSecond);
  progress(`${name}: ${connections} WebSockets are open`);
  await pause(WARM_UP_MS);
  const times = sumTimes();
  const [{ stall: quiet }] = await inWindow(load, () => pause(QUIET_MS));
  const idleShare = findIdleShare(times, sumTimes());
  const before = await settle(running);
  const idle = `${Math.round(idleShare * 100)} % of the processors idle`;
  progress(`${name}: a message takes ${quiet.p50} ms, p99 ${quiet.p99} ms; ${idle}; ${describe(before)}`);
  const restarts: RestartFigures[] = [];
  for (let number = 1; number <= (isOurs ? options.restarts : 1); number += 1) {
    const figures = await restartOnce(load, running, options.shutdownSeconds);
    restarts.push(figures);
    progress(`${name}: restart ${number}: ${describeRestart(figures)}; ${describe(figures.after)}`);
  }
  tellBoth(load, 'stop');
  await pause(2 * REST_MS);
  const [sockets, requests] = await reportBoth(load);
  await Promise.all([load.sockets.child.kill(), load.requests.child.kill()]);
  const messagesPerSecond = connections * perSecond;
  return {
    ...{ peer: name, how, isOurs, connections, messagesPerSecond, requestsPerSecond },
    ...{ quiet, idleShare, before, restarts, sockets, requests },
  };
}

/** Of all processors since the machine began, in milliseconds. */
function sumTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((one) => one.times);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    idle: sum(times.map(({ idle }) => idle)),
    all: sum(times.flatMap(({ user, nice, sys, idle, irq }) => [user, nice, sys, idle, irq])),
  };
}

function findIdleShare(before: ReturnType<typeof sumTimes>, after: ReturnType<typeof sumTimes>): number {
  return (after.idle - before.idle) / Math.max(1, after.all - before.all);
}

async function startLoad(
  place: Workplace,
  { ports }: RunningPeer,
  sockets: Omit<SocketsOrder, 'ports'>,
  perSecond: number,
): Promise<Load> {
  const order: SocketsOrder = { ...sockets, ports };
  const { talker } = await Talker.start<SocketsReport>(place, 'restart/sockets', order);
  const asked: RequestsOrder = { ports, isTls: sockets.isTls, perSecond };
  return { sockets: talker, requests: (await Talker.start<RequestsReport>(place, 'restart/requests', asked)).talker };
}

function tellBoth({ sockets, requests }: Load, order: 'begin' | 'end' | 'stop'): void {
  sockets.tell(order);
  requests.tell(order);
}

function reportBoth({ sockets, requests }: Load): Promise<[SocketsReport, RequestsReport]> {
  return Promise.all([sockets.report(), requests.report()]);
}

async function inWindow(load: Load, what: () => Promise<unknown>): Promise<[SocketsReport, RequestsReport]> {
  tellBoth(load, 'begin');
  await what();
  tellBoth(load, 'end');
  await pause(REST_MS);
  return reportBoth(load);
}

async function restartOnce(load: Load, running: RunningPeer, shutdownSeconds: number): Promise<RestartFigures> {
  const [{ closed }, { errors }] = await reportBoth(load);
  const old = running.listServing();
  let replacedMs: number | undefined;
  let servingMs = 0;
  const cpuBefore = cpuSeconds(old);
  const cpu = { old: 0, new: 0 };
  const [sockets, requests] = await inWindow(load, async () => {
    const startedMs = performance.now();
    await running.restart();
    servingMs = performance.now() - startedMs;
    const limitMs = MAX_REPLACE_MS + shutdownSeconds * 1000;
    while (old.some(isAlive) && performance.now() - startedMs < limitMs) {
      cpu.old = Math.max(cpu.old, cpuSeconds(old) - cpuBefore);
      await pause(POLL_MS);
    }
    cpu.new = cpuSeconds(running.listServing().filter((pid) => !old.includes(pid)));
    if (!old.some(isAlive)) replacedMs = performance.now() - startedMs;
  });
  const isOurs = (await running.report()) !== undefined;
  return {
    ...(replacedMs !== undefined && { replacedMs: Math.round(replacedMs) }),
    ...(isOurs && { servingMs: Math.round(servingMs) }),
    ...{ stall: sockets.stall, latency: requests.latency, timeline: sockets.timeline },
    cpuSeconds: { old: round(cpu.old), new: round(cpu.new) },
    ...{ closed: sockets.closed - closed, requestErrors: requests.errors - errors },
    after: await settle(running),
  };
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

async function settle(running: RunningPeer): Promise<Settled> {
  await pause(SETTLE_MS);
  const processes = running.listProcesses();
  const generations = (await running.report())?.generations?.live;
  return {
    processes: processes.length,
    files: openFiles(processes),
    residentBytes: residentBytes(processes),
    temporary: running.listTemporary().length,
    ...(generations !== undefined && { generations }),
  };
}

function describeRestart({
  replacedMs,
  servingMs,
  stall,
  latency,
  closed,
  requestErrors,
  cpuSeconds: cpu,
}: RestartFigures): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  const replaced = replacedMs === undefined ? 'old processes are left' : `replaced in ${seconds(replacedMs)}`;
  const serving = servingMs === undefined ? '' : ` (serving after ${seconds(servingMs)})`;
  const took = `${cpu.old} + ${cpu.new} s of processor time`;
  const messages = `messages p50 ${stall.p50}, p99 ${stall.p99}, max ${stall.max} ms`;
  return `${replaced}${serving}, ${took}, ${closed} closed, ${messages}; requests p99 ${latency.p99} ms, ${requestErrors} errors`;
}

function describe({ processes, files, residentBytes: bytes, temporary }: Settled): string {
  return `${processes} processes, ${files} files, ${(bytes / 2 ** 20).toFixed(0)} MiB, ${temporary} temporary`;
}
