import { Plan, scaleDurations, parsePlan } from '../../core/plan/plan';
import { PLAN_PARTS, checkFloor } from '../../core/plan/plan-floor';
import { Problems } from '../../core/validation/problems';
import { deployedIn } from '../template/model/deployed';
import type { MachineDescription } from '../state-machine/model';
import { readPlanFile } from '../plan-file/plan-file';

/**
 * The plan of a rehearsal: of a file (JSON or YAML), else the one that the state machine was synthesized with; with its
 * waiting divided by `speed`.
 *
 * @throws UsageError for a file that cannot be read, CutoverError `PlanInvalid` for a plan that breaks a rule
 */
export function rehearsedPlan(machine: MachineDescription, file: string | undefined, speed: number): Plan {
  return scaleDurations(parsePlan(file === undefined ? defaultPlan(machine) : readPlan(file)), speed);
}

/** What a deployed cutover would say of a plan that it is started with; undefined when it would take it. */
export function floorProblems(machine: MachineDescription, file: string | undefined): readonly string[] {
  if (file === undefined) return [];
  const problems = new Problems();
  checkFloor(parsePlan(readPlan(file)), parsePlan(defaultPlan(machine)), PLAN_PARTS, problems);
  return problems.all;
}

function defaultPlan(machine: MachineDescription): unknown {
  return deployedIn(machine).deployed.defaultPlan;
}

function readPlan(file: string): unknown {
  return readPlanFile({ name: '--plan', file });
}
