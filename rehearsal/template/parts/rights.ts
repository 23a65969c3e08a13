import type { PolicyStatement } from '../../aws/iam/iam';
import { Ready, Resources } from '../resources/resources';

/** The statements of a role's identity policies, by the role's logical id. */
export type Rights = ReadonlyMap<string, readonly PolicyStatement[]>;

type Statement = PolicyStatement & { readonly Principal?: Principal };
/** `"*"`, or ARNs by the kind of principal. */
type Principal = string | Readonly<Record<string, string | readonly string[]>>;

interface Document {
  /** A single statement needs no list. */
  readonly Statement?: readonly Statement[] | Statement;
}

/**
 * What every role of a template may do, by its own policies, by those attached to it, from either end, and by what the
 * policies of buckets say of it. AWS-managed policies (a Lambda function's right to log and to live in a VPC) concern
 * nothing that is called here.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-id-rdp.html
 *   in one account either kind of policy may allow, and either may deny
 */
export function buildRights(resources: Resources): Rights {
  const managed = resources.ofType('AWS::IAM::ManagedPolicy');
  const attachable = [...resources.ofType('AWS::IAM::Policy'), ...managed];
  const ofBuckets = resources
    .ofType('AWS::S3::BucketPolicy')
    .flatMap(({ properties }) => listStatements(properties.raw.PolicyDocument));
  return new Map(
    resources.ofType('AWS::IAM::Role').map(({ logicalId, identity, properties }) => {
      const arns = properties.strings('ManagedPolicyArns');
      const attached = [
        ...properties.list('Policies'),
        ...attachable.filter((policy) => policy.properties.strings('Roles').includes(identity.ref)).map(listProperties),
        ...managed.filter((policy) => arns.includes(policy.identity.ref)).map(listProperties),
      ];
      const own = attached.flatMap(({ raw }) => listStatements(raw.PolicyDocument));
      const ofThem = ofBuckets.filter(({ Principal }) => isAbout(Principal, identity.attributes.Arn ?? ''));
      return [logicalId, [...own, ...ofThem]];
    }),
  );
}

const listProperties = ({ properties }: Ready) => properties;

function isAbout(principal: Principal | undefined, roleArn: string): boolean {
  const named = typeof principal === 'object' ? [principal.AWS ?? []].flat() : [principal];
  return named.includes('*') || named.includes(roleArn);
}

function listStatements(document: unknown): readonly Statement[] {
  const { Statement = [] } = (document as Document | undefined) ?? {};
  return 'Effect' in Statement ? [Statement] : Statement;
}
