import aslValidator from 'asl-validator';
import { finalErrorCodes } from '../../../core/errors/errors';
import { STEPS } from '../../../core/cutover/cutover-config';
import { defaultMigration, findDefinition, resourceLike, State } from '../fixture';

const definition = findDefinition(defaultMigration());
const states = Object.entries(definition.States);
const ofType = (type: string): [string, State][] => states.filter(([, state]) => state.Type === type);
const tasks = ofType('Task');

function state(name: string): State {
  const found = definition.States[name];
  if (!found) throw new Error(`state '${name}' must exist, got ${Object.keys(definition.States).join(', ')}`);
  return found;
}

/** Where a Choice goes when the step said `value`, as Step Functions decides it for a whole run. */
function chosen(name: string, value: string): string | undefined {
  const { Choices, Default } = state(name);
  return Choices?.find((choice) => JSON.stringify(choice).includes(`"StringEquals":"${value}"`))?.Next ?? Default;
}

test('it is valid ASL', () => {
  // A copy, because the validator writes its defaults into what it reads.
  const { isValid, errorsText } = aslValidator(structuredClone(definition), { checkArn: true, checkPaths: true });
  expect([isValid, isValid ? '' : errorsText('\n')]).toEqual([true, '']);
});

test('it speaks JSONPath', () => {
  expect(JSON.stringify(definition)).not.toMatch(/QueryLanguage|JSONata|\{%/);
});

test('it has a task for every step but those that are called from outside, each calling its own function', () => {
  const names = STEPS.filter(
    (step) => step !== 'recover' && step !== 'undrain' && step !== 'holdDryRun' && step !== 'doctor',
  ).map((step) => step.charAt(0).toUpperCase() + step.slice(1));
  // A person is asked in three places, by one function; hooks are called in two.
  const others: Record<string, string> = { ApproveLastStage: 'Approve', Ask: 'Approve', FirstHook: 'Hook' };
  expect(tasks.map(([name]) => name).sort()).toEqual([...names, ...Object.keys(others)].sort());
  for (const [name, task] of tasks) {
    expect(task.Parameters?.FunctionName).toContain(`CutoverSteps${others[name] ?? name}`);
  }
});

test('it ends by itself after 30 days at the latest', () => {
  expect(definition.TimeoutSeconds).toBe(30 * 86_400);
});

describe.each(tasks)('%s', (name, task) => {
  test('hands on the whole run, and has a time limit over that of its function', () => {
    expect(task.OutputPath).toBe('$.Payload');
    // Those that check again and again have what the state says: a process that hangs is found behind the wait that it watches.
    const checking = [
      'Preflight',
      'Shift',
      'Approve',
      'ApproveLastStage',
      'Ask',
      'Bake',
      'Drain',
      'Verify',
      'Hook',
      'FirstHook',
    ];
    const others: Record<string, number> = { Complete: 80, Switch: 70, Rollback: 100 };
    if (checking.includes(name)) expect(task).toMatchObject({ TimeoutSecondsPath: '$.taskSeconds' });
    else expect(task.TimeoutSeconds).toBe(others[name] ?? 40);
  });

  test('is not repeated where that cannot help, and is repeated where it can', () => {
    expect(task.Retry?.[0]).toEqual({ ErrorEquals: finalErrorCodes(), MaxAttempts: 0 });
    // Of Lambda's own as of the step's: the first retrier that names an error counts.
    expect(task.Retry?.[1]).toMatchObject({
      ErrorEquals: expect.arrayContaining([
        'Lambda.TooManyRequestsException',
        'Lambda.Unknown',
        'States.TaskFailed',
        'States.Timeout',
      ]) as string[],
      MaxAttempts: ['Rollback', 'Complete'].includes(name) ? 200 : 6,
      MaxDelaySeconds: 30,
      JitterStrategy: 'FULL',
    });
    expect(task.Retry).toHaveLength(2);
  });

  test('catches everything, last and once', () => {
    expect(task.Catch).toEqual([
      { ErrorEquals: ['States.ALL'], ResultPath: '$.error', Next: expect.any(String) as string },
    ]);
    expect(task.Retry?.flatMap(({ ErrorEquals }) => ErrorEquals)).not.toContain('States.ALL');
  });
});

test.each([
  ['Lock', 'NotStarted'],
  ['Preflight', 'Record'],
  ['Approve', 'Record'],
  ['ApproveLastStage', 'Rollback'],
  ['Ask', 'Rollback'],
  ['FirstHook', 'Record'],
  ['Hook', 'Rollback'],
  ['Shift', 'Rollback'],
  ['Confirm', 'Rollback'],
  ['Bake', 'Rollback'],
  ['Drain', 'Rollback'],
  ['Verify', 'Rollback'],
  ['Rollback', 'Record'],
  ['Complete', 'Record'],
  ['Record', 'NotRecorded'],
])('when %s fails, %s follows', (name, next) => {
  expect(state(name).Catch?.map(({ Next }) => Next)).toEqual([next]);
});

test.each([
  ['Lock', 'Preflight'],
  ['Preflight', 'Ready?'],
  ['Approve', 'Approved?'],
  ['ApproveLastStage', 'LastStageApproved?'],
  ['Ask', 'Decided?'],
  ['FirstHook', 'FirstHookCalled?'],
  ['Hook', 'HookCalled?'],
  ['WaitForDecision', 'Ask'],
  ['WaitForApproval', 'Approve'],
  ['WaitForLastApproval', 'ApproveLastStage'],
  ['WaitForHook', 'Hook'],
  ['WaitForFirstHook', 'FirstHook'],
  ['Shift', 'Shifted?'],
  ['Confirm', 'Confirmed?'],
  ['Bake', 'Baked?'],
  ['Drain', 'Drained?'],
  ['Verify', 'Verified?'],
  ['Complete', 'Completed'],
  ['Rollback', 'RolledBack?'],
  ['Record', 'Outcome?'],
  ['WaitToConfirm', 'Confirm'],
  ['WaitToShift', 'Shift'],
  ['WaitToVerify', 'Verify'],
  ['WaitToBake', 'Bake'],
  ['WaitToDrain', 'Drain'],
  ['WaitToRollBack', 'Rollback'],
])('after %s comes %s', (name, next) => {
  expect(state(name).Next).toBe(next);
});

test.each([
  ['Ready?', 'go', 'Shift'],
  ['Ready?', 'approve', 'Approve'],
  ['Ready?', 'anything else', 'Record'],
  ['Approved?', 'approved', 'Preflight'],
  ['Approved?', 'wait', 'WaitForApproval'],
  ['Approved?', 'rollBack', 'Record'],
  ['LastStageApproved?', 'approved', 'Shift'],
  ['LastStageApproved?', 'wait', 'WaitForLastApproval'],
  ['LastStageApproved?', 'rollBack', 'Rollback'],
  ['Shifted?', 'go', 'Confirm'],
  ['Shifted?', 'wait', 'WaitToShift'],
  ['Shifted?', 'rollBack', 'Rollback'],
  ['Confirmed?', 'confirmed', 'Bake'],
  ['Confirmed?', 'wait', 'WaitToConfirm'],
  ['Confirmed?', 'rollBack', 'Rollback'],
  ['Baked?', 'nextStage', 'Shift'],
  ['Baked?', 'approve', 'ApproveLastStage'],
  ['Baked?', 'drain', 'Drain'],
  ['Baked?', 'wait', 'WaitToBake'],
  ['Baked?', 'rollBack', 'Rollback'],
  ['Shifted?', 'ask', 'Ask'],
  ['Confirmed?', 'ask', 'Ask'],
  ['Baked?', 'ask', 'Ask'],
  ['LastStageApproved?', 'ask', 'Ask'],
  ['Drained?', 'ask', 'Ask'],
  ['Verified?', 'ask', 'Ask'],
  ['Decided?', 'nextStage', 'Shift'],
  ['Decided?', 'approve', 'ApproveLastStage'],
  ['Decided?', 'go', 'Confirm'],
  ['Decided?', 'confirmed', 'Bake'],
  ['Decided?', 'drain', 'Drain'],
  ['Decided?', 'drained', 'Verify'],
  ['Decided?', 'ask', 'Ask'],
  ['Decided?', 'wait', 'WaitForDecision'],
  ['Decided?', 'rollBack', 'Rollback'],
  ['Decided?', 'switch', 'Switch'],
  ['Decided?', 'hook', 'Hook'],
  ['Ready?', 'hook', 'FirstHook'],
  ['FirstHookCalled?', 'hook', 'FirstHook'],
  ['FirstHookCalled?', 'approved', 'Preflight'],
  ['FirstHookCalled?', 'approve', 'Approve'],
  ['FirstHookCalled?', 'wait', 'WaitForFirstHook'],
  ['FirstHookCalled?', 'rollBack', 'Record'],
  ['Switched?', 'hook', 'Hook'],
  ['Shifted?', 'hook', 'Hook'],
  ['Confirmed?', 'hook', 'Hook'],
  ['Baked?', 'hook', 'Hook'],
  ['Drained?', 'hook', 'Hook'],
  ['Verified?', 'hook', 'Hook'],
  ['HookCalled?', 'hook', 'Hook'],
  ['HookCalled?', 'nextStage', 'Shift'],
  ['HookCalled?', 'approve', 'ApproveLastStage'],
  ['HookCalled?', 'switch', 'Switch'],
  ['HookCalled?', 'confirmed', 'Bake'],
  ['HookCalled?', 'drain', 'Drain'],
  ['HookCalled?', 'drained', 'Verify'],
  ['HookCalled?', 'ask', 'Ask'],
  ['HookCalled?', 'wait', 'WaitForHook'],
  ['HookCalled?', 'rollBack', 'Rollback'],
  ['Drained?', 'drained', 'Verify'],
  ['Drained?', 'wait', 'WaitToDrain'],
  ['Drained?', 'rollBack', 'Rollback'],
  ['Verified?', 'verified', 'Complete'],
  ['Verified?', 'wait', 'WaitToVerify'],
  ['Verified?', 'rollBack', 'Rollback'],
  ['RolledBack?', 'restored', 'Record'],
  ['RolledBack?', 'wait', 'WaitToRollBack'],
  ['RolledBack?', 'anything else', 'Record'],
  ['Outcome?', 'rolled-back', 'RolledBack'],
  ['Outcome?', 'refused', 'Refused'],
  ['Outcome?', 'failed', 'Failed'],
  ['Outcome?', 'completed', 'Completed'],
  ['Outcome?', 'anything else', 'NotRecorded'],
])('%s %s leads to %s', (name, verdict, next) => {
  expect(chosen(name, verdict)).toBe(next);
});

test.each(ofType('Choice'))(
  '%s asks first whether there is a path to read, and takes the safe way if not',
  (_, choice) => {
    expect(choice.Choices?.[0]).toMatchObject({ Not: { IsPresent: true }, Next: choice.Default });
  },
);

test.each(ofType('Wait'))('%s waits for as long as the step says', (_, wait) => {
  expect(wait.SecondsPath).toBe('$.waitSeconds');
});

test('it ends in Completed, or fails under a name of its own', () => {
  expect(ofType('Succeed').map(([name]) => name)).toEqual(['Completed']);
  expect(ofType('Fail').map(([name, { Error: error }]) => [name, error])).toEqual(
    expect.arrayContaining(
      ['NotStarted', 'Refused', 'RolledBack', 'Failed', 'NotRecorded'].map((name) => [name, name]),
    ),
  );
  expect(ofType('Fail')).toHaveLength(5);
});

test('an execution that is stopped from outside is put back', () => {
  const [machine] = resourceLike(defaultMigration(), 'AWS::StepFunctions::StateMachine', /./);
  const [, rule] = resourceLike(defaultMigration(), 'AWS::Events::Rule', /Interrupted/);
  expect(rule.Properties).toMatchObject({
    EventPattern: { detail: { stateMachineArn: [{ Ref: machine }], status: ['ABORTED', 'TIMED_OUT', 'FAILED'] } },
    Targets: [{ Arn: { 'Fn::GetAtt': [expect.stringContaining('StepsRecover'), 'Arn'] } }],
  });
});
