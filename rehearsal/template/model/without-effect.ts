import { listenerDefault, loadBalancerDefault, targetGroupDefault } from '../../aws/services/elb/attributes';
import type { ElbModel } from '../../load-balancer/model/model';

/** The attributes that the load balancer here goes by. */
const FOLLOWED: readonly string[] = [
  'idle_timeout.timeout_seconds',
  'routing.http.drop_invalid_header_fields.enabled',
  'routing.http.preserve_host_header.enabled',
  'routing.http.xff_client_port.enabled',
  'routing.http.xff_header_processing.mode',
  'deregistration_delay.timeout_seconds',
  'load_balancing.algorithm.type',
  'stickiness.enabled',
  'stickiness.lb_cookie.duration_seconds',
  'stickiness.type',
];

/**
 * The attributes of a template that a rehearsal takes and does not follow, where they are other than the defaults; a line for
 * each load balancer, listener and target group that has some.
 */
export function withoutEffect(model: ElbModel): string[] {
  const owners = [
    ...[...model.loadBalancers.values()].map((each) => ({ ...each, fallback: loadBalancerDefault })),
    ...[...model.listeners.values()].map((each) => ({
      name: `:${each.templatePort}`,
      attributes: each.attributes,
      fallback: listenerDefault,
    })),
    ...[...model.targetGroups.values()].map((each) => ({ ...each, fallback: targetGroupDefault })),
  ];
  return owners.flatMap(({ name, attributes, fallback }) => {
    const idle = [...attributes].filter(([key, value]) => !FOLLOWED.includes(key) && value !== fallback(key));
    return idle.length === 0 ? [] : [`'${name}': ${idle.map(([key, value]) => `${key}=${value}`).join(', ')}`];
  });
}
