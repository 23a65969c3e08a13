import { WebSocket, WebSocketServer } from 'ws';
import { ProxyBundle, bundleProxy, listening, logged, messages } from '../support/proxy-process';
import { callAdmin } from '../support/proxy-world';
import { get, later, startBackend, stopAll, until } from '../support/world';
import { TestAgent, responding, startAgent } from './support/ecs-agent';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

async function start(agent: Pick<TestAgent, 'uri'> | undefined, args: readonly string[] = []) {
  const backend = await startBackend((_, response) => response.end('ok'));
  new WebSocketServer({ server: backend.server });
  const upstream = `http://127.0.0.1:${backend.port}`;
  const ports = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const proxy = bundle.run([...ports, '--upstream', upstream, ...args], {
    DRAINSHIFT_TASK_PROTECTION: 'true',
    DRAINSHIFT_PROPAGATION_SECONDS: '0',
    ...(agent && { ECS_AGENT_URI: agent.uri }),
  });
  return { proxy, ...(await listening(proxy)) };
}

async function open(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  later(() => socket.terminate());
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

test.each([[[]], [['--workers', '2']]])('a WebSocket protects the task, a drain frees it: %p', async (args) => {
  const agent = await startAgent();
  const { port, admin, proxy } = await start(agent, args);
  expect((await get({ port })).status).toBe(200);
  await open(port);
  await until(() => agent.asked.length === 1);
  expect(agent.asked[0]).toEqual({ ProtectionEnabled: true, ExpiresInMinutes: 15 });
  await callAdmin(admin, { method: 'POST', path: '/drain', body: '{}' });
  await until(() => agent.asked.length === 2);
  expect(agent.asked[1]).toEqual({ ProtectionEnabled: false });
  await logged(proxy, /^The task is protected from scale-in no more$/);
});

test('an agent that rejects is asked again, and nothing else suffers', async () => {
  const agent = await startAgent();
  agent.response = responding(500, 'broken');
  const { port, proxy } = await start(agent);
  const socket = await open(port);
  await until(() => agent.asked.length >= 2);
  expect(socket.readyState).toBe(WebSocket.OPEN);
  expect((await get({ port })).status).toBe(200);
  expect(messages(proxy).filter((msg) => msg.includes('is not protected from scale-in'))).toEqual([
    'The task is not protected from scale-in, tried again: status 500',
  ]);
  agent.response = undefined;
  await logged(proxy, /^The task is protected from scale-in$/);
});

test('an agent that never responds does not keep a shutdown from its end', async () => {
  const agent = await startAgent();
  agent.response = () => undefined;
  const { port, proxy } = await start(agent);
  const socket = await open(port);
  await until(() => agent.asked.length === 1);
  proxy.child.kill('SIGTERM');
  await logged(proxy, /^Draining connections/);
  socket.close();
  expect(await proxy.exit).toBe(0);
});

test('outside ECS it says so once, and serves', async () => {
  const { port, proxy } = await start(undefined);
  await open(port);
  expect((await get({ port })).status).toBe(200);
  expect(messages(proxy).filter((msg) => msg.includes("there is no 'ECS_AGENT_URI'"))).toHaveLength(1);
});
