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
  return [...findState(of, status, limits, nowMs), ...findLost(of, status), ...findLag(of, status, limits)];
}

/** Whether it runs, and replays what it must. */
function findState(of: string, status: ReplayStatus, { servedBy }: ReplayLimits, nowMs: number): ReplayGap[] {
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
  return gaps;
}

function findLost(of: string, { parked, firstParked, withdrawnLate, reordered }: ReplayStatus): ReplayGap[] {
  const gaps: ReplayGap[] = [];
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

/** From which request on the other side lacks something. */
export function describeRequest({ id, method, path, recordedAt }: NamedRequest): string {
  return `${method} ${path} of ${recordedAt} (${id})`;
}
