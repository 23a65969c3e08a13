import type { AuthorizationRequest } from '../aws/endpoint/endpoint';
import { accessDenied, isAllowed } from '../aws/iam/iam';
import type { Rights } from '../template/parts/rights';

/** What each role may do, by its logical id. */
export class RoleRights {
  private rights: Rights = new Map();

  put(rights: Rights): void {
    this.rights = rights;
  }

  /**
   * A function may do what the policies of its role allow, as at AWS: a missing right shows before a deployment does.
   *
   * @throws AwsError `AccessDenied`
   */
  check({ accessKeyId, action, resources, context }: AuthorizationRequest): void {
    const statements = this.rights.get(accessKeyId);
    // Any other key is a person at this machine, with whatever credentials the AWS CLI is set up with. A function whose
    // role is not in the template was rejected with the template.
    if (!statements) return;
    for (const resource of resources) {
      if (!isAllowed(statements, action, resource, context)) throw accessDenied(accessKeyId, action, resource);
    }
  }
}
