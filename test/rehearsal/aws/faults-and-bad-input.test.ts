import { connect } from 'node:net';
import { once } from 'node:events';
import { ListAttributesCommand, ListTasksCommand } from '@aws-sdk/client-ecs';
import { SetSecurityGroupsCommand, DescribeRulesCommand } from '@aws-sdk/client-elastic-load-balancing-v2';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { ListActivitiesCommand } from '@aws-sdk/client-sfn';
import { ARNS, LocalCloud, nameOfFailure, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud();
});
afterEach(() => cloud.stop());

const AUTHORIZATION = 'AWS4-HMAC-SHA256 Credential=RAW/20260101/eu-central-1/s3/aws4_request, Signature=0';
const raw = (path: string, init: RequestInit & { headers?: Record<string, string> }) =>
  fetch(`${cloud.url}${path}`, { method: 'POST', ...init, headers: { authorization: AUTHORIZATION, ...init.headers } });

test('a throttled action is retried by the SDK until it is through', async () => {
  cloud.objects.put('store', 'key', Buffer.from('x'));
  for (const action of ['DescribeRules', 'ListTasks', 'GetObject'])
    cloud.endpoint.faults.set({ action }, { kind: 'throttle' }, { times: 2 });
  await cloud.elb.send(new DescribeRulesCommand({ ListenerArn: ARNS.listener }));
  await cloud.ecs.send(new ListTasksCommand({ cluster: 'web' }));
  await cloud.s3.send(new GetObjectCommand({ Bucket: 'store', Key: 'key' }));
  expect(cloud.calls.map(({ action, status, error }) => [action, status, error?.code])).toEqual([
    ['DescribeRules', 400, 'Throttling'],
    ['DescribeRules', 400, 'Throttling'],
    ['DescribeRules', 200, undefined],
    ['ListTasks', 400, 'Throttling'],
    ['ListTasks', 400, 'Throttling'],
    ['ListTasks', 200, undefined],
    ['GetObject', 503, 'Throttling'],
    ['GetObject', 503, 'Throttling'],
    ['GetObject', 200, undefined],
  ]);
});

test('throttling for longer than a client retries ends in an exception that it can name', async () => {
  cloud.endpoint.faults.set({ action: 'DescribeRules' }, { kind: 'throttle' }, { times: 10 });
  const call = cloud.elb.send(new DescribeRulesCommand({ ListenerArn: ARNS.listener }));
  await expect(call).rejects.toMatchObject({ name: 'Throttling', $metadata: { httpStatusCode: 400, attempts: 3 } });
  cloud.endpoint.faults.clear();
  await cloud.elb.send(new DescribeRulesCommand({ ListenerArn: ARNS.listener }));
});

test('every call is reported with service, action, principal and status', async () => {
  await cloud.elb.send(new DescribeRulesCommand({ ListenerArn: ARNS.listener }));
  await nameOfFailure(cloud.ecs.send(new ListTasksCommand({ cluster: 'other' })));
  expect(cloud.calls).toEqual([
    {
      service: 'elasticloadbalancing',
      action: 'DescribeRules',
      principal: 'OPERATOR',
      status: 200,
      ms: expect.any(Number) as number,
    },
    expect.objectContaining({
      service: 'ecs',
      action: 'ListTasks',
      status: 400,
      error: { code: 'ClusterNotFoundException', message: 'Cluster not found.' },
    }),
  ]);
});

test('an action that no one knows gets the error shape of its protocol', async () => {
  const set = { LoadBalancerArn: ARNS.balancer, SecurityGroups: ['sg-1'] };
  expect(await nameOfFailure(cloud.elb.send(new SetSecurityGroupsCommand(set)))).toBe('InvalidAction');
  const list = new ListAttributesCommand({ cluster: 'web', targetType: 'container-instance' });
  expect(await nameOfFailure(cloud.ecs.send(list))).toBe('UnknownOperationException');
  expect(await nameOfFailure(cloud.sfn.send(new ListActivitiesCommand({})))).toBe('UnknownOperationException');
  expect((await raw('/store', {})).status).toBe(501);
  expect((await raw('/store', { method: 'PATCH' })).status).toBe(405);
});

const query = (parameters: Record<string, string>) =>
  raw('/', { body: new URLSearchParams({ Version: '2015-12-01', ...parameters }) });
const json = (body: string) =>
  raw('/', { body, headers: { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListTasks' } });

test('malformed input is a response, never a crash', async () => {
  const responses = await Promise.all([
    query({ Action: 'DescribeRules', 'RuleArns.member.x': 'a' }),
    query({ Action: 'DescribeRules', 'RuleArns.member.1.A': 'a' }),
    query({ Action: 'DescribeRules', RuleArns: 'a', 'RuleArns.member.1': 'b' }),
    query({ Action: 'DescribeRules', [Array(100).fill('a').join('.')]: 'a' }),
    query({ Action: 'DescribeTags', 'ResourceArns.member.1': '<\u0001&]]>' }),
    query({ Action: '__proto__' }),
    query({ 'Action.member.1': 'DescribeRules' }),
    json('{"cluster":'),
    json('[]'),
    json('{"cluster":5}'),
    json('{"cluster":{"__proto__":1}}'),
    json('{"maxResults":"many"}'),
    raw('/store/%zz', { method: 'GET' }),
    raw('/store/key', {
      method: 'PUT',
      body: 'zz\r\n',
      headers: { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' },
    }),
    raw('/store?list-type=2&max-keys=-1', { method: 'GET' }),
    raw('/store?delete', { body: '<Delete>', headers: { 'content-md5': 'vMD/zYY8h52HTAZvuZb8Ig==' } }),
    raw('/store?delete', { body: '<Delete/>' }),
    raw('/store/key', { method: 'PUT', headers: { 'x-amz-copy-source': 'nowhere' } }),
    raw('/service/GraniteServiceVersion20100801/operation/DescribeAlarms', {
      body: Buffer.from([0xbf, 0x61]),
      headers: { 'smithy-protocol': 'rpc-v2-cbor' },
    }),
    raw('/service/GraniteServiceVersion20100801/operation/DescribeAlarms', {
      body: Buffer.from([0x80]),
      headers: { 'smithy-protocol': 'rpc-v2-cbor' },
    }),
    raw('/store?list-type=2&continuation-token=%00', { method: 'GET' }),
  ]);
  expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 400));
  expect(cloud.calls.filter(({ error }) => error?.code === 'InternalFailure')).toEqual([]);
});

test('a client that sends garbage or goes away in the middle disturbs no one', async () => {
  const { hostname, port } = new URL(cloud.url);
  const garbage = connect(Number(port), hostname).resume();
  garbage.end('this is not HTTP\r\n\r\n');
  await once(garbage, 'close');
  const half = connect(Number(port), hostname).resume();
  half.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nAction=');
  await once(half, 'connect');
  half.destroy();
  await once(half, 'close');
  await cloud.elb.send(new DescribeRulesCommand({ ListenerArn: ARNS.listener }));
});

test('a body over the limit gets a response', async () => {
  const response = await raw('/store/big', { method: 'PUT', body: Buffer.alloc(17 * 1024 * 1024) });
  expect([response.status, await response.text()]).toEqual([
    400,
    expect.stringContaining('<Code>EntityTooLarge</Code>'),
  ]);
});

test('a fault of a model is an internal error and is reported', async () => {
  const stop = cloud.ecsModel.stopTask;
  Object.assign(cloud.ecsModel, { stopTask: () => { throw new Error('boom'); } }); // prettier-ignore
  const headers = { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.StopTask' };
  const [task] = cloud.ecsModel.tasks.keys();
  const response = await raw('/', { headers, body: JSON.stringify({ cluster: 'web', task }) });
  Object.assign(cloud.ecsModel, { stopTask: stop });
  expect([response.status, await response.json()]).toEqual([500, { __type: 'InternalServerError', message: 'boom' }]);
  expect(cloud.calls.at(-1)?.error).toEqual({ code: 'InternalFailure', message: 'boom' });
});

test('a taken port is reported in one line', async () => {
  const port = Number(new URL(cloud.url).port);
  await expect(startLocalCloud({ port })).rejects.toThrow(`'port' must be free on 127.0.0.1, got ${port}`);
});
