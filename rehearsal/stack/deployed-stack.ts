import type { Plan } from '../../core/plan/plan';
import type { AuthorizationRequest } from '../aws/endpoint/endpoint';
import { AlarmStates } from '../aws/services/alarms/alarm-states';
import { ObjectStore } from '../aws/services/s3/object-store';
import { SecretStore } from '../aws/services/secrets/secret-store';
import type { StackDescription, StackStatus } from '../aws/services/stacks/stacks-service';
import type { FunctionSpec } from '../functions/function';
import type { Functions } from '../functions/functions';
import type { MachineDescription } from '../state-machine/model';
import type { StateMachineRunner } from '../state-machine/runner';
import type { Identity } from '../template/assembly/resolve';
import { withPlan } from '../template/model/deployed';
import type { Rights } from '../template/parts/rights';
import { StackModel, readAgain } from '../template/model/stack-model';
import { CustomResources } from './custom-resources';
import { RoleRights } from './role-rights';
import { StackRecord } from './stack-record';
import { Trust, checkTrust, trustedFunctions } from './trust';

/** The services in which a deployment makes things. */
interface Account {
  readonly secrets: SecretStore;
  readonly objects: ObjectStore;
  readonly alarms: AlarmStates;
  readonly functions: Pick<Functions, 'put' | 'invoke'>;
  readonly states: Pick<StateMachineRunner, 'add'>;
}

interface DeploymentOptions {
  /** What of the assembly may run. */
  readonly trust: Trust;
  /** What a cutover does, and what no execution may be less careful than. */
  readonly plan: Plan;
  /** PEM: in place of the authority of the real certificate, here it is this one. */
  readonly authority: string;
}

/**
 * The stack that stands: what its template says, and what was made of it. It alone writes that; deployments ask it to, the
 * first one (`create-stack.ts`) and those of `redeploy/`.
 */
export class DeployedStack {
  readonly customResources: CustomResources;
  private readonly rights = new RoleRights();
  private readonly record: StackRecord;
  private current: StackModel;

  constructor(
    model: StackModel,
    private readonly account: Account,
    private readonly options: DeploymentOptions,
  ) {
    this.current = model;
    this.record = new StackRecord(model.resources);
    this.customResources = new CustomResources(this.record.id, (arn, event) => account.functions.invoke(arn, event));
    this.apply(model);
  }

  get id(): string {
    return this.record.id;
  }

  /** What the template says; weights and targets are in its live load balancer. */
  get model(): StackModel {
    return this.current;
  }

  /** As CloudFormation describes it. */
  get description(): StackDescription {
    return this.record.description;
  }

  /** @throws Error while another update is under way, and after one that could not be rolled back */
  begin(): void {
    this.record.begin();
  }

  settle(status: StackStatus, reason?: string): void {
    this.record.settle(status, reason);
  }

  /**
   * Makes what a stack model has more or otherwise than the present one; services and listeners stay as they are.
   *
   * @throws UsageError for what may not run
   */
  apply(model: StackModel): void {
    const { secrets, objects, alarms } = this.account;
    checkTrust(model, this.options.trust);
    this.current = model;
    this.rights.put(model.rights);
    secrets.apply(model.secrets, model.rotations);
    secrets.putAuthorities(model.config.trustedAuthoritiesArn, this.options.authority);
    for (const bucket of model.buckets) objects.createBucket(bucket);
    for (const alarm of model.alarms) alarms.put(alarm);
    for (const spec of model.functions) this.putFunction(spec);
    this.record.apply(model.resources);
  }

  /** A custom resource has given itself a name and attributes: the rest of the template is read again with them. */
  identify(logicalId: string, identity: Identity): void {
    const { identities } = this.current.resources;
    this.apply(readAgain(this.current, new Map([...identities, [logicalId, identity]])));
  }

  /** Of a function what may run; nothing of one that may not. */
  putFunction(spec: FunctionSpec): void {
    for (const trusted of trustedFunctions([spec], this.options.trust)) this.account.functions.put(trusted);
  }

  putMachine(machine: MachineDescription): void {
    this.account.states.add(withPlan(machine, this.options.plan));
  }

  /** @throws AwsError `AccessDenied` for what the caller's role may not do */
  authorize(request: AuthorizationRequest): void {
    this.rights.check(request);
  }

  /** In the middle of a deployment: its later parts have the rights of its earlier ones. */
  putRights(rights: Rights): void {
    this.rights.put(rights);
  }
}
