import { Duration, Stack, Tokenization } from 'aws-cdk-lib';
import {
  ApplicationTargetGroup,
  CfnTargetGroup,
  TargetGroupLoadBalancingAlgorithmType as Algorithm,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Problems } from '../../core/validation/problems';
import { DrainProfile } from '../shared/drain-profile';

interface Stickiness {
  readonly sticky?: boolean;
  readonly stickiness?: Duration;
  readonly applicationCookie?: string;
  readonly slowStart?: Duration;
}

const { ROUND_ROBIN, WEIGHTED_RANDOM }: Readonly<Record<keyof typeof Algorithm, string>> = Algorithm;
const ALGORITHM = 'load_balancing.algorithm.type';
const CROSS_ZONE = 'load_balancing.cross_zone.enabled';
const SLOW_START = 'slow_start.duration_seconds';
const DELAY = 'deregistration_delay.timeout_seconds';

/** Set here and not by the CDK, which takes no durations that are known only at deployment. */
export function listAttributes(props: Stickiness, profile: DrainProfile): [string, string][] {
  const seconds = (duration: Duration) => Tokenization.stringifyNumber(duration.toSeconds());
  const attributes: [string, string][] = [[DELAY, seconds(profile.deregistrationDelay)]];
  if (props.slowStart) attributes.push([SLOW_START, seconds(props.slowStart)]);
  if (props.sticky === false) return [...attributes, ['stickiness.enabled', 'false']];
  const { applicationCookie: cookie } = props;
  const type = cookie === undefined ? 'lb_cookie' : 'app_cookie';
  attributes.push(['stickiness.enabled', 'true'], ['stickiness.type', type]);
  if (cookie !== undefined) attributes.push(['stickiness.app_cookie.cookie_name', cookie]);
  return [...attributes, [`stickiness.${type}.duration_seconds`, seconds(props.stickiness ?? Duration.days(1))]];
}

/**
 * What the load balancer would reject, or cut connections by, of attributes that were set past the props: by
 * `targetGroup.setAttribute`, or by `enableCookieStickiness`.
 */
export function attributeProblems(group: ApplicationTargetGroup, profile: DrainProfile, isWeighted: boolean): string[] {
  const attributes = writtenAttributes(group);
  const { [ALGORITHM]: algorithm = ROUND_ROBIN, [CROSS_ZONE]: crossZone, [DELAY]: delay } = attributes;
  const isSticky = attributes['stickiness.enabled'] === 'true';
  const type = attributes['stickiness.type'];
  const problems = new Problems(String);
  if (isWeighted && isSticky && type === 'app_cookie')
    problems.add('stickiness.type', 'lb_cookie in a rule with weights', type);
  if (isSticky && algorithm === WEIGHTED_RANDOM) problems.add(ALGORITHM, "another one, or 'sticky' false", algorithm);
  if (isSticky && crossZone === 'false') problems.add(CROSS_ZONE, "true, or 'sticky' false", crossZone);
  if (Number(attributes[SLOW_START]) > 0 && algorithm !== ROUND_ROBIN) {
    problems.add(SLOW_START, `absent with ${algorithm}`, `${attributes[SLOW_START]}`);
  }
  const cut = delay === undefined ? undefined : profile._delayProblem(Duration.seconds(Number(delay)));
  if (cut) problems.add(DELAY, cut.rule, cut.value);
  return [...problems.all];
}

/** Those that are known at synthesis. */
function writtenAttributes(group: ApplicationTargetGroup): Readonly<Partial<Record<string, string>>> {
  const resource = group.node.defaultChild as CfnTargetGroup;
  const pairs = (Stack.of(group).resolve(resource.targetGroupAttributes) ?? []) as { key: string; value: unknown }[];
  return Object.fromEntries(pairs.flatMap(({ key, value }) => (typeof value === 'string' ? [[key, value]] : [])));
}
