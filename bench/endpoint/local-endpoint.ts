import { type Endpoint, startEndpoint } from '../../rehearsal/aws/endpoint/endpoint';
import type { EndpointFaults } from '../../rehearsal/aws/endpoint/faults';
import type { HostCommands } from '../../rehearsal/aws/services/commands/commands-service';
import { ObjectStore } from '../../rehearsal/aws/services/s3/object-store';
import { SecretStore } from '../../rehearsal/aws/services/secrets/secret-store';
import { ElbModel } from '../../rehearsal/load-balancer/model/model';

const REGION = 'eu-central-1';
const EMPTY = new Map<string, never>();

export interface LocalEndpoint {
  readonly objects: ObjectStore;
  readonly faults: EndpointFaults;
  /** What a process gets in its environment to call it. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** The AWS of the rehearsal, with a bucket in it, and otherwise nothing but `hosts`. */
export async function startLocalEndpoint(bucket: string, hosts?: HostCommands): Promise<LocalEndpoint> {
  const objects = new ObjectStore();
  objects.createBucket(bucket);
  const endpoint: Endpoint = await startEndpoint({
    elb: new ElbModel(),
    ecs: {
      ...{ clusters: EMPTY, services: EMPTY, tasks: EMPTY },
      ...{ setDesiredCount: nothing, forceNewDeployment: nothing, stopTask: nothing },
    },
    states: { stateMachines: EMPTY, executions: EMPTY, start: fail, stop: nothing, redrive: nothing },
    secrets: new SecretStore(),
    objects,
    targets: { register: nothing, deregister: nothing },
    hosts,
    region: REGION,
    account: '111122223333',
  });
  const environment = {
    AWS_ENDPOINT_URL: endpoint.url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'TASK',
    AWS_SECRET_ACCESS_KEY: 'none',
  };
  return { objects, faults: endpoint.faults, environment, stop: () => endpoint.stop() };
}

function nothing(): void {
  return undefined;
}

function fail(): never {
  throw new Error('there is no state machine');
}
