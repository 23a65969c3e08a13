import { CutoverError } from '../../core/errors/errors';
import { Plan, parsePlan } from '../../core/plan/plan';
import { PLAN_PARTS, checkFloor } from '../../core/plan/plan-floor';
import { Problems } from '../../core/validation/problems';
import type { CutoverPorts } from '../../lambda/operator';
import { UsageError } from '../../rehearsal/errors/usage-error';
import { readPlanFile } from '../../rehearsal/plan-file/plan-file';
import { WrongUse } from '../shared/operator-command';

/** A plan that is given in place of the deployed one. */
export interface GivenPlan {
  /** As it was written, for the input: defaults are those of the deployed version. */
  readonly raw: unknown;
  readonly plan: Plan;
}

/** @throws WrongUse for what is no plan */
export function readGivenPlan(file: string): GivenPlan {
  try {
    const raw = readPlanFile({ name: '--plan', file });
    return { raw, plan: parsePlan(raw) };
  } catch (error) {
    if (error instanceof UsageError || error instanceof CutoverError) throw new WrongUse(error.message);
    throw error;
  }
}

/**
 * The plan that a cutover would run. The first step checks it again: here a person still reads it.
 *
 * @throws CutoverError `PlanInvalid` where it is less careful than the deployed one
 */
export async function checkPlan(
  { executions }: Pick<CutoverPorts, 'executions'>,
  given: Plan | undefined,
): Promise<Plan> {
  const { defaultPlan, changeableParts } = await executions.deployed();
  const deployed = parsePlan(defaultPlan);
  if (!given) return deployed;
  const problems = new Problems();
  checkFloor(given, deployed, changeableParts ?? PLAN_PARTS, problems);
  problems.throwIfAny('PlanInvalid');
  return given;
}
