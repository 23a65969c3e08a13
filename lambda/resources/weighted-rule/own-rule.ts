import { createHash } from 'node:crypto';
import { RuleProperties, canonicalizeRule, readRuleProperties } from '../../../core/traffic/rule-properties';
import { wayPast } from '../../../core/traffic/bypass-rules';
import {
  DEPLOYED_TAG,
  DeletionRequest,
  LOGICAL_ID_TAG,
  LiveRule,
  OLD_GROUP_TAG,
  RuleOrder,
  RuleRequest,
  STACK_TAG,
  decideDeletion,
  decideRule,
} from '../../../core/traffic/weighted-rule';
import type { CustomResourceEvent, ResourceResult } from '../custom-resource';
import type { RulePorts, RulesPort, TaggedRule, Tags } from '../../contract/weighted-rule-ports';

/**
 * Makes the rule of a weighted rule's resource as its template says, and leaves its weights alone. May be repeated at any
 * point: a rule is found again by its tags.
 *
 * @throws Error with what is rejected, and why
 */
export async function ownRule(event: CustomResourceEvent, ports: RulePorts): Promise<ResourceResult> {
  const execution = `deploy-${event.RequestId}`;
  const decided = await decide(event, ports, execution);
  const needsLock = decided.kind !== 'nothing' && decided.kind !== 'reject';
  if (!needsLock || (decided.kind === 'delete' && decided.isLocked)) return perform(event, decided, ports);
  // A cutover that starts now has to wait: decided again, because one may have started and ended since.
  return ports.lock.holding(execution, async () => perform(event, await decide(event, ports, execution), ports));
}

async function decide(event: CustomResourceEvent, ports: RulePorts, execution: string): Promise<RuleOrder> {
  if (event.RequestType !== 'Delete') return decideRule(await readRequest(event, ports, execution));
  const present = await findToDelete(event, ports.rules);
  return decideDeletion(await readDeletion(event, present, ports, execution));
}

/** What the guard of the deletion asks, too: by then it is not too late. */
export async function readDeletion(
  { LogicalResourceId: name, ResourceProperties }: CustomResourceEvent,
  present: TaggedRule | undefined,
  { rules, lock }: RulePorts,
  execution: string,
): Promise<DeletionRequest> {
  if (!present) return { name, others: [], healthyPast: 0 };
  const { SourceGroupArn: source, TargetGroupArn: target } = ResourceProperties as Record<string, unknown>;
  const listenerArn = present.arn.slice(0, present.arn.lastIndexOf('/')).replace(':listener-rule/', ':listener/');
  const others = (await rules.onListener(listenerArn)).filter(({ arn }) => arn !== present.arn);
  const past = wayPast(present, others);
  const holder = await lock.heldByAnother(execution);
  return {
    name,
    present,
    others,
    healthyPast: past.kind === 'group' ? await rules.healthyTargets(past.arn) : 0,
    ...(typeof source === 'string' && typeof target === 'string' && { groupArns: { source, target } }),
    ...(holder && { lock: holder }),
  };
}

async function readRequest(event: CustomResourceEvent, ports: RulePorts, execution: string): Promise<RuleRequest> {
  const { rules } = ports;
  const wanted = readRuleProperties(event.ResourceProperties);
  const before = event.OldResourceProperties ? readRuleProperties(event.OldResourceProperties) : undefined;
  const there = await rules.onListener(wanted.listenerArn);
  const physicalId = event.PhysicalResourceId;
  const present = there.find(({ arn }) => arn === physicalId) ?? there.find(({ tags }) => isOwn(event, tags));
  const former = isRuleArn(physicalId) && physicalId !== present?.arn ? await rules.find(physicalId) : undefined;
  const lock = await ports.lock.heldByAnother(execution);
  const healthyTargets = await readHealth(rules, wanted, present);
  return {
    name: event.LogicalResourceId,
    wanted,
    digest: computeDigest(wanted),
    before,
    present,
    former,
    others: there.filter(({ arn }) => arn !== present?.arn),
    lock,
    healthyTargets,
  };
}

/** Asked for only where a group would take the place of another one, or the rule that of other rules. */
async function readHealth(
  { healthyTargets }: RulesPort,
  { groupArns: { source, target }, requiresTargets }: RuleProperties,
  present: LiveRule | undefined,
): Promise<ReadonlyMap<string, number>> {
  const live = present?.forward?.groups.map(({ arn }) => arn) ?? [];
  const isJoining = requiresTargets && !present;
  if (!isJoining && live.every((arn) => arn === source || arn === target)) return new Map();
  const arns = [...new Set([...live, source, target])];
  return new Map(await Promise.all(arns.map(async (arn) => [arn, await healthyTargets(arn)] as const)));
}

/** A creation that was cut short has no ARN: then it is found by its tags. */
export async function findToDelete(event: CustomResourceEvent, rules: RulesPort): Promise<TaggedRule | undefined> {
  if (isRuleArn(event.PhysicalResourceId)) return rules.find(event.PhysicalResourceId);
  const { ListenerArn: listenerArn } = event.ResourceProperties as { ListenerArn?: unknown };
  if (typeof listenerArn !== 'string') return undefined;
  return (await rules.onListener(listenerArn)).find(({ tags }) => isOwn(event, tags));
}

async function perform(event: CustomResourceEvent, order: RuleOrder, { rules }: RulePorts): Promise<ResourceResult> {
  const { reason } = order;
  switch (order.kind) {
    case 'reject':
      throw new Error(reason);
    case 'nothing':
      return { physicalId: order.ruleArn ?? buildPhysicalId(event), reason };
    case 'delete':
      await rules.delete(order.ruleArn);
      return { physicalId: buildPhysicalId(event), reason };
    case 'create': {
      return { physicalId: await create(event, order, rules), reason };
    }
    case 'modify': {
      const wanted = readRuleProperties(event.ResourceProperties);
      await rules.modify(order.ruleArn, order.changes, listTags(event, wanted));
      return { physicalId: order.ruleArn, reason };
    }
  }
}

type Creation = Extract<RuleOrder, { kind: 'create' }>;

/**
 * The response to a call that has made the rule may be lost: the client repeats it, and meets the priority of its own rule.
 */
async function create(
  event: CustomResourceEvent,
  { forward, oldGroupArn }: Creation,
  rules: RulesPort,
): Promise<string> {
  const wanted = readRuleProperties(event.ResourceProperties);
  const tags = { ...listTags(event, wanted), ...(oldGroupArn !== undefined && { [OLD_GROUP_TAG]: oldGroupArn }) };
  try {
    return await rules.create(wanted, forward, tags);
  } catch (error) {
    const isTaken = error instanceof Error && error.name === 'PriorityInUseException';
    const there = isTaken ? await rules.onListener(wanted.listenerArn) : [];
    const own = there.find(({ tags }) => isOwn(event, tags));
    if (own) return own.arn;
    throw error;
  }
}

function buildPhysicalId({ PhysicalResourceId, LogicalResourceId }: CustomResourceEvent): string {
  return PhysicalResourceId ?? LogicalResourceId;
}

function isRuleArn(id: string | undefined): id is string {
  return id?.includes(':listener-rule/') ?? false;
}

function isOwn({ StackId, LogicalResourceId }: CustomResourceEvent, tags: Tags): boolean {
  return tags[STACK_TAG] === StackId && tags[LOGICAL_ID_TAG] === LogicalResourceId;
}

function listTags({ StackId, LogicalResourceId }: CustomResourceEvent, wanted: RuleProperties): Tags {
  return { [STACK_TAG]: StackId, [LOGICAL_ID_TAG]: LogicalResourceId, [DEPLOYED_TAG]: computeDigest(wanted) };
}

function computeDigest(wanted: RuleProperties): string {
  return createHash('sha256').update(canonicalizeRule(wanted)).digest('base64url').slice(0, 22);
}
