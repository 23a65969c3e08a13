import net from 'node:net';
import { orderProtection } from '../../../proxy/aws/ecs-agent';
import { findPort, stopAll } from '../support/world';
import { responding, startAgent } from './support/ecs-agent';

afterEach(stopAll);

const NEVER = new AbortController().signal;

test('protects for a while, and takes it back', async () => {
  const agent = await startAgent();
  await orderProtection(agent.uri, 'protect', NEVER);
  await orderProtection(agent.uri, 'release', NEVER);
  expect(agent.asked).toEqual([{ ProtectionEnabled: true, ExpiresInMinutes: 15 }, { ProtectionEnabled: false }]);
  expect(agent.paths[0]).toBe('PUT /api/task/task-protection/v1/state');
});

test.each([
  [200, { failure: { Arn: 'a', Reason: 'DEPLOYMENT_BLOCKED', Detail: null } }, 'DEPLOYMENT_BLOCKED'],
  [400, { error: { Code: 'AccessDeniedException', Message: 'not allowed' } }, 'AccessDeniedException: not allowed'],
  [500, 'broken', 'status 500'],
  [200, { protection: { ProtectionEnabled: false } }, 'status 200'],
  [200, 'null', 'status 200'],
  [200, { failure: 3, error: 'x' }, 'status 200'],
])('%p %j is no protection', async (status, body, reason) => {
  const agent = await startAgent();
  agent.response = responding(status, body);
  await expect(orderProtection(agent.uri, 'protect', NEVER)).rejects.toThrow(reason);
});

test('an agent that is not there, and one that does not respond until no one waits', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const port = findPort(server);
  await new Promise((resolve) => server.close(resolve));
  await expect(orderProtection(`http://127.0.0.1:${port}`, 'protect', NEVER)).rejects.toThrow('fetch failed');

  const agent = await startAgent();
  const stopping = new AbortController();
  agent.response = () => stopping.abort();
  await expect(orderProtection(agent.uri, 'protect', stopping.signal)).rejects.toThrow('aborted');
});
