import { CloudWatchClient, DescribeAlarmsCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { cbor } from '@smithy/core/cbor';
import { AlarmStates } from '../../../rehearsal/aws/services/alarms/alarm-states';
import { REGION, T0, LocalCloud, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeAll(async () => {
  const alarms = new AlarmStates();
  alarms.put({ name: 'errors', arn: 'arn:errors', kind: 'metric', description: undefined }, T0);
  cloud = await startLocalCloud({ alarms });
});
afterAll(() => cloud.stop());

/** As a client signs that was made for this service. */
const raw = (path: string, signedFor: string, init: RequestInit & { headers?: Record<string, string> } = {}) => {
  const credential = `OPERATOR/20260101/${REGION}/${signedFor}/aws4_request`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0`;
  return fetch(`${cloud.url}${path}`, { method: 'POST', ...init, headers: { authorization, ...init.headers } });
};
const CBOR = { 'smithy-protocol': 'rpc-v2-cbor', 'content-type': 'application/cbor', accept: 'application/cbor' };
const GRANITE = '/service/GraniteServiceVersion20100801/operation';
const inCbor = async (path: string, input: unknown, signedFor = 'monitoring') => {
  const response = await raw(path, signedFor, { headers: CBOR, body: Buffer.from(cbor.serialize(input)) });
  expect(response.headers.get('smithy-protocol')).toBe('rpc-v2-cbor');
  return { response, content: cbor.deserialize(Buffer.from(await response.arrayBuffer())) as Record<string, unknown> };
};

test('CBOR carries texts, lists and times', async () => {
  const { response, content } = await inCbor(`${GRANITE}/DescribeAlarms`, { AlarmNames: ['errors'] });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/cbor']);
  expect(content).toMatchObject({
    MetricAlarms: [{ AlarmName: 'errors', StateUpdatedTimestamp: { tag: 1, value: T0.getTime() / 1000 } }],
    CompositeAlarms: [],
  });
  expect(Object.keys(content)).not.toContain('NextToken');
  expect(cloud.calls.at(-1)).toMatchObject({ service: 'cloudwatch', action: 'DescribeAlarms', status: 200 });
});

test('an error in CBOR has its name of today, and its old one in a header', async () => {
  const set = { AlarmName: 'none', StateValue: 'ALARM', StateReason: 'x' };
  const { response, content } = await inCbor(`${GRANITE}/SetAlarmState`, set);
  expect([response.status, response.headers.get('x-amzn-query-error')]).toEqual([404, 'ResourceNotFound;Sender']);
  expect(content).toEqual({ __type: 'ResourceNotFound', message: 'There is no alarm with name none' });
  const { content: invalid } = await inCbor(`${GRANITE}/SetAlarmState`, { ...set, StateValue: 'X' });
  expect(invalid.__type).toBe('InvalidParameterValueException');
});

test("the SDK's own client describes and sets alarms", async () => {
  const credentials = { accessKeyId: 'OPERATOR', secretAccessKey: 'none' };
  const client = new CloudWatchClient({ endpoint: cloud.url, region: REGION, credentials });
  await client.send(new SetAlarmStateCommand({ AlarmName: 'errors', StateValue: 'ALARM', StateReason: 'x' }));
  const { MetricAlarms } = await client.send(new DescribeAlarmsCommand({}));
  expect(MetricAlarms).toMatchObject([{ StateValue: 'ALARM', StateUpdatedTimestamp: expect.any(Date) as Date }]);
  client.destroy();
});

test('a service that is not here gets an error in its own protocol, never one of S3', async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const responses = await Promise.all([
    raw('/2015-03-31/functions', 'lambda', { method: 'GET' }),
    raw('/2017-07-24/things', 'xray', { body: '{}' }),
    raw('/2013-04-01/hostedzone', 'route53', { method: 'GET' }),
    raw('/', 'ec2', { headers: form, body: 'Action=DescribeVpcs&Version=2016-11-15' }),
    raw('/', 'iam', { headers: form, body: 'Action=ListRoles&Version=2010-05-08' }),
    raw('/', 'logs', { headers: { 'x-amz-target': 'Logs_20140328.DescribeLogGroups' }, body: '{}' }),
  ]);
  const notified = await Promise.all(
    responses.map(async (response) => [response.status, await response.text()] as const),
  );
  const message = (name: string) => `the service must be one that the rehearsal has (application-autoscaling, cloudformation, cloudwatch, ecs, elasticloadbalancing, events, lambda, s3, secretsmanager, sns, states, sts), got ${name}`; // prettier-ignore
  expect(notified.map(([status]) => status)).toEqual(notified.map(() => 404));
  expect(responses.map(({ headers }) => headers.get('x-amzn-errortype'))).toEqual([
    'UnknownOperationException',
    'UnknownOperationException',
    ...[null, null, null, null],
  ]);
  expect(JSON.parse(notified[0]?.[1] ?? '')).toMatchObject({ message: message('lambda') });
  expect(JSON.parse(notified[1]?.[1] ?? '')).toMatchObject({ message: message('xray') });
  expect(notified[2]?.[1]).toMatch(/<ErrorResponse><Error><Type>Sender<\/Type><Code>UnknownOperationException</);
  expect(notified[3]?.[1]).toMatch(/<Response><Errors><Error><Code>InvalidAction</);
  expect(notified[4]?.[1]).toMatch(/<ErrorResponse><Error><Type>Sender<\/Type><Code>InvalidAction</);
  expect(JSON.parse(notified[5]?.[1] ?? '')).toEqual({ __type: 'UnknownOperationException', message: message('logs') });
  const { content } = await inCbor('/service/Other/operation/GetResources', {}, 'tagging');
  expect(content).toEqual({ __type: 'UnknownOperationException', message: message('tagging') });
  const services = ['lambda', 'xray', 'route53', 'ec2', 'iam', 'logs', 'tagging'];
  expect(
    cloud.calls
      .slice(-7)
      .map(({ service }) => service)
      .sort(),
  ).toEqual(services.sort());
});

test('a Query call that was signed in advance is a GET', async () => {
  const credential = encodeURIComponent(`OPERATOR/20260101/${REGION}/sts/aws4_request`);
  const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const signature = `X-Amz-Credential=${credential}&X-Amz-Date=${date}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=any`;
  const url = `${cloud.url}/?Action=GetCallerIdentity&Version=2011-06-15&${signature}`;
  expect(await (await fetch(url)).text()).toContain('<UserId>OPERATOR</UserId>');
});
