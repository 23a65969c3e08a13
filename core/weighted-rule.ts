import { Forward, GroupArns, forwardFor, sameForward } from './forward';
import { LockHolder, describeHolder } from './lock';
import { RuleProperties } from './rule-properties';
import { SIDES, Side, Weights, formatWeights } from './weights';

/** The tags by which a rule is known to be a resource of a stack, whatever became of the answer that told its ARN. */
export const STACK_TAG = 'drainshift:stack-id';
export const LOGICAL_ID_TAG = 'drainshift:logical-id';
/**
 * The digest of what was deployed last; without the weights, which are nobody's but the operator's. From before the first
 * call of a change to after its last it is `PENDING` and the digest: a rule that was left in between is known by it.
 */
export const DEPLOYED_TAG = 'drainshift:deployed';
export const PENDING = 'pending:';

/** A rule as it is in force. */
export interface LiveRule {
  readonly arn: string;
  readonly priority: number;
  readonly pathPatterns: readonly string[];
  readonly hostHeaders: readonly string[];
  /** Whether it has a condition that no weighted rule has. */
  readonly hasOtherConditions: boolean;
  /** Set when its only action is a forward. */
  readonly forward?: Forward;
  /** The value of `DEPLOYED_TAG`. */
  readonly deployed?: string;
}

/** The holder of the lock of the cutover. */
export interface RuleLock extends LockHolder {
  /** Rules on the listeners that a cutover watches; absent before it has looked. */
  readonly watchedRuleArns?: readonly string[];
}

/** What CloudFormation asks for, and what there is. */
export interface RuleRequest {
  /** The logical id of the resource: how an operator knows it. */
  readonly name: string;
  readonly wanted: RuleProperties;
  /** The digest of `meaningOf(wanted)`. */
  readonly digest: string;
  /** The properties before an update. */
  readonly before?: RuleProperties;
  /** The rule of this resource on the wanted listener. */
  readonly present?: LiveRule;
  /** The rule of this resource on the listener that it leaves. */
  readonly former?: LiveRule;
  /** The healthy targets of the groups in force and of the wanted ones, by ARN. */
  readonly healthyTargets: ReadonlyMap<string, number>;
  readonly lock?: RuleLock;
}

/** `reason` is for a person. What is absent of `changes` stays. `isLocked`: a cutover of other listeners holds the lock. */
export type RuleOrder =
  | { readonly kind: 'create'; readonly forward: Forward; readonly reason: string }
  | { readonly kind: 'modify'; readonly ruleArn: string; readonly changes: RuleChanges; readonly reason: string }
  | { readonly kind: 'delete'; readonly ruleArn: string; readonly isLocked: boolean; readonly reason: string }
  | { readonly kind: 'nothing'; readonly ruleArn?: string; readonly reason: string }
  | { readonly kind: 'refuse'; readonly reason: string };

export interface RuleChanges {
  readonly priority?: number;
  readonly conditions?: Pick<RuleProperties, 'pathPatterns' | 'hostHeaders'>;
  readonly forward?: Forward;
}

/**
 * What to do so that the rule is as the template says, with the weights that are in force. Asked again after any part of
 * it was done, it says what is left; asked to undo what it refused, it says that there is nothing to do.
 */
export function decideRule(request: RuleRequest): RuleOrder {
  return request.present ? decidePresent(request, request.present) : decideAbsent(request);
}

/**
 * A rule that is gone is as good as deleted, also while the lock is held: a refused creation ends this way. So is one on a
 * listener that the cutover has nothing to do with: an update has replaced the listener, and cleans up.
 */
export function decideDeletion(name: string, present: LiveRule | undefined, lock: RuleLock | undefined): RuleOrder {
  if (!present) return { kind: 'nothing', reason: 'the rule is not there' };
  if (lock && isWatched(present.arn, lock)) return refuse(name, 'not be deleted while the lock is held', heldBy(lock));
  return { kind: 'delete', ruleArn: present.arn, isLocked: lock !== undefined, reason: 'the rule is deleted' };
}

function isWatched(ruleArn: string, { watchedRuleArns = [] }: RuleLock): boolean {
  // Every listener has a default rule: without any the cutover has not looked yet.
  return watchedRuleArns.length === 0 || watchedRuleArns.some((arn) => listenerOf(arn) === listenerOf(ruleArn));
}

/** All but the last part of `…:listener-rule/app/name/id/listener-id/rule-id`. */
function listenerOf(ruleArn: string): string {
  return ruleArn.slice(0, ruleArn.lastIndexOf('/'));
}

function decideAbsent(request: RuleRequest): RuleOrder {
  const { name, lock } = request;
  if (lock) return refuse(name, 'not be created while the lock is held', heldBy(lock));
  const order = creation(request);
  const empty = order.kind === 'create' && order.forward.groups.find((group) => isEmptied(group, request));
  if (!empty) return order;
  return refuse(name, 'lead the traffic of its listener to groups with healthy targets', `none in '${empty.arn}'`);
}

/** A rule takes the requests that its listener serves otherwise now. */
function isEmptied({ arn, weight }: Forward['groups'][number], { wanted, healthyTargets }: RuleRequest): boolean {
  return wanted.requiresTargets && weight > 0 && (healthyTargets.get(arn) ?? 0) === 0;
}

function creation({ name, wanted, before, former }: RuleRequest): RuleOrder {
  if (!former) {
    const forward = forwardFor(wanted.initialWeights, wanted.groupArns, stickinessOf(wanted));
    const weights = formatWeights(wanted.initialWeights);
    const because = before ? 'the rule was gone' : 'the rule is new';
    return { kind: 'create', forward, reason: `${because}: created with the initial weights ${weights}` };
  }
  const forward = keepWeights(former, wanted, before);
  if (!forward) return refuseUnreadable(name, former);
  return { kind: 'create', forward, reason: `the listener is another: created with the weights in force` };
}

function decidePresent(request: RuleRequest, present: LiveRule): RuleOrder {
  const { name, wanted, before, lock } = request;
  const ruleArn = present.arn;
  const live = request.former ?? present;
  const forward = keepWeights(live, wanted, before);
  const changes = changesOf(present, wanted, forward);
  const parts = [...Object.keys(changes), ...(forward ? [] : ['forward'])];
  const isDeployed = present.deployed === request.digest;
  if (parts.length === 0) {
    const reason = unchangedReason(wanted, before);
    // Left by an update that was cut short before it could write down what it had done.
    return isDeployed || lock ? { kind: 'nothing', ruleArn, reason } : { kind: 'modify', ruleArn, changes, reason };
  }
  // What was deployed last is wanted: the rest is live state, or the way back from an update that was refused.
  if (isDeployed && (lock || !forward)) {
    return { kind: 'nothing', ruleArn, reason: 'the rule stays as it is: this is what was deployed last' };
  }
  if (lock) return refuse(name, `not change (${parts.join(', ')}) while the lock is held`, heldBy(lock));
  if (!forward) return refuseUnreadable(name, live);
  const empty = emptyGroup(present, forward, request);
  if (empty)
    return refuse(name, 'lead its live traffic to groups with healthy targets', `none in '${empty}'; ${MOVE_FIRST}`);
  return { kind: 'modify', ruleArn, changes, reason: `changed: ${parts.join(', ')}; the weights stay` };
}

const MOVE_FIRST = "give the other side all of the weight before this side's group is replaced";

function changesOf(present: LiveRule, wanted: RuleProperties, forward: Forward | undefined): RuleChanges {
  const { pathPatterns, hostHeaders, priority } = wanted;
  const isForwarding = forward && present.forward && sameForward(present.forward, forward);
  return {
    ...(present.priority !== priority && { priority }),
    ...(!sameConditions(present, wanted) && { conditions: { pathPatterns, hostHeaders } }),
    ...(forward && !isForwarding && { forward }),
  };
}

/**
 * A group with weight and without a healthy target that would take the traffic of groups that have some.
 */
function emptyGroup({ forward: live }: LiveRule, next: Forward, { healthyTargets }: RuleRequest): string | undefined {
  const isHealthy = (arn: string) => (healthyTargets.get(arn) ?? 0) > 0;
  const isServed = live?.groups.some(({ arn, weight }) => weight > 0 && isHealthy(arn)) ?? false;
  const isNew = (arn: string) => live?.groups.every((group) => group.arn !== arn) ?? true;
  return isServed ? next.groups.find(({ arn, weight }) => weight > 0 && isNew(arn) && !isHealthy(arn))?.arn : undefined;
}

function unchangedReason(wanted: RuleProperties, before: RuleProperties | undefined): string {
  const isSame = !before || sameWeights(before.initialWeights, wanted.initialWeights);
  if (isSame) return 'the rule is as it should be';
  return `the initial weights count at creation only: the weights in force stay, and are not ${formatWeights(wanted.initialWeights)}`;
}

/**
 * The action of a live rule with the groups and the stickiness that are wanted. Groups are told apart by the new ARNs
 * first: an update that swaps the sides must not swap the traffic. One at weight 0 that is named stays named, because
 * clients with a cookie are served by it.
 */
function keepWeights(live: LiveRule, wanted: RuleProperties, before: RuleProperties | undefined): Forward | undefined {
  for (const arns of [wanted.groupArns, ...(before ? [before.groupArns] : [])]) {
    const sides = live.forward?.groups.map(({ arn, weight }) => ({ side: sideOf(arn, arns), weight })) ?? [];
    if (sides.length === 0 || sides.some(({ side }) => side === undefined)) continue;
    const groups = sides.map(({ side, weight }) => ({ arn: wanted.groupArns[side as Side], weight }));
    return { groups, stickiness: stickinessOf(wanted) };
  }
  return undefined;
}

function sideOf(arn: string, arns: GroupArns): Side | undefined {
  return SIDES.find((side) => arns[side] === arn);
}

function stickinessOf({ stickinessSeconds }: RuleProperties): Forward['stickiness'] {
  return { enabled: true, seconds: stickinessSeconds };
}

function sameConditions(live: LiveRule, wanted: RuleProperties): boolean {
  return (
    !live.hasOtherConditions &&
    sameValues(live.pathPatterns, wanted.pathPatterns) &&
    sameValues(live.hostHeaders, wanted.hostHeaders)
  );
}

function sameValues(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join('\n') === [...b].sort().join('\n');
}

function sameWeights(a: Weights, b: Weights): boolean {
  return SIDES.every((side) => a[side] === b[side]);
}

function refuse(name: string, rule: string, value: string): RuleOrder {
  return { kind: 'refuse', reason: `'${name}' must ${rule}, got ${value}` };
}

function refuseUnreadable(name: string, { arn, forward }: LiveRule): RuleOrder {
  const groups = forward?.groups.map((group) => `${group.arn}=${group.weight}`).join(' ') ?? 'another action';
  return refuse(name, 'forward to its two target groups alone, or its weights cannot be kept', `${groups} on ${arn}`);
}

function heldBy(lock: RuleLock): string {
  return `one ${describeHolder(lock)}; deploy again when it is free`;
}
