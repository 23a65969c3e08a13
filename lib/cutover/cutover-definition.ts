import { Duration } from 'aws-cdk-lib';
import {
  Choice,
  Condition,
  Errors,
  Fail,
  IChainable,
  JitterType,
  JsonPath,
  State,
  Succeed,
  TaskInput,
  TaskStateBase,
  Timeout,
  Wait,
  WaitTime,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import type { CheckedAlarms } from '../../core/judge/alarm-check';
import { Outcome, Verdict } from '../../core/cutover/run';
import { NOT_STARTED } from '../../core/cutover/recovery';
import { finalErrorCodes } from '../../core/errors/errors';
import { Step } from '../../core/cutover/cutover-config';
import { COLD_START_SECONDS, findStepSeconds, isLookingStep } from '../../core/cutover/step-limits';
import { StepFunctions } from './cutover-functions';

const LAMBDA_SERVICE_ERRORS = [
  'Lambda.TooManyRequestsException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.Unknown',
];

/** With their back-off about a minute: a task that is just being replaced is back by then. */
const STEP_ATTEMPTS = 6;
/** With at the most 30 s between them well over an hour: nothing is better than further attempts. */
const ROLLBACK_ATTEMPTS = 200;
const PATIENT_STEPS: readonly Step[] = ['rollback', 'complete'];

/** The others are called from outside. */
type StateStep = Exclude<Step, 'recover' | 'undrain' | 'holdDryRun' | 'doctor'>;

/**
 * What an execution may tighten and never loosen, and the alarms it checks: it stands in the definition, which a deployment
 * alone can change.
 */
export interface Deployed {
  readonly defaultPlan: object;
  readonly changeableParts?: readonly string[];
  readonly alarms: CheckedAlarms;
}

/** A person is asked in three places, and hooks are called in two: what follows differs. */
type TaskName = StateStep | 'approveLastStage' | 'ask' | 'firstHook';
type Tasks = Readonly<Record<TaskName, LambdaInvoke>>;

/**
 * The states of a cutover. They only order the steps: every decision is made in a step, and read here from `$.verdict`
 * or `$.outcome`. Any way out that no step meant leads to the rollback.
 *
 * ```
 * Lock → Preflight → Shift → Confirm → Bake → (next stage: Shift) → Drain → Verify → Complete → Completed
 *           ⇅    Switch┘ └────────┴────────┴───────────────┴───────┴→ Rollback → Record → RolledBack | Refused | Failed
 *        Approve                         Bake → ApproveLastStage → Shift
 *                                        any judged step → Ask → that step, or what follows it
 *                                        between any two  → Hook → what follows it
 * ```
 */
export function cutoverDefinition(scope: Construct, functions: StepFunctions, deployed: Deployed): IChainable {
  const tasks = createTasks(scope, functions, deployed);
  const { lock, preflight, approveLastStage, ask, shift, confirm, bake, drain, verify, rollback, record } = tasks;
  const notRecorded = new Fail(scope, 'NotRecorded', {
    error: 'NotRecorded',
    cause:
      'The cutover ended, and its evidence could not be written. Look at the weights in force, then at the output of the last steps.',
  });
  const completed = new Succeed(scope, 'Completed');

  lock.next(preflight);
  addBeginning(scope, tasks);
  // Wherever both sides are judged, the judge may ask a person.
  const asks = when('ask', ask);
  const hooks = when('hook', tasks.hook);
  shift.next(
    choose(scope, 'Shifted?', rollback, [when('go', confirm), asks, hooks, waitAndRepeat(scope, 'WaitToShift', shift)]),
  );
  confirm.next(
    choose(scope, 'Confirmed?', rollback, [
      when('confirmed', bake),
      asks,
      hooks,
      waitAndRepeat(scope, 'WaitToConfirm', confirm),
    ]),
  );
  bake.next(
    choose(scope, 'Baked?', rollback, [
      when('nextStage', shift),
      when('approve', approveLastStage),
      when('drain', drain),
      asks,
      hooks,
      waitAndRepeat(scope, 'WaitToBake', bake),
    ]),
  );
  drain.next(
    choose(scope, 'Drained?', rollback, [
      when('drained', verify),
      asks,
      hooks,
      waitAndRepeat(scope, 'WaitToDrain', drain),
    ]),
  );
  verify.next(
    choose(scope, 'Verified?', rollback, [
      when('verified', tasks.complete),
      asks,
      hooks,
      waitAndRepeat(scope, 'WaitToVerify', verify),
    ]),
  );
  addLastApproval(scope, tasks);
  addEscalation(scope, tasks);
  tasks.complete.next(completed);
  rollback.next(
    choose(scope, 'RolledBack?', record, [when('restored', record), waitAndRepeat(scope, 'WaitToRollBack', rollback)]),
  );
  record.next(outcome(scope, { completed, notRecorded }));
  catchAll(scope, tasks, notRecorded);
  return lock;
}

function addLastApproval(scope: Construct, { approveLastStage, ask, shift, rollback }: Tasks): void {
  approveLastStage.next(
    choose(scope, 'LastStageApproved?', rollback, [
      when('approved', shift),
      when('ask', ask),
      waitAndRepeat(scope, 'WaitForLastApproval', approveLastStage),
    ]),
  );
}

/** Before the first stage: a person, or a switch. */
function addBeginning(scope: Construct, tasks: Tasks): void {
  const { approve, firstHook, preflight, record, shift, confirm, rollback } = tasks;
  // Until something moves, the safe way is to stop where it stands.
  preflight.next(
    choose(scope, 'Ready?', record, [
      when('go', shift),
      when('switch', tasks.switch),
      when('approve', approve),
      when('hook', firstHook),
      waitAndRepeat(scope, 'WaitForWindow', preflight),
    ]),
  );
  tasks.switch.next(
    choose(scope, 'Switched?', rollback, [
      when('go', confirm),
      when('hook', tasks.hook),
      waitAndRepeat(scope, 'WaitToSwitch', tasks.switch),
    ]),
  );
  // Preflight again, as after an approval.
  firstHook.next(
    choose(scope, 'FirstHookCalled?', record, [
      when('approved', preflight),
      when('approve', approve),
      when('hook', firstHook),
      waitAndRepeat(scope, 'WaitForFirstHook', firstHook),
    ]),
  );
  // Preflight again: an approval may take hours.
  approve.next(
    choose(scope, 'Approved?', record, [when('approved', preflight), waitAndRepeat(scope, 'WaitForApproval', approve)]),
  );
}

/** Each way leads back to where the judge asked a person, or where hooks were called. */
function addEscalation(scope: Construct, tasks: Tasks): void {
  const { ask, hook, shift, approveLastStage, confirm, bake, drain, verify, rollback } = tasks;
  const ways = () => [
    when('nextStage', shift),
    when('approve', approveLastStage),
    when('switch', tasks.switch),
    when('go', confirm),
    when('confirmed', bake),
    when('drain', drain),
    when('drained', verify),
    when('ask', ask),
    when('hook', hook),
  ];
  ask.next(choose(scope, 'Decided?', rollback, [...ways(), waitAndRepeat(scope, 'WaitForDecision', ask)]));
  hook.next(choose(scope, 'HookCalled?', rollback, [...ways(), waitAndRepeat(scope, 'WaitForHook', hook)]));
}

function createTasks(scope: Construct, functions: StepFunctions, deployed: Deployed): Tasks {
  const lockInput = TaskInput.fromObject({
    input: JsonPath.objectAt('$'),
    execution: JsonPath.executionName,
    startedAt: JsonPath.executionStartTime,
    ...deployed,
  });
  const task = (name: string, step: StateStep, payload?: TaskInput) => {
    const created = new LambdaInvoke(scope, name, {
      lambdaFunction: functions[step],
      payload,
      outputPath: '$.Payload',
      taskTimeout: limitTask(step),
      // Its list lacks two of the errors that Lambda names; ours is below.
      retryOnServiceExceptions: false,
    });
    addRetries(created, PATIENT_STEPS.includes(step) ? ROLLBACK_ATTEMPTS : STEP_ATTEMPTS);
    return created;
  };
  return {
    lock: task('Lock', 'lock', lockInput),
    preflight: task('Preflight', 'preflight'),
    approve: task('Approve', 'approve'),
    approveLastStage: task('ApproveLastStage', 'approve'),
    ask: task('Ask', 'approve'),
    firstHook: task('FirstHook', 'hook'),
    hook: task('Hook', 'hook'),
    shift: task('Shift', 'shift'),
    switch: task('Switch', 'switch'),
    confirm: task('Confirm', 'confirm'),
    bake: task('Bake', 'bake'),
    drain: task('Drain', 'drain'),
    verify: task('Verify', 'verify'),
    complete: task('Complete', 'complete'),
    rollback: task('Rollback', 'rollback'),
    record: task('Record', 'record'),
  };
}

/** `Lock` begins every state, and it has the path. */
function limitTask(step: Step): Timeout {
  return isLookingStep(step)
    ? Timeout.at('$.taskSeconds')
    : Timeout.duration(Duration.seconds(findStepSeconds(step) + COLD_START_SECONDS));
}

/** The first retrier that names an error counts, so those on which a retry cannot help come first. */
function addRetries(task: TaskStateBase, attempts: number): void {
  task.addRetry({ errors: finalErrorCodes(), maxAttempts: 0 });
  // Of Lambda's own as of the step's: an account that is out of concurrency is so for minutes.
  task.addRetry({
    errors: [...LAMBDA_SERVICE_ERRORS, Errors.TASKS_FAILED, Errors.TIMEOUT],
    maxAttempts: attempts,
    interval: Duration.seconds(2),
    backoffRate: 2,
    maxDelay: Duration.seconds(30),
    jitterStrategy: JitterType.FULL,
  });
}

interface Way {
  readonly condition: Condition;
  readonly next: IChainable;
}

function when(verdict: Verdict, next: IChainable): Way {
  return { condition: Condition.stringEquals('$.verdict', verdict), next };
}

function waitAndRepeat(scope: Construct, name: string, task: State & IChainable): Way {
  const wait = new Wait(scope, name, { time: WaitTime.secondsPath('$.waitSeconds') });
  const canWait = Condition.and(Condition.isPresent('$.waitSeconds'), Condition.isNumeric('$.waitSeconds'));
  return { condition: Condition.and(Condition.stringEquals('$.verdict', 'wait'), canWait), next: wait.next(task) };
}

/**
 * A Choice or a Wait on a path that is not there ends the whole execution, past every Catch: so a missing path is asked
 * for first, and takes the safe way. Asked as "not present" and never as `IsPresent: false`, which not every local
 * interpreter of ASL understands.
 *
 * @see https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
 */
function choose(scope: Construct, name: string, otherwise: IChainable, ways: readonly Way[]): Choice {
  const choice = new Choice(scope, name).when(Condition.not(Condition.isPresent('$.verdict')), otherwise);
  for (const { condition, next } of ways) choice.when(condition, next);
  return choice.otherwise(otherwise);
}

interface Ends {
  readonly completed: Succeed;
  readonly notRecorded: Fail;
}

function outcome(scope: Construct, { completed, notRecorded }: Ends): Choice {
  const is = (value: Outcome) => Condition.stringEquals('$.outcome', value);
  return (
    new Choice(scope, 'Outcome?')
      .when(Condition.not(Condition.isPresent('$.outcome')), notRecorded)
      .when(Condition.not(Condition.isPresent('$.cause')), notRecorded)
      // Verified, and only its record was late.
      .when(is('completed'), completed)
      .when(
        is('rolled-back'),
        // The initial weights are in force again.
        new Fail(scope, 'RolledBack', { error: 'RolledBack', causePath: '$.cause' }),
      )
      .when(
        is('refused'),
        // Preflight found something: nothing was moved.
        new Fail(scope, 'Refused', { error: 'Refused', causePath: '$.cause' }),
      )
      .when(is('failed'), new Fail(scope, 'Failed', { error: 'Failed', causePath: '$.cause' }))
      .otherwise(notRecorded)
  );
}

function catchAll(scope: Construct, tasks: Tasks, notRecorded: Fail): void {
  // The lock is held, or the plan is invalid: nothing was moved.
  const notStarted = new Fail(scope, 'NotStarted', { error: NOT_STARTED, causePath: '$.error.Cause' });
  const handlers: Record<TaskName, IChainable> = {
    // The lock is not ours, and there is nothing to undo.
    lock: notStarted,
    preflight: tasks.record,
    approve: tasks.record,
    approveLastStage: tasks.rollback,
    ask: tasks.rollback,
    firstHook: tasks.record,
    hook: tasks.rollback,
    shift: tasks.rollback,
    switch: tasks.rollback,
    confirm: tasks.rollback,
    bake: tasks.rollback,
    drain: tasks.rollback,
    verify: tasks.rollback,
    complete: tasks.record,
    rollback: tasks.record,
    record: notRecorded,
  };
  for (const [name, handler] of Object.entries(handlers)) {
    tasks[name as TaskName].addCatch(handler, { errors: [Errors.ALL], resultPath: '$.error' });
  }
}
