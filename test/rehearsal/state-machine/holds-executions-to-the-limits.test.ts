import { ExecutionDescription } from '../../../rehearsal/state-machine/model';
import { StateMachineRunner } from '../../../rehearsal/state-machine/runner';

const ARN = 'arn:aws:states:us-east-1:123456789012:stateMachine:m';
const LIMIT = 262_144;
const task = {
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Parameters: { FunctionName: 'f', 'Payload.$': '$' },
  OutputPath: '$.Payload',
};
const caught = {
  StartAt: 'A',
  States: {
    A: {
      ...task,
      Retry: [{ ErrorEquals: ['States.ALL'], MaxAttempts: 3, IntervalSeconds: 1 }],
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Rescued' }],
      Next: 'Rescued',
    },
    Rescued: { Type: 'Succeed' },
  },
};

function run(definition: object, input: object, invoke: (payload: unknown) => unknown = (payload) => payload) {
  return new Promise<ExecutionDescription>((resolve) => {
    const runner = new StateMachineRunner(
      async (_, payload) => invoke(payload),
      (execution) => execution.status !== 'RUNNING' && resolve(execution),
    );
    runner.add({ arn: ARN, name: 'm', definition: JSON.stringify(definition), roleArn: 'role', createdAt: new Date() });
    runner.start(ARN, 'one', JSON.stringify(input));
  });
}
/** A payload of so many bytes as JSON: `{"x":"…"}`. */
const payload = (bytes: number) => ({ x: 'a'.repeat(bytes - 8) });

test('a result over the limit ends the execution, and no Retry and no Catch holds it', async () => {
  let calls = 0;
  const execution = await run(caught, {}, () => {
    calls += 1;
    return payload(LIMIT + 1);
  });
  expect(execution).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
  expect(execution.cause).toMatch(/^the output of 'A' must be at most 262144 bytes, got 26\d{4}$/);
  expect(calls).toBe(1);
  expect(execution.entered.map(({ state }) => state)).toEqual(['A']);
});

test('a payload that a function must not get is not passed to it', async () => {
  let calls = 0;
  const grow = { ...caught.States.A, Parameters: { FunctionName: 'f', Payload: { 'a.$': '$', 'b.$': '$' } } };
  const execution = await run({ ...caught, States: { ...caught.States, A: grow } }, payload(LIMIT - 100), () => {
    calls += 1;
    return {};
  });
  expect(execution).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
  expect(calls).toBe(0);
});

test('what a state without a function makes of its input is held to the limit too', async () => {
  const grow = { Type: 'Pass', Parameters: { 'a.$': '$', 'b.$': '$' }, Next: 'Done' };
  const wait = { Type: 'Wait', Seconds: 60, End: true };
  const execution = await run({ StartAt: 'Grow', States: { Grow: grow, Done: wait } }, payload(LIMIT - 100));
  expect(execution).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
});

test('a payload of just under the limit goes through', async () => {
  const definition = { StartAt: 'A', States: { A: { ...task, End: true } } };
  expect(await run(definition, payload(LIMIT - 100))).toMatchObject({ status: 'SUCCEEDED' });
});

/** Goes round with 9 events each time, as a poll of a cutover does: a wait, a function, a choice. */
function polling(rounds: number) {
  return {
    StartAt: 'Wait',
    States: {
      Wait: { Type: 'Wait', Seconds: 0, Next: 'Look' },
      Look: { ...task, Next: 'Done?' },
      'Done?': {
        Type: 'Choice',
        Choices: [{ Variable: '$.n', NumericGreaterThanEquals: rounds, Next: 'Done' }],
        Default: 'Wait',
      },
      Done: { Type: 'Succeed' },
    },
  };
}
const count = (seen: unknown) => ({ n: (seen as { n: number }).n + 1 });

test('a history of 25,000 events is full', async () => {
  // 2 for the start and the end, 2 for Succeed, 9 a round: 2,777 rounds are 24,997.
  expect(await run(polling(2_777), { n: 0 }, count)).toMatchObject({ status: 'SUCCEEDED' });
  expect(await run(polling(2_778), { n: 0 }, count)).toMatchObject({
    status: 'FAILED',
    error: 'States.Runtime',
    cause: 'The execution reached the maximum number of history events (25000).',
  });
});

test('a definition that Step Functions would not take is rejected before anything runs', () => {
  const runner = new StateMachineRunner(
    () => Promise.resolve({}),
    () => undefined,
  );
  const add = (definition: string) => () =>
    runner.add({ arn: ARN, name: 'm', definition, roleArn: 'role', createdAt: new Date() });
  expect(add('{')).toThrow(/^the definition of state machine 'm' must be JSON, got /);
  expect(add('{"StartAt":"A","States":{}}')).toThrow(/^the definition of state machine 'm' must be valid, got \S/);
  expect(runner.stateMachines.size).toBe(0);
});
