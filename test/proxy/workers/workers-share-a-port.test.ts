import http from 'node:http';
import { ProxyBundle, bundleProxy, findChildren, listening } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { Got, get, later, startBackend, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const WORKERS = 3;

async function startWorkers() {
  const backend = await startBackend((_, response) => response.end('ok'));
  const upstream = `http://127.0.0.1:${backend.port}`;
  const args = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', upstream];
  const proxy = bundle.run([...args, '--workers', String(WORKERS)], { DRAINSHIFT_ACCESS_LOG: 'on' });
  return { proxy, ...(await listening(proxy)) };
}

test('all workers serve at one port, and the admin API and the metrics speak for all of them', async () => {
  const { proxy, port, admin } = await startWorkers();
  expect(findChildren(proxy.child)).toHaveLength(WORKERS);
  const served = () => new Set(proxy.lines.flatMap(({ path, worker }) => (path === '/' ? [worker] : [])));
  let asked = 0;
  while (served().size < WORKERS) {
    const got = await Promise.all(Array.from({ length: 32 }, () => get({ port })));
    expect(got.every(({ body }) => body === 'ok')).toBe(true);
    asked += got.length;
  }
  expect(served()).toEqual(new Set([1, 2, 3]));
  const { requests, ended, active, state } = await findReport(admin);
  expect(requests).toEqual({ total: asked, responded: asked, errors: 0 });
  expect(ended.http.completed).toBe(asked);
  expect(active.http).toBe(0);
  expect(state).toBe('serving');
  const { body } = await callAdmin(admin, { path: '/metrics' });
  expect(body).toContain(`drainshift_requests_total{side="source",class="2xx"} ${asked}\n`);
  expect(proxy.lines.filter(({ msg }) => msg === 'Listening')).toMatchObject([{ workers: WORKERS }]);
});

test('the health response of one worker counts the connections of the others', async () => {
  const waiting: http.ServerResponse[] = [];
  const backend = await startBackend((_, response) => void waiting.push(response));
  const upstream = `http://127.0.0.1:${backend.port}`;
  const proxy = bundle.run(['--listen', '127.0.0.1:0', '--upstream', upstream, '--workers', '2']);
  const { port } = await listening(proxy);
  const asked: Promise<Got>[] = Array.from({ length: 12 }, () => get({ port }));
  for (const one of asked) one.catch(() => undefined);
  await until(() => waiting.length === asked.length);
  const agents = Array.from({ length: 8 }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
  later(() => agents.forEach((agent) => agent.destroy()));
  // Eight connections, so that both workers are likely among those that respond.
  for (const agent of agents) {
    let connections = 0;
    while (connections !== asked.length) {
      const { body } = await get({ port, agent, path: '/.drainshift/health' });
      connections = (JSON.parse(body) as { connections: { http: number } }).connections.http;
    }
  }
  for (const response of waiting) response.end('ok');
  await Promise.all(asked);
});
