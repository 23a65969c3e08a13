import { AwsError } from '../../../errors/aws-error';
import { Operation, Place, AwsObject } from '../../operations/operation';
import { page } from '../../operations/paging';
import { Parameters } from '../../operations/parameters';
import { QueryService } from '../../protocols/query';

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
  /** In the order of their creation. @default - none */
  readonly resources?: readonly StackResource[];
  /** The oldest first. @default - none */
  readonly events?: readonly StackEvent[];
}

export interface StackResource {
  readonly logicalId: string;
  readonly physicalId: string;
  readonly type: string;
  /** `CREATE_COMPLETE`. */
  readonly status: string;
  readonly changedAt: Date;
}

/** Something happened to a resource, or to the stack, which is a resource of itself. */
export interface StackEvent extends StackResource {
  readonly id: string;
  readonly reason: string | undefined;
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

const PAGE = 100;

/** AWS CloudFormation: of its stacks, what they are, what they put out, what they are made of and what happened. */
export function stacksService(stacks: () => readonly StackDescription[], place: Place): QueryService {
  const find = (name: string) => stacks().find((stack) => stack.name === name || stack.id === name);
  const named = (name: string): StackDescription => {
    const stack = find(name);
    if (!stack) throw new AwsError('ValidationError', `Stack with id ${name} does not exist`);
    return stack;
  };
  const describeStacks = (input: Parameters): AwsObject => ({
    Stacks: (input.has('StackName') ? [named(input.text('StackName'))] : stacks()).map(writeStack),
  });
  const describeStackEvents = (input: Parameters): AwsObject => {
    const stack = named(input.text('StackName'));
    const events = [...(stack.events ?? [])].reverse();
    return paged(input, 'StackEvents', events, (event) => writeEvent(stack, event));
  };
  const listStackResources = (input: Parameters): AwsObject => {
    const { resources: all = [] } = named(input.text('StackName'));
    return paged(input, 'StackResourceSummaries', all, ({ changedAt, ...resource }) => ({
      ...writeResource(resource),
      LastUpdatedTimestamp: changedAt,
    }));
  };
  const describeStackResource = (input: Parameters): AwsObject => {
    const stack = named(input.text('StackName'));
    const resource = findResource(stack, input.text('LogicalResourceId'));
    return {
      StackResourceDetail: { ...writeOwned(stack, resource), LastUpdatedTimestamp: resource.changedAt },
    };
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
    operations: new Map<string, Operation>([
      ['DescribeStacks', { resources, run: describeStacks }],
      ['DescribeStackEvents', { resources, run: describeStackEvents }],
      ['DescribeStackResource', { resources, run: describeStackResource }],
      ['DescribeStackResources', { resources, run: (input) => describeStackResources(stacks(), named, input) }],
      ['ListStackResources', { resources, run: listStackResources }],
    ]),
  };
}

/** At most a hundred, without pages: ListStackResources has all. */
function describeStackResources(
  stacks: readonly StackDescription[],
  named: (name: string) => StackDescription,
  input: Parameters,
): AwsObject {
  if (input.has('StackName') === input.has('PhysicalResourceId')) {
    throw new AwsError('ValidationError', 'One of StackName and PhysicalResourceId must be specified, and not both');
  }
  const physicalId = input.optionalText('PhysicalResourceId');
  const stack =
    physicalId === undefined
      ? named(input.text('StackName'))
      : stacks.find(({ resources = [] }) => resources.some((each) => each.physicalId === physicalId));
  if (!stack) throw new AwsError('ValidationError', `Stack for ${physicalId} does not exist`);
  const one = input.optionalText('LogicalResourceId');
  const found = one === undefined ? (stack.resources ?? []) : [findResource(stack, one)];
  return {
    StackResources: found
      .slice(0, PAGE)
      .map((resource) => ({ ...writeOwned(stack, resource), Timestamp: resource.changedAt })),
  };
}

function findResource({ name, resources = [] }: StackDescription, logicalId: string): StackResource {
  const resource = resources.find((each) => each.logicalId === logicalId);
  if (!resource) throw new AwsError('ValidationError', `Resource ${logicalId} does not exist for stack ${name}`);
  return resource;
}

function paged<T>(input: Parameters, member: string, all: readonly T[], write: (item: T) => AwsObject): AwsObject {
  const { items, next } = page(all, { size: PAGE, token: input.optionalText('NextToken') }, () =>
    input.reject('NextToken', 'the NextToken of an earlier page', input.optionalText('NextToken')),
  );
  return { [member]: items.map(write), NextToken: next };
}

function writeResource({ logicalId, physicalId, type, status }: Omit<StackResource, 'changedAt'>): AwsObject {
  return {
    LogicalResourceId: logicalId,
    PhysicalResourceId: physicalId,
    ResourceType: type,
    ResourceStatus: status,
  };
}

function writeOwned(stack: StackDescription, resource: StackResource): AwsObject {
  return { StackId: stack.id, StackName: stack.name, ...writeResource(resource) };
}

function writeEvent(stack: StackDescription, event: StackEvent): AwsObject {
  const { id, reason, changedAt } = event;
  return { EventId: id, ...writeOwned(stack, event), ResourceStatusReason: reason, Timestamp: changedAt };
}

function writeStack(stack: StackDescription): AwsObject {
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
