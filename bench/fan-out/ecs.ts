// ECS and Secrets Manager as far as a look asks them: it lists the tasks of both sides, and reads the key of their admin ports.
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Side } from '../../core/traffic/weights';

const PAGE = 100;

interface Asked {
  readonly serviceName?: Side;
  readonly desiredStatus?: string;
  readonly nextToken?: string;
  readonly tasks?: readonly string[];
}

export interface Listed {
  readonly url: string;
  close(): void;
}

/** @param addresses of the tasks of each side */
export async function startEcs(addresses: Readonly<Record<Side, readonly string[]>>, key: string): Promise<Listed> {
  const arns = (side: Side) => addresses[side].map((_, index) => `arn:aws:ecs:eu-west-1:1:task/bench/${side}-${index}`);
  const byArn = new Map((['source', 'target'] as const).flatMap((side) => list(arns(side), addresses[side])));
  const respond = (action: string, asked: Asked): object => {
    if (action === 'GetSecretValue') return { SecretString: key };
    if (action === 'DescribeTasks') return { tasks: asked.tasks!.map((arn) => describe(arn, byArn.get(arn)!)) };
    const all = asked.desiredStatus === 'RUNNING' ? arns(asked.serviceName!) : [];
    const from = Number(asked.nextToken ?? 0);
    const next = from + PAGE;
    return { taskArns: all.slice(from, next), ...(next < all.length && { nextToken: String(next) }) };
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const action = String(request.headers['x-amz-target']).split('.')[1]!;
      response.setHeader('content-type', 'application/x-amz-json-1.1');
      response.end(JSON.stringify(respond(action, JSON.parse(Buffer.concat(chunks).toString()) as Asked)));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

const list = (arns: readonly string[], addresses: readonly string[]) =>
  arns.map((arn, index) => [arn, addresses[index]!] as const);

function describe(taskArn: string, address: string): object {
  const details = [{ name: 'privateIPv4Address', value: address }];
  return {
    taskArn,
    lastStatus: 'RUNNING',
    desiredStatus: 'RUNNING',
    attachments: [{ type: 'ElasticNetworkInterface', details }],
    containers: [{ name: 'proxy' }],
  };
}
