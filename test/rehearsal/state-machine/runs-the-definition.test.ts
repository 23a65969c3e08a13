import { until } from '../../support/until';
import type { HistoryEvent } from '@aws-sdk/client-sfn';
import { findHistory, stateTypes } from '../../../rehearsal/aws/services/states/history';
import { FunctionError } from '../../../rehearsal/functions/function';
import { ExecutionDescription } from '../../../rehearsal/state-machine/model';
import { StateMachineRunner } from '../../../rehearsal/state-machine/runner';

const ARN = 'arn:aws:states:us-east-1:123456789012:stateMachine:m';
const task = (over: object = {}) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Parameters: { FunctionName: 'f', 'Payload.$': '$' },
  OutputPath: '$.Payload',
  End: true,
  ...over,
});

function findRunner(
  definition: object,
  invoke: (arn: string, payload: unknown) => Promise<unknown> = () => Promise.resolve({}),
  options?: ConstructorParameters<typeof StateMachineRunner>[2],
) {
  let ended: (execution: ExecutionDescription) => void;
  const end = new Promise<ExecutionDescription>((resolve) => (ended = resolve));
  const runner = new StateMachineRunner(
    invoke,
    (execution) => execution.status !== 'RUNNING' && ended(execution),
    options,
  );
  runner.add({ arn: ARN, name: 'm', definition: JSON.stringify(definition), roleArn: 'role', createdAt: new Date() });
  return { runner, end };
}

test('a Lambda task gets its payload and gives its response, and the way is on record', async () => {
  const { runner, end } = findRunner(
    { StartAt: 'A', TimeoutSeconds: 2_592_000, States: { A: task() } },
    (arn, payload) => Promise.resolve({ arn, payload }),
  );
  runner.start(ARN, 'one', '{"x":1}');
  const execution = await end;
  expect(execution).toMatchObject({ status: 'SUCCEEDED', output: '{"arn":"f","payload":{"x":1}}' });
  expect(execution.entered.map(({ state }) => state)).toEqual(['A']);
  expect(execution.arn).toBe('arn:aws:states:us-east-1:123456789012:execution:m:one');
});

test('a time limit by a path is that of the input of the state', async () => {
  const invoked: unknown[] = [];
  const definition = {
    StartAt: 'A',
    States: {
      A: task({
        TimeoutSecondsPath: '$.taskSeconds',
        Retry: [{ ErrorEquals: ['States.Timeout'], MaxAttempts: 1, IntervalSeconds: 1 }],
      }),
    },
  };
  const invoke = (_: string, payload: unknown) => {
    invoked.push(payload);
    return invoked.length === 1 ? new Promise(() => undefined) : Promise.resolve(payload);
  };
  const { runner, end } = findRunner(definition, invoke, { speed: 20, failed: () => undefined });
  runner.start(ARN, 'one', '{"taskSeconds":1}');
  expect((await end).status).toBe('SUCCEEDED');
  expect(invoked).toEqual([{ taskSeconds: 1 }, { taskSeconds: 1 }]);
});

test("Catch compares a function's error by its name and passes Lambda's JSON on", async () => {
  const definition = {
    StartAt: 'A',
    States: {
      A: task({ Catch: [{ ErrorEquals: ['LockHeld'], ResultPath: '$.error', Next: 'B' }] }),
      B: { Type: 'Succeed' },
    },
  };
  const { runner, end } = findRunner(definition, () =>
    Promise.reject(new FunctionError('LockHeld', { errorMessage: 'held' })),
  );
  runner.start(ARN, 'one', '{"x":1}');
  const { output } = await end;
  expect(JSON.parse(output ?? '')).toEqual({
    x: 1,
    error: { Error: 'LockHeld', Cause: '{"errorType":"LockHeld","errorMessage":"held"}' },
  });
});

test('a failure carries its error and its cause', async () => {
  const { runner, end } = findRunner({
    StartAt: 'A',
    States: { A: { Type: 'Fail', Error: 'RolledBack', Cause: 'why' } },
  });
  runner.start(ARN, 'one', '{}');
  expect(await end).toMatchObject({ status: 'FAILED', error: 'RolledBack', cause: 'why' });
});

test('stopping ends an execution at once: no Catch runs', async () => {
  const definition = { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 3600, Next: 'A' }, A: task() } };
  const { runner, end } = findRunner(definition);
  const { arn } = runner.start(ARN, 'one', '{}');
  runner.stop(arn, 'Stopped', 'by hand');
  expect(await end).toMatchObject({ status: 'ABORTED', error: 'Stopped', cause: 'by hand' });
});

test('the same name with the same input is the same execution; a used name is rejected', async () => {
  const { runner, end } = findRunner({ StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 0, End: true } } });
  const first = runner.start(ARN, 'one', '{}');
  expect(runner.start(ARN, 'one', '{}')).toBe(first);
  expect(() => runner.start(ARN, 'one', '{"a":1}')).toThrow(/Execution Already Exists/);
  await end;
  expect(() => runner.start(ARN, 'one', '{}')).toThrow(/Execution Already Exists/);
  expect(() => runner.start(`${ARN}x`, 'two', '{}')).toThrow(/State Machine Does Not Exist/);
  expect(() => runner.start(ARN, 'three', 'nonsense')).toThrow(/Invalid State Machine Execution Input/);
});

test('the pauses before retries are shortened, and every failure is reported', async () => {
  const failures: string[] = [];
  let calls = 0;
  const retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 3600, MaxAttempts: 3 }];
  const { runner, end } = findRunner(
    { StartAt: 'A', States: { A: task({ Retry: retry }) } },
    () => {
      calls += 1;
      return calls < 3 ? Promise.reject(new FunctionError('Busy', { errorMessage: 'later' })) : Promise.resolve({});
    },
    { speed: 1_000_000, failed: (state, error) => failures.push(`${state} ${error}`) },
  );
  runner.start(ARN, 'one', '{}');
  expect((await end).status).toBe('SUCCEEDED');
  expect(failures).toEqual(['A Busy', 'A Busy']);
});

test('the history has every call of a task, with what went in and came out', async () => {
  const definition = {
    StartAt: 'Poll',
    States: {
      Poll: task({
        Retry: [{ ErrorEquals: ['Busy'], IntervalSeconds: 1, MaxAttempts: 2 }],
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Undo' }],
        End: undefined,
        Next: 'Again',
      }),
      Again: { Type: 'Choice', Choices: [{ Variable: '$.again', BooleanEquals: true, Next: 'Poll' }], Default: 'Undo' },
      Undo: { Type: 'Pass', Next: 'Gone' },
      Gone: { Type: 'Fail', Error: 'RolledBack', Cause: 'why' },
    },
  };
  const responses = [
    () => Promise.reject(new FunctionError('Busy', { errorMessage: 'later' })),
    () => Promise.resolve({ again: true, of: 1 }),
    () => Promise.reject(new FunctionError('Broken', { errorMessage: 'for good' })),
  ];
  const { runner, end } = findRunner(definition, () => (responses.shift() ?? (() => Promise.resolve({})))(), {
    speed: 100,
    failed: () => undefined,
  });
  runner.start(ARN, 'one', '{"x":1}');
  const execution = await end;
  const types = stateTypes(JSON.stringify(definition));
  const options = { types, region: 'us-east-1', roleArn: 'role', hasData: true };
  const events = findHistory(execution, options) as unknown as HistoryEvent[];
  expect(events.map(({ type }) => type)).toEqual([
    'ExecutionStarted',
    ...['TaskStateEntered', 'TaskScheduled', 'TaskStarted', 'TaskFailed'],
    ...['TaskScheduled', 'TaskStarted', 'TaskSucceeded', 'TaskStateExited'],
    ...['ChoiceStateEntered', 'ChoiceStateExited'],
    ...['TaskStateEntered', 'TaskScheduled', 'TaskStarted', 'TaskFailed', 'TaskStateExited'],
    ...['PassStateEntered', 'PassStateExited', 'FailStateEntered', 'ExecutionFailed'],
  ]);
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
  const find = (type: string) => events.find((event) => event.type === type);
  expect(find('TaskScheduled')?.taskScheduledEventDetails).toEqual({
    resourceType: 'lambda',
    resource: 'invoke',
    region: 'us-east-1',
    parameters: '{"FunctionName":"f","Payload":{"x":1}}',
  });
  expect(find('TaskFailed')?.taskFailedEventDetails).toMatchObject({ error: 'Busy', resourceType: 'lambda' });
  expect(find('TaskSucceeded')?.taskSucceededEventDetails).toMatchObject({
    output: '{"Payload":{"again":true,"of":1},"StatusCode":200}',
  });
  expect(find('TaskStateExited')?.stateExitedEventDetails).toMatchObject({
    name: 'Poll',
    output: '{"again":true,"of":1}',
  });
  expect(find('ChoiceStateEntered')?.stateEnteredEventDetails).toMatchObject({ input: '{"again":true,"of":1}' });
  const bare = JSON.stringify(findHistory(execution, { ...options, hasData: false }));
  expect(bare).not.toMatch(/"again|Busy|why/);
});

test('an execution that was stopped is redriven from the state in which it was, with its input', async () => {
  const definition = {
    StartAt: 'A',
    States: { A: task({ End: undefined, Next: 'B' }), B: task() },
  };
  const asked: unknown[] = [];
  let respond: (value: unknown) => void = () => undefined;
  const states: string[] = [];
  const runner = new StateMachineRunner(
    (_, payload) => {
      asked.push(payload);
      return asked.length === 1 ? Promise.resolve({ of: 'A' }) : new Promise((done) => (respond = done));
    },
    ({ status }) => states.push(status),
  );
  runner.add({ arn: ARN, name: 'm', definition: JSON.stringify(definition), roleArn: 'role', createdAt: new Date() });
  const execution = runner.start(ARN, 'one', '{}');
  expect(() => runner.redrive(execution.arn)).toThrow('Execution is not redrivable');
  await until(() => asked.length === 2);
  runner.stop(execution.arn, '', '');
  runner.redrive(execution.arn);
  expect(execution).toMatchObject({ status: 'RUNNING', redriven: { count: 1 } });
  expect(execution.stoppedAt).toBeUndefined();
  await until(() => asked.length === 3);
  respond({ of: 'B' });
  await until(() => execution.status !== 'RUNNING');
  expect(asked).toEqual([{}, { of: 'A' }, { of: 'A' }]);
  expect(execution).toMatchObject({ status: 'SUCCEEDED', output: '{"of":"B"}' });
  expect(execution.entered.map(({ state }) => state)).toEqual(['A', 'B', 'B']);
  expect(states.filter((state) => state !== 'RUNNING')).toEqual(['ABORTED', 'SUCCEEDED']);
});
