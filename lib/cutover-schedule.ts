/* eslint-disable awscdk/require-passing-this -- a function that takes a scope, and no construct of its own */
import { Duration } from 'aws-cdk-lib';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets';
import { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { CutoverPlan } from './cutover-plan';
import { TrafficWeights } from './traffic-weights';

/** When a cutover starts by itself. */
export interface CutoverSchedule {
  /** The time, once (`ScheduleExpression.at`) or again and again; a start while another cutover runs is refused. */
  readonly at: ScheduleExpression;

  /**
   * What that execution does.
   * @default - the plan of the cutover
   */
  readonly plan?: CutoverPlan;
}

/** A cutover that starts late starts in somebody's morning: better not at all. */
const LATEST = Duration.minutes(10);

export function startOnSchedule(
  scope: Construct,
  stateMachine: IStateMachine,
  { at, plan }: CutoverSchedule,
  initialWeights: TrafficWeights,
): Schedule {
  return new Schedule(scope, 'Schedule', {
    description: 'Starts a cutover',
    schedule: at,
    target: new StepFunctionsStartExecution(stateMachine, {
      // Always given: without an input the service sends text of its own, which the first step refuses.
      input: ScheduleTargetInput.fromObject(plan ? { plan: plan._toJson(initialWeights) } : {}),
      maxEventAge: LATEST,
      retryAttempts: 5,
    }),
  });
}
