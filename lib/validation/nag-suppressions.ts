import { Aspects, IAspect, Stack, Validations } from 'aws-cdk-lib';
import { CfnPolicy, CfnRole } from 'aws-cdk-lib/aws-iam';
import { IConstruct } from 'constructs';

/** Findings of the rules AwsSolutions of cdk-nag, and why they are as they should be. */
interface Responses {
  /** By rule. */
  readonly rules?: Readonly<Record<string, string>>;
  /** Statements of roles: by what is allowed on more than one resource, or by the policy of AWS that is used. */
  readonly roles?: readonly { readonly finding: RegExp; readonly reason: string }[];
}

const NO_RESOURCE_LEVEL = {
  finding: /^Resource::\*$/,
  reason:
    'These actions know no resources: reading load balancers, ECS task lists under a condition on the cluster, and alarms; the sign-in to ECR; traces; log deliveries.',
};
const LAMBDA_POLICIES = {
  finding: /^Policy::.*:policy\/service-role\/AWSLambda(BasicExecution|VPCAccessExecution)Role$/,
  reason: "Lambda's own policies for its log and its network interfaces: AWS keeps them in step with the service.",
};

const TASKS = {
  finding: /:task\/.*\/\*$/,
  reason: 'The tasks of this one cluster: their ids are not known before.',
};

/** The one table of what the constructs here reply to AwsSolutions. */
const REASONS = {
  network: {
    rules: {
      'AwsSolutions-VPC7':
        'This network is the default of a first try. Who records the flows of a network decides its owner: pass a vpc of your own.',
    },
  },
  logBucket: {
    rules: { 'AwsSolutions-S1': 'It holds access logs itself: a log of the logs would have no end.' },
  },
  store: {
    rules: {
      'AwsSolutions-S1':
        'Every object of it says which execution wrote it, and its versions are kept. Record its reads with data events of CloudTrail.',
    },
  },
  generatedSecret: {
    rules: {
      'AwsSolutions-SMG4':
        'It is generated, and never leaves the network. `addRotation` of it rotates it, while proxies and cutovers go on.',
    },
  },
  authorities: {
    rules: {
      'AwsSolutions-SMG4':
        'It holds certificates of authorities, which are public. A new file comes with a deployment.',
    },
  },
  rotation: {
    roles: [NO_RESOURCE_LEVEL, LAMBDA_POLICIES],
  },
  proxies: {
    rules: {
      'AwsSolutions-ECS2': 'The environment holds addresses and times. The one secret comes from Secrets Manager.',
      'AwsSolutions-AS3': 'What happens to instances shows in the proxies that run on them, and those have alarms.',
    },
    roles: [
      NO_RESOURCE_LEVEL,
      TASKS,
      {
        finding: /^Action::ecs:Submit\*$/,
        reason: 'What the agent of ECS reports from an instance, as the CDK grants it.',
      },
      {
        finding: /\/switch\/decision\/\*$/,
        reason: 'One object for each switch, whose name is not known before.',
      },
    ],
  },
  replay: {
    rules: {
      'AwsSolutions-ECS2': 'The environment holds what the app gives it. Secret headers come from Secrets Manager.',
      'AwsSolutions-S1': 'One task writes to it, whose log says what. Record its reads with data events of CloudTrail.',
    },
    roles: [
      NO_RESOURCE_LEVEL,
      {
        finding: /\/replays\/[a-z0-9-]+\.parked\/\*$/,
        reason: 'One object for each request that could not be sent, whose id is not known before.',
      },
      {
        finding: /^Resource::<?(arn:<AWS::Partition>:s3:::|[^/]+\.Arn>)[^*]*\/\*$/,
        reason: 'The captured traffic, whose objects are named after their time.',
      },
    ],
  },
  cutover: {
    rules: {
      'AwsSolutions-SF1':
        'Its errors are logged. Everything else that a cutover does is in its history and, for good, in its evidence.',
    },
    roles: [
      NO_RESOURCE_LEVEL,
      LAMBDA_POLICIES,
      {
        finding: /\/(abort|approval|evidence|looks|notified|switch\/decision)\/\*$/,
        reason: 'One object for each execution or switch, whose name is not known before.',
      },
      {
        finding: /\/replays\/\*(\.order)?\.json$/,
        reason: 'One object for each replay that a plan names, which an execution may bring itself.',
      },
      TASKS,
      {
        finding: /:scalable-target\/\*$/,
        reason:
          'The autoscaling of ECS services alone, by a condition: Application Auto Scaling draws the ids of its targets, and no template has them.',
      },
      {
        finding: /^Action::kms:(GenerateDataKey|ReEncrypt)\*$/,
        reason: 'What the key of an encrypted topic is used with.',
      },
      { finding: /\.Arn>:\*$/, reason: 'All versions of this one function.' },
    ],
  },
  captureStream: { roles: [NO_RESOURCE_LEVEL] },
  sdkCalls: {
    rules: { 'AwsSolutions-L1': "The CDK's own function, whose runtime the CDK chooses." },
    roles: [LAMBDA_POLICIES],
  },
  deadProxies: {
    rules: { 'AwsSolutions-SQS3': 'Nothing takes messages out of it: it is what a person reads after an alarm.' },
  },
  networkFront: {
    rules: {
      'AwsSolutions-ELB2':
        'A network load balancer logs TLS that it ends itself; here it passes through, and the load balancer behind logs it.',
    },
  },
  weightedRules: {
    roles: [
      NO_RESOURCE_LEVEL,
      LAMBDA_POLICIES,
      {
        finding: /:listener-rule\/.*\*$/,
        reason:
          'The rules of this one listener, whose ids are not known before; elsewhere only those with the tag of this stack.',
      },
    ],
  },
  certificates: {
    roles: [
      NO_RESOURCE_LEVEL,
      LAMBDA_POLICIES,
      {
        finding: /:acm:.*:certificate\/\*$/,
        reason: 'Only certificates with the tag of this stack: their ids are not known before.',
      },
    ],
  },
} satisfies Record<string, Responses>;

/** Tells cdk-nag, where an app uses it, why what it finds in this construct is meant so. Others do not notice. */
export function acknowledge(construct: IConstruct, subject: keyof typeof REASONS): void {
  const { rules, roles }: Responses = REASONS[subject];
  for (const [id, reason] of Object.entries(rules ?? {})) Validations.of(construct).acknowledge({ id, reason });
  if (roles) Aspects.of(construct).add(new AcknowledgedRoles(roles));
}

/** cdk-nag names each statement by its text, which is complete only at synthesis. */
class AcknowledgedRoles implements IAspect {
  constructor(private readonly responses: NonNullable<Responses['roles']>) {}

  visit(node: IConstruct): void {
    if (node instanceof CfnPolicy) {
      this.respond(node, 'AwsSolutions-IAM5', listWildcards(Stack.of(node).resolve(node.policyDocument) as Document));
    } else if (node instanceof CfnRole) {
      const policies = (Stack.of(node).resolve(node.managedPolicyArns) ?? []) as unknown[];
      const findings = policies.map((policy) => `Policy::${flatten(policy)}`);
      this.respond(node, 'AwsSolutions-IAM4', findings);
    }
  }

  private respond(node: IConstruct, rule: string, findings: readonly string[]): void {
    for (const found of findings) {
      const reason = this.responses.find(({ finding }) => finding.test(found))?.reason;
      if (reason !== undefined) Validations.of(node).acknowledge({ id: `${rule}[${found}]`, reason });
    }
  }
}

interface Document {
  readonly Statement: readonly { readonly Action?: string | string[]; readonly Resource?: unknown }[];
}

function listWildcards({ Statement }: Document): string[] {
  const actions = Statement.flatMap(({ Action }) => Action ?? []).map((action) => `Action::${action}`);
  const resources = Statement.flatMap(({ Resource }) => Resource ?? []).map((arn) => `Resource::${flatten(arn)}`);
  return [...new Set([...actions, ...resources])].filter((text) => text.includes('*'));
}

/** An ARN as cdk-nag writes it: references in angle brackets. */
function flatten(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref, ...fn } = value as { Ref?: string; 'Fn::Join'?: [string, unknown]; 'Fn::GetAtt'?: string[] };
  if (Ref !== undefined) return `<${Ref}>`;
  if (fn['Fn::GetAtt']) return `<${fn['Fn::GetAtt'].join('.')}>`;
  // What is joined may be split before.
  if (Array.isArray(fn['Fn::Join']?.[1])) return fn['Fn::Join'][1].map(flatten).join(fn['Fn::Join'][0]);
  return JSON.stringify(value);
}
