import { matches } from '../../../../rehearsal/load-balancer/health/health';
import { until } from '../../../support/until';
import { Fixture, forward } from '../fixture';

let cloud: Fixture;
beforeEach(async () => (cloud = await new Fixture().start()));
afterEach(() => cloud.stop());

const findState = (group: string) => [...cloud.model.targetGroup(group).targets.values()].map(({ state }) => state);

test('a new target is initial, and healthy after one pass; a failing one becomes unhealthy with its reason', async () => {
  let status = 200;
  await cloud.target('source', 'flaky', (_, response) => response.writeHead(status).end('answer'));
  expect(findState('source')).toEqual(['initial']);
  await cloud.healthy('source', 1);
  status = 500;
  await until(() => findState('source')[0] === 'unhealthy');
  const [target] = cloud.model.targetGroup('source').targets.values();
  expect(target?.reason).toEqual({
    code: 'Target.ResponseCodeMismatch',
    description: 'Health checks failed with these codes: [500]',
  });
  status = 200;
  await cloud.healthy('source', 1);
});

test('health checks say who they are', async () => {
  const seen: (string | undefined)[] = [];
  const { port } = await cloud.target('source', 'a', (request, response) => {
    seen.push(request.headers['user-agent'], request.headers.host);
    response.end();
  });
  await until(() => seen.length >= 2);
  expect(seen.slice(0, 2)).toEqual(['ELB-HealthChecker/2.0', `127.0.0.1:${port}`]);
});

test('only healthy targets get requests; when all are unhealthy the group fails open to all of them', async () => {
  await cloud.target('source', 'good');
  await cloud.target('source', 'sick', (request, response) => {
    if (request.url === '/health') return void response.writeHead(500).end();
    return void response.end('sick');
  });
  await until(() => findState('source').includes('healthy') && findState('source').includes('unhealthy'));
  for (let i = 0; i < 6; i += 1) expect((await cloud.get()).body).toBe('good');
  const group = cloud.model.targetGroup('source');
  const [good] = group.targets.values();
  cloud.server.targets.deregister('source', [{ id: good?.id ?? '', port: good?.port ?? 0 }]);
  expect((await cloud.get()).body).toBe('sick');
});

test('a draining target gets no new request, keeps the one in flight, and is gone after the delay', async () => {
  const group = cloud.model.targetGroup('source');
  group.attributes.set('deregistration_delay.timeout_seconds', '0.3');
  let finish: () => void = () => undefined;
  const address = await cloud.target('source', 'slow', (request, response) => {
    if (request.url === '/health') return void response.end();
    finish = () => response.end('slow');
    return undefined;
  });
  await cloud.healthy('source', 1);
  const inFlight = cloud.get();
  await until(() => [...group.targets.values()][0]?.outstanding === 1);
  cloud.server.targets.deregister('source', [address]);
  expect(findState('source')).toEqual(['draining']);
  expect((await cloud.get()).status).toBe(503);
  expect(() => cloud.server.targets.register('source', [address])).toThrow(/draining and cannot be registered yet/);
  finish();
  expect((await inFlight).body).toBe('slow');
  await until(() => group.targets.size === 0);
  cloud.server.targets.register('source', [address]);
  expect(findState('source')).toEqual(['initial']);
});

test('targets of a group that no rule names are unused', async () => {
  cloud.addGroup('spare');
  await cloud.target('spare', 'spare');
  expect(findState('spare')).toEqual(['unused']);
  cloud.setAction(forward([['spare', 1]]));
  await cloud.healthy('spare', 1);
});

test('least_outstanding_requests prefers the idle target', async () => {
  cloud.model.targetGroup('source').attributes.set('load_balancing.algorithm.type', 'least_outstanding_requests');
  let release: (() => void) | undefined;
  await cloud.target('source', 'busy', (request, response) => {
    if (request.url === '/health') return void response.end();
    release = () => response.end('busy');
    return undefined;
  });
  await cloud.healthy('source', 1);
  const held = cloud.get();
  await until(() => release !== undefined);
  await cloud.target('source', 'idle');
  await cloud.healthy('source', 2);
  for (let i = 0; i < 4; i += 1) expect((await cloud.get()).body).toBe('idle');
  release?.();
  await held;
});

test.each([
  ['200', 200, true],
  ['200', 204, false],
  ['200-299', 204, true],
  ['200,404', 404, true],
  ['200-299,404', 500, false],
])('matcher %s and %d: %s', (matcher, status, expected) => expect(matches(matcher, status)).toBe(expected));
