import http from 'node:http';
import { callAdmin, startTestProxy } from '../proxy/support/proxy-world';
import { get, startBackend, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

test('a shutdown is not cancelled, and its order not replaced', async () => {
  let response: http.ServerResponse | undefined;
  const backend = await startBackend((_, waiting) => (response = waiting));
  const proxy = await startTestProxy(backend.port);
  const admin = proxy.admin?.port ?? 0;
  const inFlight = get({ port: proxy.data.port });
  await until(() => response !== undefined);
  const ended = proxy.shutDown();
  const forced = JSON.stringify({ perKindSeconds: { http: 0 }, closeRatePerSecond: 10_000 });
  for (const call of [{ path: '/undrain' }, { path: '/drain', body: forced }]) {
    const { status, body } = await callAdmin(admin, { method: 'POST', ...call });
    expect(status).toBe(409);
    expect(JSON.parse(body)).toEqual({ problems: ['The proxy shuts down, and its drain is its own'] });
  }
  await until(() => proxy.report().state === 'draining');
  expect(await callAdmin(admin, { path: '/drain-status' })).toMatchObject({ status: 200 });
  expect(await callAdmin(admin, { method: 'POST', path: '/undrain' })).toMatchObject({ status: 409 });
  response?.end('done');
  expect(await inFlight).toMatchObject({ status: 200, body: 'done' });
  await ended;
  expect(proxy.report().ended.http).toMatchObject({ completed: 1, forced: 0 });
});
