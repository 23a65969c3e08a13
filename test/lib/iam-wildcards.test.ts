import { Template } from 'aws-cdk-lib/assertions';
import { createEverything } from './everything';
import { defaultMigration, newStack, listResources } from './fixture';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const list = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? (value as T[]) : [value as T]);

/** All that roles may do on `*`, with `if` where a condition narrows it. */
function allowedOnAll(template: Template): string[] {
  const documents = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy', 'AWS::IAM::Role'].flatMap((type) =>
    Object.values(listResources(template, type)).flatMap(({ Properties }) => [
      ...list(Properties.PolicyDocument ?? []),
      ...list(Properties.Policies ?? []).map((policy) => (policy as { PolicyDocument: unknown }).PolicyDocument),
    ]),
  );
  const statements = documents.flatMap((document) => (document as { Statement: Statement[] }).Statement);
  const onAll = statements.filter(({ Effect, Resource }) => Effect === 'Allow' && list(Resource).includes('*'));
  const named = onAll.flatMap(({ Action, Condition }) =>
    list(Action).map((action) => (Condition === undefined ? action : `${action} if`)),
  );
  return [...new Set(named)].sort();
}

/** None of these knows resources: https://docs.aws.amazon.com/service-authorization/latest/reference/ */
const NO_RESOURCE_LEVEL = [
  'ecr:GetAuthorizationToken',
  // Of one cluster.
  'ecs:ListTasks if',
  'elasticloadbalancing:DescribeListeners',
  'elasticloadbalancing:DescribeLoadBalancers',
  'elasticloadbalancing:DescribeRules',
  'elasticloadbalancing:DescribeTags',
  'elasticloadbalancing:DescribeTargetGroups',
  'elasticloadbalancing:DescribeTargetHealth',
  // The state machine's log, and its traces.
  'logs:CreateLogDelivery',
  'logs:DeleteLogDelivery',
  'logs:DescribeLogGroups',
  'logs:DescribeResourcePolicies',
  'logs:GetLogDelivery',
  'logs:ListLogDeliveries',
  'logs:PutResourcePolicy',
  'logs:UpdateLogDelivery',
  'xray:GetSamplingRules',
  'xray:GetSamplingTargets',
  'xray:PutTelemetryRecords',
  'xray:PutTraceSegments',
];

const WHERE_ASKED_FOR = {
  switches: ['application-autoscaling:DescribeScalableTargets'],
  selfSignedCertificates: ['acm:ListCertificates'],
  // What the CDK gives to ECS Exec and to instances; of these, the streams of a log know resources.
  executeCommand: [
    ...['Create', 'Open'].flatMap((what) => [`ssmmessages:${what}ControlChannel`, `ssmmessages:${what}DataChannel`]),
    'logs:DescribeLogStreams',
  ],
  captureStreams: ['kafka:GetBootstrapBrokers'],
  // What the CDK gives to a function that rotates.
  rotation: ['secretsmanager:GetRandomPassword'],
  instances: [
    ...['ecs:DiscoverPollEndpoint', 'ecs:Poll if', 'ecs:StartTelemetrySession if'],
    ...['logs:CreateLogStream', 'logs:PutLogEvents'],
  ],
};

test('default: what is allowed on all resources knows no resources', () => {
  expect(allowedOnAll(defaultMigration())).toEqual(NO_RESOURCE_LEVEL);
});

test('custom: other parts bring what they need, and nothing else', () => {
  const stack = newStack();
  createEverything(stack);
  const expected = [...NO_RESOURCE_LEVEL, ...Object.values(WHERE_ASKED_FOR).flat()];
  expect(allowedOnAll(Template.fromStack(stack))).toEqual(expected.sort());
});
