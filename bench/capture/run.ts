import type { FixedRateLoad } from '../load/fixed-rate';
import { runLoadScript } from '../load/http-load';
import { drainshift, otherBuild } from '../peers/drainshift';
import type { Peer } from '../peers/peer';
import { freePort, listening } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import { Meter } from '../rows/meter';
import { PATHS } from '../upstream/paths';
import { startUpstreams } from '../upstream/upstream';
import { CaptureStore, Stores, startStores } from './stores';

export interface CaptureOptions {
  readonly connections: readonly number[];
  /** Writes a second. */
  readonly rate: number;
  /** Of each body. */
  readonly bytes: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly stores: readonly CaptureStore[];
  /** The root of another build, which is measured beside this one. */
  readonly against: string | undefined;
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the writes that were meant to be sent, how many were. */
  readonly share: number;
  readonly errors: number;
  /** CPU time of the proxy for one write. */
  readonly cpuMicros: number;
  /** Writes in one object or file, on average; undefined where there are none. */
  readonly batch: number | undefined;
}

/** Medians of its rounds. */
export interface CaptureRow extends Latency {
  readonly connections: number;
  readonly store: CaptureStore | 'off';
  readonly build: Build;
}

export type Build = 'this' | 'other';

/** Proxy and broker compile their code first: after a start, writes wait for tens of milliseconds. */
const WARMUP_SECONDS = 6;

/** Measures each number of clients without a capture and with each store, in turn. */
export async function measureCapture(
  place: Workplace,
  options: CaptureOptions,
  tell: (line: string) => void,
): Promise<CaptureRow[]> {
  const { http } = await startUpstreams(place);
  const stores = await startStores(place, options.stores);
  const builds: readonly Build[] = options.against === undefined ? ['this'] : ['this', 'other'];
  const cells = (['off', ...options.stores] as const).flatMap((store) => builds.map((build) => ({ store, build })));
  const rows: CaptureRow[] = [];
  try {
    for (const connections of options.connections) {
      const rounds = cells.map((): Latency[] => []);
      for (let round = 0; round < options.rounds; round += 1) {
        for (const [at, { store, build }] of cells.entries()) {
          const peer = build === 'this' ? drainshift : otherBuild(options.against!);
          const measured = await measure({ place, options, store, connections, upstream: http, stores, peer });
          rounds[at]!.push(measured);
          const { p50Ms, p99Ms, cpuMicros } = measured;
          const figures = `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(1)} ms, ${cpuMicros.toFixed(0)} µs of CPU`;
          tell(`${connections} clients, ${store}${build === 'this' ? '' : ', the other build'}: ${figures}`);
        }
      }
      for (const [at, cell] of cells.entries()) rows.push({ connections, ...cell, ...findMedian(rounds[at]!) });
    }
    return rows;
  } finally {
    await stores.stop();
  }
}

interface Asked {
  readonly place: Workplace;
  readonly options: CaptureOptions;
  readonly store: CaptureRow['store'];
  readonly connections: number;
  readonly upstream: number;
  readonly stores: Stores;
  readonly peer: Peer;
}

async function measure({ place, options, store, connections, upstream, stores, peer }: Asked): Promise<Latency> {
  const port = await freePort();
  const { proxyCore, openFiles } = place.placement;
  const launch = await peer.launch({ directory: place.directory, port, upstreamPort: upstream, openFiles });
  const opened = store === 'off' ? undefined : stores.open(store, `captured-${port}`);
  const capture: Record<string, string> = opened === undefined ? {} : { DRAINSHIFT_CAPTURE: opened.url };
  const cores = proxyCore === undefined ? undefined : String(proxyCore);
  const child = place.children.start(
    { ...launch, env: { ...launch.env, ...stores.environment, ...capture } },
    { name: store, cores, openFiles },
  );
  try {
    await listening(port, child);
    const load: FixedRateLoad = {
      ...{ port, path: PATHS.post, bodyBytes: options.bytes, rate: options.rate, connections },
      ...{ warmupSeconds: WARMUP_SECONDS, seconds: options.seconds },
    };
    const meter = new Meter(child.pid, proxyCore);
    const result = await runLoadScript(place, 'load/fixed-rate', load, meter.atMark);
    const { requests, seconds, errors, p50Ms = NaN, p99Ms = NaN } = result;
    const { cpuMicros = NaN } = meter.costs(result);
    const files = opened?.countFiles();
    const all = options.rate * (options.seconds + WARMUP_SECONDS);
    const batch = files === undefined ? undefined : all / files;
    return { p50Ms, p99Ms, errors, share: requests / seconds / options.rate, batch, cpuMicros };
  } finally {
    await child.kill();
  }
}

function findMedian(rounds: readonly Latency[]): Latency {
  const middle = Math.floor(rounds.length / 2);
  const median = (name: 'p50Ms' | 'p99Ms' | 'share' | 'cpuMicros' | 'batch') =>
    rounds.map((round) => round[name] ?? NaN).sort((a, b) => a - b)[middle] ?? NaN;
  const errors = rounds.reduce((sum, round) => sum + round.errors, 0);
  const batch = rounds[0]?.batch === undefined ? undefined : median('batch');
  const [p50Ms, p99Ms, share, cpuMicros] = (['p50Ms', 'p99Ms', 'share', 'cpuMicros'] as const).map(median);
  return { p50Ms: p50Ms!, p99Ms: p99Ms!, share: share!, cpuMicros: cpuMicros!, batch, errors };
}
