import type * as Cdk from 'aws-cdk-lib';
import type * as Ec2 from 'aws-cdk-lib/aws-ec2';
import type * as Events from 'aws-cdk-lib/aws-events';
import type * as Targets from 'aws-cdk-lib/aws-events-targets';
import type * as Iam from 'aws-cdk-lib/aws-iam';
import type * as Lambda from 'aws-cdk-lib/aws-lambda';
import type * as Destinations from 'aws-cdk-lib/aws-lambda-destinations';
import type * as Sources from 'aws-cdk-lib/aws-lambda-event-sources';
import type * as Logs from 'aws-cdk-lib/aws-logs';
import type * as Sqs from 'aws-cdk-lib/aws-sqs';
import type * as Sfn from 'aws-cdk-lib/aws-stepfunctions';
import type * as Tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { ASSETS, load } from './cdk.ts';
import type { Front } from './plain-front.ts';
import type { Proxies } from './plain-proxies.ts';

const { CustomResource, Duration } = load<typeof Cdk>('aws-cdk-lib');
const { Peer, Port, SecurityGroup } = load<typeof Ec2>('aws-cdk-lib/aws-ec2');
const { Rule } = load<typeof Events>('aws-cdk-lib/aws-events');
const { LambdaFunction } = load<typeof Targets>('aws-cdk-lib/aws-events-targets');
const { PolicyStatement } = load<typeof Iam>('aws-cdk-lib/aws-iam');
const lambda = load<typeof Lambda>('aws-cdk-lib/aws-lambda');
const { SqsDestination } = load<typeof Destinations>('aws-cdk-lib/aws-lambda-destinations');
const { SqsEventSource } = load<typeof Sources>('aws-cdk-lib/aws-lambda-event-sources');
const { LogGroup, RetentionDays } = load<typeof Logs>('aws-cdk-lib/aws-logs');
const { Queue, QueueEncryption } = load<typeof Sqs>('aws-cdk-lib/aws-sqs');
const sfn = load<typeof Sfn>('aws-cdk-lib/aws-stepfunctions');
const { LambdaInvoke } = load<typeof Tasks>('aws-cdk-lib/aws-stepfunctions-tasks');

type Parts = Front & Proxies;

export interface Cutover {
  readonly stateMachine: Sfn.StateMachine;
  readonly recover: Lambda.Function;
  readonly givenUp: Sqs.Queue;
}

const STEPS = [
  ...['Lock', 'Preflight', 'Approve', 'Shift', 'Confirm', 'Bake'],
  ...['Drain', 'Verify', 'Complete', 'Rollback', 'Record', 'Recover'],
];

export function createCutover(stack: Cdk.Stack, parts: Parts): Cutover {
  const rule = createWeightedRule(stack, parts);
  const securityGroup = createSecurityGroup(stack, parts);
  const logGroup = new LogGroup(stack, 'StepsLog', { retention: RetentionDays.THREE_MONTHS });
  const functions = STEPS.map((step) => createStep(stack, step, { ...parts, rule, securityGroup, logGroup }));
  const recover = functions.at(-1) as Lambda.Function;
  const stateMachine = new sfn.StateMachine(stack, 'StateMachine', {
    definitionBody: sfn.DefinitionBody.fromChainable(createStates(stack, functions.slice(0, -1))),
    timeout: Duration.days(30),
    tracingEnabled: true,
    logs: {
      destination: new LogGroup(stack, 'StatesLog', { retention: RetentionDays.THREE_MONTHS }),
      level: sfn.LogLevel.ERROR,
      includeExecutionData: true,
    },
  });
  return { stateMachine, recover, givenUp: createRecovery(stack, stateMachine, recover) };
}

/** Events that are tried again, for as long as it takes. */
function createRecovery(stack: Cdk.Stack, stateMachine: Sfn.StateMachine, recover: Lambda.Function): Sqs.Queue {
  const closed = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true };
  const givenUp = new Queue(stack, 'GivenUp', { ...closed, retentionPeriod: Duration.days(14) });
  const deadLetterQueue = { queue: givenUp, maxReceiveCount: 100 };
  const retries = new Queue(stack, 'Retries', { ...closed, deadLetterQueue, visibilityTimeout: Duration.minutes(12) });
  new Rule(stack, 'Interrupted', {
    eventPattern: { source: ['aws.states'], detail: { stateMachineArn: [stateMachine.stateMachineArn] } },
    targets: [new LambdaFunction(recover, { retryAttempts: 5, deadLetterQueue: retries })],
  });
  recover.configureAsyncInvoke({ retryAttempts: 0, onFailure: new SqsDestination(retries) });
  recover.addEventSource(new SqsEventSource(retries, { batchSize: 1 }));
  return givenUp;
}

function createSecurityGroup(stack: Cdk.Stack, { vpc, listeners, serviceGroups }: Parts): Ec2.SecurityGroup {
  const securityGroup = new SecurityGroup(stack, 'Steps', { vpc, allowAllOutbound: false });
  securityGroup.addEgressRule(Peer.anyIpv4(), Port.HTTPS);
  for (const listener of listeners.slice(1)) listener.connections.allowDefaultPortFrom(securityGroup);
  for (const group of serviceGroups) group.connections.allowFrom(securityGroup, Port.tcp(9901));
  return securityGroup;
}

function createFunction(stack: Cdk.Stack, id: string, props: Partial<Lambda.FunctionProps>): Lambda.Function {
  return new lambda.Function(stack, id, {
    code: lambda.Code.fromAsset(`${ASSETS}/lambda`),
    handler: `index.${id}`,
    runtime: lambda.Runtime.NODEJS_24_X,
    architecture: lambda.Architecture.ARM_64,
    memorySize: 256,
    timeout: Duration.seconds(30),
    ...props,
  });
}

interface StepParts extends Parts {
  readonly rule: Cdk.CustomResource;
  readonly securityGroup: Ec2.SecurityGroup;
  readonly logGroup: Logs.LogGroup;
}

function createStep(stack: Cdk.Stack, step: string, parts: StepParts): Lambda.Function {
  const { vpc, securityGroup, logGroup, store, cluster, secret, rule, services, groups, listeners } = parts;
  const config = stack.toJsonString({
    rule: rule.ref,
    listeners: listeners.map(({ listenerArn }) => listenerArn),
    groups: groups.map(({ targetGroupArn }) => targetGroupArn),
    services: services.map(({ serviceName }) => serviceName),
    cluster: cluster.clusterArn,
    store: store.bucketName,
    secret: secret.secretArn,
  });
  const created = createFunction(stack, step, {
    ...{ vpc, securityGroups: [securityGroup], logGroup, environment: { WIRING: config } },
  });
  const allow = (actions: string[], ...resources: string[]) =>
    created.addToRolePolicy(new PolicyStatement({ actions, resources }));
  allow(['elasticloadbalancing:DescribeRules', 'elasticloadbalancing:DescribeTargetHealth'], '*');
  allow(['elasticloadbalancing:ModifyRule'], rule.ref);
  allow(['ecs:ListTasks'], '*');
  allow(['ecs:DescribeTasks'], `${cluster.clusterArn}/*`);
  allow(['s3:GetObject'], store.arnForObjects('lock.json'), store.arnForObjects('abort/*'));
  allow(['s3:PutObject'], store.arnForObjects('evidence/*'));
  allow(['s3:ListBucket'], store.bucketArn);
  secret.grantRead(created);
  return created;
}

/** The function that custom resources need, and the two; which no L2 construct has. */
function createWeightedRule(stack: Cdk.Stack, { listeners: [listener], groups, store }: Parts): Cdk.CustomResource {
  const logGroup = new LogGroup(stack, 'RuleLog', { retention: RetentionDays.THREE_MONTHS });
  const provider = createFunction(stack, 'weightedRule', {
    ...{ logGroup, retryAttempts: 0, maxEventAge: Duration.minutes(1) },
  });
  const allow = (actions: string[], ...resources: string[]) =>
    provider.addToRolePolicy(new PolicyStatement({ actions, resources }));
  allow(['elasticloadbalancing:DescribeRules'], '*');
  allow(['elasticloadbalancing:CreateRule'], listener?.listenerArn ?? '');
  allow(['s3:GetObject'], store.arnForObjects('lock.json'));
  const rule = new CustomResource(stack, 'Rule', {
    resourceType: 'Custom::DrainshiftWeightedRule',
    serviceToken: provider.functionArn,
    properties: { ListenerArn: listener?.listenerArn, Groups: groups.map(({ targetGroupArn }) => targetGroupArn) },
  });
  for (const group of groups) if (listener) group.registerListener(listener, rule);
  for (const name of ['Guard', 'GroupGuard']) {
    new CustomResource(stack, name, {
      resourceType: `Custom::Drainshift${name}`,
      serviceToken: provider.functionArn,
      properties: { StoreBucket: store.bucketName },
    });
  }
  return rule;
}

/** As many tasks, choices and waits as a cutover has. */
function createStates(stack: Cdk.Stack, functions: readonly Lambda.Function[]): Sfn.IChainable {
  const failed = new sfn.Fail(stack, 'Failed');
  const tasks = functions.map((lambdaFunction) => {
    const task = new LambdaInvoke(stack, `${lambdaFunction.node.id}Task`, {
      lambdaFunction,
      outputPath: '$.Payload',
      taskTimeout: sfn.Timeout.duration(Duration.seconds(40)),
      retryOnServiceExceptions: false,
    });
    for (const errors of [['Final'], ['Lambda.ServiceException'], ['States.TaskFailed']]) {
      task.addRetry({ errors, maxAttempts: 6, interval: Duration.seconds(2), backoffRate: 2 });
    }
    return task.addCatch(failed, { resultPath: '$.error' });
  });
  tasks.forEach((task, index) => {
    const next = tasks[index + 1] ?? new sfn.Succeed(stack, 'Completed');
    const wait = new sfn.Wait(stack, `Wait${index}`, { time: sfn.WaitTime.secondsPath('$.waitSeconds') }).next(task);
    const choice = new sfn.Choice(stack, `Choice${index}`)
      .when(sfn.Condition.not(sfn.Condition.isPresent('$.verdict')), failed)
      .when(sfn.Condition.stringEquals('$.verdict', 'wait'), wait)
      .otherwise(next);
    task.next(choice);
  });
  return tasks[0] as Sfn.IChainable;
}
