import type { StackDescription, StackStatus } from '../aws/stacks/stacks-service';
import { buildOutputs } from '../blueprint/outputs';
import type { Resources } from '../blueprint/resources';

/** The stack as CloudFormation tells of it. */
export class StackRecord {
  readonly id: string;
  private readonly createdAt = new Date();
  private updatedAt: Date | undefined;
  private status: StackStatus = 'CREATE_IN_PROGRESS';
  private statusReason: string | undefined;

  constructor(private resources: Resources) {
    this.id = String(resources.resolver.ref('AWS::StackId'));
  }

  adopt(resources: Resources): void {
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
  }

  settle(status: StackStatus, reason?: string): void {
    this.status = status;
    this.statusReason = reason;
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
    };
  }
}
