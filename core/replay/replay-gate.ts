import { isSameStore } from '../capture/store-url';
import type { NamedRequest, ReplayStatus } from './replay-status';
import type { Side } from '../traffic/weights';

/** What a plan asks of a replay. */
export interface ReplayLimits {
  readonly maxLagSeconds: number;
  /** For how long the lag must have been within it. */
  readonly forSeconds?: number;
  /** Whether its comparison must say that the target may be promoted. */
  readonly needsVerdict?: boolean;
  /** What must be replayed: the requests that this side has served. */
  readonly servedBy: Side;
  /** Whether none that changes something may be left out. A comparison of reads alone is a proof, too. */
  readonly needsWrites?: boolean;
  /** Whether that is all of them, from the first one on. A target that was restored from a backup needs those behind it alone. */
  readonly fromTheFirst?: boolean;
  /** Where the proxies say that they record. */
  readonly store?: string;
  /** How many records of reads and responses they say that they have lost: so many may be missing. */
  readonly lost?: number;
}

/** What a replay lacks. */
export interface ReplayGap {
  /** Name, rule and value; with the request from which on the other side lacks something. */
  readonly message: string;
  /** Nothing makes up for it. What does not last is worth waiting for. */
  readonly isLasting: boolean;
}

/** A replay writes its status every second. One of another clock is not taken for one that has stopped. */
const MAX_SILENCE_SECONDS = 30;

/** @param name of the replay in the plan @param status undefined where there is none */
export function findReplayGaps(
  name: string,
  status: ReplayStatus | undefined,
  limits: ReplayLimits,
  nowMs: number,
): ReplayGap[] {
  const of = `the replay '${name}'`;
  if (!status) {
    const message = `${of} must follow the capture and write its status (--status), got none`;
    return [{ message, isLasting: false }];
  }
  return [...findState(of, status, limits, nowMs), ...findLost(of, status, limits), ...findLag(of, status, limits)];
}

/** Whether it runs, and replays what it must. */
function findState(of: string, status: ReplayStatus, limits: ReplayLimits, nowMs: number): ReplayGap[] {
  const { servedBy, store, fromTheFirst = false } = limits;
  const gaps: ReplayGap[] = [];
  const silentSeconds = Math.round((nowMs - Date.parse(status.writtenAt)) / 1000);
  if (status.ended !== undefined)
    gaps.push({ message: `${of} must run, got one that has ended: ${status.ended}`, isLasting: false });
  else if (silentSeconds > MAX_SILENCE_SECONDS)
    gaps.push({
      message: `${of} must have written its status within ${MAX_SILENCE_SECONDS} s, got ${silentSeconds} s`,
      isLasting: false,
    });
  if (status.servedBy !== servedBy) {
    const got = status.servedBy === undefined ? 'those of both sides' : `those of the ${status.servedBy}`;
    gaps.push({
      message: `${of} must send the requests that the ${servedBy} has served (--served-by), got ${got}`,
      isLasting: true,
    });
  }
  if (store !== undefined && !isSameStore(store, status.from))
    gaps.push({
      message: `${of} must read the store that the proxies write to (--from), '${store}', got '${status.from}'`,
      isLasting: true,
    });
  if (fromTheFirst && status.fromTime !== undefined)
    gaps.push({
      message: `${of} must send what the ${servedBy} has served from the first request on, got one that starts at ${status.fromTime} (--from-time)`,
      isLasting: true,
    });
  return gaps;
}

function findLost(of: string, status: ReplayStatus, { needsWrites = false, lost }: ReplayLimits): ReplayGap[] {
  const { parked, firstParked, withdrawnLate, reordered } = status;
  const gaps: ReplayGap[] = needsWrites ? findSkipped(of, status) : [];
  if (needsWrites && lost !== undefined && status.missing > lost)
    gaps.push({
      message: `${of} must have found all parts of the records but the ${lost} that the proxies have lost, got ${status.missing} that never came`,
      isLasting: true,
    });
  if (status.damaged > 0)
    gaps.push({
      message: `${of} must have left out no damaged record (--skip-damaged), got ${status.damaged}`,
      isLasting: true,
    });
  if (parked > 0) {
    const first = firstParked ? `, the first ${describeRequest(firstParked)}: ${firstParked.problem}` : '';
    gaps.push({ message: `${of} must have parked no request, got ${parked}${first}`, isLasting: true });
  }
  if (reordered > 0)
    gaps.push({
      message: `${of} must have sent the requests of each key in their order, got ${reordered} that came too late for it (--window)`,
      isLasting: true,
    });
  if (withdrawnLate > 0)
    gaps.push({
      message: `${of} must have sent no request that was never forwarded, got ${withdrawnLate}`,
      isLasting: true,
    });
  return gaps;
}

/** What was never sent. */
function findSkipped(of: string, { skippedWrites, firstSkippedWrite }: ReplayStatus): ReplayGap[] {
  if (skippedWrites === 0) return [];
  const first = firstSkippedWrite ? `, the first ${describeRequest(firstSkippedWrite)}` : '';
  const message = `${of} must have left out no write (--methods, transforms), got ${skippedWrites}${first}`;
  return [{ message, isLasting: true }];
}

function findLag(of: string, status: ReplayStatus, limits: ReplayLimits): ReplayGap[] {
  const { maxLagSeconds, forSeconds = 0, needsVerdict = false } = limits;
  const { lagMs, lags, oldest, outage, verdict } = status;
  const gaps: ReplayGap[] = [];
  const behind = oldest ? `, ${describeRequest(oldest)} is the first that is missing` : '';
  const away = outage ? `; the target gives no response: ${outage.problem}` : '';
  if (lagMs > 1000 * maxLagSeconds) {
    const message = `${of} must be at most ${maxLagSeconds} s behind, got ${Math.round(lagMs / 1000)} s${behind}${away}`;
    gaps.push({ message, isLasting: false });
  } else if (forSeconds > 0) {
    const minutes = Math.ceil(forSeconds / 60);
    const runs = lags.slice(0, minutes + 1);
    if (runs.length < minutes + 1 || runs.some((each) => each > 1000 * maxLagSeconds)) {
      const worst = Math.round(Math.max(0, ...runs) / 1000);
      const message = `${of} must have been at most ${maxLagSeconds} s behind for ${forSeconds} s, got ${worst} s within ${60 * runs.length} s`;
      gaps.push({ message, isLasting: false });
    }
  }
  if (needsVerdict && verdict !== 'promote')
    gaps.push({
      message: `the comparison of ${of} must say 'promote', got '${verdict ?? 'no comparison (--compare)'}'`,
      isLasting: verdict === 'roll back',
    });
  return gaps;
}

/** Why digests may differ; undefined where the replay knows no reason. */
export function describeDiffering({ differingWrites, firstDifferingWrite: first }: ReplayStatus): string | undefined {
  if (!first) return undefined;
  const { recorded, got } = first;
  return `${differingWrites} writes of the replay had another outcome, the first ${describeRequest(first)}: recorded ${recorded}, got ${got}`;
}

/** From which request on the other side lacks something. */
export function describeRequest({ id, method, path, recordedAt }: NamedRequest): string {
  return `${method} ${path} of ${recordedAt} (${id})`;
}
