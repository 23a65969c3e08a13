import { own } from '../../core/validation/own';
import { setTargetGroupAttributes } from '../aws/services/elb/attributes';
import type { Ready } from '../template/resources/resources';
import { ElbModel } from '../load-balancer/model/model';
import { addRule, removeRule, replaceActions, replaceConditions, setPriorities } from '../load-balancer/model/rules';

/** One resource on its way from what it was to what a template says; either end is missing when it is new or goes. */
export interface Move {
  readonly logicalId: string;
  readonly type: string;
  readonly from: Ready | undefined;
  readonly to: Ready | undefined;
}

/** The load balancer's resources move in its live model, towards the one that the template describes. */
export interface ElbMove extends Move {
  readonly live: ElbModel;
  readonly wanted: ElbModel;
}

/** What became of a move: `passedOver` is what a running local cloud cannot follow. */
export type Moved = 'applied' | 'passedOver';

/**
 * As CloudFormation moves them: a resource that changed in anything is written whole, with all that its template says, a
 * rule with its weights, too.
 *
 * @throws AwsError as the service does
 */
export const ELB_MOVES: Readonly<Record<string, ((move: ElbMove) => Moved) | undefined>> = {
  'AWS::ElasticLoadBalancingV2::LoadBalancer': moveLoadBalancer,
  'AWS::ElasticLoadBalancingV2::TargetGroup': moveTargetGroup,
  'AWS::ElasticLoadBalancingV2::Listener': moveListener,
  'AWS::ElasticLoadBalancingV2::ListenerRule': moveRule,
};

/** Read when a connection begins, and not again. */
const FIXED_ATTRIBUTES: readonly string[] = ['idle_timeout.timeout_seconds'];

/** The properties whose changes are followed; any other one replaces the resource, or does what is not done here. */
const FOLLOWED: Readonly<Record<string, readonly string[] | undefined>> = {
  'AWS::ElasticLoadBalancingV2::LoadBalancer': ['LoadBalancerAttributes', 'Tags'],
  'AWS::ElasticLoadBalancingV2::TargetGroup': [
    'HealthCheckIntervalSeconds',
    'HealthCheckPath',
    'HealthCheckPort',
    'HealthCheckProtocol',
    'HealthCheckTimeoutSeconds',
    'HealthyThresholdCount',
    'Matcher',
    'Tags',
    'TargetGroupAttributes',
    'UnhealthyThresholdCount',
  ],
  'AWS::ElasticLoadBalancingV2::Listener': ['Certificates', 'DefaultActions', 'ListenerAttributes', 'SslPolicy'],
  'AWS::ElasticLoadBalancingV2::ListenerRule': ['Actions', 'Conditions', 'Priority', 'Tags'],
};

function isFollowed({ type, from, to }: Move): boolean {
  const [before, after] = [from?.properties.raw ?? {}, to?.properties.raw ?? {}];
  const changed = Object.keys({ ...before, ...after }).filter(
    (key) => JSON.stringify(own(before, key)) !== JSON.stringify(own(after, key)),
  );
  return changed.every((key) => own(FOLLOWED, type)?.includes(key));
}

/** What is no longer in the template is at its default again. */
function takeOver(live: Map<string, string>, before: ReadonlyMap<string, string>, next: ReadonlyMap<string, string>) {
  for (const key of before.keys()) if (!next.has(key)) live.delete(key);
  for (const [key, value] of next) live.set(key, value);
}

function moveLoadBalancer(move: ElbMove): Moved {
  const { from, to, live, wanted } = move;
  const present = from && live.loadBalancers.get(from.identity.ref);
  const next = to && wanted.loadBalancers.get(to.identity.ref);
  if (!present || !next || !isFollowed(move)) return 'passedOver';
  const before = from.properties.pairs('LoadBalancerAttributes');
  if (FIXED_ATTRIBUTES.some((key) => before.get(key) !== next.attributes.get(key))) return 'passedOver';
  takeOver(present.attributes, before, next.attributes);
  return 'applied';
}

function moveTargetGroup(move: ElbMove): Moved {
  const { from, to, live, wanted } = move;
  const present = from && live.targetGroups.get(from.identity.ref);
  const next = to && wanted.targetGroups.get(to.identity.ref);
  if (!present || !next || !isFollowed(move)) return 'passedOver';
  setTargetGroupAttributes(live, present, next.attributes);
  takeOver(present.attributes, from.properties.pairs('TargetGroupAttributes'), next.attributes);
  present.healthCheck = next.healthCheck;
  return 'applied';
}

function moveListener(move: ElbMove): Moved {
  const { from, to, live, wanted } = move;
  const present = from && live.listeners.get(from.identity.ref);
  const next = to && wanted.listeners.get(to.identity.ref);
  if (!present || !next || !isFollowed(move)) return 'passedOver';
  const fallback = (model: ElbModel) => model.listRules(next.arn).find(({ priority }) => priority === 'default');
  const [own, said] = [fallback(live), fallback(wanted)];
  if (own && said) replaceActions(live, own.arn, said.actions);
  present.certificateArns = next.certificateArns;
  present.sslPolicy = next.sslPolicy;
  takeOver(present.attributes, from.properties.pairs('ListenerAttributes'), next.attributes);
  return 'applied';
}

function moveRule(move: ElbMove): Moved {
  const { from, to, live, wanted } = move;
  const next = to && wanted.rules.get(to.identity.ref);
  if (next && !from) addRule(live, { ...next });
  // It may not have come so far.
  if (from && !to && live.rules.has(from.identity.ref)) removeRule(live, from.identity.ref);
  if (!from || !next) return 'applied';
  const present = live.rule(from.identity.ref);
  if (!isFollowed(move) || typeof next.priority !== 'number') return 'passedOver';
  setPriorities(live, new Map([[present.arn, next.priority]]));
  replaceConditions(live, present.arn, next.conditions);
  replaceActions(live, present.arn, next.actions);
  return 'applied';
}

/** Nothing that a cutover or its traffic meets. */
const UNMOVED = /^AWS::(CDK::Metadata|CloudWatch::Dashboard|Logs::\w+)$/;

/** What changes when the next stack model is applied. */
const APPLIED =
  /^AWS::(S3::Bucket|SecretsManager::(Secret|RotationSchedule)|Events::Rule|CloudWatch::(Composite)?Alarm)$/;

/** What becomes of all other resources; undefined for what need not be told. */
export function moveOther({ type, to }: Pick<Move, 'type' | 'to'>): Moved | undefined {
  if (UNMOVED.test(type)) return undefined;
  // What is applied is never deleted, but for rules: they are read anew.
  return APPLIED.test(type) && (to || type === 'AWS::Events::Rule') ? 'applied' : 'passedOver';
}
