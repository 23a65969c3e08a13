import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import { ARNS, REGION } from '../../rehearsal/aws/world';

/** Makes the SDK clients of this process those of a Lambda function, at an endpoint. */
export function callEndpoint(url: string): void {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'LAMBDA',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
}

/** The configuration of a cutover in the small account. */
export const cutoverConfig = (adminPort: number): CutoverConfig => ({
  loadBalancerArn: ARNS.balancer,
  weightedRuleArn: ARNS.rule,
  weightedListenerArn: ARNS.listener,
  smokeListenerArns: { source: ARNS.smokeListener, target: ARNS.smokeListener },
  targetGroupArns: { source: ARNS.source, target: ARNS.target },
  clusterArn: ARNS.cluster,
  serviceNames: { source: 'source', target: 'target' },
  adminPort,
  adminSecretArn: ARNS.secret,
  storeBucket: 'store',
  domainName: 'shop.example.com',
});
