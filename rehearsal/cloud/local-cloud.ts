import type { ProcessHooks } from '../processes/processes';
import type { Plan } from '../../core/plan/plan';
import { SIDES, Side } from '../../core/traffic/weights';
import { Endpoint, startEndpoint } from '../aws/endpoint/endpoint';
import { EndpointFaults } from '../aws/endpoint/faults';
import { AlarmStates } from '../aws/services/alarms/alarm-states';
import type { HostCommands } from '../aws/services/commands/commands-service';
import { Outbox } from '../aws/services/messages/outbox';
import { ObjectStore } from '../aws/services/s3/object-store';
import { SecretStore } from '../aws/services/secrets/secret-store';
import type { AsynchronousCall } from '../functions/asynchronous-calls';
import type { FunctionSpec } from '../functions/function';
import { Functions } from '../functions/functions';
import { BalancerCounts } from '../load-balancer/counting/balancer-counts';
import { LoadBalancerServer } from '../load-balancer/load-balancer';
import { assignPorts } from '../load-balancer/model/ports';
import { createStack } from '../stack/create-stack';
import { DeployedStack } from '../stack/deployed-stack';
import { StackServices } from '../stack/stack-services';
import { proofAtOnce } from '../stack/stand-in';
import type { Trust } from '../stack/trust';
import type { ExecutionDescription } from '../state-machine/model';
import { StateMachineRunner } from '../state-machine/runner';
import { Addresses } from '../tasks/addresses';
import { Autoscaler } from '../tasks/autoscaler';
import { awsEnvironment } from '../tasks/aws-environment';
import { TaskRunner } from '../tasks/runner';
import type { LocalPlaces } from '../tasks/point-at';
import { formatName } from '../template/model/name-of';
import type { StackModel } from '../template/model/stack-model';
import { Certificate, rehearsalCertificate } from './certificate';
import { CloudFolder } from './cloud-folder';
import { StatusRules } from './status-rules';
import { WeightHistory, weightsInForce } from './weight-history';

interface LocalCloudOptions extends LocalPlaces {
  readonly model: StackModel;
  /** What a cutover does, and what no execution may be less careful than. */
  readonly plan: Plan;
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
  /** Of a plan that moves the memory of processes. */
  readonly hosts?: HostCommands | undefined;
  readonly onExecution: (execution: ExecutionDescription) => void;
  /** A function that a rule on the status of executions calls has begun, failed once more, or ended. */
  readonly onStatusCall: (call: AsynchronousCall) => void;
  /** Something of the local cloud is broken for good: a service whose tasks never came up. */
  readonly onBroken: (reason: string) => void;
}

const HOST = '127.0.0.1';

/**
 * Everything that a template describes, standing up on this machine. It only puts the parts together, starts and stops them:
 * each part owns its state, and the others read it.
 */
export class LocalCloud {
  readonly secrets = new SecretStore();
  readonly objects = new ObjectStore();
  readonly alarms = new AlarmStates();
  /** What the AWS endpoint does wrong; to set at any time, also before it stands. */
  readonly faults = new EndpointFaults();
  readonly outbox = new Outbox((message) => this.folder.note(message));
  readonly functions: Functions;
  readonly stack: DeployedStack;
  readonly states: StateMachineRunner;
  readonly tasks: TaskRunner;
  readonly balancer: LoadBalancerServer;
  /** Where its connections come from, if hops have addresses of their own; clients reach it at 127.0.0.1. */
  readonly balancerAddress: string;
  readonly counts: BalancerCounts;
  readonly statusRules: StatusRules;
  readonly weights = new WeightHistory();
  private readonly autoscaler: Autoscaler;
  private started: Endpoint | undefined;
  private isBroken = false;
  private stopping: Promise<void> | undefined;

  private constructor(
    private readonly options: LocalCloudOptions,
    private readonly folder: CloudFolder,
    readonly certificate: Certificate,
    private readonly addresses: Addresses,
  ) {
    const { model, speed, trust, plan } = options;
    const { processes } = folder;
    const { secrets, objects, alarms } = this;
    this.balancerAddress = addresses.take();
    this.counts = new BalancerCounts((arn) => this.findSide(arn), options.hasLoopbackNetwork);
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
    this.autoscaler = new Autoscaler({ ecs: this.tasks, elb: model.elb });
    this.functions = new Functions((spec) => this.functionEnvironment(spec), processes);
    this.states = new StateMachineRunner(
      (arn, payload) => this.functions.invoke(arn, payload),
      (execution) => this.executionChanged(execution),
      { speed, failed: options.onFailure },
    );
    this.statusRules = new StatusRules({ functions: this.functions, speed, changed: (call) => this.callChanged(call) });
    const account = { secrets, objects, alarms, functions: this.functions, states: this.states };
    this.stack = new DeployedStack(model, account, { trust, plan, authority: certificate.cert });
  }

  /**
   * Stands everything up. What was started is stopped again when a part fails.
   *
   * @throws UsageError, PortTaken, Error
   */
  static async start(options: LocalCloudOptions): Promise<LocalCloud> {
    const certificate = await rehearsalCertificate(options.model.config.domainName);
    const folder = await CloudFolder.create(certificate.cert);
    let cloud: LocalCloud | undefined;
    try {
      cloud = new LocalCloud(options, folder, certificate, await Addresses.claim());
      await cloud.standUp();
      return cloud;
    } catch (error) {
      await (cloud?.stop() ?? folder.remove(false));
      throw error;
    }
  }

  /** What stands, as its template says it; weights and targets are in its live load balancer. */
  get model(): StackModel {
    return this.stack.model;
  }

  get endpoint(): Endpoint {
    if (!this.started) throw new Error("'endpoint' must be started, got a local cloud that is not up yet");
    return this.started;
  }

  get hasLoopbackNetwork(): boolean {
    return this.options.hasLoopbackNetwork;
  }

  /** For further processes of the rehearsal. */
  get processes(): ProcessHooks {
    return this.folder.processes;
  }

  get caFile(): string {
    return this.folder.caFile;
  }

  get logFile(): string {
    return this.folder.logFile;
  }

  /** Ends every process, frees every port and removes the folder. */
  stop(): Promise<void> {
    // Set before the first of it happens: nothing new begins any more.
    this.stopping ??= Promise.resolve().then(() => this.tearDown());
    return this.stopping;
  }

  private async standUp(): Promise<void> {
    const { model, ports, upstreams, captureStore, trust } = this.options;
    this.started = await this.startEndpoint(model);
    assignPorts(model.elb, ports);
    await this.balancer.start();
    const services = new StackServices({
      ...{ stack: this.stack, tasks: this.tasks, upstreams, captureStore, trust, account: this.account },
      isBroken: () => this.isBroken,
    });
    const { targets } = this.balancer;
    await createStack({ stack: this.stack, services, targets, sourceUrl: upstreams.source });
  }

  private startEndpoint({ elb, stack: { region, account } }: StackModel): Promise<Endpoint> {
    const { tasks: ecs, states, secrets, objects, alarms, outbox, faults } = this;
    return startEndpoint({
      ...{ elb, ecs, states, secrets, objects, alarms, outbox, faults, region, account },
      targets: this.balancer.targets,
      hosts: this.options.hosts,
      stacks: () => [this.stack.description],
      authorize: (request) => this.stack.authorize(request),
      invoke: (arn, event) => this.functions.invoke(arn, event),
      hasFunction: (arn) => this.functions.has(arn),
      onCall: (call) => {
        this.folder.note(call);
        this.weights.note(weightsInForce(this.model), formatName(this.model, call.principal));
      },
    });
  }

  private async tearDown(): Promise<void> {
    this.autoscaler.stop();
    this.statusRules.stop();
    this.states.stopAll();
    await Promise.all([this.functions.stop(), this.tasks.stop(), this.balancer.stop(), this.started?.stop()]);
    await this.addresses.release();
    await this.folder.remove(this.isBroken);
  }

  /** For good: the operator will want to know why. */
  private breakDown(reason: string): void {
    if (this.stopping) return;
    this.isBroken = true;
    this.options.onBroken(`${reason} (log: ${this.folder.keptLogFile})`);
  }

  private executionChanged(execution: ExecutionDescription): void {
    if (!this.stopping) this.statusRules.apply(this.model, execution);
    this.options.onExecution(execution);
  }

  private callChanged(call: AsynchronousCall): void {
    this.folder.note({ asynchronousCall: call });
    this.options.onStatusCall(call);
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
}
