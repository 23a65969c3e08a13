import { CfnElement, CfnResource, Stack } from 'aws-cdk-lib';
import { TaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { Function } from 'aws-cdk-lib/aws-lambda';
import { Construct, IConstruct } from 'constructs';
import { listProperties } from './rendered';

/**
 * Bytes that the environment of a function may have, names and values together.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const MAX_ENVIRONMENT_BYTES = 4096;

/**
 * Bytes of a task definition.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
 */
const MAX_TASK_DEFINITION_BYTES = 65_536;

/**
 * Bytes of what the definition of a state machine gives to each execution. It travels in the state, for which Step Functions has
 * 256 KiB, beside up to 200 KiB of what two thousand proxies report.
 */
const MAX_DEPLOYED_BYTES = 32_768;

/**
 * Lambda would reject the function in the middle of a deployment.
 *
 * @param name what of the user's props is in its environment
 */
export function limitEnvironment(limited: Function, name: string): void {
  limit(limited, name, `the environment of '${limited.node.id}'`, MAX_ENVIRONMENT_BYTES, () => {
    const { Environment } = listProperties(limited.node.defaultChild as CfnResource);
    const { Variables = {} } = (Environment ?? {}) as { Variables?: Record<string, unknown> };
    return Object.entries(Variables).reduce(
      (sum, [variable, value]) => sum + Buffer.byteLength(variable) + longestBytes(limited, value),
      0,
    );
  });
}

/** ECS would reject it. @param name what of the user's props it grows with */
export function limitTaskDefinition(limited: TaskDefinition, name: string): void {
  limit(limited, name, 'the task definition', MAX_TASK_DEFINITION_BYTES, () =>
    longestBytes(limited, Stack.of(limited).toJsonString(listProperties(limited.node.defaultChild as CfnResource))),
  );
}

/** The executions would fail once the state is too long: with many proxies, in the middle of a cutover. */
export function limitDeployed(scope: Construct, name: string, deployed: object): void {
  limit(scope, name, 'what they add to the state of an execution', MAX_DEPLOYED_BYTES, () =>
    longestBytes(scope, Stack.of(scope).toJsonString(deployed)),
  );
}

/** Once all constructs are there: what is counted may still grow. */
function limit(scope: Construct, name: string, what: string, max: number, count: () => number): void {
  const validate = () => {
    const bytes = count();
    return bytes <= max ? [] : [`${name} must be so short that ${what} has at most ${max} bytes, got up to ${bytes}`];
  };
  scope.node.addValidation({ validate });
}

/** The longest values of references, in bytes, by the type of what they refer to; ARNs in the partition with the longest name. */
const MAX_VALUES: Readonly<Record<string, number>> = {
  'AWS::ElasticLoadBalancingV2::LoadBalancer': 130,
  'AWS::ElasticLoadBalancingV2::Listener': 145,
  'AWS::ElasticLoadBalancingV2::TargetGroup': 125,
  'Custom::DrainshiftWeightedRule': 165,
  'AWS::S3::Bucket': 63,
};
const MAX_PSEUDO: Readonly<Record<string, number>> = {
  'AWS::Partition': 10,
  'AWS::Region': 15,
  'AWS::AccountId': 12,
};
/** What stands before a name in the ARN of anything else. */
const ARN_PREFIX = 'arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:'.length;
const MAX_NAME = 255;
/** CloudFormation appends a hyphen and twelve characters, Secrets Manager a hyphen and six. */
const SUFFIX = 1 + 12 + 1 + 6;

/** @returns the most bytes that a value can have once it is deployed, where each reference has its longest value */
export function longestBytes(scope: IConstruct, value: unknown): number {
  return computeBytes(Stack.of(scope), Stack.of(scope).resolve(value));
}

function computeBytes(stack: Stack, value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  const { Ref, ...fn } = value as { Ref?: string; 'Fn::Join'?: [string, unknown[]]; 'Fn::GetAtt'?: [string, string] };
  const join = fn['Fn::Join'];
  if (join) {
    const [separator, parts] = join;
    const between = Buffer.byteLength(separator) * Math.max(0, parts.length - 1);
    return parts.reduce<number>((sum, part) => sum + computeBytes(stack, part), between);
  }
  if (Ref !== undefined && MAX_PSEUDO[Ref] !== undefined) return MAX_PSEUDO[Ref];
  const attribute = fn['Fn::GetAtt'];
  const logicalId = Ref ?? attribute?.[0];
  // Anything else, a value of another stack for example, is as long as a name may be.
  return logicalId === undefined ? MAX_NAME : referenceBytes(stack, logicalId, attribute?.[1]);
}

function referenceBytes(stack: Stack, logicalId: string, attribute: string | undefined): number {
  const found = stack.node.findAll().find((each) => CfnElement.isCfnElement(each) && isCalled(each, logicalId));
  if (!found || !CfnResource.isCfnResource(found)) return MAX_NAME;
  const type = found.cfnResourceType;
  if (Object.hasOwn(MAX_VALUES, type)) return MAX_VALUES[type] ?? MAX_NAME;
  const generated = Math.min(MAX_NAME, stack.stackName.length + 1 + logicalId.length + SUFFIX);
  const name = Math.max(generated, ...givenNames(found));
  const isArn = attribute?.endsWith('Arn') ?? type === 'AWS::SecretsManager::Secret';
  return isArn ? ARN_PREFIX + name : name;
}

function givenNames(resource: CfnResource): number[] {
  return Object.entries(listProperties(resource)).flatMap(([name, value]) =>
    name.endsWith('Name') && typeof value === 'string' ? [Buffer.byteLength(value)] : [],
  );
}

function isCalled(element: CfnElement, logicalId: string): boolean {
  return Stack.of(element).resolve(element.logicalId) === logicalId;
}
