import { Endpoint, startEndpoint } from '../aws/endpoint/endpoint';
import { ObjectStore } from '../aws/services/s3/object-store';
import { SecretStore } from '../aws/services/secrets/secret-store';
import { CloudFolder } from '../cloud/cloud-folder';
import { LoadBalancerServer } from '../load-balancer/load-balancer';
import { ElbModel } from '../load-balancer/model/model';
import { until } from '../processes/waiting';
import { StateMachineRunner } from '../state-machine/runner';
import { Addresses } from '../tasks/addresses';
import { inOwnRole } from '../tasks/aws-environment';
import { ServiceSpec, TaskRunner } from '../tasks/runner';
import { readStartCommand } from './app';
import { LocalStore, startLocalStore } from '../backend/local-store';

const REGION = 'us-east-1';
const ACCOUNT = '000000000000';
const ELB = `arn:aws:elasticloadbalancing:${REGION}:${ACCOUNT}`;
const ECS = `arn:aws:ecs:${REGION}:${ACCOUNT}`;
const ARNS = {
  balancer: `${ELB}:loadbalancer/app/web/1`,
  listener: `${ELB}:listener/app/web/1/1`,
  rule: `${ELB}:listener-rule/app/web/1/1/1`,
  group: `${ELB}:targetgroup/web/1`,
  cluster: `${ECS}:cluster/web`,
  service: `${ECS}:service/web/web`,
};
const PORT = 8000;
const SCALED_WITHIN_MS = 60_000;

interface ScaledServiceOptions {
  /** Of the application: its `package.json` has a `start` script. */
  readonly app: string;
  readonly tasks: number;
  /** Whether the load balancer keeps clients with their task, by its cookie. */
  readonly isSticky: boolean;
  readonly healthPath: string;
  readonly deregistrationDelaySeconds: number;
  /** Its tasks do not stay up. */
  readonly onBroken: (reason: string) => void;
}

/** One application as an ECS service behind a load balancer, on this machine. Its tasks come and go as at AWS. */
export class ScaledService {
  private readonly elb: ElbModel;
  private readonly balancer: LoadBalancerServer;
  private readonly tasks: TaskRunner;
  private store: LocalStore | undefined;
  private endpoint: Endpoint | undefined;

  private constructor(
    private readonly options: ScaledServiceOptions,
    private readonly folder: CloudFolder,
    private readonly addresses: Addresses,
  ) {
    this.elb = buildElb(options);
    const events = { started: () => undefined, opened: () => undefined, ended: () => undefined };
    this.balancer = new LoadBalancerServer({
      ...{ model: this.elb, host: '127.0.0.1', seed: 1, events },
      // It has no listener of HTTPS.
      tls: { cert: '', key: '' },
    });
    this.tasks = new TaskRunner({
      ...{ elb: this.elb, targets: this.balancer.targets, addresses, processes: folder.processes },
      failed: (_, reason) => options.onBroken(reason),
    });
  }

  /** @throws UsageError; Error where the tasks do not become healthy */
  static async start(options: ScaledServiceOptions, signal: AbortSignal): Promise<ScaledService> {
    const command = readStartCommand(options.app);
    const service = new ScaledService(options, await CloudFolder.create(''), await Addresses.claim());
    try {
      await service.standUp(command, signal);
      return service;
    } catch (error) {
      await service.stop();
      throw error;
    }
  }

  /** Of the load balancer. */
  get origin(): string {
    return `http://127.0.0.1:${this.elb.listener(ARNS.listener).port}`;
  }

  get storePath(): string {
    return this.store?.path ?? '';
  }

  /** The addresses of the tasks that the load balancer finds healthy; a task's address is in its `HOST`. */
  get serving(): string[] {
    const targets = [...this.elb.targetGroup(ARNS.group).targets.values()];
    return targets.filter(({ state }) => state === 'healthy').map(({ id }) => id);
  }

  /** Of each task that runs. */
  origins(): string[] {
    return this.running.map(({ ip }) => `http://${ip}:${PORT}`);
  }

  /** Resolves when as many serve, and those that were too many have drained and are gone. */
  async scaleTo(count: number, signal: AbortSignal): Promise<void> {
    this.tasks.setDesiredCount(ARNS.service, count);
    await this.untilSettled(count, signal);
  }

  async stop(): Promise<void> {
    await Promise.all([this.tasks.stop(), this.balancer.stop(), this.endpoint?.stop()]);
    await this.store?.stop();
    await this.addresses.release();
    await this.folder.remove(false);
  }

  private get running() {
    return [...this.tasks.tasks.values()].filter(({ status }) => status !== 'STOPPED');
  }

  private async standUp(command: readonly string[], signal: AbortSignal): Promise<void> {
    this.store = await startLocalStore(this.folder.processes);
    this.endpoint = await startEndpoint({
      ...{ elb: this.elb, ecs: this.tasks, targets: this.balancer.targets, region: REGION, account: ACCOUNT },
      states: new StateMachineRunner(
        () => Promise.reject(new Error('there is no function')),
        () => undefined,
      ),
      ...{ secrets: new SecretStore(), objects: new ObjectStore() },
    });
    await this.balancer.start();
    this.tasks.addCluster({ arn: ARNS.cluster, name: 'web' });
    const account = { region: REGION, endpointUrl: this.endpoint.url };
    this.tasks.addService(inOwnRole(buildService(this.options, command, this.store.path), account));
    await this.untilSettled(this.options.tasks, signal);
  }

  private untilSettled(count: number, signal: AbortSignal): Promise<void> {
    const { targets } = this.elb.targetGroup(ARNS.group);
    return until(() => this.running.length === count && targets.size === count && this.serving.length === count, {
      withinMs: SCALED_WITHIN_MS + 1000 * this.options.deregistrationDelaySeconds,
      signal,
      problem: () => `${count} tasks must serve and no others be left, got ${this.serving.length} healthy`,
    });
  }
}

function buildElb({ isSticky, healthPath, deregistrationDelaySeconds }: ScaledServiceOptions): ElbModel {
  const model = new ElbModel();
  model.loadBalancers.set(ARNS.balancer, {
    ...{ arn: ARNS.balancer, name: 'web', dnsName: '127.0.0.1', scheme: 'internal', vpcId: 'vpc-rehearsal' },
    ...{ subnetIds: [], securityGroups: [], createdAt: new Date() },
    attributes: new Map([['idle_timeout.timeout_seconds', '3600']]),
  });
  model.targetGroups.set(ARNS.group, {
    ...{ arn: ARNS.group, name: 'web', protocol: 'HTTP', protocolVersion: 'HTTP1', port: PORT },
    ...{ vpcId: 'vpc-rehearsal', targetType: 'ip', targets: new Map() },
    healthCheck: {
      ...{ protocol: 'HTTP', port: 'traffic-port', path: healthPath, matcher: '200' },
      ...{ intervalSeconds: 1, timeoutSeconds: 5, healthyThreshold: 2, unhealthyThreshold: 5 },
    },
    attributes: new Map([
      ['deregistration_delay.timeout_seconds', String(deregistrationDelaySeconds)],
      ['stickiness.enabled', String(isSticky)],
    ]),
  });
  model.listeners.set(ARNS.listener, {
    ...{ arn: ARNS.listener, loadBalancerArn: ARNS.balancer, port: 0, templatePort: 80, protocol: 'HTTP' },
    ...{ certificateArns: [], sslPolicy: undefined, attributes: new Map() },
  });
  const forward = {
    targetGroups: [{ arn: ARNS.group, weight: 1 }],
    stickiness: { enabled: false, durationSeconds: 1 },
  };
  model.rules.set(ARNS.rule, {
    ...{ arn: ARNS.rule, listenerArn: ARNS.listener, priority: 'default', conditions: [] },
    actions: [{ type: 'forward', forward }],
  });
  return model;
}

function buildService({ app, tasks }: ScaledServiceOptions, command: readonly string[], store: string): ServiceSpec {
  return {
    ...{ arn: ARNS.service, name: 'web', clusterArn: ARNS.cluster, launchType: 'FARGATE', createdAt: new Date() },
    taskDefinitionArn: `${ECS}:task-definition/web:1`,
    desiredCount: tasks,
    loadBalancers: [{ targetGroupArn: ARNS.group, containerName: 'web', containerPort: PORT }],
    container: {
      ...{ name: 'web', image: 'web', folder: app, command, role: 'TaskRole', port: PORT, stopTimeoutSeconds: 30 },
      environment: { PORT: String(PORT), VALKEY_URL: store, TARGET_GROUP_ARN: ARNS.group },
      addressVariable: 'HOST',
    },
  };
}
