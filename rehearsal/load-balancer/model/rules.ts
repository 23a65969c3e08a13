import { AwsError } from '../../errors/aws-error';
import { MAX_WEIGHT, isWeight } from '../../../core/traffic/weights';
import { Action, ElbModel, Propagation, Rule, RuleCondition, RuleLag, RuleTransform } from './model';
import { checkTransforms } from './transforms';

const SEVEN_DAYS = 604_800;
const MAX_GROUPS = 5;
/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html */
const MAX_RULES = 100;
const MAX_CONDITION_VALUES = 5;
const MAX_VALUE_LENGTH = 128;

/**
 * Adds a rule as CreateRule does: all checks first.
 *
 * @throws AwsError PriorityInUse, TooManyRules, ValidationError and those of {@link checkActions}
 */
export function addRule(model: ElbModel, rule: Rule): void {
  const others = [...model.rules.values()].filter(({ priority }) => priority !== 'default');
  const { loadBalancerArn } = model.listener(rule.listenerArn);
  const ofBalancer = others.filter(
    ({ listenerArn }) => model.listener(listenerArn).loadBalancerArn === loadBalancerArn,
  );
  if (ofBalancer.length >= MAX_RULES) {
    throw new AwsError('TooManyRules', 'The maximum number of rules per load balancer has been reached');
  }
  checkConditions(rule.conditions);
  checkActions(model, rule.actions);
  checkTransforms(rule);
  checkPriority(model, rule.listenerArn, rule);
  model.rules.set(rule.arn, rule);
}

/** @throws AwsError OperationNotPermitted for the default rule, RuleNotFound */
export function removeRule(model: ElbModel, ruleArn: string): void {
  if (model.rule(ruleArn).priority === 'default') {
    throw new AwsError('OperationNotPermitted', `Default rule '${ruleArn}' cannot be deleted`);
  }
  model.rules.delete(ruleArn);
  model.tags.delete(ruleArn);
}

/** @throws AwsError ValidationError */
export function replaceConditions(model: ElbModel, ruleArn: string, conditions: readonly RuleCondition[]): void {
  const rule = model.rule(ruleArn);
  checkConditions(conditions);
  rule.conditions = conditions;
}

/** @throws AwsError ValidationError */
export function replaceTransforms(model: ElbModel, ruleArn: string, transforms: readonly RuleTransform[]): void {
  const rule = model.rule(ruleArn);
  checkTransforms({ priority: rule.priority, transforms });
  if (transforms.length > 0) rule.transforms = transforms;
  else delete rule.transforms;
}

/**
 * Gives rules new priorities, all of them or none; two may change places.
 *
 * @throws AwsError PriorityInUse, OperationNotPermitted, RuleNotFound
 */
export function setPriorities(model: ElbModel, priorities: ReadonlyMap<string, number>): void {
  const moved = [...priorities].map(([arn, priority]) => ({ rule: model.rule(arn), priority }));
  for (const { rule, priority } of moved) {
    if (rule.priority === 'default') {
      throw new AwsError('OperationNotPermitted', `The priority of default rule '${rule.arn}' cannot be set`);
    }
    const staying = model.listRules(rule.listenerArn).filter(({ arn }) => !priorities.has(arn));
    const twice = moved.filter((other) => other.rule.listenerArn === rule.listenerArn && other.priority === priority);
    if (twice.length > 1 || staying.some((other) => other.priority === priority)) throw priorityInUse(priority);
  }
  for (const { rule, priority } of moved) rule.priority = priority;
}

function checkPriority(model: ElbModel, listenerArn: string, { arn, priority }: Pick<Rule, 'arn' | 'priority'>): void {
  const isTaken = model.listRules(listenerArn).some((other) => other.arn !== arn && other.priority === priority);
  if (isTaken) throw priorityInUse(priority);
}

function priorityInUse(priority: number | 'default'): AwsError {
  return new AwsError('PriorityInUse', `Priority '${priority}' is currently in use`);
}

/** What the service rejects in the conditions of a rule that is not the default one. */
function checkConditions(conditions: readonly RuleCondition[]): void {
  if (conditions.length === 0) throw new AwsError('ValidationError', 'A condition must be specified');
  const fields = conditions.map(({ field }) => field);
  const twice = fields.find((field, index) => fields.indexOf(field) !== index);
  if (twice !== undefined) {
    throw new AwsError('ValidationError', `Condition field '${twice}' can be specified only once in a rule`);
  }
  const values = conditions.flatMap((condition) => condition.values);
  if (values.length > MAX_CONDITION_VALUES) {
    throw new AwsError('ValidationError', `A rule can only have '${MAX_CONDITION_VALUES}' condition values`);
  }
  for (const { field, values: own } of conditions) {
    if (own.length === 0) throw new AwsError('ValidationError', `A condition value must be specified for '${field}'`);
    const long = own.find((value) => value === '' || value.length > MAX_VALUE_LENGTH);
    if (long !== undefined) {
      throw new AwsError('ValidationError', `Condition value '${long}' must have 1 to ${MAX_VALUE_LENGTH} characters`);
    }
  }
}

/**
 * Replaces a rule's actions as ModifyRule and ModifyListener do: all checks first, then the whole list at once.
 *
 * @throws AwsError with ELBv2's codes.
 */
export function replaceActions(model: ElbModel, ruleArn: string, actions: readonly Action[]): void {
  const rule = model.rule(ruleArn);
  checkActions(model, actions);
  delete rule.lag;
  if (model.propagation) lag(rule, rule.actions, model.propagation);
  rule.actions = actions;
}

function lag(rule: Rule, actions: readonly Action[], { at, share, ms }: Propagation): void {
  const own: RuleLag = { actions, at, share };
  rule.lag = own;
  if (ms === Infinity) return;
  const end = () => {
    if (rule.lag === own) delete rule.lag;
  };
  setTimeout(end, ms).unref();
}

/** What the service rejects in a list of actions. @see facts of ForwardActionConfig in the ELBv2 API reference */
export function checkActions(model: ElbModel, actions: readonly Action[]): void {
  if (actions.length !== 1) {
    throw new AwsError('ValidationError', `A rule must have exactly one action, got ${actions.length}`);
  }
  for (const action of actions) if (action.type === 'forward') checkForward(model, action.forward);
}

function checkForward(model: ElbModel, forward: Extract<Action, { type: 'forward' }>['forward']): void {
  const { targetGroups, stickiness } = forward;
  if (targetGroups.length === 0) throw new AwsError('ValidationError', 'A forward action must name a target group');
  if (targetGroups.length > MAX_GROUPS) {
    throw new AwsError(
      'TooManyTargetGroups',
      `A forward action takes at most ${MAX_GROUPS} target groups, got ${targetGroups.length}`,
    );
  }
  for (const { arn, weight } of targetGroups) {
    model.targetGroup(arn);
    if (!isWeight(weight)) {
      throw new AwsError('ValidationError', `Weight '${weight}' must be between 0 and ${MAX_WEIGHT}`);
    }
  }
  if (targetGroups.every(({ weight }) => weight === 0)) {
    throw new AwsError('ValidationError', 'At least one target group must have a weight over 0');
  }
  if (stickiness.enabled && !(stickiness.durationSeconds >= 1 && stickiness.durationSeconds <= SEVEN_DAYS)) {
    throw new AwsError(
      'ValidationError',
      `Target group stickiness duration must be between 1 and ${SEVEN_DAYS} seconds`,
    );
  }
  const sticky = targetGroups.some(({ arn }) => model.targetGroup(arn).attributes.get('stickiness.enabled') === 'true');
  if (targetGroups.length > 1 && sticky && !stickiness.enabled) {
    throw new AwsError(
      'InvalidConfigurationRequest',
      'You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups',
    );
  }
}
