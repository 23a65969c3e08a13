import { status, type ServerUnaryCall } from '@grpc/grpc-js';
import { DEFAULT_DRAIN } from '../../../../core/proxy/admin-api';
import { startTestProxy } from '../../support/proxy-world';
import { stopAll, until } from '../../support/world';
import { GrpcClient, startGrpcServer } from './support/grpc';

afterEach(stopAll);

test('a unary call that a drain ends is in the log and the counts as closed, and gives no judge a response', async () => {
  const calls: ServerUnaryCall<Buffer, Buffer>[] = [];
  const port = await startGrpcServer({ unary: (call: ServerUnaryCall<Buffer, Buffer>) => calls.push(call) });
  const proxy = await startTestProxy(port, { accessLog: 'on' });
  const call = new GrpcClient(proxy.data.port).unary('x');
  await until(() => calls.length === 1);
  const perKindSeconds = { ...DEFAULT_DRAIN.perKindSeconds, http: 0 };
  await proxy.target.drain({ perKindSeconds, closeRatePerSecond: 1000, jitter: 0 });
  await until(() => call.code !== undefined && calls[0]!.cancelled);
  expect(call).toMatchObject({ code: status.UNAVAILABLE, details: 'The server is being replaced', messages: [] });
  const requests = () => proxy.lines.filter(({ msg }) => msg === 'Request');
  await until(() => requests().length === 1);
  expect(requests()[0]).toMatchObject({ path: '/test.Calls/Unary', status: 503, kind: 'http', ended: 'closed' });
  expect(proxy.report().ended.http).toEqual({ completed: 0, moved: 0, closed: 1, forced: 0 });
  expect(await proxy.metrics.metrics()).toContain('drainshift_requests_total{side="source",class="5xx"} 1\n');
  expect(proxy.report().requests).toMatchObject({ responded: 0, errors: 0 });
});
