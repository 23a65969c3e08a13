import { SIDES, Side } from '../traffic/weights';
import { oneLine } from '../text/one-line';

/** Below it in the bucket of the cutover is what replays say of themselves, and what they are ordered to do. */
export const REPLAYS_PREFIX = 'replays/';

/** A name of a replay in a plan, and of its status in the bucket. */
export const REPLAY_NAME_PATTERN = '^[a-z0-9][a-z0-9-]{0,62}$';
export const REPLAY_NAME_RULE = '1 to 63 of a-z, 0-9 and hyphens, without a hyphen at the beginning';

const VERSION = 1;

/** One request, for a message. */
export interface NamedRequest {
  /** Its `X-Drainshift-Replay-Id`. */
  readonly id: string;
  readonly method: string;
  /** With its query, shortened. */
  readonly path: string;
  /** When it was recorded; ISO 8601. */
  readonly recordedAt: string;
}

/** A write, and what became of it here and there. */
export interface DifferingWrite extends NamedRequest {
  /** The status of the response that was recorded. */
  readonly recorded: number;
  /** The status of the response of the target. */
  readonly got: number;
}

/** What a replay that follows a store says of itself every second. */
export interface ReplayStatus {
  readonly version: typeof VERSION;
  /** Another one with each start. */
  readonly run: string;
  /** The store. */
  readonly from: string;
  /** The URL of the target. */
  readonly to: string;
  /** Whose requests are replayed, alone; absent of one that replays all. */
  readonly servedBy?: Side;
  /** What was recorded before it was left out on purpose (`--from-time`); ISO 8601. */
  readonly fromTime?: string;
  readonly startedAt: string;
  readonly writtenAt: string;
  /** Requests that got a response since the start of this run. */
  readonly sent: number;
  readonly parked: number;
  /** Requests that were sent although they had never been forwarded. */
  readonly withdrawnLate: number;
  /** Requests that came behind one of their key that was recorded later. */
  readonly reordered: number;
  /** What came so late that others were sent before it, of any key. */
  readonly late: number;
  /** Writes that were not sent, by `--methods` or by a transform. */
  readonly skippedWrites: number;
  /** Writes that succeeded where they were recorded and failed at the target, or the reverse. One that is sent twice may do so, too. */
  readonly differingWrites: number;
  /** Records that could not be read, and were left out (`--skip-damaged`). */
  readonly damaged: number;
  /** Parts of records that never came: what was in them is unknown. */
  readonly missing: number;
  /** The age of the oldest request that is not finished. */
  readonly lagMs: number;
  /** The largest lag of each minute, the minute that runs first; of an hour at the most. */
  readonly lags: readonly number[];
  /** The oldest request that is not finished. */
  readonly oldest?: NamedRequest;
  readonly firstParked?: NamedRequest & { readonly problem: string };
  readonly firstSkippedWrite?: NamedRequest;
  readonly firstDifferingWrite?: DifferingWrite;
  /** Since when the target gives no response, and what came last instead. */
  readonly outage?: { readonly sinceMs: number; readonly problem: string };
  /** Of a comparison. */
  readonly verdict?: 'promote' | 'roll back' | 'inconclusive';
  /** The order that was followed last: all that was in the store when it was read is finished. */
  readonly caughtUp?: string;
  /** Why it has ended; absent while it runs. */
  readonly ended?: string;
}

/** What a replay is ordered to do. */
export interface ReplayOrderDocument {
  /** It reads all that is in its store by now, sends it without a pause, and says so in `caughtUp` once all of it is finished. */
  readonly catchUp: string;
}

export function replayStatusKey(name: string): string {
  return `${REPLAYS_PREFIX}${name}.json`;
}

/** Of a replay that is a service: how far it is. */
export function replayCheckpointKey(name: string): string {
  return `${REPLAYS_PREFIX}${name}.checkpoint.json`;
}

/** The same: below it is what it could not send. */
export function replayParkedPrefix(name: string): string {
  return `${REPLAYS_PREFIX}${name}.parked/`;
}

export function replayOrderKey(name: string): string {
  return orderPlace(replayStatusKey(name));
}

/** Where the order stands beside a status: the same key or path with another end. */
export function orderPlace(status: string): string {
  return `${status.replace(/\.json$/, '')}.order.json`;
}

/** @throws Error that says what is wrong with it */
export function parseReplayStatus(text: string, place: string): ReplayStatus {
  const value = parse(text);
  const { sent, parked, reordered, withdrawnLate, late, skippedWrites, differingWrites, damaged, missing, lagMs } =
    value;
  const numbers = [
    sent,
    parked,
    reordered,
    withdrawnLate,
    late,
    skippedWrites,
    differingWrites,
    damaged,
    missing,
    lagMs,
  ];
  const texts = [value.run, value.from, value.to, value.startedAt, value.writtenAt];
  const isWhole =
    value.version === VERSION &&
    numbers.every((each) => typeof each === 'number' && each >= 0) &&
    texts.every((each) => typeof each === 'string') &&
    !Number.isNaN(Date.parse(String(value.writtenAt))) &&
    Array.isArray(value.lags) &&
    (value.servedBy === undefined || SIDES.includes(value.servedBy as Side));
  if (isWhole) return value as unknown as ReplayStatus;
  throw new Error(`'${place}' must be the status of a replay of version ${VERSION}, got ${oneLine(text.slice(0, 80))}`);
}

/** Undefined of what is no order. */
export function parseReplayOrder(text: string): ReplayOrderDocument | undefined {
  const { catchUp } = parse(text);
  return typeof catchUp === 'string' && catchUp.length <= 200 ? { catchUp } : undefined;
}

export function createReplayStatus(status: Omit<ReplayStatus, 'version'>): ReplayStatus {
  return { version: VERSION, ...status };
}

const MAX_PATH = 200;

export function nameRequest(id: string, startLine: string, recordedMs: number): NamedRequest {
  const [method = '', path = ''] = startLine.split(' ');
  return { id, method, path: oneLine(path.slice(0, MAX_PATH)), recordedAt: new Date(recordedMs).toISOString() };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
