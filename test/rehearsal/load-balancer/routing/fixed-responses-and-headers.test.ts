import type { IncomingHttpHeaders } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { until } from '../../../support/until';
import { Fixture, forward } from '../fixture';
import { matchRule, matchesPath } from '../../../../rehearsal/load-balancer/routing/choose';
import { checkTransforms } from '../../../../rehearsal/load-balancer/model/transforms';

let cloud: Fixture;
beforeEach(async () => (cloud = await new Fixture().start()));
afterEach(() => cloud.stop());

async function rawTarget(response: (socket: net.Socket) => void): Promise<() => void> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => response(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cloud.server.targets.register('source', [{ id: '127.0.0.1', port: (server.address() as net.AddressInfo).port }]);
  return () => server.close();
}

test.each([
  ['reset', (socket: net.Socket) => socket.resetAndDestroy()],
  ['responded with nonsense', (socket: net.Socket) => socket.end('nonsense\r\n\r\n')],
  ['closed without a response', (socket: net.Socket) => socket.end()],
])('502 when the target %s', async (_, response) => {
  const close = await rawTarget(response);
  const got = await cloud.get();
  expect(got.status).toBe(502);
  expect(got.headers.server).toBe('awselb/2.0');
  expect(got.body).toContain('<h1>502 Bad Gateway</h1>');
  close();
});

test('502 when no one listens on the target', async () => {
  const close = await rawTarget(() => undefined);
  close();
  expect((await cloud.get()).status).toBe(502);
});

test('504 when the target does not respond within the idle timeout', async () => {
  await cloud.stop();
  cloud = new Fixture();
  cloud.model.loadBalancer('lb').attributes.set('idle_timeout.timeout_seconds', '0.2');
  await cloud.start();
  const sockets: net.Socket[] = [];
  const close = await rawTarget((socket) => void sockets.push(socket));
  expect((await cloud.get()).status).toBe(504);
  for (const socket of sockets) socket.destroy();
  close();
});

test('503 when the group is empty, 463 for too many addresses', async () => {
  expect((await cloud.get()).status).toBe(503);
  const addresses = Array.from({ length: 31 }, (_, index) => `10.0.0.${index}`).join(', ');
  expect((await cloud.get('/', { 'x-forwarded-for': addresses })).status).toBe(463);
});

test('fixed responds and redirects', async () => {
  cloud.setAction({ type: 'fixed-response', statusCode: 503, contentType: 'text/plain', body: 'closed' });
  expect(await cloud.get()).toMatchObject({ status: 503, body: 'closed' });
  cloud.setAction({ type: 'redirect', statusCode: 301, redirect: { Host: 'new.example.com', Port: '443' } });
  expect((await cloud.get('/a/b?c=d')).headers.location).toBe('https://new.example.com:443/a/b?c=d');
});

test.each([
  ['/a?b=c?d=e', 'shop.example.com', 'https://shop.example.com:443/a?b=c?d=e'],
  ['/a?', 'shop.example.com:8443', 'https://shop.example.com:443/a'],
  ['/a%3Fb', '[2001:db8::1]:8443', 'https://[2001:db8::1]:443/a%3Fb'],
  ['/', '[2001:db8::1]', 'https://[2001:db8::1]:443/'],
])('a redirect of %s at Host %s leads to %s', async (path, host, location) => {
  cloud.setAction({ type: 'redirect', statusCode: 302, redirect: { Port: '443' } });
  const response = await cloud.get(path, { host });
  expect([response.status, response.headers.location, response.headers.server]).toEqual([302, location, 'awselb/2.0']);
});

describe('what the load balancer responds itself', () => {
  const long = (bytes: number) => 'x'.repeat(bytes);

  test.each<[string, number, string]>([
    ['TRACE', 405, 'TRACE / HTTP/1.1\r\nHost: shop\r\n\r\n'],
    ['a field over 16 KB', 400, `GET / HTTP/1.1\r\nHost: shop\r\nX: ${long(17_000)}\r\n\r\n`],
    ['a request line over 16 KB', 414, `GET /${long(17_000)} HTTP/1.1\r\nHost: shop\r\n\r\n`],
    [
      'fields over 64 KB',
      400,
      `GET / HTTP/1.1\r\nHost: shop\r\n${[1, 2, 3, 4, 5].map((n) => `X${n}: ${long(15_000)}\r\n`).join('')}\r\n`,
    ],
    ['what is no request', 400, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ])('%s is a %d that says who', async (_, status, request) => {
    await cloud.target('source', 'source');
    await cloud.healthy('source', 1);
    const response = await speak(request);
    expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(response).toMatch(/^server: awselb\/2\.0\r$/im);
    expect(response).toContain(`<h1>${status} `);
  });

  test('a field of just under 16 KB passes', async () => {
    await cloud.target('source', 'source');
    await cloud.healthy('source', 1);
    expect((await cloud.get('/', { x: long(16_000) })).body).toBe('source');
  });

  test('fixed responses say who responds, too', async () => {
    cloud.setAction({ type: 'fixed-response', statusCode: 404, contentType: 'text/plain', body: '' });
    expect((await cloud.get()).headers.server).toBe('awselb/2.0');
  });

  test('the one who waits for 100 Continue gets it at once, and the target hears nothing of it', async () => {
    const seen: IncomingHttpHeaders[] = [];
    await cloud.target('source', 'source', (request, response) => {
      if (request.url === '/health') return void response.end();
      seen.push(request.headers);
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => response.end(body));
    });
    await cloud.healthy('source', 1);
    const head =
      'POST / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n';
    const response = await speak(head, (text) => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'), 'body');
    expect(response).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nbody$/);
    expect(response.match(/100 Continue/g)).toHaveLength(1);
    expect(seen[0]).not.toHaveProperty('expect');
  });

  /** The whole response to raw bytes; `more` is sent when what came so far is `ready`. */
  function speak(bytes: string, ready?: (text: string) => boolean, more = ''): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = tls.connect({
        host: '127.0.0.1',
        port: cloud.port,
        ca: cloud.certificate.cert,
        servername: 'shop.example.com',
        ALPNProtocols: ['http/1.1'],
      });
      let text = '';
      let isWaiting = ready !== undefined;
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (isWaiting && ready?.(text)) {
          isWaiting = false;
          socket.write(more);
        } else if (/<\/html>\r\n$/.test(text)) socket.end();
      });
      socket.on('close', () => resolve(text)).on('error', reject);
      socket.write(bytes);
    });
  }
});

describe('the trace of a request', () => {
  test.each([
    [undefined, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/],
    ['Root=1-67891233-a;CalledFrom=app', /^Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-67891233-a;CalledFrom=app$/],
    ['Self=1-1-2;Root=1-67891233-a', /^Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-67891233-a$/],
    ['CalledFrom=app', /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};CalledFrom=app$/],
    [`Root=1-1-2;A=${'x'.repeat(7200)}`, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/],
  ])('%.40s arrives as %s', async (sent, expected) => {
    const seen: (string | string[] | undefined)[] = [];
    await cloud.target('source', 'a', (request, response) => {
      if (request.url !== '/health') seen.push(request.headers['x-amzn-trace-id']);
      response.end();
    });
    await cloud.healthy('source', 1);
    await cloud.get('/', sent === undefined ? {} : { 'x-amzn-trace-id': sent });
    expect(seen[0]).toMatch(expected);
  });
});

describe('a rule that rewrites', () => {
  const url = (regex: string, replace: string) => ({ type: 'url-rewrite' as const, rewrites: [{ regex, replace }] });
  const host = (regex: string, replace: string) => ({
    type: 'host-header-rewrite' as const,
    rewrites: [{ regex, replace }],
  });

  test.each([
    [[url('^/old/(.*)$', '/new/$1')], '/old/a?b=c', 200, 'shop.example.com /new/a?b=c'],
    [[url('^/old/', '/new/')], '/other', 200, 'shop.example.com /other'],
    [[url('a=1', 'a=2')], '/p?a=1&b=1', 200, 'shop.example.com /p?a=2&b=1'],
    [[host('^(.+)\\.example\\.com$', '$1.internal')], '/', 200, 'shop.internal /'],
    [[host('^shop', 'x'), url('^/a', '/b')], '/a', 200, 'x.example.com /b'],
    [[url('^/a', 'b')], '/a', 500, ''],
    [[host('^.*$', 'a b')], '/a', 500, ''],
  ])('by %j makes of %s: %d %s', async (transforms, path, status, text) => {
    await cloud.target('source', 'a', (request, response) => response.end(`${request.headers.host} ${request.url}`));
    await cloud.healthy('source', 1);
    Object.assign(cloud.model.rule('rule'), { transforms });
    const response = await cloud.get(path);
    expect(response.status).toBe(status);
    if (status === 200) expect(response.body).toBe(text);
  });

  test.each([
    ['(?=a)b', /Regex '\(\?=a\)b' is not valid/],
    ['(a)\\1', /is not valid/],
    ['a++', /is not valid/],
    ['(', /is not valid/],
    ['', /and an expression/],
  ])('by %s is rejected', (regex, message) => {
    expect(() => checkTransforms({ priority: 1, transforms: [url(regex, '')] })).toThrow(message);
  });

  test('is not the default one, and has one transform of a type', () => {
    const transforms = [url('a', 'b')];
    expect(() => checkTransforms({ priority: 'default', transforms })).toThrow('A default rule cannot have transforms');
    expect(() => checkTransforms({ priority: 1, transforms: [...transforms, ...transforms] })).toThrow(
      "A rule can have one transform of type 'url-rewrite'",
    );
  });
});

test('the target sees where the request came from', async () => {
  const seen: Record<string, string | string[] | undefined>[] = [];
  await cloud.target('source', 'a', (request, response) => {
    if (request.url !== '/health') seen.push(request.headers);
    response.end();
  });
  await cloud.healthy('source', 1);
  await cloud.get('/', {
    'x-forwarded-for': '203.0.113.7',
    'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678',
  });
  await cloud.get('/');
  await until(() => seen.length === 2);
  expect(seen[0]).toMatchObject({
    host: 'shop.example.com',
    'x-forwarded-for': '203.0.113.7, 127.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
    'x-amzn-trace-id': expect.stringMatching(
      /^Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-67891233-abcdef012345678912345678$/,
    ) as string,
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
    await cloud.stop();
    cloud = new Fixture();
    for (const [key, value] of Object.entries(setup.attributes ?? {})) {
      cloud.model.loadBalancer('lb').attributes.set(key, value);
    }
    Object.assign(cloud.model.listener('listener'), { templatePort: setup.templatePort ?? 443 });
    await cloud.start();
    let seen: IncomingHttpHeaders = {};
    await cloud.target('source', 'a', (request, response) => {
      if (request.url !== '/health') seen = request.headers;
      response.end();
    });
    await cloud.healthy('source', 1);
    await cloud.get('/', headers);
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
  await cloud.target('source', 'source');
  await cloud.target('target', 'target');
  await Promise.all([cloud.healthy('source', 1), until(() => cloud.model.targetGroup('target').targets.size === 1)]);
  cloud.model.rules.set('rule', {
    arn: 'rule',
    listenerArn: 'listener',
    priority: 'default',
    conditions: [],
    actions: [forward([['source', 1]])],
  });
  const conditions = [{ field: 'path-pattern' as const, values: ['/new/*'] }];
  cloud.model.rules.set('first', {
    arn: 'first',
    listenerArn: 'listener',
    priority: 5,
    conditions,
    actions: [forward([['target', 1]])],
  });
  expect((await cloud.get('/new/page?x=1')).body).toBe('target');
  expect((await cloud.get('/old')).body).toBe('source');
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
  cloud.addGroup('source');
  await cloud.target('source', 'source');
  await cloud.healthy('source', 1);
  cloud.setAction(forward([['source', 1]]));
  cloud.model.rule('rule').conditions = [{ field: 'host-header', values: ['shop.example.com'] }];
  const asked = await Promise.all(['shop.example.com', 'other.example.com'].map((host) => cloud.get('/', { host })));
  expect(asked.map(({ status }) => status)).toEqual([200, 503]);
});
