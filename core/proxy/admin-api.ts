import type { CaptureReport } from '../capture/capture-report';
import type { MirrorCounts } from '../mirror/mirror-counts';
import { CLOSE_ORDER_FIELD, CloseOrder } from './close-order';
import { ByKind, EndingCounts, KIND_FACTS, KindCounts, eachKind } from './connections';
import { DryRunReport, HoldFigures, HoldReport } from './hold';
import type { GenerationsReport } from './restart';
import { PROXY_SETTINGS } from './settings/settings';
import { DEFAULT_MOVES, MOVES, MoveFigures, Moves } from '../moves/moves';
import { ObjectField, SecondsField, readFields } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { Side } from '../traffic/weights';
import type { WindowReport } from './window';

/** `GET /drain-status`: what one proxy task says of itself. Counts are since its start, times are milliseconds since the epoch. */
export interface LedgerReport {
  /** A name drawn at the start of the process that has the admin port: another one at the same address was started anew. */
  readonly identity: string;
  /** Whose counters these are: those of another instance start from zero. It changes with a new process, and when a worker is lost. */
  readonly instance: string;
  readonly state: 'serving' | 'draining' | 'drained';
  /** Until every connection that is live now is gone at the latest; 0 where there is no drain. It grows with those that come in a drain. */
  readonly drainRemainingSeconds: number;
  /** Connections that the drain in force has cut, because they were over their time: some of `ended.….forced`. 0 where there is no drain. */
  readonly drainForced: number;
  /** The same by kind. Absent of an older proxy: then it is unknown, and not zero. */
  readonly drainForcedByKind?: KindCounts;
  readonly active: KindCounts;
  /**
   * Of `active.http` and `active.streaming`: requests that came by a port of the smoke tests. Absent where there are none. No drain of a
   * cutover waits for them: they end as any other, and testers may send more for as long as they like.
   */
  readonly ofTesters?: number;
  readonly ended: ByKind<EndingCounts>;
  /**
   * Live connections of clients here to the other side's backend. They left `active` as `moved`, or were opened so; they hold up no drain, and
   * are back in `active` when they are moved back. Absent of an older proxy, which moves none.
   */
  readonly carried?: KindCounts;
  /** How connections left `carried`: `moved` those that were moved back. */
  readonly carriedEnded?: ByKind<EndingCounts>;
  /** What moves to another backend came to. Absent of an older proxy, which moves none. */
  readonly moves?: MoveFigures;
  /** Which connections this proxy can move. Absent of an older proxy, which moves none. */
  readonly movable?: Movable;
  /**
   * Requests on the data port, without health checks, and without those that came by a port of the smoke tests. `responded` are those that got their whole response or whose upstream
   * failed; `errors` are those of them with a status of 500 or more, or whose upstream failed, also in the middle of an
   * response. A client that goes away by itself is neither.
   */
  readonly requests: { readonly total: number; readonly responded: number; readonly errors: number };
  /**
   * Requests that were given up after they were sent, because their client left, or the upstream failed: they may still run
   * there. `sinceLastMs` is absent where there was none.
   */
  readonly abandoned: { readonly total: number; readonly sinceLastMs?: number };
  /** How long ago a process of this task was lost, which others outlive. What it had sent may still run. Absent: none was. */
  readonly sinceLossMs?: number;
  /** Seconds since the oldest live connection of each kind came in; 0 where there is none. */
  readonly oldestSeconds: ByKind<number>;
  /**
   * The longest request that was live in the last minute, whether it has ended or not: a plain one, or one of `streaming`. The
   * other kinds can be closed in order at any time.
   */
  readonly longestRequestMs: number;
  /** Body bytes by kind, those of live connections too. */
  readonly bytes: KindBytes;
  readonly hold: HoldReport;
  /** Of the last dry run of a hold. Absent: there was none since the last hold, or a process of this task has not seen it. */
  readonly dryRun?: DryRunReport;
  readonly holds: HoldFigures;
  /** Where the next request goes. */
  readonly upstream: Side;
  readonly fastPath: FastPath;
  /**
   * Connections that a generation serves while their bytes pass through the process of an older one, which could not hand them over. A
   * client and an upstream count each. Absent where there are none.
   */
  readonly pumped?: number;
  /** Absent where nothing is recorded. */
  readonly capture?: CaptureReport;
  /** Absent where nothing is copied. */
  readonly mirror?: MirrorCounts;
  /** Absent of an older proxy, and of one that cannot be restarted. */
  readonly generations?: GenerationsReport;
}

/** The response to `POST /window`: one call says everything that a look needs of a task. */
export interface LookReport extends LedgerReport {
  readonly window: WindowReport;
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
  /**
   * Which connections are moved to the other side's backend instead of closed; the setting may allow fewer.
   * @default - those that the setting `moves` allows
   */
  readonly moves?: Moves;
  /**
   * Which go first of those that are over their time.
   * @default - short-lived kinds first, and the oldest of a kind
   */
  readonly order?: CloseOrder | undefined;
}

export interface Movable {
  /** The setting `moves`. */
  readonly setting: Moves;
  /** Whether it knows the other side's backend. */
  readonly hasOther: boolean;
}

/** `POST /undrain`. */
export interface UndrainOrder {
  /**
   * Which of the connections that are carried are moved back to the own side's backend; the setting may allow fewer. `none` leaves
   * them where they are.
   * @default - those that the setting `moves` allows
   */
  readonly moves?: Moves;
}

export const ADMIN_PATHS = {
  identity: '/identity',
  drainStatus: '/drain-status',
  connections: '/connections',
  drain: '/drain',
  undrain: '/undrain',
  hold: '/hold',
  release: '/release',
  retarget: '/retarget',
  probe: '/probe',
  window: '/window',
  backendCall: '/backend-call',
  stateTransfer: '/state-transfer',
  restart: '/restart',
  mirror: '/mirror',
  metrics: '/metrics',
} as const;

export const HEALTH_PATH = '/.drainshift/health';

/** How old a call may be, and how far ahead of the proxy's clock its time: clocks differ, calls are on their way. */
export const ADMIN_WINDOW_SECONDS = { behind: 60, ahead: 5 } as const;

export const ADMIN_HEADERS = {
  /** Milliseconds since the epoch. */
  time: 'x-drainshift-time',
  /** Drawn for each call: 16 to 64 letters, digits, `-` or `_`. A task takes each once. */
  nonce: 'x-drainshift-nonce',
  /** The address and port of the admin port, as the task itself sees it: `10.0.1.7:9901`, `[::1]:9901`. */
  address: 'x-drainshift-address',
  /** What `GET /identity` says. A call that changes something must name it; a look may. */
  identity: 'x-drainshift-identity',
  /** Of a request and, when that was in order, of its response. */
  signature: 'x-drainshift-signature',
} as const;

/** What is signed of a request. Its texts are those of the headers; `identity` is empty where there is none. */
export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly time: string;
  readonly nonce: string;
  readonly address: string;
  readonly identity: string;
  readonly body: string;
}

/**
 * The text that is signed with HMAC-SHA256 (hex) and the admin secret. Nothing of a request may change on its way, and it is
 * meant for one process at one address, once: a recording of it is of no use.
 */
export function adminRequestToSign({ method, path, time, nonce, address, identity, body }: AdminRequest): string {
  return ['drainshift-request', method, path, time, nonce, address, identity, body].join('\n');
}

/** The same for its response: it responds to this request, which was never sent before, and to no other. */
export function adminResponseToSign(requestSignature: string, status: number, body: string): string {
  return ['drainshift-response', requestSignature, status, body].join('\n');
}

/** An address and port as calls name them. */
export function adminAddress(host: string, port: number): string {
  const address = host.replace(/^::ffff:(?=\d+\.)/i, '');
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * A rotation changes the key of the admin API under everybody's hands. Proxies and steps know the current key and the one before
 * it. `look`: a proxy reads them again after so long. `apart`: two rotations are further apart, so that no task misses one.
 */
export const ADMIN_KEY_SECONDS = { look: 300, apart: 900 } as const;

/** A key that is shorter could be guessed. */
export const MIN_ADMIN_KEY_LENGTH = PROXY_SETTINGS.admin_secret.minLength;

/**
 * Of the keys that are kept, the current one first, those that calls may be signed with. A key that is too short does not lock out
 * the other one.
 *
 * @returns beside them the length of a key that was left out
 * @throws Error that does not show them, where none is left
 */
export function findUsableKeys(kept: readonly string[]): { readonly keys: readonly string[]; readonly short?: number } {
  const keys = kept.filter(({ length }) => length >= MIN_ADMIN_KEY_LENGTH);
  const short = kept.find(({ length }) => length < MIN_ADMIN_KEY_LENGTH)?.length;
  if (short === undefined) return { keys };
  if (keys.length === 0) throw new Error(describeShortKey(short));
  return { keys, short };
}

export function describeShortKey(length: number): string {
  return `A key must be at least ${MIN_ADMIN_KEY_LENGTH} characters long, got ${length} characters`;
}

const CLOSE_RATE = PROXY_SETTINGS.close_rate_per_second;

export const DEFAULT_DRAIN: DrainOrder = {
  perKindSeconds: eachKind((kind) => KIND_FACTS[kind].drainSeconds),
  closeRatePerSecond: CLOSE_RATE.default,
  jitter: 0.2,
};

const DAY = 86_400;

export const DRAIN_FIELD = {
  kind: 'object',
  sentence: 'How the connections of the source end after the last stage.',
  fields: {
    perKindSeconds: {
      kind: 'object',
      sentence: 'How long connections of each kind may go on by themselves before the proxy closes them.',
      fields: eachKind<SecondsField>((kind) => ({
        kind: 'seconds',
        min: 0,
        max: DAY,
        default: DEFAULT_DRAIN.perKindSeconds[kind],
        unit: 's',
        sentence: `How long ${KIND_FACTS[kind].plural} may go on.`,
      })),
    },
    closeRatePerSecond: {
      kind: 'integer',
      min: CLOSE_RATE.min,
      max: CLOSE_RATE.max,
      default: DEFAULT_DRAIN.closeRatePerSecond,
      unit: 'connections per second and task',
      sentence: 'How fast a proxy task closes connections after their time.',
    },
    jitter: {
      kind: 'number',
      min: 0,
      max: 1,
      default: DEFAULT_DRAIN.jitter,
      sentence: 'By how much of its interval a close may be late, so that clients do not reconnect in step.',
    },
    order: CLOSE_ORDER_FIELD,
    moves: {
      kind: 'choice',
      values: MOVES,
      default: DEFAULT_MOVES,
      sentence:
        'Which live connections move to the other backend while their client stays, instead of being closed: those that their application can resume, all that can be moved, or none. The setting of a proxy may allow fewer.',
    },
  },
} as const satisfies ObjectField;

/** How an order says which connections are moved. */
export const MOVES_FIELD = {
  kind: 'choice',
  values: MOVES,
  isOptional: true,
  sentence: 'Which live connections are moved; the setting of the proxy may allow fewer.',
} as const;

/** Reads a drain order out of JSON; absent parts take the defaults, problems go to `problems` under `name`. */
export function readDrainOrder(name: string, value: unknown, problems: Problems): DrainOrder {
  const fields = { ...DRAIN_FIELD.fields, moves: MOVES_FIELD };
  const { moves, order, ...rest } = readFields(problems, name, value, fields);
  return { ...rest, ...(order && { order }), ...(moves && { moves }) };
}

/** Reads an order to undrain out of JSON; problems go to `problems` under `name`. */
export function readUndrainOrder(name: string, value: unknown, problems: Problems): UndrainOrder {
  const { moves } = readFields(problems, name, value, { moves: MOVES_FIELD });
  return moves === undefined ? {} : { moves };
}
