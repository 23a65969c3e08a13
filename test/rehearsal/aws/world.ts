import { EventEmitter } from 'node:events';
import { ECSClient } from '@aws-sdk/client-ecs';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { AwsError } from '../../../rehearsal/errors/aws-error';
import { ApiCall, Endpoint, EndpointOptions, startEndpoint } from '../../../rehearsal/aws/endpoint/endpoint';
import { ObjectStore } from '../../../rehearsal/aws/services/s3/object-store';
import { SecretStore } from '../../../rehearsal/aws/services/secrets/secret-store';
import { ElbModel, TargetGroup } from '../../../rehearsal/load-balancer/model/model';
import { ExecutionDescription, StatesModel } from '../../../rehearsal/state-machine/model';
import { EcsModel, EcsService, EcsTask } from '../../../rehearsal/tasks/model';

export const REGION = 'eu-central-1';
export const ACCOUNT = '123456789012';

const elbArn = (rest: string) => `arn:aws:elasticloadbalancing:${REGION}:${ACCOUNT}:${rest}`;
const ecsArn = (rest: string) => `arn:aws:ecs:${REGION}:${ACCOUNT}:${rest}`;

/** A small account: one load balancer with a weighted rule, two sides of two tasks, one state machine. */
export const ARNS = {
  balancer: elbArn('loadbalancer/app/front/50dc6c495c0c9188'),
  listener: elbArn('listener/app/front/50dc6c495c0c9188/f2f7dc8efc522ab2'),
  smokeListener: elbArn('listener/app/front/50dc6c495c0c9188/0467ef3c8400ae65'),
  rule: elbArn('listener-rule/app/front/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee'),
  defaultRule: elbArn('listener-rule/app/front/50dc6c495c0c9188/f2f7dc8efc522ab2/1291d13826f405c3'),
  smokeRule: elbArn('listener-rule/app/front/50dc6c495c0c9188/0467ef3c8400ae65/2291d13826f405c3'),
  source: elbArn('targetgroup/source/73e2d6bc24d8a067'),
  target: elbArn('targetgroup/target/83e2d6bc24d8a068'),
  cluster: ecsArn('cluster/web'),
  sourceService: ecsArn('service/web/source'),
  targetService: ecsArn('service/web/target'),
  taskDefinition: ecsArn('task-definition/proxy:3'),
  machine: `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:cutover`,
  secret: `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:admin-a1B2c3`,
} as const;

export const T0 = new Date('2026-01-01T00:00:00.250Z');

export interface LocalCloud {
  readonly url: string;
  readonly endpoint: Endpoint;
  readonly elbModel: ElbModel;
  readonly ecsModel: EcsModel;
  readonly statesModel: StatesModel;
  readonly objects: ObjectStore;
  readonly secrets: SecretStore;
  readonly calls: ApiCall[];
  readonly elb: ElasticLoadBalancingV2Client;
  readonly ecs: ECSClient;
  readonly s3: S3Client;
  readonly sfn: SFNClient;
  readonly sm: SecretsManagerClient;
  stop(): Promise<void>;
}

/** Starts an endpoint over fresh models, and unmodified SDK clients of it. */
export async function startLocalCloud(overrides: Partial<EndpointOptions> = {}): Promise<LocalCloud> {
  const [elbModel, ecsModel, statesModel] = [createElb(), createEcs(), createStates()];
  const [objects, secrets, calls] = [new ObjectStore(), new SecretStore(), [] as ApiCall[]];
  objects.createBucket('store', T0);
  secrets.put({ arn: ARNS.secret, name: 'admin' }, 'a key', T0);
  const endpoint = await startEndpoint({
    elb: elbModel,
    ecs: ecsModel,
    states: statesModel,
    secrets,
    objects,
    targets: createTargets(elbModel),
    region: REGION,
    account: ACCOUNT,
    onCall: (call) => calls.push(call),
    ...overrides,
  });
  const clients = createClients(endpoint.url);
  const stop = async () => {
    Object.values(clients).forEach((client) => client.destroy());
    await endpoint.stop();
  };
  return { url: endpoint.url, endpoint, elbModel, ecsModel, statesModel, objects, secrets, calls, ...clients, stop };
}

export function createClients(endpoint: string, accessKeyId = 'OPERATOR') {
  const config = { endpoint, region: REGION, credentials: { accessKeyId, secretAccessKey: 'none' } };
  return {
    elb: new ElasticLoadBalancingV2Client(config),
    ecs: new ECSClient(config),
    s3: new S3Client(config),
    sfn: new SFNClient(config),
    sm: new SecretsManagerClient(config),
  };
}

function createElb(): ElbModel {
  const model = new ElbModel();
  const { balancer, listener, smokeListener, source, target } = ARNS;
  model.loadBalancers.set(balancer, {
    arn: balancer,
    name: 'front',
    dnsName: 'front-1.elb.localhost',
    scheme: 'internet-facing',
    vpcId: 'vpc-1',
    subnetIds: ['subnet-a', 'subnet-b'],
    securityGroups: ['sg-1'],
    attributes: new Map([['idle_timeout.timeout_seconds', '120']]),
    createdAt: T0,
  });
  const shared = {
    loadBalancerArn: balancer,
    protocol: 'HTTPS',
    sslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
  } as const;
  const certificateArns = [`arn:aws:acm:${REGION}:${ACCOUNT}:certificate/1`];
  for (const [arn, port, templatePort] of [[listener, 8443, 443] as const, [smokeListener, 9202, 9202] as const]) {
    model.listeners.set(arn, { ...shared, arn, port, templatePort, certificateArns, attributes: new Map() });
  }
  for (const [arn, name] of [[source, 'source'] as const, [target, 'target'] as const]) {
    model.targetGroups.set(arn, createTargetGroup(arn, name));
  }
  addRules(model);
  model.tags.set(balancer, { team: 'web & shop' });
  return model;
}

function createTargetGroup(arn: string, name: string): TargetGroup {
  const healthCheck = {
    protocol: 'HTTPS',
    port: 'traffic-port',
    path: '/.drainshift/health',
    intervalSeconds: 5,
    timeoutSeconds: 2,
    healthyThreshold: 2,
    unhealthyThreshold: 3,
    matcher: '200',
  } as const;
  const third = name === 'source' ? 1 : 2;
  const targets = new Map([
    [`127.0.${third}.1:8443`, { id: `127.0.${third}.1`, port: 8443, state: 'healthy' as const, outstanding: 0 }],
    [
      `127.0.${third}.2:8443`,
      {
        id: `127.0.${third}.2`,
        port: 8443,
        state: 'unhealthy' as const,
        reason: { code: 'Target.Timeout', description: 'Request timed out' },
        outstanding: 0,
      },
    ],
  ]);
  return {
    arn,
    name,
    protocol: 'HTTPS',
    protocolVersion: 'HTTP1',
    port: 8443,
    vpcId: 'vpc-1',
    targetType: 'ip',
    healthCheck,
    attributes: new Map([['deregistration_delay.timeout_seconds', '60']]),
    targets,
  };
}

function addRules(model: ElbModel): void {
  const { rule, defaultRule, smokeRule, listener, smokeListener, source, target } = ARNS;
  model.rules.set(rule, {
    arn: rule,
    listenerArn: listener,
    priority: 10,
    conditions: [{ field: 'path-pattern', values: ['/*'] }],
    actions: [forward([source, 100], [target, 0])],
  });
  const rejection = { type: 'fixed-response', statusCode: 503, contentType: 'text/plain', body: '' } as const;
  const fallback = { priority: 'default', conditions: [] } as const;
  model.rules.set(defaultRule, { ...fallback, arn: defaultRule, listenerArn: listener, actions: [rejection] });
  model.rules.set(smokeRule, {
    ...fallback,
    arn: smokeRule,
    listenerArn: smokeListener,
    actions: [forward([target, 1])],
  });
}

export function forward(...groups: readonly (readonly [arn: string, weight: number])[]) {
  const targetGroups = groups.map(([arn, weight]) => ({ arn, weight }));
  return { type: 'forward', forward: { targetGroups, stickiness: { enabled: false, durationSeconds: 0 } } } as const;
}

function createTargets(model: ElbModel): EndpointOptions['targets'] {
  return {
    register: (arn, targets) => {
      for (const { id, port } of targets) {
        model.targetGroup(arn).targets.set(`${id}:${port}`, { id, port, state: 'initial', outstanding: 0 });
      }
    },
    deregister: (arn, targets) => {
      for (const { id, port } of targets) {
        const target = model.targetGroup(arn).targets.get(`${id}:${port}`);
        if (target) target.state = 'draining';
      }
    },
  };
}

export function taskArn(number: number): string {
  return ecsArn(`task/web/${String(number).padStart(32, '0')}`);
}

function createEcs(): EcsModel {
  const services = new Map<string, EcsService>();
  const tasks = new Map<string, EcsTask>();
  for (const [arn, name, first] of [
    [ARNS.sourceService, 'source', 1] as const,
    [ARNS.targetService, 'target', 3] as const,
  ]) {
    services.set(arn, createService(arn, name));
    for (const number of [first, first + 1]) tasks.set(taskArn(number), createTask(number, arn));
  }
  return {
    clusters: new Map([[ARNS.cluster, { arn: ARNS.cluster, name: 'web' }]]),
    services,
    tasks,
    setDesiredCount: (arn, count) => {
      const service = services.get(arn);
      if (service) service.desiredCount = count;
    },
    forceNewDeployment: (arn) => {
      const service = services.get(arn);
      if (service) service.deployment = (service.deployment ?? 0) + 1;
    },
    stopTask: (arn, reason) => {
      const task = tasks.get(arn);
      if (task)
        Object.assign(task, {
          status: 'STOPPED',
          desiredStatus: 'STOPPED',
          stoppedReason: reason,
          exitCode: 143,
          stoppedAt: T0,
        });
    },
  };
}

function createService(arn: string, name: string): EcsService {
  const loadBalancers = [{ targetGroupArn: ARNS.source, containerName: 'proxy', containerPort: 8443 }];
  const { cluster: clusterArn, taskDefinition: taskDefinitionArn } = ARNS;
  return {
    arn,
    name,
    clusterArn,
    taskDefinitionArn,
    launchType: 'FARGATE',
    loadBalancers,
    createdAt: T0,
    desiredCount: 2,
    taskDefinition: {
      arn: taskDefinitionArn,
      family: 'proxy',
      revision: 3,
      content: { cpu: '512', containerDefinitions: [{ name: 'proxy', environment: [{ name: 'SIDE', value: name }] }] },
      tags: [{ key: 'team', value: 'web' }],
    },
  };
}

function createTask(number: number, serviceArn: string): EcsTask {
  return {
    arn: taskArn(number),
    serviceArn,
    clusterArn: ARNS.cluster,
    taskDefinitionArn: ARNS.taskDefinition,
    containerName: 'proxy',
    image: 'proxy:latest',
    ip: `127.0.1.${number}`,
    createdAt: T0,
    startedAt: T0,
    status: 'RUNNING',
    desiredStatus: 'RUNNING',
    events: new EventEmitter(),
  };
}

const DEFINITION = {
  StartAt: 'Shift',
  States: { Shift: { Type: 'Task', Next: 'Decide' }, Decide: { Type: 'Choice' }, Done: { Type: 'Succeed' } },
};

function createStates(): StatesModel {
  const executions = new Map<string, ExecutionDescription>();
  const machine = {
    arn: ARNS.machine,
    name: 'cutover',
    definition: JSON.stringify(DEFINITION),
    roleArn: `arn:aws:iam::${ACCOUNT}:role/cutover`,
    createdAt: T0,
  };
  return {
    stateMachines: new Map([[ARNS.machine, machine]]),
    executions,
    redrive: (arn) => {
      throw new AwsError('ExecutionNotRedrivable', `Execution is not redrivable: '${arn}'`);
    },
    start: (machineArn, name, input) => {
      if (machineArn !== ARNS.machine) throw new AwsError('StateMachineDoesNotExist', 'State Machine Does Not Exist');
      const arn = `arn:aws:states:${REGION}:${ACCOUNT}:execution:cutover:${name}`;
      if (executions.has(arn)) throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
      const entered = [
        { state: 'Shift', at: T0 },
        { state: 'Decide', at: T0 },
      ];
      const execution: ExecutionDescription = {
        arn,
        name,
        machineArn,
        input,
        startedAt: T0,
        status: 'RUNNING',
        entered,
      };
      executions.set(arn, execution);
      return execution;
    },
    stop: (arn, error, cause) => {
      const execution = executions.get(arn);
      if (execution) Object.assign(execution, { status: 'ABORTED', error, cause, stoppedAt: T0 });
    },
  };
}

/** The name of the exception that a call ends in. */
export async function nameOfFailure(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'no failure';
  } catch (error) {
    return (error as Error).name;
  }
}
