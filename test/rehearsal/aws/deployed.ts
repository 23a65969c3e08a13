import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import type { StackDescription } from '../../../rehearsal/aws/services/stacks/stacks-service';
import { ACCOUNT, ARNS, REGION, T0 } from './world';

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

/** A stack that was deployed, with outputs. */
export const deployedStack = (name: string, outputs: Readonly<Record<string, string>>): StackDescription => ({
  id: `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/${name}/1`,
  name,
  description: undefined,
  status: 'CREATE_COMPLETE',
  statusReason: undefined,
  createdAt: T0,
  updatedAt: undefined,
  outputs: Object.entries(outputs).map(([key, value]) => ({ key, value })),
});

/** One with a cutover, whose configuration commands find among its outputs. */
export const deployedCutover = (name: string, config: Partial<CutoverConfig>): StackDescription =>
  deployedStack(name, { MigrationCutoverConfig1A2B3C4D: JSON.stringify(config) });
