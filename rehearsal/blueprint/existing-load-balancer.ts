import type { CutoverWiring } from '../../core/wiring';
import type { ElbModel } from '../load-balancer/model';

const TRAFFIC_PORT = 443;

/**
 * A load balancer that exists already is not in the template: one like it stands in. Of the listener that the traffic comes to
 * only this is known, that the weighted rule joins it; what else it serves answers 404 here.
 */
export function addExisting(model: ElbModel, wiring: CutoverWiring): ElbModel {
  const { loadBalancerArn, weightedListenerArn } = wiring;
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
  const unknown = { type: 'fixed-response', statusCode: 404, contentType: 'text/plain', body: '' } as const;
  model.rules.set(rule, { arn: rule, listenerArn: arn, priority: 'default', conditions: [], actions: [unknown] });
}
