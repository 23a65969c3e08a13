import { WriteStream, createWriteStream } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Plan } from '../../core/plan/plan';
import { SIDES, Side } from '../../core/traffic/weights';
import { awsEnvironment, inOwnRole } from '../tasks/aws-environment';
import { AuthorizationRequest, Endpoint, startEndpoint } from '../aws/endpoint/endpoint';
import { AlarmStates } from '../aws/services/alarms/alarm-states';
import { EndpointFaults } from '../aws/endpoint/faults';
import { accessDenied, isAllowed } from '../aws/iam/iam';
import { Outbox } from '../aws/services/messages/outbox';
import { ObjectStore } from '../aws/services/s3/object-store';
import { SecretStore } from '../aws/services/secrets/secret-store';
import { BalancerCounts } from '../load-balancer/balancer-counts';
import { StackModel, readAgain } from '../template/model/stack-model';
import { CustomResource, PROOF } from '../template/model/custom-resources';
import { formatName } from '../template/model/name-of';
import type { Rights } from '../template/model/rights';
import { Certificate, rehearsalCertificate } from './certificate';
import { AsynchronousCall, AsynchronousCalls } from '../functions/asynchronous-calls';
import type { FunctionSpec } from '../functions/function';
import { Functions } from '../functions/functions';
import { LoadBalancerServer } from '../load-balancer/load-balancer';
import { ProcessHooks, Reaper } from '../processes/processes';
import { withPlan } from './plan';
import type { ExecutionDescription } from '../state-machine/model';
import { proofAtOnce, standInForBackend } from './stand-in';
import { CustomResources } from '../stack/custom-resources';
import { StackRecord } from '../stack/stack-record';
import { StateMachineRunner } from '../state-machine/runner';
import { Addresses } from '../tasks/addresses';
import { Trust, checkTrust, trustedFunctions, trustedService } from './trust';
import { UsageError } from '../errors/usage-error';
import { pointAt } from '../tasks/point-at';
import { TaskRunner } from '../tasks/runner';
import { until } from '../processes/waiting';
import { WeightHistory, weightsInForce } from './weight-history';

interface LocalCloudOptions {
  readonly model: StackModel;
  /** What a cutover does, and what no execution may be less careful than. */
  readonly plan: Plan;
  /** Where the proxies of each side send their requests, instead of the template's own upstreams. */
  readonly upstreams: Readonly<Record<Side, string>>;
  /** Template port → port of this machine; 0 takes any free one. */
  readonly ports: ReadonlyMap<number, number>;
  /** The state machine's pauses before retries are divided by it. */
  readonly speed: number;
  /** A state of the cutover failed, for the first time or again. */
  readonly onFailure: (state: string, error: string, cause: string) => void;
  readonly seed: number;
  /** Whether each hop has a loopback address of its own. */
  readonly hasLoopbackNetwork: boolean;
  /** What of the assembly may run. */
  readonly trust: Trust;
  readonly onExecution: (execution: ExecutionDescription) => void;
  /** A function that a rule on the status of executions calls has begun, failed once more, or ended. */
  readonly onStatusCall: (call: AsynchronousCall) => void;
  /** Something of the local cloud is broken for good: a service whose tasks never came up. */
  readonly onBroken: (reason: string) => void;
}

const HOST = '127.0.0.1';
/** A log may hold what requests and tasks hold; it outlives its folder, which is closed to others. */
const OWNER_ONLY = 0o600;
/** The key id under which a person (or the rehearsal itself) calls the endpoint; it may do everything. */
export const OPERATOR_KEY_ID = 'OPERATOR';
/** The lowest port that everybody may bind, unless the machine says otherwise. */
const FIRST_FREE_PORT = 1024;
const HEALTHY_WITHIN_MS = 60_000;
/** What stops the wait is what breaks. */
const NEVER = new AbortController().signal;

/** Everything that a template describes, standing up on this machine. */
export class LocalCloud {
  readonly secrets = new SecretStore();
  readonly objects = new ObjectStore();
  readonly alarms = new AlarmStates();
  /** What the AWS endpoint does wrong; to set at any time, also before it stands. */
  readonly faults = new EndpointFaults();
  readonly outbox = new Outbox((message) => this.log.write(`${JSON.stringify(message)}\n`));
  readonly functions: Functions;
  readonly customResources: CustomResources;
  readonly stack: StackRecord;
  readonly states: StateMachineRunner;
  readonly tasks: TaskRunner;
  readonly balancer: LoadBalancerServer;
  /** Where its connections come from, if hops have addresses of their own; clients reach it at 127.0.0.1. */
  readonly balancerAddress: string;
  readonly counts: BalancerCounts;
  /** Calls of functions by rules on the status of executions; the subject is the execution's name. */
  readonly statusCalls: AsynchronousCalls;
  readonly weights = new WeightHistory();
  endpoint!: Endpoint;
  private readonly log: WriteStream;
  /** What each role may do, by its logical id: during a redeploy already that of the next stack model. */
  rights: Rights;
  private current: StackModel;
  private isBroken = false;
  private hasServices = false;
  private stopping: Promise<void> | undefined;

  private constructor(
    readonly options: LocalCloudOptions,
    readonly folder: string,
    readonly certificate: Certificate,
    private readonly reaper: Reaper,
  ) {
    const { model } = options;
    this.current = model;
    this.rights = model.rights;
    // A log that cannot be written, on a full disk, is no reason to stop.
    this.log = createWriteStream(this.logFile, { mode: OWNER_ONLY }).on('error', () => undefined);
    const processes: ProcessHooks = { started: reaper.started, ended: reaper.ended, log: this.log };
    this.counts = new BalancerCounts((arn) => this.findSide(arn), options.hasLoopbackNetwork);
    const addresses = new Addresses(process.pid);
    this.balancerAddress = addresses.take();
    this.balancer = new LoadBalancerServer({
      model: model.elb,
      host: HOST,
      ...(options.hasLoopbackNetwork && { localAddress: this.balancerAddress }),
      tls: certificate,
      seed: options.seed,
      events: this.counts,
    });
    this.tasks = new TaskRunner({
      elb: model.elb,
      targets: this.balancer.targets,
      addresses,
      processes,
      failed: (service, reason) => this.breakDown(`the tasks of '${service.name}' must stay up, got ${reason}`),
    });
    this.states = new StateMachineRunner(
      (arn, payload) => this.functions.invoke(arn, payload),
      (execution) => {
        this.applyStatusRules(execution);
        options.onExecution(execution);
      },
      { speed: options.speed, failed: options.onFailure },
    );
    this.statusCalls = new AsynchronousCalls({
      invoke: (arn, payload) => this.functions.invoke(arn, payload),
      speed: options.speed,
      changed: (call) => {
        this.log.write(`${JSON.stringify({ asynchronousCall: call })}\n`);
        options.onStatusCall(call);
      },
    });
    this.functions = new Functions((spec) => this.functionEnvironment(spec), processes);
    this.stack = new StackRecord(model.resources);
    this.customResources = new CustomResources(this.stack.id, (arn, event) => this.functions.invoke(arn, event));
    this.adopt(model);
  }

  /** What stands, as its template says it; weights and targets are in its live load balancer. */
  get model(): StackModel {
    return this.current;
  }

  /** Makes what a stack model has more or otherwise than the present one; services and listeners stay as they are. */
  adopt(model: StackModel): void {
    checkTrust(model, this.options.trust);
    this.current = model;
    this.rights = model.rights;
    this.secrets.adopt(model.secrets, model.rotations);
    // In place of the authority of the real certificate, here it is this one.
    this.secrets.putAuthorities(model.config.trustedAuthoritiesArn, this.certificate.cert);
    for (const bucket of model.buckets) this.objects.createBucket(bucket);
    for (const alarm of model.alarms) this.alarms.put(alarm);
    for (const spec of trustedFunctions(model.functions, this.options.trust)) this.functions.put(spec);
    this.stack.adopt(model.resources);
  }

  /**
   * Stands everything up. What was started is stopped again when a part fails.
   *
   * @throws UsageError, PortTaken, Error
   */
  static async start(options: LocalCloudOptions): Promise<LocalCloud> {
    const folder = await mkdtemp(join(tmpdir(), 'drainshift-'));
    const reaper = new Reaper(folder);
    let cloud: LocalCloud | undefined;
    try {
      const certificate = await rehearsalCertificate(options.model.config.domainName);
      await writeFile(join(folder, 'ca.pem'), certificate.cert);
      cloud = new LocalCloud(options, folder, certificate, reaper);
      await cloud.standUp();
      return cloud;
    } catch (error) {
      await (cloud?.stop() ?? reaper.dismiss());
      throw error;
    }
  }

  get caFile(): string {
    return join(this.folder, 'ca.pem');
  }

  get logFile(): string {
    return join(this.folder, 'world.log');
  }

  /** Where the log is once the local cloud is gone, when it may tell why. */
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
    const { model, ports } = this.options;
    this.endpoint = await startEndpoint({
      elb: model.elb,
      ecs: this.tasks,
      states: this.states,
      secrets: this.secrets,
      objects: this.objects,
      targets: this.balancer.targets,
      stacks: () => [this.stack.description],
      alarms: this.alarms,
      outbox: this.outbox,
      faults: this.faults,
      authorize: (request) => this.authorize(request),
      invoke: (arn, event) => this.functions.invoke(arn, event),
      region: model.stack.region,
      account: model.stack.account,
      onCall: (call) => {
        this.log.write(`${JSON.stringify(call)}\n`);
        this.weights.note(weightsInForce(this.model), formatName(this.model, call.principal));
      },
    });
    const known = [...model.elb.listeners.values()].map(({ templatePort }) => templatePort);
    for (const port of ports.keys()) {
      if (!known.includes(port))
        throw new UsageError(`'--map-port' must name a listener's port (${known.join(', ')}), got ${port}`);
    }
    for (const listener of model.elb.listeners.values()) {
      listener.port = ports.get(listener.templatePort) ?? unprivileged(listener.templatePort);
    }
    await this.balancer.start();
    await this.createCustomResources();
    await standInForBackend(this.model, this.balancer.targets, this.options.upstreams.source);
    this.stack.settle('CREATE_COMPLETE');
    for (const machine of this.model.machines) this.states.add(withPlan(machine, this.options.plan));
    this.startServices();
  }

  /** Once. */
  private startServices(): void {
    if (this.hasServices) return;
    this.hasServices = true;
    for (const cluster of this.model.clusters) this.tasks.addCluster(cluster);
    for (const service of this.model.services) {
      const trusted = trustedService(pointAt(service, this.options.upstreams), this.options.trust);
      this.tasks.addService(inOwnRole(trusted, this.account));
    }
  }

  /** A rule that joins a listener with traffic comes after its services, as in its stack. */
  private async startServicesFor({ logicalId, type, properties }: CustomResource): Promise<void> {
    if (properties.RequiresTargets !== 'true' && type !== PROOF) return;
    this.startServices();
    const { config, elb } = this.model;
    const isHealthy = (side: Side) => {
      const states = [...elb.targetGroup(config.targetGroupArns[side]).targets.values()].map(({ state }) => state);
      const service = this.model.services.find(({ name }) => name === config.serviceNames[side]);
      return states.filter((state) => state === 'healthy').length >= (service?.desiredCount ?? 1);
    };
    await until(() => this.isBroken || SIDES.every(isHealthy), {
      withinMs: HEALTHY_WITHIN_MS,
      signal: NEVER,
      problem: () => `'${logicalId}' must have healthy targets before it, got none`,
    });
  }

  /** Each gives itself its name and its attributes, with which the rest of the template is read again. */
  private async createCustomResources(): Promise<void> {
    for (const { logicalId } of this.model.customResources) {
      const { customResources, resources } = this.model;
      const resource = customResources.find((each) => each.logicalId === logicalId);
      if (!resource) continue;
      await this.startServicesFor(resource);
      const identity = await this.customResources.create(resource);
      this.adopt(readAgain(this.model, new Map([...resources.identities, [logicalId, identity]])));
    }
  }

  private async tearDown(): Promise<void> {
    this.statusCalls.stop();
    this.states.stopAll();
    await Promise.all([
      this.functions.stop(),
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

  /** For good: the operator will want to know why. */
  private breakDown(reason: string): void {
    if (this.stopping) return;
    this.isBroken = true;
    this.options.onBroken(`${reason} (log: ${this.keptLogFile})`);
  }

  private findSide(groupArn: string): Side | undefined {
    return SIDES.find((each) => this.model.config.targetGroupArns[each] === groupArn);
  }

  private functionEnvironment({ role, environment }: FunctionSpec): Record<string, string> {
    const aws = awsEnvironment(this.account, role);
    return { ...proofAtOnce(environment), ...aws, NODE_EXTRA_CA_CERTS: this.caFile };
  }

  private get account() {
    return { region: this.model.stack.region, endpointUrl: this.endpoint.url };
  }

  /** A function may do what the policies of its role allow, as at AWS: a missing right shows before a deployment does. */
  private authorize({ accessKeyId, action, resources, context }: AuthorizationRequest): void {
    const statements = this.rights.get(accessKeyId);
    // Any other key is a person at this machine, with whatever credentials the AWS CLI is set up with. A function whose
    // role is not in the template was rejected with the template.
    if (!statements) return;
    for (const resource of resources) {
      if (!isAllowed(statements, action, resource, context)) throw accessDenied(accessKeyId, action, resource);
    }
  }

  /** EventBridge: a rule on the status of executions calls its functions. */
  private applyStatusRules({ machineArn, name, status, error }: ExecutionDescription): void {
    if (this.stopping) return;
    for (const rule of this.model.statusRules) {
      if (!rule.statuses.includes(status) || !rule.machineArns.includes(machineArn)) continue;
      const event = { source: 'aws.states', detail: { name, status, stateMachineArn: machineArn, error } };
      for (const arn of rule.functionArns.filter((each) => this.functions.has(each))) {
        this.statusCalls.begin(arn, name, event, this.model.retries.get(arn) ?? { lambdaPausesMs: [] });
      }
    }
  }
}

/** Root binds any port; for others a listener on a low port moves up by 8000: 443 is 8443. */
function unprivileged(port: number): number {
  return port < FIRST_FREE_PORT && process.getuid?.() !== 0 ? port + 8000 : port;
}
