import { ChildProcess, fork } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROXY_VARIABLES } from '../core/wiring';
import { Side } from '../core/weights';
import { AwsError } from './aws/aws-error';
import { ApiCall, AuthorizationRequest, Endpoint, startEndpoint } from './aws/endpoint';
import { accessDenied, isAllowed } from './aws/iam';
import { ObjectStore } from './aws/s3/object-store';
import { SecretStore } from './aws/secrets/secret-store';
import type { Blueprint } from './blueprint/blueprint';
import { Certificate, rehearsalCertificate } from './certificate';
import { entryPath } from './entry';
import { LocalFunction } from './functions/function';
import { LoadBalancerServer } from './load-balancer/load-balancer';
import type { Exchanged } from './load-balancer/listener';
import type { ExecutionDescription } from './state-machine/model';
import { StateMachineRunner } from './state-machine/runner';
import { Addresses } from './tasks/addresses';
import { ServiceSpec, TaskRunner } from './tasks/runner';

export interface WorldOptions {
  readonly blueprint: Blueprint;
  /** Where the proxies of each side send their requests, instead of the template's own upstreams. */
  readonly upstreams: Readonly<Record<Side, string>>;
  /** Template port → port of this machine; 0 takes any free one. */
  readonly ports: ReadonlyMap<number, number>;
  readonly seed: number;
  readonly exchanged: Exchanged;
  readonly onExecution: (execution: ExecutionDescription) => void;
  readonly onCall: (call: ApiCall) => void;
  /** Something of the world is broken for good: a service whose tasks do not stay up. */
  readonly onBroken: (reason: string) => void;
}

const HOST = '127.0.0.1';
/** The key id under which a person (or the rehearsal itself) calls the endpoint; it may do everything. */
export const OPERATOR_KEY_ID = 'OPERATOR';
/** The lowest port that everybody may bind, unless the machine says otherwise. */
const FIRST_FREE_PORT = 1024;

/** Everything that a template describes, standing up on this machine. */
export class World {
  readonly secrets = new SecretStore();
  readonly objects = new ObjectStore();
  readonly functions = new Map<string, LocalFunction>();
  readonly states: StateMachineRunner;
  readonly tasks: TaskRunner;
  readonly balancer: LoadBalancerServer;
  endpoint!: Endpoint;
  private readonly reaper: ChildProcess;
  private stopping: Promise<void> | undefined;

  private constructor(
    readonly options: WorldOptions,
    readonly folder: string,
    readonly certificate: Certificate,
  ) {
    const { blueprint } = options;
    const log = createWriteStream(this.logFile);
    this.reaper = fork(entryPath('reaper'), { execArgv: [], detached: true });
    this.balancer = new LoadBalancerServer({
      model: blueprint.elb,
      host: HOST,
      tls: certificate,
      seed: options.seed,
      exchanged: options.exchanged,
    });
    this.tasks = new TaskRunner({
      elb: blueprint.elb,
      targets: this.balancer.targets,
      addresses: new Addresses(process.pid),
      log,
      started: (pid) => this.reaper.send({ add: pid }),
      failed: (service, reason) =>
        options.onBroken(`the tasks of '${service.name}' must stay up, got: ${reason} (log: ${this.logFile})`),
    });
    this.states = new StateMachineRunner(
      async (arn, payload) => this.functionOf(arn).invoke(payload),
      (execution) => {
        this.applyStatusRules(execution);
        options.onExecution(execution);
      },
    );
    for (const machine of blueprint.machines) this.states.add(machine);
    for (const [arn, value] of blueprint.secrets) this.secrets.put({ arn, name: arn.split(':').at(-1) ?? arn }, value);
    for (const bucket of blueprint.buckets) this.objects.createBucket(bucket);
    for (const spec of blueprint.functions) {
      this.functions.set(spec.arn, new LocalFunction(spec, () => this.functionEnvironment(spec.role), log));
    }
  }

  /**
   * Stands everything up. What was started is stopped again when a part fails.
   *
   * @throws PortTaken, Error
   */
  static async start(options: WorldOptions): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'drainshift-'));
    const certificate = await rehearsalCertificate(options.blueprint.wiring.domainName);
    await writeFile(join(folder, 'ca.pem'), certificate.cert);
    const world = new World(options, folder, certificate);
    try {
      await world.standUp();
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  get caFile(): string {
    return join(this.folder, 'ca.pem');
  }

  get logFile(): string {
    return join(this.folder, 'world.log');
  }

  /** Ends every process and frees every port. */
  stop(): Promise<void> {
    this.stopping ??= this.tearDown();
    return this.stopping;
  }

  private async standUp(): Promise<void> {
    const { blueprint, ports, upstreams, onCall } = this.options;
    this.endpoint = await startEndpoint({
      elb: blueprint.elb,
      ecs: this.tasks,
      states: this.states,
      secrets: this.secrets,
      objects: this.objects,
      targets: this.balancer.targets,
      authorize: (request) => this.authorize(request),
      region: blueprint.stack.region,
      account: blueprint.stack.account,
      onCall,
    });
    for (const listener of blueprint.elb.listeners.values()) {
      listener.port = ports.get(listener.templatePort) ?? unprivileged(listener.templatePort);
    }
    await this.balancer.start();
    for (const cluster of blueprint.clusters) this.tasks.addCluster(cluster);
    for (const service of blueprint.services) this.tasks.addService(pointAt(service, upstreams));
  }

  private async tearDown(): Promise<void> {
    this.states.stopAll();
    for (const local of this.functions.values()) local.stop();
    this.tasks.stop();
    // Before `standUp` has come so far there is no endpoint.
    await Promise.all([this.balancer.stop(), (this.endpoint as Endpoint | undefined)?.stop()]);
    this.reaper.disconnect();
    await rm(this.folder, { recursive: true, force: true });
  }

  private functionOf(arn: string): LocalFunction {
    // A task may name a function by its ARN with a version behind it.
    const found = [...this.functions].find(([known]) => arn === known || arn.startsWith(`${known}:`))?.[1];
    if (!found) throw new Error(`function '${arn}' must be one of the template's, got none`);
    return found;
  }

  private functionEnvironment(role: string): Record<string, string> {
    return {
      AWS_REGION: this.options.blueprint.stack.region,
      AWS_ENDPOINT_URL: this.endpoint.url,
      AWS_ACCESS_KEY_ID: role,
      AWS_SECRET_ACCESS_KEY: 'rehearsal',
      NODE_EXTRA_CA_CERTS: this.caFile,
    };
  }

  /** A function may do what the policies of its role allow, as at AWS: a missing right shows before a deployment does. */
  private authorize({ accessKeyId, action, resources, context }: AuthorizationRequest): void {
    const statements = this.options.blueprint.rights.get(accessKeyId);
    // A key that is no role's is a person at this machine.
    if (!statements) return;
    for (const resource of resources) {
      if (!isAllowed(statements, action, resource, context)) throw accessDenied(accessKeyId, action, resource);
    }
  }

  /** EventBridge: a rule on the status of executions calls its functions. */
  private applyStatusRules({ machineArn, name, status }: ExecutionDescription): void {
    if (this.stopping) return;
    for (const rule of this.options.blueprint.statusRules) {
      if (!rule.statuses.includes(status) || !rule.machineArns.includes(machineArn)) continue;
      for (const arn of rule.functionArns) {
        this.functionOf(arn)
          .invoke({ source: 'aws.states', detail: { name, status, stateMachineArn: machineArn } })
          .catch((error: unknown) => this.options.onBroken(`'${arn}' must put '${name}' back, got ${String(error)}`));
      }
    }
  }
}

/** Root binds any port; for others a listener on a low port moves up by 8000: 443 is 8443. */
function unprivileged(port: number): number {
  return port < FIRST_FREE_PORT && process.getuid?.() !== 0 ? port + 8000 : port;
}

function pointAt(service: ServiceSpec, upstreams: Readonly<Record<Side, string>>): ServiceSpec {
  const side = service.container.environment[PROXY_VARIABLES.side];
  if (side !== 'source' && side !== 'target') {
    throw new AwsError(
      'InvalidParameterException',
      `'${PROXY_VARIABLES.side}' of '${service.name}' must be source or target, got '${side}'`,
    );
  }
  const environment = { ...service.container.environment, [PROXY_VARIABLES.upstream]: upstreams[side] };
  return { ...service, container: { ...service.container, environment } };
}
