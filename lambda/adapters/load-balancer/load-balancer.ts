import { createHash } from 'node:crypto';
import {
  Action,
  AddTagsCommand,
  DescribeTagsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  ForwardActionConfig,
  ModifyRuleCommand,
  Rule,
  RuleCondition,
  TargetGroupTuple,
  paginateDescribeRules,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { CutoverError } from '../../../core/errors/errors';
import { Forward } from '../../../core/traffic/forward';
import { RuleReading } from '../../../core/traffic/listener-rules';
import type { Side } from '../../../core/traffic/weights';
import { MARK_TAGS, RuleMark } from '../../../core/cutover/verified-mark';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import type { LoadBalancerPort } from '../../contract/ports';
import { CLIENT_CONFIG } from '../client/client-config';
import { limited } from '../client/limited';

/** Of one call with its retries: slow is not away, and a step makes several of them one after the other. */
export const LOAD_BALANCER_MS = 6_000;

export function loadBalancerPort(config: CutoverConfig): LoadBalancerPort {
  const client = limited('Elastic Load Balancing', new ElasticLoadBalancingV2Client(CLIENT_CONFIG), LOAD_BALANCER_MS);
  const { source, target } = config.smokeListenerArns;
  const readTargets = async (side: Side) => {
    const command = new DescribeTargetHealthCommand({ TargetGroupArn: config.targetGroupArns[side] });
    return (await client.send(command)).TargetHealthDescriptions ?? [];
  };
  return {
    groupArns: config.targetGroupArns,
    ruleArn: config.weightedRuleArn,
    rules: async () => {
      const listeners = [config.weightedListenerArn, source, target];
      return (await Promise.all(listeners.map((arn) => readRules(client, arn)))).flat();
    },
    setForward: async (forward, untilMs) => {
      const command = new ModifyRuleCommand({ RuleArn: config.weightedRuleArn, Actions: [findAction(forward)] });
      if (untilMs !== undefined) beginUntil(command, untilMs);
      await client.send(command);
    },
    healthyTargets: async (side) =>
      (await readTargets(side)).filter(({ TargetHealth }) => TargetHealth?.State === 'healthy').length,
    registeredTargets: async (side) => (await readTargets(side)).flatMap(({ Target }) => Target?.Id ?? []),
    mark: async (mark, value) => {
      const Tags = [{ Key: MARK_TAGS[mark], Value: value }];
      await client.send(new AddTagsCommand({ ResourceArns: [config.weightedRuleArn], Tags }));
    },
    marks: async () => {
      const command = new DescribeTagsCommand({ ResourceArns: [config.weightedRuleArn] });
      const { TagDescriptions = [] } = await client.send(command);
      const tags = TagDescriptions.flatMap(({ Tags = [] }) => Tags);
      const read = (mark: RuleMark) => tags.find(({ Key }) => Key === MARK_TAGS[mark])?.Value;
      return { verified: read('verified'), rollingBack: read('rollingBack') };
    },
  };
}

/**
 * Looked at before each attempt, by the clock on the wall: a computer that was asleep in the middle of one would repeat it
 * hours later, over whatever another caller has done since.
 */
function beginUntil({ middlewareStack }: ModifyRuleCommand, untilMs: number): void {
  middlewareStack.add(
    (next) => async (args) => {
      if (Date.now() < untilMs) return next(args);
      const until = new Date(untilMs).toISOString();
      throw new CutoverError('LockLost', `the weights must be set until ${until}, while the lock is held, got no end`);
    },
    // Behind the retries, which repeat what comes after them.
    { step: 'finalizeRequest', priority: 'low', name: 'beginUntil' },
  );
}

async function readRules(client: ElasticLoadBalancingV2Client, listenerArn: string): Promise<RuleReading[]> {
  const readings: RuleReading[] = [];
  for await (const page of paginateDescribeRules({ client }, { ListenerArn: listenerArn })) {
    readings.push(...(page.Rules ?? []).map(readRule));
  }
  return readings;
}

function readRule(rule: Rule): RuleReading {
  const forward = findOnlyForward(rule);
  // What a rule does and when: an added condition moves traffic as surely as another action.
  const actions = (rule.Actions ?? []).map((each) => ({
    ...each,
    ...(each.ForwardConfig && { ForwardConfig: ordered(each.ForwardConfig) }),
  }));
  const match = [rule.Priority, rule.Conditions ?? []];
  const priority = Number(rule.Priority);
  return {
    arn: rule.RuleArn ?? '',
    ...(Number.isInteger(priority) && { priority }),
    hosts: listPatterns(rule.Conditions ?? [], 'host-header'),
    paths: listPatterns(rule.Conditions ?? [], 'path-pattern'),
    // A rewrite of the host or the path moves traffic, too.
    digest: computeDigest([...match, actions, rule.Transforms ?? []]),
    matchDigest: computeDigest([...match, rule.Transforms ?? []]),
    ...(forward && { forward }),
  };
}

function computeDigest(meaning: unknown): string {
  return createHash('sha256').update(JSON.stringify(meaning)).digest('base64url').slice(0, 16);
}

/** The patterns of a rule's one condition on hosts or paths; undefined where it has a regular expression. */
function listPatterns(
  conditions: readonly RuleCondition[],
  field: 'host-header' | 'path-pattern',
): readonly string[] | undefined {
  const configs = conditions
    .filter(({ Field }) => Field === field)
    .map(({ HostHeaderConfig, PathPatternConfig, Values }) => ({ Values, ...(HostHeaderConfig ?? PathPatternConfig) }));
  if (configs.some(({ RegexValues = [] }) => RegexValues.length > 0)) return undefined;
  return configs.flatMap(({ Values = [] }) => Values);
}

/** The groups of an action have no order. */
function ordered(config: ForwardActionConfig): ForwardActionConfig {
  const byArn = (a: TargetGroupTuple, b: TargetGroupTuple) =>
    (a.TargetGroupArn ?? '') < (b.TargetGroupArn ?? '') ? -1 : 1;
  return { ...config, TargetGroups: [...(config.TargetGroups ?? [])].sort(byArn) };
}

/** Undefined when a rule does anything else, or more. */
export function findOnlyForward(rule: Rule): Forward | undefined {
  const [action, ...more] = rule.Actions ?? [];
  return action?.Type === 'forward' && more.length === 0 ? findForward(action) : undefined;
}

function findForward(action: Action): Forward {
  const config = action.ForwardConfig;
  const groups = config?.TargetGroups ?? [{ TargetGroupArn: action.TargetGroupArn }];
  return {
    // A forward to a single group may come without a weight; the service reads an absent one as 1.
    groups: groups.map(({ TargetGroupArn, Weight }) => ({ arn: TargetGroupArn ?? '', weight: Weight ?? 1 })),
    stickiness: {
      enabled: config?.TargetGroupStickinessConfig?.Enabled ?? false,
      seconds: config?.TargetGroupStickinessConfig?.DurationSeconds ?? 0,
    },
  };
}

export function findAction(forward: Forward): Action {
  const { enabled, seconds } = forward.stickiness;
  return {
    Type: 'forward',
    ForwardConfig: {
      TargetGroups: forward.groups.map(({ arn, weight }) => ({ TargetGroupArn: arn, Weight: weight })),
      TargetGroupStickinessConfig: enabled ? { Enabled: true, DurationSeconds: seconds } : { Enabled: false },
    },
  };
}
