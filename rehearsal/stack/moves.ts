import { setTargetGroupAttributes } from '../aws/elb/attributes';
import type { Ready } from '../blueprint/resources';
import { ElbModel } from '../load-balancer/model';
import { addRule, removeRule, replaceActions, replaceConditions, setPriorities } from '../load-balancer/rules';

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

/** What became of a move: `passedOver` is what a standing world cannot follow. */
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

function moveLoadBalancer({ from, to, live, wanted }: ElbMove): Moved {
  const present = from && live.loadBalancers.get(from.identity.ref);
  const next = to && wanted.loadBalancers.get(to.identity.ref);
  if (!present || !next || present.arn !== next.arn || present.scheme !== next.scheme) return 'passedOver';
  const changed = [...next.attributes].filter(([key, value]) => present.attributes.get(key) !== value);
  for (const [key, value] of changed) present.attributes.set(key, value);
  return changed.some(([key]) => FIXED_ATTRIBUTES.includes(key)) ? 'passedOver' : 'applied';
}

function moveTargetGroup({ from, to, live, wanted }: ElbMove): Moved {
  const present = from && live.targetGroups.get(from.identity.ref);
  const next = to && wanted.targetGroups.get(to.identity.ref);
  if (!present || !next) return 'passedOver';
  const isSame = (['arn', 'protocol', 'port', 'targetType'] as const).every((key) => present[key] === next[key]);
  if (!isSame) return 'passedOver';
  setTargetGroupAttributes(live, present, next.attributes);
  present.healthCheck = next.healthCheck;
  return 'applied';
}

function moveListener({ from, to, live, wanted }: ElbMove): Moved {
  const present = from && live.listeners.get(from.identity.ref);
  const next = to && wanted.listeners.get(to.identity.ref);
  if (!present || !next || present.templatePort !== next.templatePort || present.protocol !== next.protocol) {
    return 'passedOver';
  }
  const fallback = (model: ElbModel) => model.rulesOf(next.arn).find(({ priority }) => priority === 'default');
  const [own, said] = [fallback(live), fallback(wanted)];
  if (own && said) replaceActions(live, own.arn, said.actions);
  present.certificateArns = next.certificateArns;
  present.sslPolicy = next.sslPolicy;
  for (const [key, value] of next.attributes) present.attributes.set(key, value);
  return 'applied';
}

function moveRule({ from, to, live, wanted }: ElbMove): Moved {
  const next = to && wanted.rules.get(to.identity.ref);
  if (next && !from) addRule(live, { ...next });
  // It may not have come so far.
  if (from && !to && live.rules.has(from.identity.ref)) removeRule(live, from.identity.ref);
  if (!from || !next) return 'applied';
  const present = live.rule(from.identity.ref);
  if (present.listenerArn !== next.listenerArn || typeof next.priority !== 'number') return 'passedOver';
  setPriorities(live, new Map([[present.arn, next.priority]]));
  replaceConditions(live, present.arn, next.conditions);
  replaceActions(live, present.arn, next.actions);
  return 'applied';
}

/** What a blueprint reads of a template, and a redeploy has no way to change in a standing world. */
const STANDING = /^AWS::(ECS|ApplicationAutoScaling|ElasticLoadBalancingV2)::/;

/** What is taken over when the next blueprint is adopted. */
const ADOPTED = /^AWS::(S3::Bucket|SecretsManager::Secret|Events::Rule|CloudWatch::(Composite)?Alarm)$/;

/** What becomes of all other resources; undefined for what nothing here stands for. */
export function moveOther({ type }: Move): Moved | undefined {
  if (STANDING.test(type)) return 'passedOver';
  return ADOPTED.test(type) ? 'applied' : undefined;
}
