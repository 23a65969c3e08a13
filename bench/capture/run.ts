import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Endpoint, startEndpoint } from '../../rehearsal/aws/endpoint/endpoint';
import { ObjectStore } from '../../rehearsal/aws/services/s3/object-store';
import { SecretStore } from '../../rehearsal/aws/services/secrets/secret-store';
import { ElbModel } from '../../rehearsal/load-balancer/model/model';
import type { FixedRateLoad } from '../load/fixed-rate';
import { runLoadScript } from '../load/http-load';
import { drainshift } from '../peers/drainshift';
import { freePort, listening } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import { PATHS } from '../upstream/paths';
import { startUpstreams } from '../upstream/upstream';

export const CAPTURE_STORES = ['folder', 's3'] as const;
export type CaptureStore = (typeof CAPTURE_STORES)[number];

export interface CaptureOptions {
  readonly connections: readonly number[];
  /** Writes a second. */
  readonly rate: number;
  /** Of each body. */
  readonly bytes: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly stores: readonly CaptureStore[];
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the writes that were meant to be sent, how many were. */
  readonly share: number;
  readonly errors: number;
}

/** Medians of its rounds. */
export interface CaptureRow extends Latency {
  readonly connections: number;
  readonly store: CaptureStore | 'off';
  /** Writes in one object or file, on average; 0 without a capture. */
  readonly batch: number;
}

const REGION = 'eu-central-1';
const BUCKET = 'captured';
const WARMUP_SECONDS = 1;
const EMPTY = new Map<string, never>();

/** Measures each number of clients without a capture and with each store, in turn. */
export async function measureCapture(
  place: Workplace,
  options: CaptureOptions,
  tell: (line: string) => void,
): Promise<CaptureRow[]> {
  const { http } = await startUpstreams(place);
  const objects = new ObjectStore();
  objects.createBucket(BUCKET);
  const endpoint = await startS3(objects);
  const rows: CaptureRow[] = [];
  try {
    for (const connections of options.connections) {
      const rounds = new Map<CaptureRow['store'], Measured[]>();
      for (let round = 0; round < options.rounds; round += 1) {
        for (const store of ['off', ...options.stores] as const) {
          const measured = await measure({ place, options, store, connections, upstream: http, endpoint, objects });
          rounds.set(store, [...(rounds.get(store) ?? []), measured]);
          tell(
            `${connections} clients, ${store}: p50 ${measured.p50Ms.toFixed(2)} ms, p99 ${measured.p99Ms.toFixed(1)} ms`,
          );
        }
      }
      for (const [store, all] of rounds) rows.push({ connections, store, ...findMedian(all) });
    }
    return rows;
  } finally {
    await endpoint.stop();
  }
}

type Measured = Latency & Pick<CaptureRow, 'batch'>;

interface Asked {
  readonly place: Workplace;
  readonly options: CaptureOptions;
  readonly store: CaptureRow['store'];
  readonly connections: number;
  readonly upstream: number;
  readonly endpoint: Endpoint;
  readonly objects: ObjectStore;
}

async function measure(asked: Asked): Promise<Measured> {
  const { place, options, store, connections, upstream, endpoint, objects } = asked;
  const port = await freePort();
  const folder = join(place.directory, `captured-${port}`);
  mkdirSync(folder);
  const { proxyCore, openFiles } = place.placement;
  const launch = await drainshift.launch({ directory: place.directory, port, upstreamPort: upstream, openFiles });
  const url = store === 's3' ? `s3://${BUCKET}/${port}` : folder;
  const capture: Record<string, string> = store === 'off' ? {} : { DRAINSHIFT_CAPTURE: url };
  const aws = {
    ...{ AWS_ENDPOINT_URL: endpoint.url, AWS_REGION: REGION },
    ...{ AWS_ACCESS_KEY_ID: 'PROXY', AWS_SECRET_ACCESS_KEY: 'none' },
  };
  const cores = proxyCore === undefined ? undefined : String(proxyCore);
  const child = place.children.start(
    { ...launch, env: { ...launch.env, ...aws, ...capture } },
    { name: store, cores, openFiles },
  );
  try {
    await listening(port, child);
    const load: FixedRateLoad = {
      ...{ port, path: PATHS.post, bodyBytes: options.bytes, rate: options.rate, connections },
      ...{ warmupSeconds: WARMUP_SECONDS, seconds: options.seconds },
    };
    const {
      requests,
      seconds,
      errors,
      p50Ms = NaN,
      p99Ms = NaN,
    } = await runLoadScript(place, 'load/fixed-rate', load, () => undefined);
    const files = store === 's3' ? objects.list(BUCKET, `${port}/`).length : countFiles(folder);
    const all = options.rate * (options.seconds + WARMUP_SECONDS);
    return { p50Ms, p99Ms, errors, share: requests / seconds / options.rate, batch: files === 0 ? 0 : all / files };
  } finally {
    await child.kill();
  }
}

function countFiles(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.gz')).length;
}

function findMedian(rounds: readonly Measured[]): Measured {
  const median = (name: keyof Measured) =>
    rounds.map((round) => round[name]).sort((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? NaN;
  const errors = rounds.reduce((sum, round) => sum + round.errors, 0);
  return { p50Ms: median('p50Ms'), p99Ms: median('p99Ms'), share: median('share'), batch: median('batch'), errors };
}

/** That of the rehearsal, with nothing but objects in it. */
function startS3(objects: ObjectStore): Promise<Endpoint> {
  const nothing = () => undefined;
  const fail = () => {
    throw new Error('there is no state machine');
  };
  return startEndpoint({
    elb: new ElbModel(),
    ecs: {
      ...{ clusters: EMPTY, services: EMPTY, tasks: EMPTY },
      ...{ setDesiredCount: nothing, forceNewDeployment: nothing, stopTask: nothing },
    },
    states: { stateMachines: EMPTY, executions: EMPTY, start: fail, stop: nothing, redrive: nothing },
    secrets: new SecretStore(),
    objects,
    targets: { register: nothing, deregister: nothing },
    region: REGION,
    account: '111122223333',
  });
}
