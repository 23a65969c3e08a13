import type { StackDescription, StackEvent, StackResource, StackStatus } from '../aws/services/stacks/stacks-service';
import { buildUuid } from '../aws/identifiers';
import { buildOutputs } from '../template/model/outputs';
import type { Resources } from '../template/resources/resources';

const STACK = 'AWS::CloudFormation::Stack';

/** A resource, and what it was made of, to see whether it changed. */
interface RunningResource {
  readonly resource: StackResource;
  readonly made: string;
}

/** The stack as CloudFormation tells of it. */
export class StackRecord {
  readonly id: string;
  private readonly createdAt = new Date();
  private updatedAt: Date | undefined;
  private status: StackStatus = 'CREATE_IN_PROGRESS';
  private statusReason: string | undefined;
  private running: ReadonlyMap<string, RunningResource> = new Map();
  private readonly events: StackEvent[] = [];

  constructor(private resources: Resources) {
    this.id = String(resources.resolver.ref('AWS::StackId'));
    this.note('User Initiated');
  }

  apply(resources: Resources): void {
    this.resources = resources;
  }

  /** @throws Error while another update is under way, and after one that could not be rolled back */
  begin(): void {
    // From a rollback that failed there is no update, but only a rollback that goes on.
    if (!this.status.endsWith('_COMPLETE')) {
      throw new Error(`stack '${this.resources.stack.name}' must be complete to be redeployed, got ${this.status}`);
    }
    this.status = 'UPDATE_IN_PROGRESS';
    this.statusReason = undefined;
    this.updatedAt = new Date();
    this.note('User Initiated');
  }

  settle(status: StackStatus, reason?: string): void {
    this.status = status;
    this.statusReason = reason;
    this.takeStock();
    this.note(reason);
  }

  get description(): StackDescription {
    const { stack } = this.resources;
    return {
      id: this.id,
      name: stack.name,
      description: stack.template.Description,
      status: this.status,
      statusReason: this.statusReason,
      createdAt: this.createdAt,
      updatedAt: this.updatedAt,
      // As at AWS, an output is there once its stack is.
      outputs: this.status === 'CREATE_IN_PROGRESS' ? [] : buildOutputs(this.resources),
      resources: [...this.running.values()].map(({ resource }) => resource),
      events: this.events,
    };
  }

  /** What is there now; what came, changed or went since is an event. */
  private takeStock(): void {
    const before = this.running;
    const now = this.resources.logicalIds.flatMap((logicalId) =>
      this.describeRunning(logicalId, before.get(logicalId)),
    );
    this.running = new Map(now.map((each) => [each.resource.logicalId, each]));
    const changed = now.filter((each) => before.get(each.resource.logicalId) !== each);
    for (const { resource } of changed) this.tell(resource, undefined);
    for (const [logicalId, { resource }] of before) {
      const gone = { ...resource, status: 'DELETE_COMPLETE', changedAt: new Date() };
      if (!this.running.has(logicalId)) this.tell(gone, undefined);
    }
  }

  private describeRunning(logicalId: string, before: RunningResource | undefined): RunningResource[] {
    const ready = this.resources.describe(logicalId);
    if (!ready) return [];
    const { type, identity, properties } = ready;
    const made = JSON.stringify([identity.ref, properties.raw]);
    if (before?.made === made) return [before];
    const status = before ? 'UPDATE_COMPLETE' : 'CREATE_COMPLETE';
    return [{ made, resource: { logicalId, physicalId: identity.ref, type, status, changedAt: new Date() } }];
  }

  private note(reason: string | undefined): void {
    const { id, status, resources } = this;
    const stack = { logicalId: resources.stack.name, physicalId: id, type: STACK, status, changedAt: new Date() };
    this.tell(stack, reason);
  }

  private tell(resource: StackResource, reason: string | undefined): void {
    this.events.push({ ...resource, id: buildUuid(`${this.id}/${this.events.length}`), reason });
  }
}
