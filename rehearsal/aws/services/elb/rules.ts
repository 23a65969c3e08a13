import { randomBytes } from 'node:crypto';
import { ElbModel, Rule } from '../../../load-balancer/model/model';
import {
  addRule,
  removeRule,
  replaceActions,
  replaceConditions,
  replaceTransforms,
  setPriorities,
} from '../../../load-balancer/model/rules';
import { AwsError } from '../../../errors/aws-error';
import { Need, Operation, AwsObject } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';
import { readAction } from './actions';
import { readConditions } from './conditions';
import { ElbOptions } from './elb-options';
import { writeRule } from './shapes';
import { readTags, requestedTags } from './tags';
import { readTransforms } from './transforms';

const PRIORITIES = { min: 1, max: 50_000 };

/** The actions on rules; each is allowed or denied by the ARN that it changes. */
export function ruleOperations({ elb }: ElbOptions): ReadonlyMap<string, Operation> {
  const createRule = (input: Parameters): AwsObject => {
    const { arn: listenerArn } = elb.listener(input.text('ListenerArn'));
    const rule: Rule = {
      arn: `${ruleArns(listenerArn)}/${randomBytes(8).toString('hex')}`,
      listenerArn,
      priority: computePriority(input),
      conditions: readConditions(input),
      actions: input.objects('Actions').map(readAction),
      ...(input.has('Transforms') && { transforms: readTransforms(input) }),
    };
    const tags = readTags(input);
    addRule(elb, rule);
    elb.tags.set(rule.arn, tags);
    return { Rules: [writeRule(rule)] };
  };

  const deleteRule = (input: Parameters): AwsObject => {
    removeRule(elb, input.text('RuleArn'));
    return {};
  };

  const setRulePriorities = (input: Parameters): AwsObject => {
    const pairs = input.objects('RulePriorities').map((pair) => [pair.text('RuleArn'), computePriority(pair)] as const);
    if (pairs.length === 0) throw input.reject('RulePriorities', 'a list of at least one', 0);
    setPriorities(elb, new Map(pairs));
    return { Rules: pairs.map(([arn]) => writeRule(elb.rule(arn))) };
  };

  const byRule = {
    resources: (input: Parameters) => [input.text('RuleArn')],
    context: (input: Parameters) => tagContext(elb.tags.get(input.text('RuleArn'))),
  };
  return new Map<string, Operation>([
    ['CreateRule', { resources: (input) => [input.text('ListenerArn')], also: taggingNeed, run: createRule }],
    [
      'ModifyRule',
      { ...byRule, run: (input) => modifyRule(elb, input), pretend: (input) => pretendToModifyRule(elb, input) },
    ],
    ['DeleteRule', { ...byRule, run: deleteRule }],
    [
      'SetRulePriorities',
      {
        resources: (input) => input.objects('RulePriorities').map((pair) => pair.text('RuleArn')),
        run: setRulePriorities,
      },
    ],
  ]);
}

function modifyRule(elb: ElbModel, input: Parameters): AwsObject {
  const rule = elb.rule(input.text('RuleArn'));
  if (rule.priority === 'default')
    throw new AwsError('OperationNotPermitted', `Default rule '${rule.arn}' cannot be modified`);
  const isReset = input.optionalBoolean('ResetTransforms') ?? false;
  if (isReset && input.has('Transforms')) throw input.reject('ResetTransforms', 'absent beside Transforms', isReset);
  if (!isReset && !['Actions', 'Conditions', 'Transforms'].some((name) => input.has(name))) {
    throw new AwsError('ValidationError', 'Either actions, conditions or transforms must be specified');
  }
  const { conditions, transforms } = rule;
  if (input.has('Conditions')) replaceConditions(elb, rule.arn, readConditions(input));
  try {
    if (isReset || input.has('Transforms')) replaceTransforms(elb, rule.arn, readTransforms(input));
    if (input.has('Actions')) replaceActions(elb, rule.arn, input.objects('Actions').map(readAction));
  } catch (error) {
    // All or nothing.
    Object.assign(rule, { conditions, transforms });
    throw error;
  }
  return { Rules: [writeRule(rule)] };
}

/** Says what the rule would be; the rule stays as it is. */
function pretendToModifyRule(elb: ElbModel, input: Parameters): AwsObject {
  const rule = elb.rule(input.text('RuleArn'));
  const { conditions, actions, transforms } = rule;
  const response = modifyRule(elb, input);
  Object.assign(rule, { conditions, actions, transforms });
  return response;
}

/** Policies may look at the tags of what is changed. */
function tagContext(tags: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:ResourceTag/${key}`, value]));
}

const ruleArns = (listenerArn: string) => listenerArn.replace(':listener/', ':listener-rule/');

function computePriority(input: Parameters): number {
  const priority = input.optionalInteger('Priority', PRIORITIES);
  if (priority === undefined) throw input.reject('Priority', 'given', undefined);
  return priority;
}

/**
 * Who creates something with tags must be allowed to tag, too.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/tagging-resources-during-creation.html
 */
function taggingNeed(input: Parameters): Need[] {
  if (input.objects('Tags').length === 0) return [];
  const action = 'elasticloadbalancing:AddTags';
  const context = { ...requestedTags(input), 'elasticloadbalancing:CreateAction': 'CreateRule' };
  return [{ action, resources: [`${ruleArns(input.text('ListenerArn'))}/0000000000000000`], context }];
}
