import type { PolicyStatement } from '../../aws/iam/iam';
import { Ready, Resources } from '../resources/resources';

/** The statements of a role's identity policies, by the role's logical id. */
export type Rights = ReadonlyMap<string, readonly PolicyStatement[]>;

interface Document {
  /** A single statement needs no list. */
  readonly Statement?: readonly PolicyStatement[] | PolicyStatement;
}

/**
 * What every role of a template may do, by its own policies and by those attached to it, from either end. AWS-managed
 * policies (a Lambda function's right to log and to live in a VPC) concern nothing that is called here.
 */
export function buildRights(resources: Resources): Rights {
  const managed = resources.ofType('AWS::IAM::ManagedPolicy');
  const attachable = [...resources.ofType('AWS::IAM::Policy'), ...managed];
  return new Map(
    resources.ofType('AWS::IAM::Role').map(({ logicalId, identity, properties }) => {
      const arns = properties.strings('ManagedPolicyArns');
      const attached = [
        ...properties.list('Policies'),
        ...attachable.filter((policy) => policy.properties.strings('Roles').includes(identity.ref)).map(listProperties),
        ...managed.filter((policy) => arns.includes(policy.identity.ref)).map(listProperties),
      ];
      return [logicalId, attached.flatMap(({ raw }) => listStatements(raw.PolicyDocument))];
    }),
  );
}

const listProperties = ({ properties }: Ready) => properties;

function listStatements(document: unknown): readonly PolicyStatement[] {
  const { Statement = [] } = (document as Document | undefined) ?? {};
  return 'Effect' in Statement ? [Statement] : Statement;
}
