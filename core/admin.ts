import { ByKind, CONNECTION_KINDS, EndingCounts, KindCounts, eachKind } from './connections';
import { HoldReport } from './hold';
import { Problems } from './problems';
import { Side } from './weights';

/** `GET /drain-status`: what one proxy task says of itself. Counts are since its start, times are milliseconds since the epoch. */
export interface LedgerReport {
  /** A name drawn at the start of the process: a counter that belongs to another instance starts from zero. */
  readonly instance: string;
  readonly state: 'serving' | 'draining' | 'drained';
  /** Until every connection that is live now is gone at the latest; 0 where there is no drain. It grows with those that come in a drain. */
  readonly drainRemainingSeconds: number;
  /** Connections that the drain in force has cut, because they were over their time: some of `ended.….forced`. 0 where there is no drain. */
  readonly drainForced: number;
  readonly active: KindCounts;
  readonly ended: ByKind<EndingCounts>;
  /**
   * Requests on the data port, without health checks. `answered` are those that got their whole answer or whose upstream
   * failed; `errors` are those of them with a status of 500 or more, or whose upstream failed, also in the middle of an
   * answer. A client that goes away by itself is neither.
   */
  readonly requests: { readonly total: number; readonly answered: number; readonly errors: number };
  /** Seconds since the oldest live connection of each kind came in; 0 where there is none. */
  readonly oldestSeconds: ByKind<number>;
  /** Body bytes by kind, those of live connections too. */
  readonly bytes: KindBytes;
  readonly hold: HoldReport;
  /** Where the next request goes. */
  readonly upstream: Side;
  readonly fastPath: FastPath;
}

/**
 * Whether connections without TLS are used on their native handles. `off`: this Node.js does not handle them as is known.
 * `untried`: the trial of that came to no result, and is repeated.
 */
export const FAST_PATHS = ['on', 'off', 'untried'] as const;
export type FastPath = (typeof FAST_PATHS)[number];

/** Of several processes the slowest. */
export function slowestPath(paths: readonly FastPath[]): FastPath {
  return (['off', 'untried'] as const).find((path) => paths.includes(path)) ?? 'on';
}

/** Body bytes from clients and to clients; of an upgraded connection everything after the handshake. */
export type KindBytes = ByKind<{ readonly received: number; readonly sent: number }>;

export const NO_BYTES: KindBytes = eachKind(() => ({ received: 0, sent: 0 }));

/** `POST /drain`. Each kind may finish by itself for its seconds; what is left is then closed at the rate. */
export interface DrainOrder {
  readonly perKindSeconds: ByKind<number>;
  /** Connections that one proxy task closes in a second. */
  readonly closeRatePerSecond: number;
  /** 0–1: by how much of its interval a close may be late, so that clients do not come back in step. */
  readonly jitter: number;
}

export const ADMIN_PATHS = {
  drainStatus: '/drain-status',
  drain: '/drain',
  undrain: '/undrain',
  hold: '/hold',
  release: '/release',
  retarget: '/retarget',
  metrics: '/metrics',
} as const;

export const HEALTH_PATH = '/.drainshift/health';

/** Seconds by which the clocks of a caller and a proxy may differ. */
export const ADMIN_REPLAY_SECONDS = 60;
export const ADMIN_TIME_HEADER = 'x-drainshift-time';
export const ADMIN_SIGNATURE_HEADER = 'x-drainshift-signature';

/** The text that is signed with HMAC-SHA256 (hex) and the admin secret: nothing of a request may change on its way. */
export function adminStringToSign(method: string, path: string, timeMs: string, body: string): string {
  return [method, path, timeMs, body].join('\n');
}

export const DEFAULT_DRAIN: DrainOrder = {
  perKindSeconds: { http: 30, websocket: 300, grpcStream: 300, serverSentEvents: 300, streaming: 300 },
  closeRatePerSecond: 20,
  jitter: 0.2,
};

const DAY = 86_400;

/** Reads a drain order out of JSON; absent parts take the defaults, problems go to `problems` under `name`. */
export function readDrainOrder(name: string, value: unknown, problems: Problems): DrainOrder {
  const prefix = name === '' ? '' : `${name}.`;
  const raw = problems.object(name, value, ['perKindSeconds', 'closeRatePerSecond', 'jitter']);
  const seconds = problems.object(`${prefix}perKindSeconds`, raw.perKindSeconds, CONNECTION_KINDS);
  const perKindSeconds = eachKind((kind) =>
    problems.integer(`${prefix}perKindSeconds.${kind}`, seconds[kind], {
      min: 0,
      max: DAY,
      default: DEFAULT_DRAIN.perKindSeconds[kind],
    }),
  );
  return {
    perKindSeconds,
    closeRatePerSecond: problems.integer(`${prefix}closeRatePerSecond`, raw.closeRatePerSecond, {
      min: 1,
      max: 10_000,
      default: DEFAULT_DRAIN.closeRatePerSecond,
    }),
    jitter: problems.number(`${prefix}jitter`, raw.jitter, { min: 0, max: 1, default: DEFAULT_DRAIN.jitter }),
  };
}
