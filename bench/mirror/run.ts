import { join } from 'node:path';
import { createServer, type Server, type Socket } from 'node:net';
import type { FixedRateLoad } from '../load/fixed-rate';
import { runLoadScript } from '../load/http-load';
import { Meter } from '../rows/meter';
import { drainshift } from '../peers/drainshift';
import { HOST, freePort, listening } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import { PATHS } from '../upstream/paths';
import { startUpstreams } from '../upstream/upstream';

/** `off`: without a mirror. `live`: the target is as the source. `refused`: nothing listens there. `silent`: it takes connections alone. */
export const TARGETS = ['off', 'live', 'refused', 'silent'] as const;
export type Target = (typeof TARGETS)[number];

/** What is measured: a target, and the share of the requests that is copied, in percent. */
export interface Cell {
  readonly target: Target;
  readonly share: number;
}

export interface MirrorOptions {
  readonly connections: number;
  /** Requests a second. */
  readonly rate: number;
  readonly rounds: number;
  readonly seconds: number;
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of a request, at the proxy. */
  readonly cpuMicros: number;
  readonly errors: number;
}

/** Medians of its rounds, and of the ratios to the `off` of the same round. */
export interface MirrorRow extends Cell, Latency {
  readonly p50Ratio: number;
  readonly p99Ratio: number;
}

export const CELLS: readonly Cell[] = [
  { target: 'off', share: 0 },
  { target: 'live', share: 10 },
  { target: 'live', share: 100 },
  { target: 'refused', share: 100 },
  { target: 'silent', share: 100 },
];
const WARMUP_SECONDS = 1;

/** Measures each cell in turn, round by round. */
export async function measureMirror(
  place: Workplace,
  options: MirrorOptions,
  tell: (line: string) => void,
): Promise<MirrorRow[]> {
  const { http: upstream } = await startUpstreams(place);
  // As the source is, and another process.
  const { http: live } = await startUpstreams({ ...place, directory: join(place.directory, 'target') });
  const silent = await startSilent();
  const ports = { live, refused: await freePort(), silent: silent.port };
  const rounds: Latency[][] = CELLS.map(() => []);
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      // What comes later in a round has no worse machine, on average.
      const order = [...CELLS.keys()].map((at) => (at + round) % CELLS.length);
      for (const at of order) {
        const { target, share } = CELLS[at]!;
        const mirror = target === 'off' ? undefined : { port: ports[target], share };
        const measured = await measure({ place, options, upstream, mirror });
        rounds[at]!.push(measured);
        const { p50Ms, p99Ms, cpuMicros } = measured;
        tell(
          `${target} ${share} %: p50 ${p50Ms.toFixed(3)} ms, p99 ${p99Ms.toFixed(2)} ms, ${cpuMicros.toFixed(0)} µs`,
        );
      }
    }
    return CELLS.map((cell, at) => ({ ...cell, ...findMedians(rounds[at]!, rounds[0]!) }));
  } finally {
    silent.stop();
  }
}

interface Asked {
  readonly place: Workplace;
  readonly options: MirrorOptions;
  readonly upstream: number;
  readonly mirror: { readonly port: number; readonly share: number } | undefined;
}

async function measure({ place, options, upstream, mirror }: Asked): Promise<Latency> {
  const port = await freePort();
  const { proxyCore, openFiles } = place.placement;
  const launch = await drainshift.launch({ directory: place.directory, port, upstreamPort: upstream, openFiles });
  const own: Record<string, string> = mirror
    ? { DRAINSHIFT_MIRROR_URL: `http://${HOST}:${mirror.port}`, DRAINSHIFT_MIRROR_SHARE: String(mirror.share) }
    : {};
  const cores = proxyCore === undefined ? undefined : String(proxyCore);
  const child = place.children.start(
    { ...launch, env: { ...launch.env, ...own } },
    { name: 'mirror', cores, openFiles },
  );
  try {
    await listening(port, child);
    const { rate, connections, seconds } = options;
    const load: FixedRateLoad = { port, path: PATHS.small, rate, connections, warmupSeconds: WARMUP_SECONDS, seconds };
    const meter = new Meter(child.pid, proxyCore);
    const result = await runLoadScript(place, 'load/fixed-rate', load, meter.atMark);
    const { errors, p50Ms = NaN, p99Ms = NaN } = result;
    const { cpuMicros = NaN } = meter.costs(result);
    return { p50Ms, p99Ms, errors, cpuMicros };
  } finally {
    await child.kill();
  }
}

function findMedians(rounds: readonly Latency[], off: readonly Latency[]): Omit<MirrorRow, keyof Cell> {
  const median = (numbers: readonly number[]) =>
    [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
  const of = (name: 'p50Ms' | 'p99Ms' | 'cpuMicros') => median(rounds.map((round) => round[name]));
  const ratio = (name: 'p50Ms' | 'p99Ms') => median(rounds.map((round, at) => round[name] / off[at]![name]));
  return {
    ...{ p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), cpuMicros: of('cpuMicros') },
    ...{ p50Ratio: ratio('p50Ms'), p99Ratio: ratio('p99Ms') },
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
  };
}

async function startSilent(): Promise<{ readonly port: number; stop(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address() as { readonly port: number };
  return {
    port,
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
