import http from 'node:http';
import { ProxyBundle, bundleProxy, listening, logged } from '../support/proxy-process';
import { get, later, startBackend, stopAll } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const REQUESTS = 2_500;
const AT_ONCE = 20;
const PATH = `/${'p'.repeat(1_000)}`;
/** Escaped in the log: a line has over 5 kB, and all together are more than what may wait. */
const headers = { 'x-forwarded-for': '"'.repeat(1_024), 'x-amzn-trace-id': '"'.repeat(1_024) };

async function start() {
  const backend = await startBackend((_, response) => response.end('ok'));
  const args = ['--listen', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${backend.port}`];
  const proxy = bundle.run(args, { DRAINSHIFT_ACCESS_LOG: 'on', DRAINSHIFT_PROPAGATION_SECONDS: '0' });
  return { proxy, ...(await listening(proxy)) };
}

test('a reader that stands still holds up no request, and gets what fits when it goes on', async () => {
  const { proxy, port } = await start();
  proxy.child.stdout!.pause();
  const agent = new http.Agent({ keepAlive: true });
  later(() => agent.destroy());
  const ask = async () => {
    for (let request = 0; request < REQUESTS / AT_ONCE; request += 1) await get({ port, path: PATH, headers, agent });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  proxy.child.stdout!.resume();
  await logged(proxy, /^Lines of the log were dropped/);
  const notified = proxy.lines.find(({ msg }) => msg.startsWith('Lines of')) as unknown as { readonly lines: number };
  expect(notified.lines + proxy.lines.filter(({ path }) => path === PATH).length).toBe(REQUESTS);
  proxy.child.kill('SIGTERM');
  expect(await proxy.exit).toBe(0);
});

test('a reader that is gone ends nothing', async () => {
  const { proxy, port } = await start();
  proxy.child.stdout!.destroy();
  for (let request = 0; request < 20; request += 1) expect((await get({ port })).status).toBe(200);
  proxy.child.kill('SIGTERM');
  expect(await proxy.exit).toBe(0);
});
