import { failureResponse } from '../../../../proxy/control/error-responses';
import { startTestProxy } from '../../support/proxy-world';
import { get, startBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

test('without a connection and a place to wait for one, a request is asked to come again', async () => {
  let finish: () => void = () => undefined;
  const backend = await startBackend((_, response) => (finish = () => response.end('ok')));
  const proxy = await startTestProxy(backend.port, { limits: { upstreamConnections: 1, waitingRequests: 0 } });
  const { port } = proxy.data;
  const served = get({ port });
  await until(() => backend.sockets.size === 1);
  expect(await get({ port })).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  finish();
  expect(await served).toMatchObject({ status: 200, body: 'ok' });
  expect(proxy.report().requests).toEqual({ total: 2, responded: 2, errors: 1 });
  expect(backend.sockets.size).toBe(1);
});

test.each([
  ['connectRefused', 502],
  ['connectFailed', 502],
  ['nameNotFound', 502],
  ['certificateRejected', 502],
  ['tlsFailed', 502],
  ['reset', 502],
  ['malformed', 502],
  ['connectTimeout', 504],
  ['idleTimeout', 504],
  ['full', 503],
] as const)('%s reads as %d', (failure, status) => {
  expect(failureResponse(failure).status).toBe(status);
});
