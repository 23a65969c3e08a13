import { AdoptedRule, adoptionForward } from '../../core/traffic/adoption';
import type { Forward } from '../../core/traffic/forward';
import { PROOF_VARIABLE, Unproven } from '../../core/cutover/proof';
import { DEFAULT_PRIORITY } from '../../core/traffic/bypass-rules';
import { LiveRule, OLD_GROUP_TAG } from '../../core/traffic/weighted-rule';
import { Rule, groupsOf } from '../load-balancer/model';
import type { AdoptionEvidence } from '../report/evidence';
import type { Screen } from '../progress/progress-reporter';
import type { Standing } from '../cloud/running-rehearsal';
import { http2Rates } from '../traffic/options';
import { startTraffic } from '../traffic/traffic';
import { nothingLost } from '../traffic/tally';
import { until, waitFor } from '../processes/waiting';
import { OPERATOR_KEY_ID, World } from '../cloud/local-cloud';

/** As the runbook says it, faster. */
const SHARES = [10, 50, 100];
const STEP_MS = 1_000;
const HEALTHY_WITHIN_MS = 60_000;
/** Requests alone: long-lived connections stay where they were begun, and are begun afterwards. */
const RATES = {
  shop: 5,
  keepAlive: 20,
  newConnection: 10,
  http2: 10,
  echo: 0,
  webSockets: 0,
  messagesPerSecondEach: 1,
  eventStreams: 0,
  chats: 0,
};

/** Whether the requests of the listener go past the proxies still. */
function isPast(world: World): boolean {
  const { wiring, elb } = world.blueprint;
  return groupsOf(elb.rule(wiring.weightedRuleArn)).some(({ arn }) => !isSide(world, arn));
}

function isSide({ blueprint }: World, arn: string): boolean {
  return Object.values(blueprint.wiring.targetGroupArns).includes(arn);
}

/**
 * Before the cutover, lets the requests of an existing listener come through the proxies step by step, as `drainshift adopt` does, under traffic.
 *
 * @returns undefined where the listener is the migration's own
 * @throws Error for a step that would be refused, the signal's reason
 */
export async function adoptStepByStep(
  { world }: Standing,
  options: Parameters<typeof startTraffic>[0],
  screen: Screen,
  signal: AbortSignal,
): Promise<AdoptionEvidence | undefined> {
  if (!isPast(world)) return undefined;
  const old = groupsOf(world.blueprint.elb.rule(world.blueprint.wiring.weightedRuleArn))[0]?.arn ?? '';
  await until(() => hasHealthyTarget(world, old), {
    withinMs: HEALTHY_WITHIN_MS,
    signal,
    complaint: () => `'${old}' must have a healthy target before its requests are adopted, got none`,
  });
  screen.step('the listener serves already: the rule was created without a change, and its requests are adopted now');
  const traffic = await startTraffic({ ...options, rates: options.isHttp2Only === true ? http2Rates(RATES) : RATES });
  try {
    await waitFor(STEP_MS, signal);
    for (const share of SHARES) {
      await step(world, share);
      screen.step(`adopted: ${share} of 100 requests come through the proxies`);
      await waitFor(STEP_MS, signal);
    }
  } catch (error) {
    await traffic.stop().catch(() => undefined);
    throw error;
  }
  const tally = await traffic.stop();
  const { sent, failed } = tally.http;
  return { shares: SHARES, sent, failed, isLossless: nothingLost(tally), failures: tally.failures.slice(0, 5) };
}

function hasHealthyTarget({ blueprint }: World, arn: string): boolean {
  return [...blueprint.elb.targetGroup(arn).targets.values()].some(({ state }) => state === 'healthy');
}

/** @throws Error when the proxies are not proven */
async function step(world: World, share: number): Promise<void> {
  const { forward, side } = adoptionForward(adoptedRule(world), { share });
  const proof = world.blueprint.functions.find(({ environment }) => Object.hasOwn(environment, PROOF_VARIABLE));
  if (!proof) throw new Error('the stack must have the function that proves the proxies, got none');
  const { unproven } = (await world.functions.invoke(proof.arn, { side })) as { unproven: readonly Unproven[] };
  if (unproven.length > 0) throw new Error(unproven.map(({ message }) => message).join('; '));
  await modifyRule(world, forward);
}

function adoptedRule({ blueprint }: World): AdoptedRule {
  const { elb, wiring } = blueprint;
  const live = elb.rulesOf(wiring.weightedListenerArn).map((rule) => liveRule(rule, elb.tags.get(rule.arn)));
  const own = live.find(({ arn }) => arn === wiring.weightedRuleArn);
  if (!own) throw new Error(`'${wiring.weightedRuleArn}' must be on its listener, got none`);
  return { rule: own, others: live.filter((rule) => rule !== own), groupArns: wiring.targetGroupArns };
}

function liveRule({ arn, priority, conditions, actions }: Rule, tags: Record<string, string> = {}): LiveRule {
  const valuesOf = (field: string) => conditions.filter((each) => each.field === field).flatMap(({ values }) => values);
  const [action] = actions;
  const old = tags[OLD_GROUP_TAG];
  return {
    arn,
    priority: priority === 'default' ? DEFAULT_PRIORITY : priority,
    pathPatterns: valuesOf('path-pattern'),
    hostHeaders: valuesOf('host-header'),
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
async function modifyRule(world: World, { groups, stickiness }: Forward): Promise<void> {
  const { wiring, stack } = world.blueprint;
  const config = 'Actions.member.1.ForwardConfig';
  const named = groups.flatMap(({ arn, weight }, index) => [
    [`${config}.TargetGroups.member.${index + 1}.TargetGroupArn`, arn],
    [`${config}.TargetGroups.member.${index + 1}.Weight`, String(weight)],
  ]);
  const response = await fetch(world.endpoint.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `AWS4-HMAC-SHA256 Credential=${OPERATOR_KEY_ID}/20260101/${stack.region}/elasticloadbalancing/aws4_request`,
    },
    body: new URLSearchParams([
      ['Action', 'ModifyRule'],
      ['Version', '2015-12-01'],
      ['RuleArn', wiring.weightedRuleArn],
      ['Actions.member.1.Type', 'forward'],
      ...(named as [string, string][]),
      [`${config}.TargetGroupStickinessConfig.Enabled`, String(stickiness.enabled)],
      [`${config}.TargetGroupStickinessConfig.DurationSeconds`, String(stickiness.seconds)],
    ]),
  });
  if (!response.ok) throw new Error(`the rule must be modified, got ${await response.text()}`);
}
