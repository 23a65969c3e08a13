import { WriteStream, createWriteStream } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { PROXY_VARIABLES } from '../core/wiring';
import { SIDES, Side } from '../core/weights';
import { AwsError } from './aws-error';
import { AuthorizationRequest, Endpoint, startEndpoint } from './aws/endpoint';
import { accessDenied, isAllowed } from './aws/iam';
import { ObjectStore } from './aws/s3/object-store';
import { SecretStore } from './aws/secrets/secret-store';
import type { Blueprint } from './blueprint/blueprint';
import { Certificate, rehearsalCertificate } from './certificate';
import { FunctionSpec, LocalFunction } from './functions/function';
import { LoadBalancerServer } from './load-balancer/load-balancer';
import type { Exchanged } from './load-balancer/listener';
import { ProcessHooks, Reaper } from './processes';
import type { ExecutionDescription } from './state-machine/model';
import { StateMachineRunner } from './state-machine/runner';
import { Addresses } from './tasks/addresses';
import { UsageError } from './usage-error';
import { ServiceSpec, TaskRunner } from './tasks/runner';

interface WorldOptions {
  readonly blueprint: Blueprint;
  /** Where the proxies of each side send their requests, instead of the template's own upstreams. */
  readonly upstreams: Readonly<Record<Side, string>>;
  /** Template port → port of this machine; 0 takes any free one. */
  readonly ports: ReadonlyMap<number, number>;
  /** The state machine's pauses before retries are divided by it. */
  readonly speed: number;
  /** A state of the cutover failed, for the first time or again. */
  readonly onFailure: (state: string, error: string, cause: string) => void;
  readonly seed: number;
  readonly onExecution: (execution: ExecutionDescription) => void;
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
  /** HTTP answers so far, by the side that the load balancer chose; what it answered itself is in neither. */
  readonly answers: Record<Side, number> = { source: 0, target: 0 };
  endpoint!: Endpoint;
  private readonly log: WriteStream;
  private isBroken = false;
  private stopping: Promise<void> | undefined;

  private constructor(
    readonly options: WorldOptions,
    readonly folder: string,
    readonly certificate: Certificate,
    private readonly reaper: Reaper,
  ) {
    const { blueprint } = options;
    // A log that cannot be written, on a full disk, is no reason to stop.
    this.log = createWriteStream(this.logFile).on('error', () => undefined);
    const processes: ProcessHooks = { started: reaper.started, ended: reaper.ended, log: this.log };
    this.balancer = new LoadBalancerServer({
      model: blueprint.elb,
      host: HOST,
      tls: certificate,
      seed: options.seed,
      exchanged: (...exchange) => this.count(...exchange),
    });
    this.tasks = new TaskRunner({
      elb: blueprint.elb,
      targets: this.balancer.targets,
      addresses: new Addresses(process.pid),
      processes,
      failed: (service, reason) => this.breakDown(`the tasks of '${service.name}' must stay up, got ${reason}`),
    });
    this.states = new StateMachineRunner(
      async (arn, payload) => this.functionOf(arn).invoke(payload),
      (execution) => {
        this.applyStatusRules(execution);
        options.onExecution(execution);
      },
      { speed: options.speed, failed: options.onFailure },
    );
    for (const machine of blueprint.machines) this.states.add(machine);
    for (const [arn, value] of blueprint.secrets) this.secrets.put({ arn, name: arn.split(':').at(-1) ?? arn }, value);
    for (const bucket of blueprint.buckets) this.objects.createBucket(bucket);
    for (const spec of blueprint.functions) {
      this.functions.set(spec.arn, new LocalFunction(spec, () => this.functionEnvironment(spec), processes));
    }
  }

  /**
   * Stands everything up. What was started is stopped again when a part fails.
   *
   * @throws UsageError, PortTaken, Error
   */
  static async start(options: WorldOptions): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'drainshift-'));
    const reaper = new Reaper(folder);
    let world: World | undefined;
    try {
      const certificate = await rehearsalCertificate(options.blueprint.wiring.domainName);
      await writeFile(join(folder, 'ca.pem'), certificate.cert);
      world = new World(options, folder, certificate, reaper);
      await world.standUp();
      return world;
    } catch (error) {
      await (world?.stop() ?? reaper.dismiss());
      throw error;
    }
  }

  get caFile(): string {
    return join(this.folder, 'ca.pem');
  }

  get logFile(): string {
    return join(this.folder, 'world.log');
  }

  /** Where the log is once the world is gone, when it may tell why. */
  private get keptLogFile(): string {
    return `${this.folder}.log`;
  }

  /** Ends every process, frees every port and removes the folder. */
  stop(): Promise<void> {
    // Set before the first of it happens: nothing new begins any more.
    this.stopping ??= Promise.resolve().then(() => this.tearDown());
    return this.stopping;
  }

  private async standUp(): Promise<void> {
    const { blueprint, ports, upstreams } = this.options;
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
      onCall: (call) => this.log.write(`${JSON.stringify(call)}\n`),
    });
    const known = [...blueprint.elb.listeners.values()].map(({ templatePort }) => templatePort);
    for (const port of ports.keys()) {
      if (!known.includes(port))
        throw new UsageError(`'--map-port' must name a listener's port (${known.join(', ')}), got ${port}`);
    }
    for (const listener of blueprint.elb.listeners.values()) {
      listener.port = ports.get(listener.templatePort) ?? unprivileged(listener.templatePort);
    }
    await this.balancer.start();
    for (const cluster of blueprint.clusters) this.tasks.addCluster(cluster);
    for (const service of blueprint.services) this.tasks.addService(pointAt(service, upstreams));
  }

  private async tearDown(): Promise<void> {
    this.states.stopAll();
    await Promise.all([
      ...[...this.functions.values()].map((local) => local.stop()),
      this.tasks.stop(),
      this.balancer.stop(),
      // Before `standUp` has come so far there is no endpoint.
      (this.endpoint as Endpoint | undefined)?.stop(),
    ]);
    await finished(this.log.end()).catch(() => undefined);
    if (this.isBroken) await rename(this.logFile, this.keptLogFile).catch(() => undefined);
    await this.reaper.dismiss();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** For good: somebody will want to know why. */
  private breakDown(reason: string): void {
    if (this.stopping) return;
    this.isBroken = true;
    this.options.onBroken(`${reason} (log: ${this.keptLogFile})`);
  }

  private count(groupArn: string | undefined, { status, kind }: Parameters<Exchanged>[1]): void {
    const { targetGroupArns } = this.options.blueprint.wiring;
    const side = SIDES.find((each) => targetGroupArns[each] === groupArn);
    if (side !== undefined && status !== undefined && kind === 'http') this.answers[side] += 1;
  }

  private functionOf(arn: string): LocalFunction {
    // A task may name a function by its ARN with a version behind it.
    const found = [...this.functions].find(([known]) => arn === known || arn.startsWith(`${known}:`))?.[1];
    if (!found) throw new Error(`function '${arn}' must be one of the template's, got none`);
    return found;
  }

  private functionEnvironment({ role }: FunctionSpec): Record<string, string> {
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
    // Any other key is a person at this machine, with whatever credentials the AWS CLI is set up with. A function whose
    // role is not in the template was refused with the template.
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
      const event = { source: 'aws.states', detail: { name, status, stateMachineArn: machineArn } };
      for (const arn of rule.functionArns) void this.callByRule(arn, event);
    }
  }

  private async callByRule(arn: string, event: { readonly detail: { readonly name: string } }): Promise<void> {
    try {
      await this.functionOf(arn).invoke(event);
    } catch (error) {
      this.breakDown(`'${arn}' must put '${event.detail.name}' back, got ${String(error)}`);
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
