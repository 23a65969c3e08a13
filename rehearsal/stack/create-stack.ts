import type { Targets } from '../load-balancer/health/targets';
import type { DeployedStack } from './deployed-stack';
import { standInForBackend } from './stand-in';
import type { StackServices } from './stack-services';

interface Creation {
  readonly stack: DeployedStack;
  readonly services: StackServices;
  readonly targets: Targets;
  /** The upstream of the source, which an existing listener leads to. */
  readonly sourceUrl: string;
}

/**
 * The first deployment. Each custom resource gives itself its name and its attributes, which the rest of the template needs.
 *
 * @throws CustomResourceFailed, UsageError
 */
export async function createStack({ stack, services, targets, sourceUrl }: Creation): Promise<void> {
  for (const { logicalId } of stack.model.customResources) {
    const resource = stack.model.customResources.find((each) => each.logicalId === logicalId);
    if (!resource) continue;
    await services.startBefore(resource);
    stack.identify(logicalId, await stack.customResources.create(resource));
  }
  await standInForBackend(stack.model, targets, sourceUrl);
  stack.settle('CREATE_COMPLETE');
  for (const machine of stack.model.machines) stack.putMachine(machine);
  services.start();
}
