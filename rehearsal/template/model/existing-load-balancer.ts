import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import type { ElbModel, TargetGroup } from '../../load-balancer/model/model';

const TRAFFIC_PORT = 443;

/**
 * A load balancer that exists already is not in the template: one like it stands in. Of the listener that the traffic comes to
 * only this is known, that the weighted rule joins it; all of its requests go to one group here, behind which the source is.
 */
export function addExisting(model: ElbModel, config: CutoverConfig): ElbModel {
  const { loadBalancerArn, weightedListenerArn } = config;
  if (!model.loadBalancers.has(loadBalancerArn)) addLoadBalancer(model, loadBalancerArn);
  if (!model.listeners.has(weightedListenerArn)) addListener(model, weightedListenerArn, loadBalancerArn);
  return model;
}

function addLoadBalancer(model: ElbModel, arn: string): void {
  const name = arn.split('/')[2] ?? arn;
  model.loadBalancers.set(arn, {
    arn,
    name,
    dnsName: '127.0.0.1',
    scheme: 'internal',
    vpcId: 'vpc-rehearsal',
    subnetIds: [],
    securityGroups: [],
    attributes: new Map(),
    createdAt: new Date(),
  });
}

function addListener(model: ElbModel, arn: string, loadBalancerArn: string): void {
  model.listeners.set(arn, {
    arn,
    loadBalancerArn,
    port: TRAFFIC_PORT,
    templatePort: TRAFFIC_PORT,
    protocol: 'HTTPS',
    certificateArns: [],
    sslPolicy: undefined,
    attributes: new Map(),
  });
  const rule = `${arn.replace(':listener/', ':listener-rule/')}/${arn.slice(-16)}`;
  const group = `${arn.split(':listener/')[0]}:targetgroup/before-the-migration/${arn.slice(-16)}`;
  model.targetGroups.set(group, groupBefore(group));
  const stickiness = { enabled: false, durationSeconds: 0 };
  const forward = { targetGroups: [{ arn: group, weight: 1 }], stickiness };
  const actions = [{ type: 'forward', forward } as const];
  model.rules.set(rule, { arn: rule, listenerArn: arn, priority: 'default', conditions: [], actions });
}

/** Its target is registered when the backend is known. */
function groupBefore(arn: string): TargetGroup {
  return {
    arn,
    name: 'before-the-migration',
    protocol: 'HTTP',
    protocolVersion: 'HTTP1',
    port: 80,
    vpcId: 'vpc-rehearsal',
    targetType: 'ip',
    healthCheck: {
      protocol: 'HTTP',
      port: 'traffic-port',
      path: '/',
      intervalSeconds: 5,
      timeoutSeconds: 2,
      healthyThreshold: 2,
      unhealthyThreshold: 2,
      matcher: '200-499',
    },
    attributes: new Map(),
    targets: new Map(),
  };
}
