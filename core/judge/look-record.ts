import type { ErrorCode } from '../errors/errors';
import { RouteWindow, WindowReport } from '../proxy/window';
import type { Side } from '../traffic/weights';
import { NO_COUNTS, SideCounts, SideTally, pendingRequests } from './tally';
import { Watch, lastSample } from './watch';

/**
 * What the judge was given, and what it said: every verdict on figures can be computed again from these alone. `at` is in milliseconds
 * since the epoch.
 */
export type LookRecord = BeginRecord | ShiftRecord | PollRecord | BakeRecord | RestartRecord;

/** Another number for each change of what the same figures come to: a judge verifies its own verdicts, and no other's. */
export const JUDGE = 3;

/** Before the first shift: what the side that is left did until then says what is slow. */
export interface BeginRecord {
  readonly kind: 'begin';
  /** The `JUDGE` that said what follows. Absent of the first one. */
  readonly judge?: number;
  readonly at: number;
  readonly until: number;
  readonly routes: readonly string[];
  readonly past: PackedWindow;
  /** As of a poll; absent in the evidence of earlier versions. */
  readonly counts?: PollRecord['counts'];
}

/** From 0. */
export interface ShiftRecord {
  readonly kind: 'shift';
  readonly at: number;
  readonly stage: number;
}

export interface PollRecord {
  readonly kind: 'poll';
  readonly at: number;
  /** The seconds of the windows: after the first, until the last. */
  readonly after: number;
  readonly until: number;
  /** Absent of sides that could not both be read: then nothing was compared. */
  readonly windows?: Readonly<Record<Side, PackedReport>>;
  /** The `SideCounts` since the first shift, in their order, then the smoke requests and the requests in flight. */
  readonly counts: Readonly<Record<Side, readonly number[]>>;
  /** Whether the side that is left had weight, and whether the weights had read back. */
  readonly isServing: boolean;
  readonly isConfirmed: boolean;
  /** Whether a proxy was silent, or said more seconds than were asked for: then it is not known what arrived. Absent where none was. */
  readonly isSilent?: true;
  /** The odds after it (`null` in JSON where no number is as large), and what the judge made of the figures. */
  readonly odds?: number | null;
  readonly said?: ErrorCode;
  /** What else ended the cutover at this poll: it goes before what the figures say. */
  readonly found?: ErrorCode;
}

/** What became of a bake, from what the poll before it saw. */
export interface BakeRecord {
  readonly kind: 'bake';
  readonly at: number;
  readonly elapsedSeconds: number;
  /** Whether everything that a promotion needs could be read. */
  readonly canPromote: boolean;
  readonly verdict: 'promote' | 'rollBack' | 'inconclusive';
}

export const BAKE_VERDICTS: readonly BakeRecord['verdict'][] = ['promote', 'rollBack', 'inconclusive'];

/** A person said that what was seen until then is good. */
export interface RestartRecord {
  readonly kind: 'restart';
  readonly at: number;
}

/** Requests, unbound, responded, errors, erring; then the latency buckets. */
export type PackedWindow = readonly number[];

export interface PackedReport {
  readonly all: PackedWindow;
  /** Those that had any request. */
  readonly routes: Readonly<Record<string, PackedWindow>>;
}

export function packWindow({ requests, unbound, responded, errors, erring, latencies }: RouteWindow): PackedWindow {
  return [requests, unbound, responded, errors, erring, ...latencies];
}

export function unpackWindow(packed: PackedWindow): RouteWindow {
  const [requests = 0, unbound = 0, responded = 0, errors = 0, erring = 0, ...latencies] = packed;
  return { requests, unbound, responded, errors, erring, latencies };
}

export function packReport({ all, routes }: WindowReport): PackedReport {
  const some = Object.entries(routes).filter(([, window]) => packWindow(window).some((count) => count > 0));
  return { all: packWindow(all), routes: Object.fromEntries(some.map(([name, window]) => [name, packWindow(window)])) };
}

export function unpackReport({ all, routes }: PackedReport): WindowReport {
  const each = Object.entries(routes).map(([name, window]) => [name, unpackWindow(window)]);
  return {
    aheadSeconds: 0,
    all: unpackWindow(all),
    routes: Object.fromEntries(each) as WindowReport['routes'],
    segments: {},
  };
}

const COUNT_NAMES = Object.keys(NO_COUNTS) as (keyof SideCounts)[];

export function packCounts(watch: Watch): PollRecord['counts'] {
  const last = lastSample(watch);
  const pack = (side: Side) => [
    ...COUNT_NAMES.map((name) => last[side][name]),
    last.smoked[side],
    pendingRequests(watch.tallies[side]),
  ];
  return { source: pack('source'), target: pack('target') };
}

export interface UnpackedCounts {
  readonly tally: SideTally;
  readonly smoked: number;
}

/** One task stands for all of the side: it holds their requests in flight. */
export function unpackCounts(packed: readonly number[]): UnpackedCounts {
  const counts = Object.fromEntries(COUNT_NAMES.map((name, index) => [name, packed[index] ?? 0]));
  const [smoked = 0, pending = 0] = packed.slice(COUNT_NAMES.length);
  return {
    tally: { counts: counts as unknown as SideCounts, tasks: { all: ['', 0, 0, 0, 0, 0, 0, 0, pending, 0, 0, ''] } },
    smoked,
  };
}
