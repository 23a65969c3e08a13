import { DescribeTasksCommand, ECSClient, Task, paginateListTasks } from '@aws-sdk/client-ecs';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ADMIN_PATHS, LedgerReport } from '../../core/admin';
import { Side } from '../../core/weights';
import { CutoverWiring } from '../../core/wiring';
import type { ProxiesPort } from '../ports';
import { callAdmin } from './admin-client';
import { CLIENT_CONFIG } from './client-config';

/** DescribeTasks takes at most 100 tasks. */
const DESCRIBE_AT_ONCE = 100;
const SECRET_CACHE_MS = 60_000;

/** The proxy tasks of both sides: found through ECS, asked on their admin ports. */
export function proxiesPort(wiring: CutoverWiring): ProxiesPort {
  const ecs = new ECSClient(CLIENT_CONFIG);
  const secret = cachedSecret(wiring.adminSecretArn);
  const call = async (address: string, method: 'GET' | 'POST', path: string, body?: unknown) =>
    callAdmin({ address, port: wiring.adminPort, method, path, body, secret: await secret() });
  return {
    reports: async (side) => {
      const addresses = await runningAddresses(ecs, wiring, side);
      return Promise.all(
        addresses.map(async (address) => ({
          address,
          report: (await call(address, 'GET', ADMIN_PATHS.drainStatus)) as LedgerReport,
        })),
      );
    },
    drain: async (address, order) => void (await call(address, 'POST', ADMIN_PATHS.drain, order)),
    undrain: async (address) => void (await call(address, 'POST', ADMIN_PATHS.undrain, {})),
  };
}

async function runningAddresses(ecs: ECSClient, wiring: CutoverWiring, side: Side): Promise<string[]> {
  const cluster = wiring.clusterArn;
  const arns: string[] = [];
  for await (const page of paginateListTasks({ client: ecs }, { cluster, serviceName: wiring.serviceNames[side] })) {
    arns.push(...(page.taskArns ?? []));
  }
  const addresses: string[] = [];
  for (let at = 0; at < arns.length; at += DESCRIBE_AT_ONCE) {
    const { tasks } = await ecs.send(
      new DescribeTasksCommand({ cluster, tasks: arns.slice(at, at + DESCRIBE_AT_ONCE) }),
    );
    addresses.push(...(tasks ?? []).filter(({ lastStatus }) => lastStatus === 'RUNNING').map(addressOf));
  }
  return addresses;
}

/** With `awsvpc` networking a task has one network interface, and its address is among the attachment's details. */
function addressOf(task: Task): string {
  const details = task.attachments?.find(({ type }) => type === 'ElasticNetworkInterface')?.details ?? [];
  const address = details.find(({ name }) => name === 'privateIPv4Address')?.value;
  if (address === undefined) throw new Error(`task '${task.taskArn}' must have a private IPv4 address, got none`);
  return address;
}

function cachedSecret(secretArn: string): () => Promise<string> {
  const client = new SecretsManagerClient(CLIENT_CONFIG);
  let cached: { value: string; atMs: number } | undefined;
  return async () => {
    if (cached && Date.now() - cached.atMs < SECRET_CACHE_MS) return cached.value;
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
    if (SecretString === undefined) throw new Error(`secret '${secretArn}' must hold a string, got none`);
    cached = { value: SecretString, atMs: Date.now() };
    return SecretString;
  };
}
