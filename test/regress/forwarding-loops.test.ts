import net from 'node:net';
import { mirror, Mirrored } from '../proxy/support/mirror';
import { ProxyChanges, startTestProxy } from '../proxy/support/proxy-world';
import { get, findPort, startBackend, stopAll } from '../proxy/support/world';

/** An upstream that leads back to the proxy made 6,000 requests of one. */

afterEach(stopAll);

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = findPort(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Two proxies at each other. */
async function startLoop(changes: ProxyChanges) {
  const port = await freePort();
  const first = await startTestProxy(port, changes);
  const second = await startTestProxy(first.data.port, { ...changes, listen: { host: '127.0.0.1', port } });
  return { first, second };
}

test.each([
  ['with one name', { via: 'a-deployment' }, 2],
  ['without a name', {}, 20],
])('a loop ends with 508: %s', async (_, changes, max) => {
  const { first, second } = await startLoop(changes);
  const { status, body } = await get({ port: first.data.port });
  expect([status, body]).toEqual([508, expect.stringContaining('leads back')]);
  expect(first.report().requests.total + second.report().requests.total).toBeLessThanOrEqual(max);
});

test('proxies of one service count a loop together', async () => {
  const proxies = [];
  const port = await freePort();
  let next = port;
  for (const listen of [undefined, undefined, { host: '127.0.0.1', port }]) {
    const proxy = await startTestProxy(next, { metricsService: 'Shop-Source', ...(listen && { listen }) });
    proxies.push(proxy);
    next = proxy.data.port;
  }
  const { status } = await get({ port: next });
  const requests = proxies.reduce((sum, proxy) => sum + proxy.report().requests.total, 0);
  expect([status, requests]).toEqual([508, 10]);
});

test('a name of a service that would not be one member of CDN-Loop is not used', async () => {
  const { port } = await startBackend(mirror);
  const proxy = await startTestProxy(port, { metricsService: 'the shop, in full; really' });
  const seen = JSON.parse((await get({ port: proxy.data.port })).body) as Mirrored;
  expect(seen.headers['cdn-loop']).toMatch(/^drainshift-[0-9a-f]{12}$/);
});

test.each([
  ['1.1 a-name', 508],
  ['1.0 other, 2.0 A-Name (a comment)', 508],
  ['HTTP/1.1 \t a-name', 508],
  ['1.1 a-name2, 1.1 a', 200],
  ['a-name', 200],
])('Via: %s gets %i', async (via, status) => {
  const { port } = await startBackend(mirror);
  const proxy = await startTestProxy(port, { via: 'a-name' });
  const got = await get({ port: proxy.data.port, headers: { via } });
  expect(got.status).toBe(status);
  if (status === 200) expect((JSON.parse(got.body) as Mirrored).headers.via).toBe(`${via}, 1.1 a-name`);
});

test('without a name there is no Via, and what others said stays', async () => {
  const { port } = await startBackend(mirror);
  const proxy = await startTestProxy(port);
  const seen = async (headers: Record<string, string>) =>
    (JSON.parse((await get({ port: proxy.data.port, headers })).body) as Mirrored).headers;
  expect((await seen({})).via).toBeUndefined();
  expect(await seen({ via: '1.1 a', 'cdn-loop': 'a; b=c' })).toMatchObject({
    via: '1.1 a',
    'cdn-loop': expect.stringMatching(/^a; b=c, drainshift-[0-9a-f]{12}$/) as string,
  });
});

test.each([
  ['append', '192.0.2.1, 127.0.0.1'],
  ['preserve', '192.0.2.1'],
] as const)('X-Forwarded-For with %s', async (forwardedFor, expected) => {
  const { port } = await startBackend(mirror);
  const proxy = await startTestProxy(port, { forwardedFor });
  const seen = async (headers: Record<string, string>) =>
    (JSON.parse((await get({ port: proxy.data.port, headers })).body) as Mirrored).headers['x-forwarded-for'];
  expect(await seen({ 'x-forwarded-for': '192.0.2.1' })).toBe(expected);
  expect(await seen({})).toBe('127.0.0.1');
});
