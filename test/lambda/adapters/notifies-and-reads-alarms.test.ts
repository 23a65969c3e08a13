import { once } from 'node:events';
import { IncomingMessage, Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { buildAnnouncement } from '../../../core/cutover/announcement';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import { API_LIMITS } from '../../../core/plan/api-calls';
import { alarmsPort } from '../../../lambda/adapters/alarms';
import { metricsPort } from '../../../lambda/adapters/metrics';
import { notifierPort } from '../../../lambda/adapters/notifier';

interface Call {
  readonly target: string;
  readonly body: string;
}

/** What the services respond, by what the call's target or body has in it. */
let responses: Record<string, { status?: number; type?: string; body: string }> = {};
let calls: Call[] = [];
let server: Server;
let printed: string[] = [];

async function respond(request: IncomingMessage): Promise<{ status?: number; type?: string; body: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const call = { target: String(request.headers['x-amz-target'] ?? ''), body: Buffer.concat(chunks).toString() };
  calls.push(call);
  const found = Object.entries(responses).find(([part]) => `${call.target} ${call.body}`.includes(part));
  return found?.[1] ?? { status: 400, body: '{"__type":"UnknownOperation"}' };
}

beforeEach(async () => {
  [responses, calls, printed] = [{}, [], []];
  server = createServer((request, response) => {
    void respond(request).then(({ status = 200, type = 'application/x-amz-json-1.1', body }) =>
      response.writeHead(status, { 'content-type': type }).end(body),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'LAMBDA',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
  jest.spyOn(process.stdout, 'write').mockImplementation((line) => printed.push(String(line)) > 0);
});
afterEach(async () => {
  jest.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const config = (over: Partial<CutoverConfig>): CutoverConfig =>
  ({ storeBucket: 'store', weightedRuleArn: 'arn:rule', ...over }) as CutoverConfig;
const NONE = { metric: [], other: [] };
const places = { storeBucket: 'store', weightedRuleArn: 'arn:rule' };
const announcement = buildAnnouncement('failed', { execution: 'night' }, places);
const topicAnd = { notificationTopicArn: 'arn:aws:sns:eu-central-1:1:ops', eventBusName: 'default' };
const PUBLISHED =
  '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>';

test('people are notified through the topic, other systems through the bus', async () => {
  responses = {
    'Action=Publish': { type: 'text/xml', body: PUBLISHED },
    PutEvents: { body: '{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}' },
  };
  await notifierPort(config(topicAnd)).tell(announcement);
  const form = new URLSearchParams(calls.find(({ body }) => body.includes('Action=Publish'))?.body);
  expect(Object.fromEntries(form)).toMatchObject({
    TopicArn: topicAnd.notificationTopicArn,
    Subject: announcement.subject,
    Message: announcement.text,
  });
  const put = JSON.parse(calls.find(({ target }) => target.endsWith('PutEvents'))?.body ?? '') as {
    Entries: [{ Source: string; DetailType: string; EventBusName: string; Detail: string }];
  };
  expect(put.Entries[0]).toMatchObject({
    Source: 'drainshift',
    DetailType: 'Drainshift Cutover',
    EventBusName: 'default',
  });
  expect(JSON.parse(put.Entries[0].Detail)).toEqual(announcement.detail);
  expect(printed).toEqual([]);
});

test('a service that rejects costs nothing but a line of the log, and the other is reported all the same', async () => {
  responses = { PutEvents: { body: '{"FailedEntryCount":1,"Entries":[{"ErrorCode":"Denied","ErrorMessage":"no"}]}' } };
  await expect(notifierPort(config(topicAnd)).tell(announcement)).resolves.toBeUndefined();
  expect(calls.some(({ target }) => target.endsWith('PutEvents'))).toBe(true);
  const lines = printed.map((line) => JSON.parse(line) as { message: string; reason: string });
  expect(lines.map(({ message }) => message)).toEqual(Array(2).fill('A notification was not sent'));
  expect(lines.map(({ reason }) => reason).join()).toContain('Denied: no');
});

test('without a topic and a bus no one is called', async () => {
  await notifierPort(config({})).tell(announcement);
  await expect(alarmsPort().read({ source: NONE, target: NONE })).resolves.toEqual([]);
  expect(calls).toEqual([]);
});

test('alarms are asked for by name, and composite ones only where there may be one', async () => {
  responses = {
    '"CompositeAlarm"': { body: '{"CompositeAlarms":[{"AlarmName":"all","StateValue":"ALARM","StateReason":"bad"}]}' },
    DescribeAlarms: { body: '{"MetricAlarms":[{"AlarmName":"5xx","StateValue":"INSUFFICIENT_DATA"}]}' },
  };
  const checked = { source: { metric: [], other: ['all'] }, target: { metric: ['5xx'], other: [] } };
  expect(await alarmsPort().read(checked)).toEqual([
    { name: '5xx', state: 'INSUFFICIENT_DATA', reason: '' },
    { name: 'all', state: 'ALARM', reason: 'bad' },
  ]);
  // As `plan explain` counts them.
  expect(calls).toHaveLength(API_LIMITS.cloudWatch.callsPerLook);
  expect(calls.map(({ body }) => JSON.parse(body) as unknown)).toEqual(
    expect.arrayContaining([
      { AlarmNames: ['5xx'], AlarmTypes: ['MetricAlarm'], MaxRecords: 100 },
      { AlarmNames: ['all'], AlarmTypes: ['MetricAlarm', 'CompositeAlarm'], MaxRecords: 100 },
    ]),
  );
});

test('alarms that cannot be read are an error, and never "no alarm"', async () => {
  await expect(alarmsPort().read({ source: NONE, target: { ...NONE, metric: ['5xx'] } })).rejects.toMatchObject({
    name: 'UnknownOperation',
  });
});

test('a run that does not know its alarms has not none: it cannot read them', async () => {
  await expect(alarmsPort().read(undefined)).rejects.toThrow(/'alarms' must be in the state of the execution/);
  expect(calls).toEqual([]);
});

test('more alarms than one call takes are asked for in several', async () => {
  responses = { DescribeAlarms: { body: '{}' } };
  const names = (side: string) => Array.from({ length: 60 }, (_, index) => `${side}-${index}`);
  const checked = { source: { ...NONE, metric: names('source') }, target: { ...NONE, metric: names('target') } };
  await alarmsPort().read(checked);
  const asked = calls.map(({ body }) => (JSON.parse(body) as { AlarmNames: string[] }).AlarmNames);
  expect(asked.map(({ length }) => length).sort()).toEqual([100, 20]);
  expect(asked.flat().sort()).toEqual([...names('source'), ...names('target')].sort());
});

test('each weight is one line of the log that CloudWatch makes a metric of', () => {
  metricsPort(config({ cutoverName: 'shop' })).weights({ source: 0, target: 100 }, 1_000);
  const lines = printed.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toMatchObject([
    { Cutover: 'shop', Side: 'source', Weight: 0 },
    { Cutover: 'shop', Side: 'target', Weight: 100 },
  ]);
  expect(lines[0]?._aws).toEqual({
    Timestamp: 1_000,
    CloudWatchMetrics: [
      {
        Namespace: 'Drainshift',
        Dimensions: [['Side'], ['Cutover', 'Side']],
        Metrics: [{ Name: 'Weight', Unit: 'None' }],
      },
    ],
  });
});
