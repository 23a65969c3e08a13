import type { MetricLine } from '../../../core/proxy/embedded-metrics';
import { ProxyBundle, ProxyProcess, bundleProxy, listening } from '../support/proxy-process';
import { get, startBackend, stopAll } from '../support/world';
import { listFaults, findMetrics } from './support/metric-line';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const EMF = { DRAINSHIFT_EMF: 'true', DRAINSHIFT_SERVICE_NAME: 'shop', DRAINSHIFT_PROPAGATION_SECONDS: '0' };

async function start(args: readonly string[], environment: Record<string, string>) {
  const backend = await startBackend((request, response) => {
    response.statusCode = request.url === '/bad' ? 500 : 200;
    response.end('ok');
  });
  const upstream = `http://127.0.0.1:${backend.port}`;
  const proxy = bundle.run(['--listen', '127.0.0.1:0', '--upstream', upstream, ...args], environment);
  return { proxy, ...(await listening(proxy)) };
}

const listLines = ({ lines }: ProxyProcess) => lines.filter((line) => '_aws' in line) as unknown as MetricLine[];

function sum(lines: readonly MetricLine[], name: string): number {
  return lines.reduce((total, line) => total + (name in findMetrics(line) ? Number(line[name]) : 0), 0);
}

test.each([[[]], [['--workers', '2']]])('what was counted before the end is written: %p', async (args) => {
  const { proxy, port } = await start(args, EMF);
  for (let request = 0; request < 20; request += 1) await get({ port, path: request % 5 === 0 ? '/bad' : '/' });
  proxy.child.kill('SIGTERM');
  expect(await proxy.exit).toBe(0);
  const lines = listLines(proxy);
  expect(lines.flatMap(listFaults)).toEqual([]);
  expect(sum(lines, 'Requests')).toBe(20);
  expect(sum(lines, 'Errors')).toBe(4);
  expect(lines.flatMap(({ Latency }) => (Latency ?? []) as number[])).toHaveLength(20);
  // One proxy to CloudWatch, too: its primary speaks for the workers.
  expect(new Set(lines.map(({ pid }) => pid))).toEqual(new Set([proxy.child.pid]));
  expect(lines.every(({ Service, side }) => Service === 'shop' && side === 'source')).toBe(true);
  // Every line of the log is one of JSON still.
  expect(proxy.lines.every((line) => line.level !== undefined)).toBe(true);
});

test('they come whatever the level of the log is', async () => {
  const { proxy, port } = await startSilent();
  await get({ port });
  proxy.child.kill('SIGTERM');
  await proxy.exit;
  expect(sum(listLines(proxy), 'Requests')).toBe(1);
  expect(proxy.lines.every((line) => '_aws' in line)).toBe(true);
});

test('without being asked for there are none', async () => {
  const { proxy, port } = await start([], { DRAINSHIFT_PROPAGATION_SECONDS: '0' });
  await get({ port });
  proxy.child.kill('SIGTERM');
  expect(await proxy.exit).toBe(0);
  expect(listLines(proxy)).toEqual([]);
});

/** It does not say its port: it is given one that was free a moment ago. */
async function startSilent(): Promise<{ proxy: ProxyProcess; port: number }> {
  const backend = await startBackend((_, response) => response.end('ok'));
  const free = await startBackend(() => undefined);
  await new Promise((resolve) => free.server.close(resolve));
  const upstream = `http://127.0.0.1:${backend.port}`;
  const args = ['--listen', `127.0.0.1:${free.port}`, '--upstream', upstream, '--log-level', 'silent'];
  const proxy = bundle.run(args, EMF);
  const isUp = () =>
    get({ port: free.port, path: '/.drainshift/health' }).then(
      () => true,
      () => false,
    );
  while (!(await isUp()));
  return { proxy, port: free.port };
}
