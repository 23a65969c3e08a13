import { matches } from '../../../rehearsal/load-balancer/health';
import { Fixture, forward, until } from './fixture';

let world: Fixture;
beforeEach(async () => (world = await new Fixture().start()));
afterEach(() => world.stop());

const stateOf = (group: string) => [...world.model.targetGroup(group).targets.values()].map(({ state }) => state);

test('a new target is initial, and healthy after one pass; a failing one becomes unhealthy with its reason', async () => {
  let status = 200;
  await world.target('source', 'flaky', (_, response) => response.writeHead(status).end('answer'));
  expect(stateOf('source')).toEqual(['initial']);
  await world.healthy('source', 1);
  status = 500;
  await until(() => stateOf('source')[0] === 'unhealthy');
  const [target] = world.model.targetGroup('source').targets.values();
  expect(target?.reason).toEqual({
    code: 'Target.ResponseCodeMismatch',
    description: 'Health checks failed with these codes: [500]',
  });
  status = 200;
  await world.healthy('source', 1);
});

test('health checks say who they are', async () => {
  const seen: (string | undefined)[] = [];
  const { port } = await world.target('source', 'a', (request, response) => {
    seen.push(request.headers['user-agent'], request.headers.host);
    response.end();
  });
  await until(() => seen.length >= 2);
  expect(seen.slice(0, 2)).toEqual(['ELB-HealthChecker/2.0', `127.0.0.1:${port}`]);
});

test('only healthy targets get requests; when all are unhealthy the group fails open to all of them', async () => {
  await world.target('source', 'good');
  await world.target('source', 'sick', (request, response) => {
    if (request.url === '/health') return void response.writeHead(500).end();
    return void response.end('sick');
  });
  await until(() => stateOf('source').includes('healthy') && stateOf('source').includes('unhealthy'));
  for (let i = 0; i < 6; i += 1) expect((await world.get()).body).toBe('good');
  const group = world.model.targetGroup('source');
  const [good] = group.targets.values();
  world.server.targets.deregister('source', [{ id: good?.id ?? '', port: good?.port ?? 0 }]);
  expect((await world.get()).body).toBe('sick');
});

test('a draining target gets no new request, keeps the one in flight, and is gone after the delay', async () => {
  const group = world.model.targetGroup('source');
  group.attributes.set('deregistration_delay.timeout_seconds', '0.3');
  let finish: () => void = () => undefined;
  const address = await world.target('source', 'slow', (request, response) => {
    if (request.url === '/health') return void response.end();
    finish = () => response.end('slow');
    return undefined;
  });
  await world.healthy('source', 1);
  const inFlight = world.get();
  await until(() => [...group.targets.values()][0]?.outstanding === 1);
  world.server.targets.deregister('source', [address]);
  expect(stateOf('source')).toEqual(['draining']);
  expect((await world.get()).status).toBe(503);
  expect(() => world.server.targets.register('source', [address])).toThrow(/draining and cannot be registered yet/);
  finish();
  expect((await inFlight).body).toBe('slow');
  await until(() => group.targets.size === 0);
  world.server.targets.register('source', [address]);
  expect(stateOf('source')).toEqual(['initial']);
});

test('targets of a group that no rule names are unused', async () => {
  world.addGroup('spare');
  await world.target('spare', 'spare');
  expect(stateOf('spare')).toEqual(['unused']);
  world.setAction(forward([['spare', 1]]));
  await world.healthy('spare', 1);
});

test('least_outstanding_requests prefers the idle target', async () => {
  world.model.targetGroup('source').attributes.set('load_balancing.algorithm.type', 'least_outstanding_requests');
  let release: (() => void) | undefined;
  await world.target('source', 'busy', (request, response) => {
    if (request.url === '/health') return void response.end();
    release = () => response.end('busy');
    return undefined;
  });
  await world.healthy('source', 1);
  const held = world.get();
  await until(() => release !== undefined);
  await world.target('source', 'idle');
  await world.healthy('source', 2);
  for (let i = 0; i < 4; i += 1) expect((await world.get()).body).toBe('idle');
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
