import { ProofOrder } from '../../../../core/cutover/proof';
import type { ProofPorts } from '../../../../lambda/contract/proof-ports';
import { timeLeftMs } from '../../../../lambda/contract/time-left';
import { prove, waitForProof } from '../../../../lambda/resources/proof/prove';

const order: ProofOrder = {
  loadBalancerArn: 'balancer',
  smokeListenerArns: { source: 'ls', target: 'lt' },
  targetGroupArns: { source: 's', target: 't' },
  domainName: 'shop.example.com',
  smoke: [
    { path: '/', expectedStatus: 200 },
    { path: '/health', expectedStatus: 204 },
  ],
  minTasks: { source: 2, target: 1 },
  waitSeconds: 600,
};

/** Sides that come up as time passes. */
class Rising implements ProofPorts {
  nowMs = 0;
  healthy: (nowMs: number) => number = () => 2;
  response: (path: string, nowMs: number) => number | string = (path) => (path === '/health' ? 204 : 200);
  readonly asked: string[] = [];
  untrusted: string | undefined;
  readonly smoke = {
    host: 'shop.example.com',
    checkTrust: () => (this.untrusted === undefined ? Promise.resolve() : Promise.reject(new Error(this.untrusted))),
    probe: async (side: string, { path }: { readonly path: string }) => {
      this.asked.push(`${side} ${path}`);
      return { got: this.response(path, this.nowMs), attempts: 1 };
    },
  };
  healthyTargets = async () => this.healthy(this.nowMs);
  now = () => this.nowMs;
  pause = async (ms: number) => void (this.nowMs += ms);
}

const never = new AbortController().signal;
const wait = (ports: ProofPorts, signal = never) => waitForProof(['source'], order, ports, signal);

test('a side that runs at its minimum count and responds as the plan expects is proven', async () => {
  const ports = new Rising();
  expect(await prove('source', order, ports)).toEqual([]);
  expect(ports.asked).toEqual(['source /', 'source /health']);
});

test('each time it has a minute to ask every target: what is left over is no proof', async () => {
  const ports = new Rising();
  const left: number[] = [];
  ports.response = (path) => {
    left.push(timeLeftMs());
    return path === '/health' ? 204 : 200;
  };
  ports.healthy = (nowMs) => (nowMs === 0 ? 1 : 2);
  await wait(ports);
  expect(left).toHaveLength(4);
  for (const ms of left) expect(ms > 0 && ms <= 60_000).toBe(true);
});

test('everything that speaks against it is reported', async () => {
  const ports = new Rising();
  ports.healthy = () => 1;
  ports.response = (path) => (path === '/' ? 502 : 'no response within 10 s');
  expect(await prove('source', order, ports)).toEqual([
    { code: 'TargetsUnhealthy', message: 'the source must have its 2 proxies healthy, got 1' },
    { code: 'SmokeFailed', message: 'GET / on the source must respond with 200, got 502' },
    { code: 'SmokeFailed', message: 'GET /health on the source must respond with 204, got no response within 10 s' },
  ]);
  ports.untrusted = 'no PEM';
  expect((await prove('source', order, ports))[0]).toEqual({ code: 'SmokeFailed', message: 'no PEM' });
  expect((await prove('target', order, ports)).map(({ code }) => code)).toEqual([
    'SmokeFailed',
    'SmokeFailed',
    'SmokeFailed',
  ]);
  ports.untrusted = undefined;
  ports.response = (path) => (path === '/' ? 508 : 204);
  expect(await prove('target', order, ports)).toEqual([
    { code: 'ForwardingLoop', message: expect.stringContaining('got 508 (a forwarding loop') as string },
  ]);
});

test('a deployment waits for the tasks that the scaling adds, and for the backend', async () => {
  const ports = new Rising();
  ports.healthy = (nowMs) => (nowMs < 120_000 ? 1 : 2);
  ports.response = (path, nowMs) => (nowMs < 60_000 ? 503 : path === '/health' ? 204 : 200);
  await wait(ports);
  expect(ports.nowMs).toBe(120_000);
});

test('a call that fails is asked again: the rights of a new role come later than its function', async () => {
  const ports = new Rising();
  ports.healthy = (nowMs) => {
    if (nowMs < 30_000) throw new Error('AccessDenied');
    return 2;
  };
  await wait(ports);
  expect(ports.nowMs).toBe(30_000);
});

test('after ten minutes the deployment fails, with what is missing', async () => {
  const ports = new Rising();
  ports.healthy = () => 1;
  await expect(wait(ports)).rejects.toThrow(
    'the proxies must be proven within 600 s before they join a listener with traffic, got: the source must have its 2 proxies healthy, got 1',
  );
  expect(ports.nowMs).toBe(600_000);
});

test('a function at the end of its time stops waiting', async () => {
  const ports = new Rising();
  ports.healthy = () => 0;
  await expect(wait(ports, AbortSignal.abort())).rejects.toThrow('got 0');
  expect(ports.nowMs).toBe(0);
});
