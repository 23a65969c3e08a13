import { XMLParser } from 'fast-xml-parser';
import { findWeights } from '../../core/traffic/forward';
import { Weights } from '../../core/traffic/weights';
import type { LocalCloud } from '../cloud/local-cloud';
import { OPERATOR_KEY_ID } from '../cloud/operator-key';

interface DescribeRules {
  readonly DescribeRulesResponse: {
    readonly DescribeRulesResult: {
      readonly Rules: { readonly member: { readonly Actions: { readonly member: ReadAction } } };
    };
  };
}

interface ReadAction {
  /** Absent in another action than a forward. */
  readonly ForwardConfig?: {
    readonly TargetGroups: { readonly member: readonly { TargetGroupArn: string; Weight?: string }[] };
  };
}

/**
 * The weights in force as the API tells them to anybody: an own DescribeRules, not a look into our own memory.
 *
 * @returns undefined for a rule that is gone, or forwards to others than the two groups
 */
export async function readBackWeights(cloud: LocalCloud): Promise<Weights | undefined> {
  const { config } = cloud.model;
  const response = await fetch(cloud.endpoint.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `AWS4-HMAC-SHA256 Credential=${OPERATOR_KEY_ID}/20260101/${cloud.model.stack.region}/elasticloadbalancing/aws4_request`,
    },
    body: new URLSearchParams({
      Action: 'DescribeRules',
      Version: '2015-12-01',
      'RuleArns.member.1': config.weightedRuleArn,
    }),
  });
  const parser = new XMLParser({
    isArray: (_name, path) => String(path).endsWith('TargetGroups.member'),
    parseTagValue: false,
  });
  const text = await response.text();
  // It is gone.
  if (!response.ok) return undefined;
  const { DescribeRulesResult } = (parser.parse(text) as DescribeRules).DescribeRulesResponse;
  const groups = DescribeRulesResult.Rules.member.Actions.member.ForwardConfig?.TargetGroups.member ?? [];
  const forward = {
    groups: groups.map(({ TargetGroupArn, Weight }) => ({ arn: TargetGroupArn, weight: Number(Weight ?? 1) })),
    stickiness: { enabled: false, seconds: 0 },
  };
  return findWeights(forward, config.targetGroupArns);
}
