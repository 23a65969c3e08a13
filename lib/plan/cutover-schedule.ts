/* eslint-disable awscdk/require-passing-this -- a function that takes a scope, and no construct of its own */
import { Duration, Token } from 'aws-cdk-lib';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets';
import { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { parsePlan } from '../../core/plan/plan';
import { PLAN_PARTS, PlanPart, checkFloor } from '../../core/plan/plan-floor';
import { Problems } from '../../core/validation/problems';
import { CutoverPlan, CutoverPlanPart } from './cutover-plan';
import { TrafficWeights } from '../traffic/traffic-weights';

/** When a cutover starts by itself. */
export interface CutoverSchedule {
  /** The time, once (`ScheduleExpression.at`) or again and again; a start while another cutover runs is rejected. */
  readonly at: ScheduleExpression;

  /**
   * What that execution does.
   * @default - the plan of the cutover
   */
  readonly plan?: CutoverPlan;
}

/** A cutover that starts late would run outside its planned hour: better not at all. */
const LATEST = Duration.minutes(10);

/** The cutover that is scheduled: what the plan of a schedule must be at least as careful as, and its key. */
export interface DeployedCutover {
  readonly initialWeights: TrafficWeights;
  readonly plan: CutoverPlan;
  readonly changeablePlanParts?: readonly CutoverPlanPart[];
  /** The plan that a schedule keeps is encrypted, too. */
  readonly encryptionKey?: IKey;
}

/** At synth, and not in the night of the cutover. What is known only at deployment is checked then. */
function checkPlan(plan: CutoverPlan, { initialWeights, plan: floor, changeablePlanParts }: DeployedCutover): void {
  const problems = new Problems();
  const [given, deployed] = [plan, floor].map((each) => each._toJson(initialWeights));
  if ([given, deployed].some((each) => Token.isUnresolved(JSON.stringify(each)))) return;
  const parts: readonly PlanPart[] = changeablePlanParts ?? PLAN_PARTS;
  checkFloor(parsePlan(given), parsePlan(deployed), parts, problems);
  if (problems.all.length > 0)
    throw new Error(problems.all.map((line) => line.replace("'", "'schedule.plan.")).join('\n'));
}

export function startOnSchedule(
  scope: Construct,
  stateMachine: IStateMachine,
  { at, plan }: CutoverSchedule,
  deployed: DeployedCutover,
): Schedule {
  const { initialWeights, encryptionKey } = deployed;
  if (plan) checkPlan(plan, deployed);
  return new Schedule(scope, 'Schedule', {
    description: 'Starts a cutover',
    schedule: at,
    key: encryptionKey,
    target: new StepFunctionsStartExecution(stateMachine, {
      // Always given: without an input the service sends text of its own, which the first step rejects.
      input: ScheduleTargetInput.fromObject(plan ? { plan: plan._toJson(initialWeights) } : {}),
      maxEventAge: LATEST,
      retryAttempts: 5,
    }),
  });
}
