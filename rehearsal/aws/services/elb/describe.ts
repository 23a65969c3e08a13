import { AwsError } from '../../../errors/aws-error';
import { Operation, AwsObject } from '../../operations/operation';
import { page } from '../../operations/paging';
import { Parameters } from '../../operations/parameters';
import { loadBalancerAttributes, pairs, targetGroupAttributes } from './attributes';
import { ElbOptions } from './elb-options';
import {
  writeListener,
  writeLoadBalancer,
  showRule,
  writeTargetGroup,
  writeTargetHealth,
  writeUnknownTarget,
} from './shapes';
import { readTargets } from './targets';

const MAX_PAGE = 400;

/** The actions that only read. As at AWS, none of them has a resource level in policies. */
export function describeOperations(options: ElbOptions): ReadonlyMap<string, Operation> {
  return new Map([...describeFront(options), ...describeGroups(options)]);
}

function describeFront({ elb, place }: ElbOptions): ReadonlyMap<string, Operation> {
  const describeLoadBalancers = (input: Parameters): AwsObject => {
    const names = { arns: 'LoadBalancerArns', code: 'LoadBalancerNotFound', noun: 'Load balancers' };
    const chosen = choose(input, elb.loadBalancers, names, (arn) => elb.loadBalancer(arn));
    return listed(input, 'LoadBalancers', chosen, (balancer) => writeLoadBalancer(balancer, place));
  };

  const describeListeners = (input: Parameters): AwsObject => {
    if (!input.has('LoadBalancerArn') && !input.has('ListenerArns')) {
      throw new AwsError('ValidationError', 'You must specify either listener ARNs or a load balancer ARN');
    }
    const chosen = input.has('LoadBalancerArn')
      ? elb.listListeners(elb.loadBalancer(input.text('LoadBalancerArn')).arn)
      : input.texts('ListenerArns').map((arn) => elb.listener(arn));
    return listed(input, 'Listeners', chosen, (listener) => writeListener(elb, listener));
  };

  // The first is the default one, which DescribeListeners tells, too.
  const describeListenerCertificates = (input: Parameters): AwsObject => {
    const { certificateArns } = elb.listener(input.text('ListenerArn'));
    return listed(input, 'Certificates', certificateArns, (CertificateArn) => ({
      CertificateArn,
      IsDefault: CertificateArn === certificateArns[0],
    }));
  };

  const describeRules = (input: Parameters): AwsObject => {
    if (input.has('ListenerArn') === input.has('RuleArns')) {
      throw new AwsError('ValidationError', 'You must specify either rule ARNs or a listener ARN');
    }
    const chosen = input.has('ListenerArn')
      ? elb.listRules(elb.listener(input.text('ListenerArn')).arn)
      : input.texts('RuleArns').map((arn) => elb.rule(arn));
    return listed(input, 'Rules', chosen, showRule);
  };

  return new Map<string, Operation>([
    ['DescribeLoadBalancers', { run: describeLoadBalancers }],
    ['DescribeListeners', { run: describeListeners }],
    ['DescribeListenerCertificates', { run: describeListenerCertificates }],
    ['DescribeRules', { run: describeRules }],
    [
      'DescribeLoadBalancerAttributes',
      listAttributes('LoadBalancerArn', (arn) => loadBalancerAttributes(elb.loadBalancer(arn).attributes)),
    ],
    ['DescribeListenerAttributes', listAttributes('ListenerArn', (arn) => pairs(elb.listener(arn).attributes))],
  ]);
}

function describeGroups({ elb }: ElbOptions): ReadonlyMap<string, Operation> {
  const describeTargetGroups = (input: Parameters): AwsObject => {
    const names = { arns: 'TargetGroupArns', code: 'TargetGroupNotFound', noun: 'Target groups' };
    const chosen = choose(input, elb.targetGroups, names, (arn) => elb.targetGroup(arn));
    const balancer = input.optionalText('LoadBalancerArn');
    const attached = (arn: string) => balancer === undefined || elb.listLoadBalancers(arn).includes(balancer);
    if (balancer !== undefined) elb.loadBalancer(balancer);
    const groups = chosen.filter((group) => attached(group.arn));
    return listed(input, 'TargetGroups', groups, (group) => writeTargetGroup(elb, group));
  };

  const describeTargetHealth = (input: Parameters): AwsObject => {
    const group = elb.targetGroup(input.text('TargetGroupArn'));
    const asked = input.has('Targets') ? readTargets(input, group) : [...group.targets.values()];
    const descriptions = asked.map(({ id, port }) => {
      const target = group.targets.get(`${id}:${port}`);
      return target ? writeTargetHealth(group, target) : writeUnknownTarget(id, port);
    });
    return { TargetHealthDescriptions: descriptions };
  };

  return new Map<string, Operation>([
    ['DescribeTargetGroups', { run: describeTargetGroups }],
    ['DescribeTargetHealth', { run: describeTargetHealth }],
    [
      'DescribeTargetGroupAttributes',
      listAttributes('TargetGroupArn', (arn) => targetGroupAttributes(elb.targetGroup(arn).attributes)),
    ],
  ]);
}

function listAttributes(name: string, read: (arn: string) => AwsObject[]): Operation {
  return { run: (input) => ({ Attributes: read(input.text(name)) }) };
}

interface Naming {
  /** The parameter that takes ARNs. */
  readonly arns: string;
  readonly code: string;
  readonly noun: string;
}

/** By ARNs or by `Names`, or all; an unknown one fails the call. */
function choose<T extends { arn: string; name: string }>(
  input: Parameters,
  all: ReadonlyMap<string, T>,
  { arns, code, noun }: Naming,
  byArn: (arn: string) => T,
): T[] {
  if (input.has(arns) && input.has('Names')) {
    throw new AwsError('ValidationError', `${noun} can be chosen by ARN or by name, not by both at once`);
  }
  if (input.has(arns)) return input.texts(arns).map(byArn);
  if (!input.has('Names')) return [...all.values()];
  return input.texts('Names').map((name) => {
    const found = [...all.values()].find((item) => item.name === name);
    if (found === undefined) throw new AwsError(code, `${noun} '[${name}]' not found`);
    return found;
  });
}

function listed<T>(input: Parameters, member: string, items: readonly T[], write: (item: T) => AwsObject): AwsObject {
  const size = input.optionalInteger('PageSize', { min: 1, max: MAX_PAGE }) ?? MAX_PAGE;
  const marker = input.optionalText('Marker');
  const { items: some, next } = page(items, { size, token: marker === '' ? undefined : marker }, () =>
    input.reject('Marker', 'the NextMarker of an earlier page', marker),
  );
  return { [member]: some.map(write), NextMarker: next };
}
