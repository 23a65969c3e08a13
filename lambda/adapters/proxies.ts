import { DescribeTasksCommand, ECSClient, Task, paginateListTasks } from '@aws-sdk/client-ecs';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ADMIN_PATHS, LedgerReport } from '../../core/admin';
import { Side } from '../../core/weights';
import { CutoverWiring } from '../../core/wiring';
import type { ProxiesPort, TaskReport } from '../ports';
import { callAdmin } from './admin-client';
import { CLIENT_CONFIG } from './client-config';

/** DescribeTasks takes at most 100 tasks. */
const DESCRIBE_AT_ONCE = 100;
const SECRET_CACHE_MS = 60_000;
/** The stages of a task's life in which its container runs. */
const WITH_PROCESS = ['RUNNING', 'DEACTIVATING', 'STOPPING'];

/** The proxy tasks of both sides: found through ECS, asked on their admin ports. */
export function proxiesPort(wiring: CutoverWiring): ProxiesPort {
  const ecs = new ECSClient(CLIENT_CONFIG);
  const secret = cachedSecret(wiring.adminSecretArn);
  const call = async (address: string, method: 'GET' | 'POST', path: string, body?: unknown) =>
    callAdmin({ address, port: wiring.adminPort, method, path, body, secret: await secret() });
  return {
    addresses: async (side) => (await liveTasks(ecs, wiring, side)).filter(isStaying).map(addressOf),
    reports: async (side) => {
      const tasks = await liveTasks(ecs, wiring, side);
      const reports = tasks.map(async (task): Promise<TaskReport[]> => {
        const address = addressOf(task);
        try {
          const report = (await call(address, 'GET', ADMIN_PATHS.drainStatus)) as LedgerReport;
          return [{ address, isLeaving: !isStaying(task), report }];
        } catch (error) {
          // One that ECS is stopping may have ended between the two calls.
          if (!isStaying(task)) return [];
          throw error;
        }
      });
      return (await Promise.all(reports)).flat();
    },
    drain: async (address, order) => void (await call(address, 'POST', ADMIN_PATHS.drain, order)),
    undrain: async (address) => void (await call(address, 'POST', ADMIN_PATHS.undrain, {})),
  };
}

/**
 * The tasks of a side that have a process. Those that ECS is stopping are among them: they are listed under the desired
 * status STOPPED, and their connections live on through the deregistration delay and the stop timeout.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
 */
async function liveTasks(ecs: ECSClient, wiring: CutoverWiring, side: Side): Promise<Task[]> {
  const cluster = wiring.clusterArn;
  const serviceName = wiring.serviceNames[side];
  const arns: string[] = [];
  for (const desiredStatus of ['RUNNING', 'STOPPED'] as const) {
    for await (const page of paginateListTasks({ client: ecs }, { cluster, serviceName, desiredStatus })) {
      arns.push(...(page.taskArns ?? []));
    }
  }
  const live: Task[] = [];
  for (let at = 0; at < arns.length; at += DESCRIBE_AT_ONCE) {
    const { tasks } = await ecs.send(
      new DescribeTasksCommand({ cluster, tasks: arns.slice(at, at + DESCRIBE_AT_ONCE) }),
    );
    live.push(
      ...(tasks ?? []).filter(({ lastStatus }) => lastStatus !== undefined && WITH_PROCESS.includes(lastStatus)),
    );
  }
  return live;
}

function isStaying({ desiredStatus }: Task): boolean {
  return desiredStatus === 'RUNNING';
}

/** With `awsvpc` networking a task has one network interface, and its address is among the attachment's details. */
function addressOf(task: Task): string {
  const details = task.attachments?.find(({ type }) => type === 'ElasticNetworkInterface')?.details ?? [];
  const address = details.find(({ name }) => name === 'privateIPv4Address')?.value;
  if (address === undefined) throw new Error(`task '${task.taskArn}' must have a private IPv4 address, got none`);
  return address;
}

/** Asked for once a minute, however many tasks are called; a failed look-up is not remembered. */
function cachedSecret(secretArn: string): () => Promise<string> {
  const client = new SecretsManagerClient(CLIENT_CONFIG);
  let cached: { value: Promise<string>; atMs: number } | undefined;
  const look = async () => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
    if (SecretString === undefined) throw new Error(`secret '${secretArn}' must hold a string, got none`);
    return SecretString;
  };
  return () => {
    if (cached && Date.now() - cached.atMs < SECRET_CACHE_MS) return cached.value;
    const value = look();
    cached = { value, atMs: Date.now() };
    value.catch(() => (cached = undefined));
    return value;
  };
}
