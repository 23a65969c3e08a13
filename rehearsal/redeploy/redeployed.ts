import type { StackStatus } from '../aws/services/stacks/stacks-service';

/** What became of a redeploy. Resources are named `'LogicalId' (Type)`. */
export interface Redeployed {
  readonly status: StackStatus;
  /** Why it was rolled back, or what could not be cleaned up. */
  readonly reason?: string;
  readonly applied: readonly string[];
  /** Changed in the template, and not in the local cloud: tasks, new listeners, replaced target groups. */
  readonly passedOver: readonly string[];
}
