import { Forward, GroupArns, forwardFor, sameForward } from './forward';
import { LockHolder, describeHolder } from './lock';
import { sameConditions } from './rule-conditions';
import { RuleProperties } from './rule-properties';
import { ListenerRule, WayPast, catchesSame, wayPast } from './bypass-rules';
import { SIDES, Side, Weights, formatWeights } from './weights';

/** The tags by which a rule is known to be a resource of a stack, whatever became of the response with its ARN. */
export const STACK_TAG = 'drainshift:stack-id';
export const LOGICAL_ID_TAG = 'drainshift:logical-id';
/**
 * The digest of what was deployed last; without the weights, which belong to the operator alone. From before the first
 * call of a change to after its last it is `PENDING` and the digest: a rule that was left in between is known by it.
 */
export const DEPLOYED_TAG = 'drainshift:deployed';
export const PENDING = 'pending:';

/**
 * The group that served the requests of a rule before it was made: the source, without proxies. Absent where no backend did.
 */
export const OLD_GROUP_TAG = 'drainshift:old-group';

/** A rule as it is in force. */
export interface LiveRule extends ListenerRule {
  /** The value of `DEPLOYED_TAG`. */
  readonly deployed?: string;
  /** The value of `OLD_GROUP_TAG`. */
  readonly oldGroupArn?: string;
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
  /** The other rules of the wanted listener, its default one too. */
  readonly others: readonly ListenerRule[];
  /** The healthy targets of the groups in force and of the wanted ones, by ARN. */
  readonly healthyTargets: ReadonlyMap<string, number>;
  readonly lock?: RuleLock;
}

/** `reason` is for a person. What is absent of `changes` stays. `isLocked`: a cutover of other listeners holds the lock. */
export type RuleOrder =
  | { readonly kind: 'create'; readonly forward: Forward; readonly oldGroupArn?: string; readonly reason: string }
  | { readonly kind: 'modify'; readonly ruleArn: string; readonly changes: RuleChanges; readonly reason: string }
  | { readonly kind: 'delete'; readonly ruleArn: string; readonly isLocked: boolean; readonly reason: string }
  | { readonly kind: 'nothing'; readonly ruleArn?: string; readonly reason: string }
  | { readonly kind: 'reject'; readonly reason: string };

export interface RuleChanges {
  readonly priority?: number;
  readonly conditions?: Pick<RuleProperties, 'pathPatterns' | 'hostHeaders'>;
  readonly forward?: Forward;
}

/**
 * What to do so that the rule is as the template says, with the weights that are in force. Asked again after any part of
 * it was done, it says what is left; asked to undo what it rejected, it says that there is nothing to do.
 */
export function decideRule(request: RuleRequest): RuleOrder {
  return request.present ? decidePresent(request, request.present) : decideAbsent(request);
}

/** What a deletion would do, and what there is. */
export interface DeletionRequest {
  /** The logical id of the resource. */
  readonly name: string;
  readonly present?: LiveRule;
  readonly groupArns?: GroupArns;
  /** The other rules of its listener. */
  readonly others: readonly ListenerRule[];
  /** The healthy targets of the group that the requests would go to. */
  readonly healthyPast: number;
  readonly lock?: RuleLock;
}

/**
 * A rule that is gone is as good as deleted, also while the lock is held: a rejected creation ends this way. So is one on a
 * listener that the cutover has nothing to do with: an update has replaced the listener, and cleans up. One whose requests
 * would then go to a side that was left is not deleted.
 */
export function decideDeletion(request: DeletionRequest): RuleOrder {
  const { name, present, lock } = request;
  if (!present) return { kind: 'nothing', reason: 'the rule is not there' };
  if (lock && isWatched(present.arn, lock)) return reject(name, 'not be deleted while the lock is held', heldBy(lock));
  const lost = lostByDeletion(request, present);
  if (lost !== undefined) return reject(name, 'not be deleted while its requests would be served otherwise', lost);
  return { kind: 'delete', ruleArn: present.arn, isLocked: lock !== undefined, reason: 'the rule is deleted' };
}

/** Who would serve the requests of the rule without it, where that is not who serves them now. */
function lostByDeletion({ others, groupArns, healthyPast }: DeletionRequest, present: LiveRule): string | undefined {
  const past = wayPast(present, others);
  // As with a listener of its own: no rule served them before, and they end with the migration.
  if (past.kind === 'nothing' && present.oldGroupArn === undefined) return undefined;
  const serving = present.forward?.groups.filter(({ weight }) => weight > 0) ?? [];
  // Something else than a weighted rule has no side.
  if (serving.length === 0) return undefined;
  const isPast = (arn: string) => past.kind === 'group' && past.arn === arn;
  if (serving.every(({ arn }) => isPast(arn))) return undefined;
  const would = describePast(past);
  if (!serving.every(({ arn }) => arn === groupArns?.source || isPast(arn))) {
    return `${would} instead of '${serving.find(({ arn }) => !isPast(arn))?.arn}'; ${LEAVE_FIRST}`;
  }
  if (past.kind === 'group' && healthyPast > 0) return undefined;
  return `${would}${past.kind === 'group' ? ' without a healthy target' : ''}; ${LEAVE_FIRST}`;
}

function describePast(past: WayPast): string {
  if (past.kind === 'group') return `'${past.arn}'`;
  return past.kind === 'nothing' ? 'no group' : past.why;
}

const LEAVE_FIRST =
  "point the listener at the group that is to serve them, let all of them go past the proxies ('drainshift adopt --share 0'), then delete again";

function isWatched(ruleArn: string, { watchedRuleArns = [] }: RuleLock): boolean {
  // Every listener has a default rule: without any the cutover has not looked yet.
  return watchedRuleArns.length === 0 || watchedRuleArns.some((arn) => findListener(arn) === findListener(ruleArn));
}

/** All but the last part of `…:listener-rule/app/name/id/listener-id/rule-id`. */
function findListener(ruleArn: string): string {
  return ruleArn.slice(0, ruleArn.lastIndexOf('/'));
}

function decideAbsent(request: RuleRequest): RuleOrder {
  const { name, lock } = request;
  if (lock) return reject(name, 'not be created while the lock is held', heldBy(lock));
  const order = creation(request);
  if (order.kind !== 'create' || order.oldGroupArn !== undefined) return order;
  const empty = order.forward.groups.find((group) => isEmptied(group, request));
  if (!empty) return order;
  return reject(name, 'lead the traffic of its listener to groups with healthy targets', `none in '${empty.arn}'`);
}

/** A rule takes the requests that its listener serves otherwise now. */
function isEmptied({ arn, weight }: Forward['groups'][number], { wanted, healthyTargets }: RuleRequest): boolean {
  return wanted.requiresTargets && weight > 0 && (healthyTargets.get(arn) ?? 0) === 0;
}

/**
 * A listener may serve these requests already. Then the rule is created so that it changes nothing: all of them go on to
 * the group that they go to now, and a person adopts them step by step.
 */
function creation(request: RuleRequest): RuleOrder {
  const { name, wanted, others, former } = request;
  const past = wayPast({ ...wanted, hasOtherConditions: false }, others);
  if (past.kind === 'unclear') return rejectUnclear(name, past.why);
  // One that leads to a side of the migration by its default action serves nothing past the proxies.
  if (past.kind === 'nothing' || findSide(past.arn, wanted.groupArns)) return takeOver(request);
  const { initialWeights } = wanted;
  if (initialWeights.target > 0) {
    const rule = 'have initial weights on the source alone, because its listener serves the requests already';
    return reject(name, rule, formatWeights(initialWeights));
  }
  const sides = former?.forward?.groups.filter(({ arn, weight }) => weight > 0 && arn !== past.arn) ?? [];
  if (sides.some(({ arn }) => arn !== request.before?.groupArns.source && arn !== wanted.groupArns.source)) {
    const rule = 'stay on its listener while it leads to the target, because the new listener serves requests already';
    return reject(name, rule, `'${past.arn}' behind it`);
  }
  const forward = { groups: [{ arn: past.arn, weight: 100 }], stickiness: findStickiness(wanted) };
  const reason = `all of its requests still go to '${past.arn}', as before it: adopt them with 'drainshift adopt'`;
  return { kind: 'create', forward, oldGroupArn: past.arn, reason };
}

function takeOver({ name, wanted, before, former }: RuleRequest): RuleOrder {
  if (!former) {
    const forward = forwardFor(wanted.initialWeights, wanted.groupArns, findStickiness(wanted));
    const weights = formatWeights(wanted.initialWeights);
    const because = before ? 'the rule was gone' : 'the rule is new';
    return { kind: 'create', forward, reason: `${because}: created with the initial weights ${weights}` };
  }
  const forward = keepWeights(former, { wanted, before }, { kind: 'nothing' });
  if (!forward) return rejectUnreadable(name, former);
  return { kind: 'create', forward, reason: `the listener is another: created with the weights in force` };
}

function decidePresent(request: RuleRequest, present: LiveRule): RuleOrder {
  const { name, wanted, before, lock } = request;
  const ruleArn = present.arn;
  const live = weighedRule(request, present);
  const past = wayPast(present, request.others);
  const forward = keepWeights(live, request, past);
  const changes = listChanges(present, wanted, forward);
  const parts = [...Object.keys(changes), ...(forward ? [] : ['forward'])];
  const isDeployed = present.deployed === request.digest;
  if (parts.length === 0) {
    const reason = unchangedReason(wanted, before);
    // Left by an update that was cut short before it could write down what it had done.
    return isDeployed || lock ? { kind: 'nothing', ruleArn, reason } : { kind: 'modify', ruleArn, changes, reason };
  }
  // What was deployed last is wanted: the rest is live state, or the rollback of an update that was rejected.
  if (isDeployed && (lock || !forward)) {
    return { kind: 'nothing', ruleArn, reason: 'the rule stays as it is: this is what was deployed last' };
  }
  if (lock) return reject(name, `not change (${parts.join(', ')}) while the lock is held`, heldBy(lock));
  if (!forward) return rejectUnreadable(name, live);
  const caught = otherRequests(request, present, past);
  if (caught) return caught;
  const empty = emptyGroup(present, forward, request);
  if (empty)
    return reject(name, 'lead its live traffic to groups with healthy targets', `none in '${empty}'; ${MOVE_FIRST}`);
  return { kind: 'modify', ruleArn, changes, reason: `changed: ${parts.join(', ')}; the weights stay` };
}

/** The rule whose weights count: that of the listener which is left, unless it leads past the proxies and has none. */
function weighedRule({ former }: RuleRequest, present: LiveRule): LiveRule {
  const isPast = former?.forward?.groups.every(({ arn }) => arn === former.oldGroupArn) ?? false;
  return former && !isPast ? former : present;
}

const MOVE_FIRST = "give the other side all of the weight before this side's group is replaced";

/** Requests that another rule serves, or would serve, must not change hands by a deployment. */
function otherRequests({ name, wanted, others }: RuleRequest, present: LiveRule, past: WayPast): RuleOrder | undefined {
  const next = { ...wanted, hasOtherConditions: false };
  if (catchesSame(present, next, others)) return undefined;
  const after = wayPast(next, others);
  if (past.kind === 'nothing' && after.kind === 'nothing') return undefined;
  const [group, ...more] = present.forward?.groups.filter(({ weight }) => weight > 0) ?? [];
  const isTransparent = (way: WayPast) => way.kind === 'group' && way.arn === group?.arn;
  if (more.length === 0 && isTransparent(past) && isTransparent(after)) return undefined;
  const rule = 'catch the same requests as before, because its listener serves the others by rules of its own';
  return reject(name, rule, `other conditions or another priority; ${PAST_FIRST}`);
}

const PAST_FIRST = "let all of its requests go past the proxies first ('drainshift adopt --share 0')";

function listChanges(present: LiveRule, wanted: RuleProperties, forward: Forward | undefined): RuleChanges {
  const { pathPatterns, hostHeaders, priority } = wanted;
  const isForwarding = forward && present.forward && sameForward(present.forward, forward);
  return {
    ...(present.priority !== priority && { priority }),
    ...(!sameConditions(present, { ...wanted, hasOtherConditions: false }) && {
      conditions: { pathPatterns, hostHeaders },
    }),
    ...(forward && !isForwarding && { forward }),
  };
}

/**
 * A group with weight and without a healthy target that would take the traffic of groups that have some.
 */
function emptyGroup({ forward: live }: LiveRule, next: Forward, { healthyTargets }: RuleRequest): string | undefined {
  if (!live) return undefined;
  const isHealthy = (arn: string) => (healthyTargets.get(arn) ?? 0) > 0;
  const isServed = live.groups.some(({ arn, weight }) => weight > 0 && isHealthy(arn));
  const isNew = (arn: string) => live.groups.every((group) => group.arn !== arn);
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
 * clients with a cookie are served by it. The group past the proxies stays.
 */
function keepWeights(
  live: LiveRule,
  { wanted, before }: Pick<RuleRequest, 'wanted' | 'before'>,
  past: WayPast,
): Forward | undefined {
  const isPast = (arn: string) => arn === live.oldGroupArn || (past.kind === 'group' && past.arn === arn);
  for (const arns of [wanted.groupArns, ...(before ? [before.groupArns] : [])]) {
    const groups = (live.forward?.groups ?? []).map(({ arn, weight }) => {
      const side = findSide(arn, arns);
      return side ? { arn: wanted.groupArns[side], weight } : isPast(arn) ? { arn, weight } : undefined;
    });
    if (groups.length === 0 || groups.includes(undefined)) continue;
    return { groups: groups.filter((group) => group !== undefined), stickiness: findStickiness(wanted) };
  }
  return undefined;
}

function findSide(arn: string, arns: GroupArns): Side | undefined {
  return SIDES.find((side) => arns[side] === arn);
}

function findStickiness({ stickinessSeconds }: RuleProperties): Forward['stickiness'] {
  return { enabled: true, seconds: stickinessSeconds };
}

function sameWeights(a: Weights, b: Weights): boolean {
  return SIDES.every((side) => a[side] === b[side]);
}

function reject(name: string, rule: string, value: string): RuleOrder {
  return { kind: 'reject', reason: `'${name}' must ${rule}, got ${value}` };
}

function rejectUnreadable(name: string, { arn, forward }: LiveRule): RuleOrder {
  const groups = forward?.groups.map((group) => `${group.arn}=${group.weight}`).join(' ') ?? 'another action';
  return reject(name, 'forward to its two target groups alone, or its weights cannot be kept', `${groups} on ${arn}`);
}

function rejectUnclear(name: string, why: string): RuleOrder {
  const remedy = 'choose conditions or a priority that take the requests of one rule, which forwards to one group';
  return reject(name, 'know what serves its requests now', `${why}; ${remedy}`);
}

function heldBy(lock: RuleLock): string {
  return `one ${describeHolder(lock)}; deploy again when it is free`;
}
