import { AwsError } from '../../aws-error';
import { Operation, Place, WireObject } from '../operation';
import { Parameters } from '../parameters';
import { QueryService } from '../protocols/query';

/** A stack as DescribeStacks tells of it. */
export interface StackDescription {
  readonly id: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly status: StackStatus;
  readonly statusReason: string | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date | undefined;
  readonly outputs: readonly StackOutput[];
}

export type StackStatus =
  | 'CREATE_IN_PROGRESS'
  | 'CREATE_COMPLETE'
  | 'UPDATE_IN_PROGRESS'
  | 'UPDATE_COMPLETE'
  | 'UPDATE_ROLLBACK_COMPLETE'
  | 'UPDATE_ROLLBACK_FAILED';

export interface StackOutput {
  readonly key: string;
  readonly value: string;
  readonly description?: string;
  readonly exportName?: string;
}

/** AWS CloudFormation: of its stacks, what they are and what they put out. */
export function stacksService(stacks: () => readonly StackDescription[], place: Place): QueryService {
  const find = (name: string) => stacks().find((stack) => stack.name === name || stack.id === name);
  const describeStacks = (input: Parameters): WireObject => {
    if (!input.has('StackName')) return { Stacks: stacks().map(writeStack) };
    const stack = find(input.text('StackName'));
    if (!stack) throw new AwsError('ValidationError', `Stack with id ${input.text('StackName')} does not exist`);
    return { Stacks: [writeStack(stack)] };
  };
  const resources = (input: Parameters) => {
    const name = input.optionalText('StackName') ?? '*';
    const unknown = `arn:aws:cloudformation:${place.region}:${place.account}:stack/${name}/*`;
    return [find(name)?.id ?? (name.startsWith('arn:') ? name : unknown)];
  };
  return {
    prefix: 'cloudformation',
    version: '2010-05-15',
    namespace: 'http://cloudformation.amazonaws.com/doc/2010-05-15/',
    invalidCode: 'ValidationError',
    operations: new Map<string, Operation>([['DescribeStacks', { resources, run: describeStacks }]]),
  };
}

function writeStack(stack: StackDescription): WireObject {
  return {
    StackId: stack.id,
    StackName: stack.name,
    Description: stack.description,
    CreationTime: stack.createdAt,
    LastUpdatedTime: stack.updatedAt,
    StackStatus: stack.status,
    StackStatusReason: stack.statusReason,
    RollbackConfiguration: {},
    DisableRollback: false,
    EnableTerminationProtection: false,
    NotificationARNs: [],
    Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM'],
    Outputs: stack.outputs.map(({ key, value, description, exportName }) => ({
      OutputKey: key,
      OutputValue: value,
      Description: description,
      ExportName: exportName,
    })),
    Tags: [],
  };
}
