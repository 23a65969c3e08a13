import { CustomResource, Duration, Stack } from 'aws-cdk-lib';
import { Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { ASSETS } from './cdk';
import type { Front } from './plain-front';
import type { Proxies } from './plain-proxies';

type Parts = Front & Proxies;

export interface Cutover {
  readonly stateMachine: sfn.StateMachine;
  readonly recover: lambda.Function;
  readonly givenUp: Queue;
}

const STEPS = [
  ...['Lock', 'Preflight', 'Approve', 'Shift', 'Confirm', 'Bake'],
  ...['Drain', 'Verify', 'Complete', 'Rollback', 'Record', 'Undrain', 'Recover'],
];

export function createCutover(stack: Stack, parts: Parts): Cutover {
  const rule = createWeightedRule(stack, parts);
  const securityGroup = createSecurityGroup(stack, parts);
  const logGroup = new LogGroup(stack, 'StepsLog', { retention: RetentionDays.THREE_MONTHS });
  const functions = STEPS.map((step) => createStep(stack, step, { ...parts, rule, securityGroup, logGroup }));
  const recover = functions.at(-1) as lambda.Function;
  const stateMachine = new sfn.StateMachine(stack, 'StateMachine', {
    definitionBody: sfn.DefinitionBody.fromChainable(createStates(stack, functions.slice(0, -2))),
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
function createRecovery(stack: Stack, stateMachine: sfn.StateMachine, recover: lambda.Function): Queue {
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

function createSecurityGroup(stack: Stack, { vpc, listeners, serviceGroups }: Parts): SecurityGroup {
  const securityGroup = new SecurityGroup(stack, 'Steps', { vpc, allowAllOutbound: false });
  securityGroup.addEgressRule(Peer.anyIpv4(), Port.HTTPS);
  for (const listener of listeners.slice(1)) listener.connections.allowDefaultPortFrom(securityGroup);
  for (const group of serviceGroups) group.connections.allowFrom(securityGroup, Port.tcp(9901));
  return securityGroup;
}

function createFunction(stack: Stack, id: string, props: Partial<lambda.FunctionProps>): lambda.Function {
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
  readonly rule: CustomResource;
  readonly securityGroup: SecurityGroup;
  readonly logGroup: LogGroup;
}

function createStep(stack: Stack, step: string, parts: StepParts): lambda.Function {
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
    ...{ vpc, securityGroups: [securityGroup], logGroup, environment: { CUTOVER_CONFIG: config } },
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
function createWeightedRule(stack: Stack, { listeners: [listener], groups, store }: Parts): CustomResource {
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
function createStates(stack: Stack, functions: readonly lambda.Function[]): sfn.IChainable {
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
  return tasks[0] as sfn.IChainable;
}
