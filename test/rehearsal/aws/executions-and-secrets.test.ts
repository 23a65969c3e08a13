import {
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetRandomPasswordCommandInput,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { ARNS, T0, LocalCloud, nameOfFailure, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud();
});
afterEach(() => cloud.stop());

test('an execution starts, is described, and stops as aborted', async () => {
  const started = await cloud.sfn.send(
    new StartExecutionCommand({ stateMachineArn: ARNS.machine, name: 'one', input: '{"plan":1}' }),
  );
  expect(started.startDate).toEqual(T0);
  const { executionArn } = started;
  expect(await cloud.sfn.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
    status: 'RUNNING',
    input: '{"plan":1}',
    stateMachineArn: ARNS.machine,
  });
  await cloud.sfn.send(new StopExecutionCommand({ executionArn, error: 'Aborted', cause: 'by hand' }));
  expect(await cloud.sfn.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
    status: 'ABORTED',
    error: 'Aborted',
    cause: 'by hand',
    stopDate: T0,
  });
});

test('the history names every state entered by its type, and the end', async () => {
  const { executionArn } = await cloud.sfn.send(
    new StartExecutionCommand({ stateMachineArn: ARNS.machine, name: 'one' }),
  );
  await cloud.sfn.send(new StopExecutionCommand({ executionArn }));
  const { events } = await cloud.sfn.send(new GetExecutionHistoryCommand({ executionArn }));
  expect(events?.map(({ id, type, stateEnteredEventDetails }) => [id, type, stateEnteredEventDetails?.name])).toEqual([
    [1, 'ExecutionStarted', undefined],
    [2, 'TaskStateEntered', 'Shift'],
    [3, 'ChoiceStateEntered', 'Decide'],
    [4, 'ExecutionAborted', undefined],
  ]);
  const last = await cloud.sfn.send(
    new GetExecutionHistoryCommand({ executionArn, reverseOrder: true, maxResults: 1 }),
  );
  expect(last.events?.[0]?.type).toBe('ExecutionAborted');
  expect(last.nextToken).toBeDefined();
});

test('state machines and executions are listed', async () => {
  await cloud.sfn.send(new StartExecutionCommand({ stateMachineArn: ARNS.machine, name: 'one' }));
  const list = (statusFilter?: 'RUNNING' | 'FAILED') =>
    cloud.sfn.send(new ListExecutionsCommand({ stateMachineArn: ARNS.machine, statusFilter }));
  expect((await list('RUNNING')).executions?.map(({ name }) => name)).toEqual(['one']);
  expect((await list('FAILED')).executions).toEqual([]);
  const { stateMachines } = await cloud.sfn.send(new ListStateMachinesCommand({}));
  expect(stateMachines).toMatchObject([{ name: 'cutover', type: 'STANDARD', creationDate: T0 }]);
  const machine = await cloud.sfn.send(new DescribeStateMachineCommand({ stateMachineArn: ARNS.machine }));
  expect(JSON.parse(machine.definition ?? '')).toMatchObject({ StartAt: 'Shift' });
});

test('what the model rejects and what is unknown are exceptions of their names', async () => {
  const start = (stateMachineArn: string, name = 'one') =>
    cloud.sfn.send(new StartExecutionCommand({ stateMachineArn, name }));
  await start(ARNS.machine);
  expect(await nameOfFailure(start(ARNS.machine))).toBe('ExecutionAlreadyExists');
  expect(await nameOfFailure(start(`${ARNS.machine}-2`))).toBe('StateMachineDoesNotExist');
  for (const arn of ['arn:other', ARNS.secret, `${ARNS.machine.replace(':stateMachine:', ':execution:')}:one`]) {
    expect(await nameOfFailure(start(arn))).toBe('InvalidArn');
  }
  for (const name of ['a/b', 'a b', 'a:b', 'x'.repeat(81)]) {
    expect(await nameOfFailure(start(ARNS.machine, name))).toBe('InvalidName');
  }
  await start(ARNS.machine, 'x'.repeat(80));
  const statusFilter = 'DONE' as 'FAILED';
  const list = cloud.sfn.send(new ListExecutionsCommand({ stateMachineArn: ARNS.machine, statusFilter }));
  expect(await nameOfFailure(list)).toBe('ValidationException');
  const describe = (executionArn: string) => cloud.sfn.send(new DescribeExecutionCommand({ executionArn }));
  const known = ARNS.machine.replace(':stateMachine:', ':execution:');
  expect(await nameOfFailure(describe(`${known}:two`))).toBe('ExecutionDoesNotExist');
  expect(await nameOfFailure(describe(ARNS.machine))).toBe('InvalidArn');
});

test('a secret is read by name, by ARN, and by an ARN without its random end', async () => {
  for (const SecretId of ['admin', ARNS.secret, ARNS.secret.slice(0, -7)]) {
    expect((await cloud.sm.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('a key');
  }
  const { VersionIdsToStages } = await cloud.sm.send(new DescribeSecretCommand({ SecretId: 'admin' }));
  expect(Object.values(VersionIdsToStages ?? {})).toEqual([['AWSCURRENT']]);
  expect((await cloud.sm.send(new ListSecretsCommand({}))).SecretList).toMatchObject([
    { Name: 'admin', CreatedDate: T0 },
  ]);
});

test('an unknown secret or version is ResourceNotFoundException', async () => {
  const read = (SecretId: string, VersionStage?: string) =>
    nameOfFailure(cloud.sm.send(new GetSecretValueCommand({ SecretId, VersionStage })));
  expect(await read('other')).toBe('ResourceNotFoundException');
  expect(await read('admin', 'AWSPREVIOUS')).toBe('ResourceNotFoundException');
  expect(await read(ARNS.machine)).toBe('ValidationException');
  expect(await read('a b')).toBe('ValidationException');
});

describe('versions of a secret', () => {
  const SecretId = 'admin';
  const put = (SecretString: string, more: { ClientRequestToken?: string; VersionStages?: string[] } = {}) =>
    cloud.sm.send(new PutSecretValueCommand({ SecretId, SecretString, ...more }));
  const value = async (VersionStage?: string, VersionId?: string) =>
    (await cloud.sm.send(new GetSecretValueCommand({ SecretId, VersionStage, VersionId }))).SecretString;
  const token = (letter: string) => letter.repeat(32);

  test('a new value is the current one, and the one before it is the previous one', async () => {
    await put('second');
    const { VersionId } = await put('third');
    expect([await value(), await value('AWSPREVIOUS'), await value(undefined, VersionId)]).toEqual([
      'third',
      'second',
      'third',
    ]);
    expect(await nameOfFailure(value('AWSPREVIOUS', VersionId))).toBe('ResourceNotFoundException');
    const { Versions } = await cloud.sm.send(new ListSecretVersionIdsCommand({ SecretId }));
    expect(Versions?.flatMap(({ VersionStages }) => VersionStages ?? []).sort()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
    const all = await cloud.sm.send(new ListSecretVersionIdsCommand({ SecretId, IncludeDeprecated: true }));
    expect(all.Versions).toHaveLength(3);
  });

  test('a token makes a version once, and another value of it is rejected', async () => {
    const pending = { ClientRequestToken: token('a'), VersionStages: ['AWSPENDING'] };
    await put('second', pending);
    await put('second', pending);
    expect([await value(), await value('AWSPENDING')]).toEqual(['a key', 'second']);
    expect(await nameOfFailure(put('third', pending))).toBe('ResourceExistsException');
  });

  test('a label is moved from the version that has it, or taken away', async () => {
    const { VersionId: before } = await cloud.sm.send(new GetSecretValueCommand({ SecretId }));
    await put('second', { ClientRequestToken: token('a'), VersionStages: ['AWSPENDING'] });
    const move = (VersionStage: string, MoveToVersionId?: string, RemoveFromVersionId?: string) =>
      cloud.sm.send(
        new UpdateSecretVersionStageCommand({ SecretId, VersionStage, MoveToVersionId, RemoveFromVersionId }),
      );
    expect(await nameOfFailure(move('AWSCURRENT', token('b'), before))).toBe('ResourceNotFoundException');
    expect(await nameOfFailure(move('AWSCURRENT', token('a')))).toBe('InvalidParameterException');
    expect(await nameOfFailure(move('AWSCURRENT', token('a'), token('a')))).toBe('InvalidParameterException');
    await move('AWSCURRENT', token('a'), before);
    expect([await value(), await value('AWSPREVIOUS')]).toEqual(['second', 'a key']);
    // And back: what was current is the previous one now.
    await move('AWSCURRENT', before, token('a'));
    expect([await value(), await value('AWSPREVIOUS')]).toEqual(['a key', 'second']);
    await move('AWSPREVIOUS', undefined, token('a'));
    expect(await nameOfFailure(value('AWSPREVIOUS'))).toBe('ResourceNotFoundException');
  });

  test('a password has the characters that are asked for', async () => {
    const draw = async (input: GetRandomPasswordCommandInput) =>
      (await cloud.sm.send(new GetRandomPasswordCommand(input))).RandomPassword;
    expect(await draw({})).toMatch(/^[!-~]{32}$/);
    expect(await draw({ PasswordLength: 64, ExcludePunctuation: true })).toMatch(/^[A-Za-z0-9]{64}$/);
    const lowercase = { ExcludePunctuation: true, ExcludeNumbers: true, ExcludeUppercase: true };
    expect(await draw({ PasswordLength: 20, ExcludeCharacters: 'abcdefghijklm', ...lowercase })).toMatch(/^[n-z]{20}$/);
  });

  test('a secret without a function is not rotated, and one that is being rotated is not again', async () => {
    const rotate = () => nameOfFailure(cloud.sm.send(new RotateSecretCommand({ SecretId })));
    expect(await rotate()).toBe('InvalidRequestException');
    cloud.secrets.find(SecretId)!.rotationFunctionArn = 'function';
    await put('second', { ClientRequestToken: token('a'), VersionStages: ['AWSPENDING'] });
    expect(await rotate()).toBe('InvalidRequestException');
  });
});
