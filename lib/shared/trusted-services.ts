import { Aspects, IAspect, Stack } from 'aws-cdk-lib';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnPermission } from 'aws-cdk-lib/aws-lambda';
import { IConstruct } from 'constructs';

/**
 * Services that name the account for which they take a role. EC2 takes roles of instances alone, and names none.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
 */
const NAMING = /^(ecs-tasks|events|lambda|scheduler|states)\.amazonaws\.com$/;

/** Lets AWS services take the roles and call the functions of a construct for resources of its own account alone. */
export function trustOwnAccountOnly(construct: IConstruct): void {
  Aspects.of(construct).add(new OwnAccountOnly());
}

interface TrustPolicy {
  readonly Statement?: readonly { readonly Principal?: { readonly Service?: unknown }; readonly Condition?: unknown }[];
}

class OwnAccountOnly implements IAspect {
  public visit(node: IConstruct): void {
    if (CfnPermission.isCfnResource(node) && node.cfnResourceType === CfnPermission.CFN_RESOURCE_TYPE_NAME) {
      limitPermission(node as CfnPermission);
    }
    if (!CfnRole.isCfnResource(node) || node.cfnResourceType !== CfnRole.CFN_RESOURCE_TYPE_NAME) return;
    const role = node as CfnRole;
    const stack = Stack.of(role);
    const { Statement = [] } = stack.resolve(role.assumeRolePolicyDocument) as TrustPolicy;
    for (const [index, { Principal, Condition }] of Statement.entries()) {
      if (Condition !== undefined || !NAMING.test(String(Principal?.Service))) continue;
      role.addPropertyOverride(`AssumeRolePolicyDocument.Statement.${index}.Condition`, {
        StringEquals: { 'aws:SourceAccount': stack.account },
      });
    }
  }
}

/** A source that is named, as the rule of EventBridge is, is of one account already. */
function limitPermission(permission: CfnPermission): void {
  if (permission.sourceArn !== undefined || permission.sourceAccount !== undefined) return;
  if (/\.amazonaws\.com$/.test(permission.principal)) permission.sourceAccount = Stack.of(permission).account;
}
