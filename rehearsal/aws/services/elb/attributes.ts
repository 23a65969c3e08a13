import { own } from '../../../../core/validation/own';
import { ElbModel, TargetGroup, listGroups } from '../../../load-balancer/model/model';
import { AwsError } from '../../../errors/aws-error';
import { AwsObject } from '../../operations/operation';

type Check = (value: string) => boolean;

interface Attribute {
  readonly fallback: string;
  readonly rule: string;
  readonly accepts: Check;
}

const integer =
  (min: number, max: number): Check =>
  (value) =>
    /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max;
const requireOneOf = (...values: readonly string[]): Attribute => ({
  fallback: values[0] ?? '',
  rule: `one of ${values.join(', ')}`,
  accepts: (value) => values.includes(value),
});
const seconds = (fallback: number, min: number, max: number): Attribute => ({
  fallback: String(fallback),
  rule: `an integer from ${min} to ${max}`,
  accepts: integer(min, max),
});
const share = (max: number, fallback: string): Attribute => ({
  fallback,
  rule: `off or an integer from 1 to ${max}`,
  accepts: (value) => value === 'off' || integer(1, max)(value),
});

const SEVEN_DAYS = 604_800;

/**
 * The attributes of a target group behind an ALB with ip targets, their defaults and limits.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
 */
const TARGET_GROUP_ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map([
  ['deregistration_delay.timeout_seconds', seconds(300, 0, 3600)],
  ['stickiness.enabled', requireOneOf('false', 'true')],
  ['stickiness.type', requireOneOf('lb_cookie', 'app_cookie')],
  ['stickiness.lb_cookie.duration_seconds', seconds(86_400, 1, SEVEN_DAYS)],
  ['stickiness.app_cookie.duration_seconds', seconds(86_400, 1, SEVEN_DAYS)],
  [
    'stickiness.app_cookie.cookie_name',
    {
      fallback: '',
      rule: 'a name that does not start with AWSALB',
      accepts: (name: string) => !name.startsWith('AWSALB'),
    },
  ],
  ['load_balancing.algorithm.type', requireOneOf('round_robin', 'least_outstanding_requests', 'weighted_random')],
  ['load_balancing.algorithm.anomaly_mitigation', requireOneOf('off', 'on')],
  ['load_balancing.cross_zone.enabled', requireOneOf('use_load_balancer_configuration', 'true', 'false')],
  [
    'slow_start.duration_seconds',
    {
      fallback: '0',
      rule: '0 or an integer from 30 to 900',
      accepts: (value: string) => value === '0' || integer(30, 900)(value),
    },
  ],
  ['target_group_health.dns_failover.minimum_healthy_targets.count', share(1000, '1')],
  ['target_group_health.dns_failover.minimum_healthy_targets.percentage', share(100, 'off')],
  ['target_group_health.unhealthy_state_routing.minimum_healthy_targets.count', share(1000, '1')],
  ['target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage', share(100, 'off')],
]);

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html */
const LOAD_BALANCER_DEFAULTS: Readonly<Record<string, string>> = {
  'access_logs.s3.enabled': 'false',
  'access_logs.s3.bucket': '',
  'access_logs.s3.prefix': '',
  'client_keep_alive.seconds': '3600',
  'connection_logs.s3.enabled': 'false',
  'deletion_protection.enabled': 'false',
  'idle_timeout.timeout_seconds': '60',
  'load_balancing.cross_zone.enabled': 'true',
  'routing.http.desync_mitigation_mode': 'defensive',
  'routing.http.drop_invalid_header_fields.enabled': 'false',
  'routing.http.preserve_host_header.enabled': 'false',
  'routing.http.x_amzn_tls_version_and_cipher_suite.enabled': 'false',
  'routing.http.xff_client_port.enabled': 'false',
  'routing.http.xff_header_processing.mode': 'append',
  'routing.http2.enabled': 'true',
  'waf.fail_open.enabled': 'false',
  'zonal_shift.config.enabled': 'false',
};

/** Undefined for an attribute that is not known. */
export function targetGroupDefault(key: string): string | undefined {
  return TARGET_GROUP_ATTRIBUTES.get(key)?.fallback;
}

export function loadBalancerDefault(key: string): string | undefined {
  return own(LOAD_BALANCER_DEFAULTS, key);
}

/** Those of a listener set or hide fields of responses; unset, they do nothing. */
export function listenerDefault(key: string): string {
  return key === 'routing.http.response.server.enabled' ? 'true' : '';
}

/** All attributes, the defaults of those that were never set among them. */
export function targetGroupAttributes(set: ReadonlyMap<string, string>): AwsObject[] {
  const defaults = [...TARGET_GROUP_ATTRIBUTES].map(([key, { fallback }]) => [key, fallback] as const);
  return pairs(new Map([...defaults, ...set]));
}

export function loadBalancerAttributes(set: ReadonlyMap<string, string>): AwsObject[] {
  return pairs(new Map([...Object.entries(LOAD_BALANCER_DEFAULTS), ...set]));
}

export function pairs(attributes: ReadonlyMap<string, string>): AwsObject[] {
  return [...attributes].map(([Key, Value]) => ({ Key, Value }));
}

/**
 * Sets attributes of a target group: all checks first, then all of them.
 *
 * @throws AwsError ValidationError, InvalidConfigurationRequest
 */
export function setTargetGroupAttributes(
  model: ElbModel,
  group: TargetGroup,
  changes: ReadonlyMap<string, string>,
): void {
  for (const [key, value] of changes) {
    const attribute = TARGET_GROUP_ATTRIBUTES.get(key);
    if (!attribute) throw new AwsError('ValidationError', `Target group attribute key '${key}' is not recognized`);
    if (!attribute.accepts(value)) {
      throw new AwsError('ValidationError', `'${key}' must be ${attribute.rule}, got ${value}`);
    }
  }
  checkTogether(model, group, new Map([...group.attributes, ...changes]));
  for (const [key, value] of changes) group.attributes.set(key, value);
}

/** What the service rejects in combination, in the group itself and in the rules that use it. */
function checkTogether(model: ElbModel, group: TargetGroup, next: ReadonlyMap<string, string>): void {
  const algorithm = next.get('load_balancing.algorithm.type') ?? 'round_robin';
  const isSticky = next.get('stickiness.enabled') === 'true';
  if (algorithm !== 'round_robin' && (next.get('slow_start.duration_seconds') ?? '0') !== '0') {
    throw incompatible(`Slow start does not work with the ${algorithm} algorithm`);
  }
  if (algorithm === 'weighted_random' && isSticky) {
    throw incompatible('Stickiness does not work with the weighted_random algorithm');
  }
  if (isSticky && isWeightedWithoutGroupStickiness(model, group)) {
    throw incompatible(
      'You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups',
    );
  }
}

function isWeightedWithoutGroupStickiness(model: ElbModel, group: TargetGroup): boolean {
  return [...model.rules.values()]
    .filter((rule) => listGroups(rule).length > 1 && listGroups(rule).some(({ arn }) => arn === group.arn))
    .some((rule) => rule.actions.some((action) => action.type === 'forward' && !action.forward.stickiness.enabled));
}

function incompatible(message: string): AwsError {
  return new AwsError('InvalidConfigurationRequest', message);
}
