import {
  AddTagsCommand,
  CreateRuleCommand,
  DeleteRuleCommand,
  DescribeRulesCommand,
  DescribeTagsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  ModifyRuleCommand,
  Rule,
  RuleCondition,
  SetRulePrioritiesCommand,
  Tag,
  paginateDescribeRules,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { RuleProperties } from '../../../core/traffic/rule-properties';
import { DEFAULT_PRIORITY } from '../../../core/traffic/bypass-rules';
import { DEPLOYED_TAG, OLD_GROUP_TAG, PENDING, RuleChanges } from '../../../core/traffic/weighted-rule';
import type { RulesPort, TaggedRule, Tags } from '../../contract/weighted-rule-ports';
import { CLIENT_CONFIG } from '../client/client-config';
import { DEPLOYMENT_MS, limited } from '../client/limited';
import { findAction, findOnlyForward } from './load-balancer';

/** DescribeTags takes at most 20 ARNs. */
const TAGS_AT_ONCE = 20;

/** The rules of listeners. A call ends with the signal, and none begins after it. */
export function listenerRulesPort(signal: AbortSignal): RulesPort {
  const client = limited('Elastic Load Balancing', new ElasticLoadBalancingV2Client(CLIENT_CONFIG), DEPLOYMENT_MS);
  const calls = new Calls(client, signal);
  return {
    onListener: async (listenerArn) =>
      (await unlessGone('ListenerNotFoundException', async () => calls.readRules(listenerArn))) ?? [],
    find: (ruleArn) => unlessGone('RuleNotFoundException', async () => (await calls.readRule(ruleArn))[0]),
    create: async ({ listenerArn, priority, ...conditions }, forward, tags) => {
      const command = new CreateRuleCommand({
        ListenerArn: listenerArn,
        Priority: priority,
        Conditions: listConditions(conditions),
        Actions: [findAction(forward)],
        Tags: listTagList(tags),
      });
      const { Rules } = await client.send(command, { abortSignal: signal });
      const arn = Rules?.[0]?.RuleArn;
      if (arn === undefined) throw new Error("'CreateRule' must respond with the ARN of the rule, got none");
      return arn;
    },
    modify: (ruleArn, changes, tags) => calls.modify(ruleArn, changes, tags),
    delete: async (ruleArn) => {
      const command = new DeleteRuleCommand({ RuleArn: ruleArn });
      await unlessGone('RuleNotFoundException', () => client.send(command, { abortSignal: signal }));
    },
    healthyTargets: (groupArn) => calls.healthyTargets(groupArn),
  };
}

async function unlessGone<T>(name: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Error && error.name === name) return undefined;
    throw error;
  }
}

class Calls {
  private readonly options: { readonly abortSignal: AbortSignal };

  constructor(
    private readonly client: ElasticLoadBalancingV2Client,
    signal: AbortSignal,
  ) {
    this.options = { abortSignal: signal };
  }

  async readRules(listenerArn: string): Promise<TaggedRule[]> {
    const rules: Rule[] = [];
    for await (const page of paginateDescribeRules({ client: this.client }, { ListenerArn: listenerArn })) {
      this.options.abortSignal.throwIfAborted();
      rules.push(...(page.Rules ?? []));
    }
    return this.withTags(rules);
  }

  async readRule(ruleArn: string): Promise<TaggedRule[]> {
    const { Rules = [] } = await this.client.send(new DescribeRulesCommand({ RuleArns: [ruleArn] }), this.options);
    return this.withTags(Rules);
  }

  /** The action and the conditions in one call. What is done is noted before and after, so that a half of it is seen. */
  async modify(ruleArn: string, { priority, conditions, forward }: RuleChanges, tags: Tags): Promise<void> {
    const isChange = conditions !== undefined || forward !== undefined || priority !== undefined;
    if (isChange) await this.tag(ruleArn, { ...tags, [DEPLOYED_TAG]: `${PENDING}${tags[DEPLOYED_TAG]}` });
    if (conditions !== undefined || forward !== undefined) {
      const change = {
        ...(conditions && { Conditions: listConditions(conditions) }),
        ...(forward && { Actions: [findAction(forward)] }),
      };
      await this.client.send(new ModifyRuleCommand({ RuleArn: ruleArn, ...change }), this.options);
    }
    if (priority !== undefined) {
      const RulePriorities = [{ RuleArn: ruleArn, Priority: priority }];
      await this.client.send(new SetRulePrioritiesCommand({ RulePriorities }), this.options);
    }
    await this.tag(ruleArn, tags);
  }

  private async tag(ruleArn: string, tags: Tags): Promise<void> {
    await this.client.send(new AddTagsCommand({ ResourceArns: [ruleArn], Tags: listTagList(tags) }), this.options);
  }

  async healthyTargets(groupArn: string): Promise<number> {
    const read = async () =>
      this.client.send(new DescribeTargetHealthCommand({ TargetGroupArn: groupArn }), this.options);
    const response = await unlessGone('TargetGroupNotFoundException', read);
    return (response?.TargetHealthDescriptions ?? []).filter(({ TargetHealth }) => TargetHealth?.State === 'healthy')
      .length;
  }

  private async withTags(rules: readonly Rule[]): Promise<TaggedRule[]> {
    // A default rule takes no tags.
    const arns = rules.filter(({ IsDefault }) => IsDefault !== true).map(({ RuleArn }) => RuleArn ?? '');
    const tagsByArn = new Map<string, Tags>();
    for (let at = 0; at < arns.length; at += TAGS_AT_ONCE) {
      const command = new DescribeTagsCommand({ ResourceArns: arns.slice(at, at + TAGS_AT_ONCE) });
      const { TagDescriptions = [] } = await this.client.send(command, this.options);
      for (const { ResourceArn = '', Tags = [] } of TagDescriptions) tagsByArn.set(ResourceArn, tagsFrom(Tags));
    }
    return rules.map((rule) => readRule(rule, tagsByArn.get(rule.RuleArn ?? '') ?? {}));
  }
}

function readRule(rule: Rule, tags: Tags): TaggedRule {
  const conditions = rule.Conditions ?? [];
  const forward = findOnlyForward(rule);
  const { [DEPLOYED_TAG]: deployed, [OLD_GROUP_TAG]: oldGroupArn } = tags;
  return {
    arn: rule.RuleArn ?? '',
    priority: rule.IsDefault === true ? DEFAULT_PRIORITY : Number(rule.Priority),
    pathPatterns: listValues(conditions, 'path-pattern'),
    hostHeaders: listValues(conditions, 'host-header'),
    hasOtherConditions: conditions.some(isOther),
    tags,
    ...(forward && isPlain(rule) && { forward }),
    isFixedResponse: rule.Actions?.length === 1 && rule.Actions[0]?.Type === 'fixed-response',
    ...(deployed !== undefined && { deployed }),
    ...(oldGroupArn !== undefined && { oldGroupArn }),
  };
}

/** Transforms rewrite the host or the path: the rule in the place of this one would not. */
function isPlain({ Transforms = [] }: Rule): boolean {
  return Transforms.length === 0;
}

function listValues(conditions: readonly RuleCondition[], field: 'path-pattern' | 'host-header'): string[] {
  return conditions
    .filter(({ Field }) => Field === field)
    .flatMap(({ PathPatternConfig, HostHeaderConfig, Values }) => {
      const config = field === 'path-pattern' ? PathPatternConfig : HostHeaderConfig;
      return config?.Values ?? Values ?? [];
    });
}

function isOther({ Field, PathPatternConfig, HostHeaderConfig }: RuleCondition): boolean {
  const regexes = [...(PathPatternConfig?.RegexValues ?? []), ...(HostHeaderConfig?.RegexValues ?? [])];
  return (Field !== 'path-pattern' && Field !== 'host-header') || regexes.length > 0;
}

function listConditions({
  pathPatterns,
  hostHeaders,
}: Pick<RuleProperties, 'pathPatterns' | 'hostHeaders'>): RuleCondition[] {
  const paths: RuleCondition = { Field: 'path-pattern', PathPatternConfig: { Values: [...pathPatterns] } };
  const hosts: RuleCondition = { Field: 'host-header', HostHeaderConfig: { Values: [...hostHeaders] } };
  return [paths, ...(hostHeaders.length > 0 ? [hosts] : [])];
}

function tagsFrom(tags: readonly Tag[]): Tags {
  return Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));
}

function listTagList(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}
