import { randomUUID } from 'node:crypto';
import { ExecutionDescription, MachineDescription, StatesModel } from '../../../state-machine/model';
import { AwsError } from '../../../errors/aws-error';
import { isArnFor } from '../../operations/arn';
import { Operation, Place, AwsObject } from '../../operations/operation';
import { page } from '../../operations/paging';
import { Parameters } from '../../operations/parameters';
import { RpcService } from '../../protocols/rpc';
import { findHistory, stateTypes } from './history';

const MAX_PAGE = 1000;
const DEFAULT_PAGE = 100;
const STATUSES = ['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED', 'PENDING_REDRIVE'];
/** @see https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html (name) */
const NAME = /^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}\p{Cs}\ufffe\uffff]{1,80}$/u;

/** AWS Step Functions. */
export function statesService(model: StatesModel, place: Place): RpcService {
  return {
    prefix: 'states',
    target: 'AWSStepFunctions',
    version: '1.0',
    invalidCode: 'ValidationException',
    operations: new Map([...machineOperations(model), ...executionOperations(model, place)]),
  };
}

const buildArn = (name: string) => (input: Parameters) => [input.text(name)];

function machineOperations(model: StatesModel): ReadonlyMap<string, Operation> {
  const listStateMachines = (input: Parameters): AwsObject =>
    paged(input, 'stateMachines', [...model.stateMachines.values()], summaryOfMachine);

  const describeStateMachine = (input: Parameters): AwsObject => {
    const machine = findMachine(model, input);
    const { definition, roleArn } = machine;
    return { ...summaryOfMachine(machine), status: 'ACTIVE', definition, roleArn };
  };

  const listExecutions = (input: Parameters): AwsObject => {
    const machine = findMachine(model, input);
    const status = input.optionalText('statusFilter');
    if (status !== undefined && !STATUSES.includes(status)) {
      throw input.reject('statusFilter', `one of ${STATUSES.join(', ')}`, status);
    }
    const executions = [...model.executions.values()]
      .filter(({ machineArn }) => machineArn === machine.arn)
      .filter((execution) => status === undefined || execution.status === status)
      .sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
    return paged(input, 'executions', executions, summaryOfExecution);
  };

  const startExecution = (input: Parameters): AwsObject => {
    const { arn: machineArn } = findMachine(model, input);
    const name = input.optionalText('name') ?? randomUUID();
    // It is part of an ARN, and of keys.
    if (!NAME.test(name)) throw new AwsError('InvalidName', `Invalid Name: '${name.slice(0, 100)}'`);
    const execution = model.start(machineArn, name, input.optionalText('input') ?? '{}');
    return { executionArn: execution.arn, startDate: execution.startedAt };
  };

  const resources = buildArn('stateMachineArn');
  return new Map<string, Operation>([
    ['ListStateMachines', { run: listStateMachines }],
    ['DescribeStateMachine', { resources, run: describeStateMachine }],
    ['ListExecutions', { resources, run: listExecutions }],
    ['StartExecution', { resources, run: startExecution }],
  ]);
}

function executionOperations(model: StatesModel, { region }: Place): ReadonlyMap<string, Operation> {
  const describeExecution = (input: Parameters): AwsObject => {
    const execution = findExecution(model, input);
    const { input: started, output, error, cause } = execution;
    return {
      ...summaryOfExecution(execution),
      input: started,
      inputDetails: { included: true },
      output,
      outputDetails: output === undefined ? undefined : { included: true },
      error,
      cause,
    };
  };

  const stopExecution = (input: Parameters): AwsObject => {
    const execution = findExecution(model, input);
    model.stop(execution.arn, input.optionalText('error') ?? '', input.optionalText('cause') ?? '');
    return { stopDate: execution.stoppedAt ?? new Date() };
  };

  const redriveExecution = (input: Parameters): AwsObject => {
    const execution = findExecution(model, input);
    model.redrive(execution.arn);
    return { redriveDate: execution.redriven?.at };
  };

  const getExecutionHistory = (input: Parameters): AwsObject => {
    const execution = findExecution(model, input);
    const { definition = '', roleArn = '' } = model.stateMachines.get(execution.machineArn) ?? {};
    const hasData = input.optionalBoolean('includeExecutionData') ?? true;
    const events = findHistory(execution, { types: stateTypes(definition), region, roleArn, hasData });
    if (input.optionalBoolean('reverseOrder') ?? false) events.reverse();
    return paged(input, 'events', events, (event) => event);
  };

  const resources = buildArn('executionArn');
  return new Map<string, Operation>([
    ['DescribeExecution', { resources, run: describeExecution }],
    ['StopExecution', { resources, run: stopExecution }],
    ['RedriveExecution', { resources, run: redriveExecution }],
    ['GetExecutionHistory', { resources, run: getExecutionHistory }],
  ]);
}

function findMachine(model: StatesModel, input: Parameters): MachineDescription {
  const arn = input.text('stateMachineArn');
  const machine = model.stateMachines.get(arn);
  if (machine) return machine;
  checkArn(arn, /^stateMachine:[^:]+$/);
  throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
}

function findExecution(model: StatesModel, input: Parameters): ExecutionDescription {
  const arn = input.text('executionArn');
  const execution = model.executions.get(arn);
  if (execution) return execution;
  checkArn(arn, /^execution:[^:]+:[^:]+$/);
  throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
}

/** @throws AwsError InvalidArn for one that nothing here could have */
function checkArn(arn: string, shape: RegExp): void {
  if (!isArnFor(arn, 'states', shape)) throw new AwsError('InvalidArn', `Invalid Arn: '${arn.slice(0, 200)}'`);
}

function summaryOfMachine(machine: MachineDescription): AwsObject {
  return { stateMachineArn: machine.arn, name: machine.name, type: 'STANDARD', creationDate: machine.createdAt };
}

function summaryOfExecution(execution: ExecutionDescription): AwsObject {
  return {
    executionArn: execution.arn,
    stateMachineArn: execution.machineArn,
    name: execution.name,
    status: execution.status,
    startDate: execution.startedAt,
    stopDate: execution.stoppedAt,
    redriveCount: execution.redriven?.count ?? 0,
    redriveDate: execution.redriven?.at,
  };
}

function paged<T>(input: Parameters, member: string, all: readonly T[], write: (item: T) => AwsObject): AwsObject {
  // 0 asks for the default.
  const asked = input.optionalInteger('maxResults', { min: 0, max: MAX_PAGE }) ?? 0;
  const at = { size: asked === 0 ? DEFAULT_PAGE : asked, token: input.optionalText('nextToken') };
  const { items, next } = page(all, at, () => new AwsError('InvalidToken', `Invalid Token: '${at.token}'`));
  return { [member]: items.map(write), nextToken: next };
}
