import { CfnElement, CfnResource, Stack } from 'aws-cdk-lib';
import { IConstruct } from 'constructs';
import { propertiesOf } from './rendered';

/**
 * Bytes that the environment of a function may have, names and values together.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MAX_ENVIRONMENT_BYTES = 4096;

/** The longest values of references, in bytes, by the type of what they refer to; ARNs in the partition with the longest name. */
const LONGEST: Readonly<Record<string, number>> = {
  'AWS::ElasticLoadBalancingV2::LoadBalancer': 130,
  'AWS::ElasticLoadBalancingV2::Listener': 145,
  'AWS::ElasticLoadBalancingV2::TargetGroup': 125,
  'Custom::DrainshiftWeightedRule': 165,
  'AWS::S3::Bucket': 63,
};
const LONGEST_PSEUDO: Readonly<Record<string, number>> = {
  'AWS::Partition': 10,
  'AWS::Region': 15,
  'AWS::AccountId': 12,
};
/** What stands before a name in the ARN of anything else. */
const ARN_PREFIX = 'arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:'.length;
const LONGEST_NAME = 255;
/** CloudFormation appends a hyphen and twelve characters, Secrets Manager a hyphen and six. */
const SUFFIX = 1 + 12 + 1 + 6;

/** @returns the most bytes that a value can have once it is deployed, where each reference has its longest value */
export function longestBytes(scope: IConstruct, value: unknown): number {
  return bytesOf(Stack.of(scope), Stack.of(scope).resolve(value));
}

function bytesOf(stack: Stack, value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  const { Ref, ...fn } = value as { Ref?: string; 'Fn::Join'?: [string, unknown[]]; 'Fn::GetAtt'?: [string, string] };
  const join = fn['Fn::Join'];
  if (join) {
    const [separator, parts] = join;
    const between = Buffer.byteLength(separator) * Math.max(0, parts.length - 1);
    return parts.reduce<number>((sum, part) => sum + bytesOf(stack, part), between);
  }
  if (Ref !== undefined && LONGEST_PSEUDO[Ref] !== undefined) return LONGEST_PSEUDO[Ref];
  const attribute = fn['Fn::GetAtt'];
  const logicalId = Ref ?? attribute?.[0];
  // Anything else, a value of another stack for example, is as long as a name may be.
  return logicalId === undefined ? LONGEST_NAME : referenceBytes(stack, logicalId, attribute?.[1]);
}

function referenceBytes(stack: Stack, logicalId: string, attribute: string | undefined): number {
  const found = stack.node.findAll().find((each) => CfnElement.isCfnElement(each) && isCalled(each, logicalId));
  if (!found || !CfnResource.isCfnResource(found)) return LONGEST_NAME;
  const type = found.cfnResourceType;
  if (Object.hasOwn(LONGEST, type)) return LONGEST[type] ?? LONGEST_NAME;
  const generated = Math.min(LONGEST_NAME, stack.stackName.length + 1 + logicalId.length + SUFFIX);
  const name = Math.max(generated, ...givenNames(found));
  const isArn = attribute?.endsWith('Arn') ?? type === 'AWS::SecretsManager::Secret';
  return isArn ? ARN_PREFIX + name : name;
}

function givenNames(resource: CfnResource): number[] {
  return Object.entries(propertiesOf(resource)).flatMap(([name, value]) =>
    name.endsWith('Name') && typeof value === 'string' ? [Buffer.byteLength(value)] : [],
  );
}

function isCalled(element: CfnElement, logicalId: string): boolean {
  return Stack.of(element).resolve(element.logicalId) === logicalId;
}
