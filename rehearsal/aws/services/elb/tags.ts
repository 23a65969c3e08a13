import { ElbModel } from '../../../load-balancer/model/model';
import { AwsError } from '../../../errors/aws-error';
import type { ConditionContext } from '../../iam/iam';
import { Operation, AwsObject } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';
import { pairs } from './attributes';
import { ElbOptions } from './elb-options';

const MAX_TAGGED = 20;
const MAX_TAGS = 50;

/** Tags of load balancers, listeners, rules and target groups. */
export function tagOperations({ elb }: ElbOptions): ReadonlyMap<string, Operation> {
  const describeTags = (input: Parameters): AwsObject => {
    const arns = input.texts('ResourceArns');
    if (arns.length === 0 || arns.length > MAX_TAGGED) {
      throw input.reject('ResourceArns', `a list of 1 to ${MAX_TAGGED} ARNs`, arns.length);
    }
    return {
      TagDescriptions: arns.map((arn) => ({
        ResourceArn: arn,
        Tags: pairs(new Map(Object.entries(listTags(elb, arn)))),
      })),
    };
  };

  const addTags = (input: Parameters): AwsObject => {
    const added = readTags(input);
    const tagged = input.texts('ResourceArns').map((arn) => [arn, { ...listTags(elb, arn), ...added }] as const);
    if (tagged.some(([, tags]) => Object.keys(tags).length > MAX_TAGS)) {
      throw new AwsError('TooManyTags', `A resource must have at most ${MAX_TAGS} tags`);
    }
    for (const [arn, tags] of tagged) elb.tags.set(arn, tags);
    return {};
  };

  const removeTags = (input: Parameters): AwsObject => {
    const keys = input.texts('TagKeys');
    const tagged = input.texts('ResourceArns').map((arn) => [arn, listTags(elb, arn)] as const);
    for (const [arn, tags] of tagged) {
      elb.tags.set(arn, Object.fromEntries(Object.entries(tags).filter(([key]) => !keys.includes(key))));
    }
    return {};
  };

  const resources = (input: Parameters) => input.texts('ResourceArns');
  return new Map<string, Operation>([
    ['DescribeTags', { run: describeTags }],
    ['AddTags', { resources, context: requestedTags, run: addTags }],
    ['RemoveTags', { resources, context: (input) => ({ [TAG_KEYS]: input.texts('TagKeys') }), run: removeTags }],
  ]);
}

const TAG_KEYS = 'aws:TagKeys';

/**
 * What policies see of the `Tags` of a call.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-tagkeys
 */
export function requestedTags(input: Parameters): ConditionContext {
  const tags = input.objects('Tags').map((tag) => [tag.text('Key'), tag.optionalText('Value') ?? ''] as const);
  const values = Object.fromEntries(tags.map(([key, value]) => [`aws:RequestTag/${key}`, value] as const));
  return { ...values, [TAG_KEYS]: tags.map(([key]) => key) };
}

/** `Tags` of a call. @throws AwsError DuplicateTagKeys */
export function readTags(input: Parameters): Record<string, string> {
  const tags = input.objects('Tags').map((tag) => [tag.text('Key'), tag.optionalText('Value') ?? ''] as const);
  const keys = tags.map(([key]) => key);
  if (new Set(keys).size < keys.length) {
    throw new AwsError('DuplicateTagKeys', `A tag key must be specified only once, got ${keys.join(', ')}`);
  }
  return Object.fromEntries(tags);
}

/** @throws AwsError of the kind that the ARN has, when it is of nothing here */
function listTags(elb: ElbModel, arn: string): Record<string, string> {
  if (arn.includes(':listener-rule/')) elb.rule(arn);
  else if (arn.includes(':listener/')) elb.listener(arn);
  else if (arn.includes(':targetgroup/')) elb.targetGroup(arn);
  else elb.loadBalancer(arn);
  return elb.tags.get(arn) ?? {};
}
