import http from 'node:http';
import { startBackend } from '../../support/world';

/** An ECS agent that notes what it is asked, and responds as it is told. */
export interface TestAgent {
  readonly uri: string;
  readonly asked: { readonly ProtectionEnabled: boolean; readonly ExpiresInMinutes?: number }[];
  readonly paths: string[];
  /** Absent: it does as it is asked. */
  response: http.RequestListener | undefined;
}

const TASK = 'arn:aws:ecs:eu-central-1:123456789012:task/c/t';

export async function startAgent(): Promise<TestAgent> {
  const { port } = await startBackend((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as TestAgent['asked'][number];
      agent.asked.push(body);
      agent.paths.push(`${request.method} ${request.url}`);
      if (agent.response) return agent.response(request, response);
      const protection = { ProtectionEnabled: body.ProtectionEnabled, TaskArn: TASK };
      response.end(JSON.stringify({ protection }));
    });
  });
  const agent: TestAgent = { uri: `http://127.0.0.1:${port}/api/task`, asked: [], paths: [], response: undefined };
  return agent;
}

/** Responds with this status and JSON. */
export function responding(status: number, body: unknown): http.RequestListener {
  return (_, response) => void response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
}
