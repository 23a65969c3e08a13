import type { ErrorCode } from '../errors/errors';
import type { Plan } from '../plan/plan';
import { findMisfit, findSuspicion } from './comparison';
import { breakerTrip } from './judge';
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
