import type { PolicyStatement } from '../aws/iam';
import { Resources } from './resources';

/** The statements of a role's identity policies, by the role's logical id. */
export type Rights = ReadonlyMap<string, readonly PolicyStatement[]>;

interface Document {
  readonly Statement?: readonly PolicyStatement[];
}

/**
 * What every role of a template may do, by its own policies and by those attached to it. AWS-managed policies (a Lambda
 * function's right to log and to live in a VPC) concern nothing that is called here.
 */
export function buildRights(resources: Resources): Rights {
  const rights = new Map<string, PolicyStatement[]>();
  const logicalIds = new Map<string, string>();
  for (const { logicalId, identity, properties } of resources.ofType('AWS::IAM::Role')) {
    logicalIds.set(identity.ref, logicalId);
    rights.set(
      logicalId,
      properties.list('Policies').flatMap((policy) => statementsOf(policy.raw.PolicyDocument)),
    );
  }
  for (const { properties } of resources.ofType('AWS::IAM::Policy')) {
    for (const role of properties.strings('Roles')) {
      rights.get(logicalIds.get(role) ?? '')?.push(...statementsOf(properties.raw.PolicyDocument));
    }
  }
  return rights;
}

function statementsOf(document: unknown): readonly PolicyStatement[] {
  return (document as Document | undefined)?.Statement ?? [];
}
