import { AwsError } from '../aws-error';
import { MAX_WEIGHT, isWeight } from '../../core/weights';
import { Action, ElbModel } from './model';

const SEVEN_DAYS = 604_800;
const MAX_GROUPS = 5;

/**
 * Replaces a rule's actions as ModifyRule and ModifyListener do: all checks first, then the whole list at once.
 *
 * @throws AwsError with ELBv2's codes.
 */
export function replaceActions(model: ElbModel, ruleArn: string, actions: readonly Action[]): void {
  const rule = model.rule(ruleArn);
  checkActions(model, actions);
  rule.actions = actions;
}

/** What the service refuses in a list of actions. @see facts of ForwardActionConfig in the ELBv2 API reference */
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
