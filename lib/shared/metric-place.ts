import { IResource, Stack } from 'aws-cdk-lib';
import { MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { isLater } from '../validation/validation';

/**
 * Options for a metric of a resource that may be of another account or region. The CDK takes those of the stack that imports
 * the resource, where a metric of this name has no data.
 */
export function whereItIs(resource: IResource, options: MetricOptions = {}): MetricOptions {
  const { env } = resource;
  const stack = Stack.of(resource);
  const place = (what: 'account' | 'region') =>
    env[what] === stack[what] || isLater(env[what]) ? undefined : env[what];
  return { account: place('account'), region: place('region'), ...options };
}
