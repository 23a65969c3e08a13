import type { ErrorCode } from '../errors/errors';
import type { Plan } from '../plan/plan';
import { findDirection } from '../plan/direction';
import { findMisfit, findOddsAgainst, findSuspicion } from './comparison';
import { breakerTrip } from './judge';
import { computeDifference } from './tally';
import type { Watch } from './watch';

export interface Judgement {
  readonly code: Extract<ErrorCode, 'BreakerTripped' | 'TargetWorse' | 'ShiftNotConfirmed'>;
  readonly message: string;
}

/**
 * What the figures say against the side that gets the traffic; undefined while they say nothing for sure.
 *
 * @param isConfirmed whether the weights have read back: before that arrivals cannot be held against them
 */
export function judgeFigures(watch: Watch, plan: Plan, isConfirmed: boolean): Judgement | undefined {
  const trip = breakerTrip(watch, plan);
  if (trip) return { code: 'BreakerTripped', message: trip.message };
  const { comparison } = watch;
  if (!comparison) return undefined;
  const worse = findSuspicion(comparison, plan);
  if (worse !== undefined) return { code: 'TargetWorse', message: worse };
  const misfit = isConfirmed ? findMisfit(comparison) : undefined;
  return misfit === undefined ? undefined : { code: 'ShiftNotConfirmed', message: misfit };
}

/** An error may be anything. */
const SUSPICIOUS_ERRORS = 2;
/** How much more often than the other side. */
const SUSPICIOUS_RATIO = 3;
/** Of ten healthy cutovers three come as far. */
const SUSPICIOUS_ODDS = 3;

/**
 * Whether the last look saw what may be a fault of the side that gets the traffic, and what the next one will tell. It decides about
 * nothing but when that is.
 */
export function isSuspicious({ samples, comparison }: Watch, plan: Plan): boolean {
  if (comparison && findOddsAgainst(comparison) >= SUSPICIOUS_ODDS) return true;
  const [before, last] = samples.slice(-2);
  if (!before || !last) return false;
  const { from, to } = findDirection(plan);
  const [left, given] = [from, to].map((side) => computeDifference(last[side], before[side]));
  const rate = (left!.errors + 1) / (left!.responded + 1);
  return given!.errors >= SUSPICIOUS_ERRORS && given!.errors > SUSPICIOUS_RATIO * rate * given!.responded;
}
