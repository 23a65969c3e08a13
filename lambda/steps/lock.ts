import { Announced } from '../../core/cutover/announcement';
import type { CheckedAlarms } from '../../core/judge/alarm-check';
import { ROLLBACK_ACTION } from '../../core/cutover/execution-look';
import { CutoverRun, begin, note } from '../../core/cutover/run';
import { reversePlan } from '../../core/plan/reverse-plan';
import { CutoverError, ERRORS } from '../../core/errors/errors';
import { Plan, estimateSeconds, parsePlan } from '../../core/plan/plan';
import { PLAN_PARTS, PlanPart, checkFloor } from '../../core/plan/plan-floor';
import { oneLine } from '../../core/text/one-line';
import { Problems } from '../../core/validation/problems';
import { announce } from '../shared/announce';
import type { Ports } from '../contract/ports';
import { createHandler } from '../shared/step';

/** The longest ARN of a principal is shorter. */
const MAX_STARTER = 300;
/** Step Functions adds this key to the input of an execution that another workflow starts with `associateWithParent`. */
const STARTED_BY = 'AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID';

/**
 * What the state machine gives to its first step. `input` is the execution's own input: `{}`, `{"plan": …}`, or
 * `{"action": "rollback"}` for the deployed plan in the other direction; each with `startedBy`, who says that it started it. `defaultPlan` is
 * the deployed plan, in the definition that a deployment alone can change: it is what runs without a plan in the input, and
 * what a plan in the input may not be less careful than. `changeableParts` are the parts that the input may change at all.
 */
export interface LockInput {
  readonly input: unknown;
  readonly execution: string;
  readonly startedAt: string;
  readonly defaultPlan: unknown;
  /** @default - all */
  readonly changeableParts?: readonly PlanPart[];
  /** Of the definition, too: who may start a cutover does not say which alarms it checks. */
  readonly alarms?: CheckedAlarms;
}

/** Reads the plan and takes the lock: one cutover of a migration at a time. */
export async function lock(input: LockInput, ports: Ports, nowMs: number): Promise<CutoverRun> {
  try {
    const run = await take(input, ports, nowMs);
    await announce('started', run, ports);
    return run;
  } catch (error) {
    // No operator watches an execution that a schedule started. One that is tried again may still start: `recover` tells of its end.
    if (error instanceof CutoverError && !ERRORS[error.code].retry)
      await announce('notStarted', failedRun(input, error), ports);
    throw error;
  }
}

async function take(input: LockInput, { store }: Ports, nowMs: number): Promise<CutoverRun> {
  const problems = new Problems();
  // A misspelt or unwrapped plan must not start the synthesized one on live traffic.
  const keys = ['plan', 'action', 'startedBy', STARTED_BY];
  const given = problems.object('input', input.input, keys);
  const { action } = given;
  if (action !== undefined && action !== ROLLBACK_ACTION)
    problems.add('input.action', `'${ROLLBACK_ACTION}', or absent`, action);
  if (action !== undefined && given.plan !== undefined) problems.add('input.action', 'absent beside a plan', action);
  problems.throwIfAny('PlanInvalid');
  const floor = parsePlan(input.defaultPlan);
  const plan = action === undefined ? choosePlan(given.plan, floor) : reversePlan(floor);
  checkFloor(plan, floor, input.changeableParts ?? PLAN_PARTS, problems);
  problems.throwIfAny('PlanInvalid');
  // Step Functions forgets a name after 90 days, the store never: what the old cutover left would count for the new one,
  // and nothing would put it back when it is stopped.
  if (await store.hasEvidence(input.execution)) {
    throw new CutoverError('NameUsed', `'execution' must be a name without evidence, got '${input.execution}'`);
  }
  const { execution, startedAt, alarms } = input;
  const run: CutoverRun = { ...begin(execution, startedAt, plan), ...(alarms && { alarms }) };
  await store.acquire(run);
  const startedBy = findStarter(given);
  return note(run, nowMs, 'Lock', { ...estimateSeconds(plan), ...(startedBy !== undefined && { startedBy }) });
}

/** Their own word, for the record: no right depends on it. CloudTrail has the proof. */
function findStarter(input: Readonly<Record<string, unknown>>): string | undefined {
  const said = input.startedBy ?? input[STARTED_BY];
  return typeof said === 'string' && said !== '' ? oneLine(said, MAX_STARTER) : undefined;
}

function choosePlan(given: unknown, floor: Plan): Plan {
  return given === undefined ? floor : parsePlan(given);
}

function failedRun({ execution }: LockInput, { code, message }: CutoverError): Announced {
  return { execution, failure: { code, message } };
}

export const handler = createHandler(lock);
