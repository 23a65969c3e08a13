import { CustomResource, Stack } from 'aws-cdk-lib';
import { Construct, IConstruct } from 'constructs';
import { MigrationLoadBalancer } from './migration-load-balancer';
import { SERVICE_TIMEOUT, WeightedRuleProvider } from './weighted-rule-provider';

/**
 * Adds a resource that rejects its own deletion while the lock is held, and while the rule rejects its. It depends on
 * everything of the cutover, and on the
 * other parts that one needs: so it is deleted before any of them, and a stack that is deleted in the middle of a cutover
 * stops here, with all that moves traffic, and can move it back, in place.
 *
 * @param loadBalancer has the rule, and the bucket with the lock
 */
export function guardDeletion(
  cutover: Construct,
  { store, weightedRule }: MigrationLoadBalancer,
  others: readonly IConstruct[],
): void {
  const parts = [...cutover.node.children, ...others.filter((part) => Stack.of(part) === Stack.of(cutover))];
  const provider = WeightedRuleProvider.of(cutover);
  provider.allowLook(store);
  const guard = new CustomResource(cutover, 'Guard', {
    resourceType: 'Custom::DrainshiftGuard',
    serviceToken: provider.serviceToken,
    serviceTimeout: SERVICE_TIMEOUT,
    properties:
      Stack.of(weightedRule) === Stack.of(cutover) ? weightedRule._withLock : { StoreBucket: store.bucketName },
  });
  guard.node.addDependency(provider, ...parts);
}
