import { randomUUID } from 'node:crypto';
import type { Identity } from '../template/assembly/resolve';
import { Limit, machineTime } from '../processes/machine-time';
import type { CustomResource } from '../template/parts/custom-resources';
import { CustomResourceResponse, readResponse } from './custom-resource-response';
import { openMailbox } from './mailbox';

type RequestType = 'Create' | 'Update' | 'Delete';

/** A custom resource that could not be created, changed or deleted. */
export class CustomResourceFailed extends Error {
  override readonly name = 'CustomResourceFailed';

  constructor(
    { logicalId, type }: CustomResource,
    request: RequestType,
    why: string,
    /** As it got a response, also with a failure. */
    readonly physicalId?: string,
  ) {
    super(`'${logicalId}' (${type}) must be ${DONE[request]}, got ${why}`);
  }
}

const DONE: Record<RequestType, string> = { Create: 'created', Update: 'updated', Delete: 'deleted' };

/**
 * CloudFormation's part in a custom resource: an event for the function behind it, and the response that the function puts to
 * the URL in the event.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
 */
export class CustomResources {
  constructor(
    private readonly stackId: string,
    private readonly invoke: (functionArn: string, event: unknown) => Promise<unknown>,
  ) {}

  /** @throws CustomResourceFailed */
  async create(resource: CustomResource): Promise<Identity> {
    return findIdentity(await this.ask(resource, 'Create', {}));
  }

  /** @throws CustomResourceFailed */
  async update(resource: CustomResource, old: CustomResource, physicalId: string): Promise<Identity> {
    const details = { PhysicalResourceId: physicalId, OldResourceProperties: old.properties };
    return findIdentity(await this.ask(resource, 'Update', details));
  }

  /** @throws CustomResourceFailed */
  async delete(resource: CustomResource, physicalId: string): Promise<void> {
    await this.ask(resource, 'Delete', { PhysicalResourceId: physicalId });
  }

  private async ask(resource: CustomResource, request: RequestType, details: object): Promise<CustomResourceResponse> {
    const asked = { StackId: this.stackId, RequestId: randomUUID(), LogicalResourceId: resource.logicalId };
    const failed = (why: string, physicalId?: string) => new CustomResourceFailed(resource, request, why, physicalId);
    let response: CustomResourceResponse;
    try {
      response = readResponse(await this.readResponse(resource, { ...asked, RequestType: request, ...details }), asked);
    } catch (error) {
      throw failed((error as Error).message);
    }
    if (!response.isSuccess) throw failed(`FAILED: ${response.reason}`, response.physicalId);
    return response;
  }

  /** @throws Error when there is none */
  private async readResponse(resource: CustomResource, request: object): Promise<string> {
    const mailbox = await openMailbox();
    const event = {
      ...request,
      ResponseURL: mailbox.url,
      ServiceToken: resource.serviceToken,
      ResourceType: resource.type,
      ResourceProperties: resource.properties,
    };
    let limit: Limit | undefined;
    const late = new Promise<never>((_, reject) => {
      const tooLate = () => reject(new Error(`no response in ${resource.timeoutSeconds} s`));
      limit = machineTime.limit(resource.timeoutSeconds * 1000, tooLate);
    });
    // CloudFormation would wait out its time. A function that has ended is not going to respond to any more.
    const ended = this.invoke(resource.serviceToken, event).then(
      () => Promise.reject(new Error('no response from a function that returned')),
      (error: Error) => Promise.reject(new Error(`no response from a function that failed: ${error.message}`)),
    );
    try {
      return await Promise.race([mailbox.responded, ended, late]);
    } finally {
      limit?.clear();
      ended.catch(() => undefined);
      mailbox.close();
    }
  }
}

function findIdentity({ physicalId, attributes }: CustomResourceResponse): Identity {
  return { ref: physicalId, attributes };
}
