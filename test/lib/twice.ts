/**
 * What of a template says the same as something else in it, however it is written: an independent look, not the constructs' own.
 * Of statements of IAM those that another one of the same role, bucket, … contains.
 */
export function twiceIn({ Resources }: { readonly Resources: Record<string, AnyResource> }): string[] {
  const resources = Object.entries(Resources);
  const meanings = resources.flatMap(([id, resource]) => findMeanings(id, resource));
  const statements = resources.flatMap(([id, resource]) => listStatements(id, resource)).filter((one) => !isOfKey(one));
  return [
    ...meanings.filter((meaning, index) => meanings.indexOf(meaning) !== index),
    ...statements
      .filter((one, index) => statements.some((other, at) => at !== index && contains(other, one, at < index)))
      .map((meanings) => [...meanings].join('\n')),
  ];
}

/** What a role may do with a key, which the CDK grants for each queue, topic and secret apart. */
const isOfKey = (statement: ReadonlySet<string>) =>
  [...statement].every((meaning) => meaning.startsWith('role ') && meaning.includes('"action":"kms:'));

/** Of two that are equal the second is the one too many. */
function contains(other: ReadonlySet<string>, one: ReadonlySet<string>, isBefore: boolean): boolean {
  return [...one].every((meaning) => other.has(meaning)) && (isBefore || other.size > one.size);
}

export interface AnyResource {
  readonly Type: string;
  readonly Properties?: Record<string, unknown>;
}

type Values = Record<string, unknown>;

function findMeanings(id: string, { Type, Properties = {} }: AnyResource): string[] {
  const inGroup = (direction: string) => (rule: Values) =>
    securityGroupRule(direction, { ...rule, GroupId: findGroup(id) });
  switch (Type) {
    case 'AWS::EC2::SecurityGroupIngress':
      return [securityGroupRule('ingress', Properties)];
    case 'AWS::EC2::SecurityGroupEgress':
      return [securityGroupRule('egress', Properties)];
    case 'AWS::EC2::SecurityGroup':
      return [
        ...list(Properties.SecurityGroupIngress).map(inGroup('ingress')),
        ...list(Properties.SecurityGroupEgress).map(inGroup('egress')),
      ];
    case 'AWS::ElasticLoadBalancingV2::Listener':
      return [`listener ${text(Properties.LoadBalancerArn)} ${text(Properties.Port)}`];
    case 'AWS::ElasticLoadBalancingV2::ListenerRule':
    case 'Custom::DrainshiftWeightedRule':
      return [`listener rule ${text(Properties.ListenerArn)} ${text(Properties.Priority)}`];
    case 'AWS::Lambda::Permission':
      return [`permission ${text(Properties)}`];
    default:
      return [];
  }
}

/** The statements of IAM in a resource, each as the set of what it means. */
function listStatements(id: string, { Type, Properties = {} }: AnyResource): ReadonlySet<string>[] {
  switch (Type) {
    case 'AWS::IAM::Policy':
    case 'AWS::IAM::ManagedPolicy':
      return list(Properties.Roles).flatMap((role) => statements(`role ${text(role)}`, Properties.PolicyDocument));
    case 'AWS::IAM::Role':
      return [
        ...statements(`trust of ${id}`, Properties.AssumeRolePolicyDocument),
        ...list(Properties.Policies).flatMap(({ PolicyDocument }) =>
          statements(`role ${text({ Ref: id })}`, PolicyDocument),
        ),
      ];
    case 'AWS::S3::BucketPolicy':
      return statements(`bucket ${text(Properties.Bucket)}`, Properties.PolicyDocument);
    case 'AWS::SQS::QueuePolicy':
      return list(Properties.Queues).flatMap((queue) => statements(`queue ${text(queue)}`, Properties.PolicyDocument));
    case 'AWS::SNS::TopicPolicy':
      return list(Properties.Topics).flatMap((topic) => statements(`topic ${text(topic)}`, Properties.PolicyDocument));
    case 'AWS::SecretsManager::ResourcePolicy':
      return statements(`secret ${text(Properties.SecretId)}`, Properties.ResourcePolicy);
    case 'AWS::KMS::Key':
      return statements(`key ${id}`, Properties.KeyPolicy);
    default:
      return [];
  }
}

/** Each action on each resource for each principal is one meaning. */
function statements(owner: string, document: unknown): ReadonlySet<string>[] {
  return list((document as Values | undefined)?.Statement).map((statement) => {
    const { Action, NotAction, Resource, NotResource, Principal, ...rest } = { ...statement, Sid: undefined } as Values;
    const actions = values(Action ?? NotAction);
    const resources = values(Resource ?? NotResource ?? '-');
    const principals = Object.entries((Principal as Values | string | undefined) ?? { '-': '-' }).flatMap(
      ([kind, names]) => values(names).map((name) => ({ [kind]: name })),
    );
    return new Set(
      actions.flatMap((action) =>
        resources.flatMap((resource) =>
          principals.map((principal) => `${owner}: ${text({ action, resource, principal, rest })}`),
        ),
      ),
    );
  });
}

function securityGroupRule(direction: string, rule: Values): string {
  return `${direction} ${text({ ...rule, Description: undefined })}`;
}

const findGroup = (id: string) => ({ 'Fn::GetAtt': [id, 'GroupId'] });

function list(value: unknown): Values[] {
  return (Array.isArray(value) ? value : value === undefined ? [] : [value]) as Values[];
}

function values(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** The same for objects whose keys are in another order. */
function text(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
