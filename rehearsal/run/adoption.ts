import { AdoptedRule, adoptionForward } from '../../core/traffic/adoption';
import type { Forward } from '../../core/traffic/forward';
import { PROOF_VARIABLE, Unproven } from '../../core/cutover/proof';
import { DEFAULT_PRIORITY } from '../../core/traffic/bypass-rules';
import { LiveRule, OLD_GROUP_TAG } from '../../core/traffic/weighted-rule';
import { Rule, listGroups } from '../load-balancer/model/model';
import type { AdoptionEvidence } from '../report/evidence';
import type { ProgressReporter } from '../progress/progress-reporter';
import type { RunningRehearsal } from '../cloud/running-rehearsal';
import { http2Rates } from '../traffic/options';
import { requestsAlone } from './scenario';
import { startTraffic } from '../traffic/traffic';
import { nothingLost } from '../traffic/counting/tally';
import { until, waitFor } from '../processes/waiting';
import type { LocalCloud } from '../cloud/local-cloud';
import { OPERATOR_KEY_ID } from '../cloud/operator-key';

/** As the runbook says it, faster. */
const PORTIONS = [10, 50, 100];
const STEP_MS = 1_000;
const HEALTHY_WITHIN_MS = 60_000;
/** Requests alone: long-lived connections stay where they were begun, and are begun afterwards. */
const RATES = {
  shop: 5,
  keepAlive: 20,
  newConnection: 10,
  http2: 10,
  echo: 0,
  writes: 0,
  webSockets: 0,
  messagesPerSecondEach: 1,
  eventStreams: 0,
  chats: 0,
};
/** Of a scenario: about as many. */
const REQUESTS_PER_SECOND = 45;

/** Whether the requests of the listener go past the proxies still. */
function isPast(cloud: LocalCloud): boolean {
  const { config, elb } = cloud.model;
  return listGroups(elb.rule(config.weightedRuleArn)).some(({ arn }) => !isSide(cloud, arn));
}

function isSide({ model }: LocalCloud, arn: string): boolean {
  return Object.values(model.config.targetGroupArns).includes(arn);
}

/**
 * Before the cutover, lets the requests of an existing listener come through the proxies step by step, as `drainshift adopt` does, under traffic.
 *
 * @returns undefined where the listener is the migration's own
 * @throws Error for a step that would be rejected, the signal's reason
 */
export async function adoptStepByStep(
  { cloud }: RunningRehearsal,
  options: Parameters<typeof startTraffic>[0],
  reporter: ProgressReporter,
  signal: AbortSignal,
): Promise<AdoptionEvidence | undefined> {
  if (!isPast(cloud)) return undefined;
  const old = listGroups(cloud.model.elb.rule(cloud.model.config.weightedRuleArn))[0]?.arn ?? '';
  await until(() => hasHealthyTarget(cloud, old), {
    withinMs: HEALTHY_WITHIN_MS,
    signal,
    problem: () => `'${old}' must have a healthy target before its requests are adopted, got none`,
  });
  reporter.step('the listener serves already: the rule was created without a change, and its requests are adopted now');
  const traffic = await startTraffic({
    ...options,
    rates: options.isHttp2Only === true ? http2Rates(RATES) : RATES,
    ...(options.scenario && { scenario: requestsAlone(options.scenario, REQUESTS_PER_SECOND) }),
  });
  try {
    await waitFor(STEP_MS, signal);
    for (const share of PORTIONS) {
      await step(cloud, share);
      reporter.step(`adopted: ${share} of 100 requests come through the proxies`);
      await waitFor(STEP_MS, signal);
    }
  } catch (error) {
    await traffic.stop().catch(() => undefined);
    throw error;
  }
  const tally = await traffic.stop();
  const { sent, failed } = tally.http;
  return { percentages: PORTIONS, sent, failed, isLossless: nothingLost(tally), failures: tally.failures.slice(0, 5) };
}

function hasHealthyTarget({ model }: LocalCloud, arn: string): boolean {
  return [...model.elb.targetGroup(arn).targets.values()].some(({ state }) => state === 'healthy');
}

/** @throws Error when the proxies are not proven */
async function step(cloud: LocalCloud, share: number): Promise<void> {
  const { forward, side } = adoptionForward(adoptedRule(cloud), { share });
  const proof = cloud.model.functions.find(({ environment }) => Object.hasOwn(environment, PROOF_VARIABLE));
  if (!proof) throw new Error('the stack must have the function that proves the proxies, got none');
  const { unproven } = (await cloud.functions.invoke(proof.arn, { side })) as { unproven: readonly Unproven[] };
  if (unproven.length > 0) throw new Error(unproven.map(({ message }) => message).join('; '));
  await modifyRule(cloud, forward);
}

function adoptedRule({ model }: LocalCloud): AdoptedRule {
  const { elb, config } = model;
  const live = elb.listRules(config.weightedListenerArn).map((rule) => liveRule(rule, elb.tags.get(rule.arn)));
  const own = live.find(({ arn }) => arn === config.weightedRuleArn);
  if (!own) throw new Error(`'${config.weightedRuleArn}' must be on its listener, got none`);
  return { rule: own, others: live.filter((rule) => rule !== own), groupArns: config.targetGroupArns };
}

function liveRule({ arn, priority, conditions, actions }: Rule, tags: Record<string, string> = {}): LiveRule {
  const listValues = (field: string) =>
    conditions.filter((each) => each.field === field).flatMap(({ values }) => values);
  const [action] = actions;
  const old = tags[OLD_GROUP_TAG];
  return {
    arn,
    priority: priority === 'default' ? DEFAULT_PRIORITY : priority,
    pathPatterns: listValues('path-pattern'),
    hostHeaders: listValues('host-header'),
    hasOtherConditions: false,
    isFixedResponse: action?.type === 'fixed-response',
    ...(action?.type === 'forward' && { forward: forwardFrom(action.forward) }),
    ...(old !== undefined && { oldGroupArn: old }),
  };
}

function forwardFrom({
  targetGroups,
  stickiness,
}: Extract<Rule['actions'][number], { type: 'forward' }>['forward']): Forward {
  return { groups: targetGroups, stickiness: { enabled: stickiness.enabled, seconds: stickiness.durationSeconds } };
}

/** As anybody would set it: by a call of the API. */
async function modifyRule(cloud: LocalCloud, { groups, stickiness }: Forward): Promise<void> {
  const { config, stack } = cloud.model;
  const action = 'Actions.member.1.ForwardConfig';
  const named = groups.flatMap(({ arn, weight }, index) => [
    [`${action}.TargetGroups.member.${index + 1}.TargetGroupArn`, arn],
    [`${action}.TargetGroups.member.${index + 1}.Weight`, String(weight)],
  ]);
  const response = await fetch(cloud.endpoint.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `AWS4-HMAC-SHA256 Credential=${OPERATOR_KEY_ID}/20260101/${stack.region}/elasticloadbalancing/aws4_request`,
    },
    body: new URLSearchParams([
      ['Action', 'ModifyRule'],
      ['Version', '2015-12-01'],
      ['RuleArn', config.weightedRuleArn],
      ['Actions.member.1.Type', 'forward'],
      ...(named as [string, string][]),
      [`${action}.TargetGroupStickinessConfig.Enabled`, String(stickiness.enabled)],
      [`${action}.TargetGroupStickinessConfig.DurationSeconds`, String(stickiness.seconds)],
    ]),
  });
  if (!response.ok) throw new Error(`the rule must be modified, got ${await response.text()}`);
}
