import type { IncomingHttpHeaders } from 'node:http';
import net from 'node:net';
import { Fixture, forward, until } from './fixture';
import { matchRule, matchesPath } from '../../../rehearsal/load-balancer/choose';

let world: Fixture;
beforeEach(async () => (world = await new Fixture().start()));
afterEach(() => world.stop());

async function rawTarget(answer: (socket: net.Socket) => void): Promise<() => void> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.server.targets.register('source', [{ id: '127.0.0.1', port: (server.address() as net.AddressInfo).port }]);
  return () => server.close();
}

test.each([
  ['reset', (socket: net.Socket) => socket.resetAndDestroy()],
  ['answered with nonsense', (socket: net.Socket) => socket.end('nonsense\r\n\r\n')],
  ['closed without an answer', (socket: net.Socket) => socket.end()],
])('502 when the target %s', async (_, answer) => {
  const close = await rawTarget(answer);
  const got = await world.get();
  expect(got.status).toBe(502);
  expect(got.headers.server).toBe('awselb/2.0');
  expect(got.body).toContain('<h1>502 Bad Gateway</h1>');
  close();
});

test('502 when nobody listens on the target', async () => {
  const close = await rawTarget(() => undefined);
  close();
  expect((await world.get()).status).toBe(502);
});

test('504 when the target does not answer within the idle timeout', async () => {
  await world.stop();
  world = new Fixture();
  world.model.loadBalancer('lb').attributes.set('idle_timeout.timeout_seconds', '0.2');
  await world.start();
  const sockets: net.Socket[] = [];
  const close = await rawTarget((socket) => void sockets.push(socket));
  expect((await world.get()).status).toBe(504);
  for (const socket of sockets) socket.destroy();
  close();
});

test('503 when the group is empty, 463 for too many addresses', async () => {
  expect((await world.get()).status).toBe(503);
  const addresses = Array.from({ length: 31 }, (_, index) => `10.0.0.${index}`).join(', ');
  expect((await world.get('/', { 'x-forwarded-for': addresses })).status).toBe(463);
});

test('fixed answers and redirects', async () => {
  world.setAction({ type: 'fixed-response', statusCode: 503, contentType: 'text/plain', body: 'closed' });
  expect(await world.get()).toMatchObject({ status: 503, body: 'closed' });
  world.setAction({ type: 'redirect', statusCode: 301, redirect: { Host: 'new.example.com', Port: '443' } });
  expect((await world.get('/a/b?c=d')).headers.location).toBe('https://new.example.com:443/a/b?c=d');
});

test('the target sees where the request came from', async () => {
  const seen: Record<string, string | string[] | undefined>[] = [];
  await world.target('source', 'a', (request, response) => {
    if (request.url !== '/health') seen.push(request.headers);
    response.end();
  });
  await world.healthy('source', 1);
  await world.get('/', {
    'x-forwarded-for': '203.0.113.7',
    'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678',
  });
  await world.get('/');
  await until(() => seen.length === 2);
  expect(seen[0]).toMatchObject({
    host: 'shop.example.com',
    'x-forwarded-for': '203.0.113.7, 127.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
    'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678',
  });
  expect(seen[1]?.['x-forwarded-for']).toBe('127.0.0.1');
  expect(seen[1]?.['x-amzn-trace-id']).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);
});

describe('the fields that a target sees', () => {
  /** Those of one request to a listener on this port, which must be in the template. */
  async function fieldsSeen(
    setup: { templatePort?: number; attributes?: Record<string, string> },
    headers: Record<string, string> = {},
  ): Promise<IncomingHttpHeaders> {
    await world.stop();
    world = new Fixture();
    for (const [key, value] of Object.entries(setup.attributes ?? {})) {
      world.model.loadBalancer('lb').attributes.set(key, value);
    }
    Object.assign(world.model.listener('listener'), { templatePort: setup.templatePort ?? 443 });
    await world.start();
    let seen: IncomingHttpHeaders = {};
    await world.target('source', 'a', (request, response) => {
      if (request.url !== '/health') seen = request.headers;
      response.end();
    });
    await world.healthy('source', 1);
    await world.get('/', headers);
    return seen;
  }

  test.each([
    [443, 'shop.example.com', 'shop.example.com'],
    [80, 'shop.example.com', 'shop.example.com'],
    [9201, 'shop.example.com', 'shop.example.com:9201'],
    [9201, 'shop.example.com:9201', 'shop.example.com:9201'],
  ])('on :%d Host %s arrives as %s', async (templatePort, host, expected) => {
    expect((await fieldsSeen({ templatePort }, { host })).host).toBe(expected);
  });

  test('Host arrives as it was sent when it is to be preserved', async () => {
    const attributes = { 'routing.http.preserve_host_header.enabled': 'true' };
    expect((await fieldsSeen({ templatePort: 9201, attributes })).host).toBe('shop.example.com');
  });

  test('names with other characters than letters, digits and hyphens are dropped when asked for', async () => {
    const sent = { x_user: '1', 'x-user': '2', 'x.user': '3' };
    const attributes = { 'routing.http.drop_invalid_header_fields.enabled': 'true' };
    const kept = await fieldsSeen({ attributes }, sent);
    expect(kept).toMatchObject({ 'x-user': '2' });
    expect(Object.keys(kept)).not.toContain('x_user');
    expect(Object.keys(kept)).not.toContain('x.user');
    expect(await fieldsSeen({}, sent)).toMatchObject(sent);
  });
});

test('rules are tried by priority and path, the default last', async () => {
  await world.target('source', 'source');
  await world.target('target', 'target');
  await Promise.all([world.healthy('source', 1), until(() => world.model.targetGroup('target').targets.size === 1)]);
  world.model.rules.set('rule', {
    arn: 'rule',
    listenerArn: 'listener',
    priority: 'default',
    conditions: [],
    actions: [forward([['source', 1]])],
  });
  const conditions = [{ field: 'path-pattern' as const, values: ['/new/*'] }];
  world.model.rules.set('first', {
    arn: 'first',
    listenerArn: 'listener',
    priority: 5,
    conditions,
    actions: [forward([['target', 1]])],
  });
  expect((await world.get('/new/page?x=1')).body).toBe('target');
  expect((await world.get('/old')).body).toBe('source');
});

test.each([
  ['/*', '/anything/at/all', true],
  ['/img/*.png', '/img/a.png?v=1', true],
  ['/img/*.png', '/img/axpng', false],
  ['/a?c', '/abc', true],
  ['/a?c', '/abbc', false],
])('path pattern %s and %s: %s', (pattern, path, expected) => expect(matchesPath(pattern, path)).toBe(expected));

test.each([
  ['shop.example.com', 'Shop.Example.com:8443', true],
  ['*.example.com', 'shop.example.com', true],
  ['*.example.com', 'example.com', false],
  ['shop.example.com', 'shopxexample.com', false],
])('host pattern %s and %s: %s', (pattern, host, expected) => {
  const conditions = [
    { field: 'host-header' as const, values: ['other.example.org', pattern] },
    { field: 'path-pattern' as const, values: ['/*'] },
  ];
  const rule = { arn: 'rule', listenerArn: 'listener', priority: 1, conditions, actions: [] };
  expect(matchRule([rule], { url: '/shop.example.com', host })).toBe(expected ? rule : undefined);
});

test('a rule on a host is for the requests with that Host', async () => {
  world.addGroup('source');
  await world.target('source', 'source');
  await world.healthy('source', 1);
  world.setAction(forward([['source', 1]]));
  world.model.rule('rule').conditions = [{ field: 'host-header', values: ['shop.example.com'] }];
  const asked = await Promise.all(['shop.example.com', 'other.example.com'].map((host) => world.get('/', { host })));
  expect(asked.map(({ status }) => status)).toEqual([200, 503]);
});
