import {
  CloudFormationClient,
  DescribeStackEventsCommand,
  DescribeStackResourceCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, DescribeAlarmsCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { AlarmStates } from '../../../rehearsal/aws/services/alarms/alarm-states';
import { Outbox } from '../../../rehearsal/aws/services/messages/outbox';
import { StackDescription } from '../../../rehearsal/aws/services/stacks/stacks-service';
import { ACCOUNT, REGION, T0, LocalCloud, nameOfFailure, startLocalCloud } from './world';

const STACK: StackDescription = {
  id: `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/Shop/1`,
  name: 'Shop',
  description: 'A shop & its cutover',
  status: 'CREATE_COMPLETE',
  statusReason: undefined,
  createdAt: T0,
  updatedAt: undefined,
  outputs: [{ key: 'CutoverConfig', value: '{"a":"<b>"}', exportName: 'shop-config' }],
  resources: Array.from({ length: 102 }, (_, index) => ({
    logicalId: `R${index}`,
    physicalId: `r-${index}`,
    type: 'AWS::S3::Bucket',
    status: 'CREATE_COMPLETE',
    changedAt: T0,
  })),
  events: [
    { id: 'one', status: 'CREATE_IN_PROGRESS', reason: 'User Initiated' },
    { id: 'two', status: 'CREATE_COMPLETE', reason: undefined },
  ].map((event) => ({
    ...event,
    logicalId: 'Shop',
    physicalId: 'arn',
    type: 'AWS::CloudFormation::Stack',
    changedAt: T0,
  })),
};
const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:night`;

let cloud: LocalCloud;
let alarms: AlarmStates;
let outbox: Outbox;
let clients: ReturnType<typeof createClients>;
beforeEach(async () => {
  alarms = new AlarmStates();
  const buildArn = (name: string) => `arn:aws:cloudwatch:${REGION}:${ACCOUNT}:alarm:${name}`;
  for (const name of ['errors', 'latency'])
    alarms.put({ name, arn: buildArn(name), kind: 'metric', description: undefined }, T0);
  alarms.put({ name: 'all', arn: buildArn('all'), kind: 'composite', description: 'Any' }, T0);
  outbox = new Outbox();
  cloud = await startLocalCloud({ stacks: () => [STACK], alarms, outbox });
  clients = createClients(cloud.url);
});
afterEach(async () => {
  Object.values(clients).forEach((client) => client.destroy());
  await cloud.stop();
});

function createClients(endpoint: string) {
  const config = { endpoint, region: REGION, credentials: { accessKeyId: 'OPERATOR', secretAccessKey: 'none' } };
  return {
    stacks: new CloudFormationClient(config),
    watch: new CloudWatchClient(config),
    topics: new SNSClient(config),
    buses: new EventBridgeClient(config),
  };
}

test.each([['Shop'], [STACK.id], [undefined]])('the stack %s is described with its outputs', async (StackName) => {
  const { Stacks } = await clients.stacks.send(new DescribeStacksCommand({ StackName }));
  expect(Stacks).toMatchObject([
    {
      StackId: STACK.id,
      Description: STACK.description,
      StackStatus: 'CREATE_COMPLETE',
      CreationTime: T0,
      Outputs: [{ OutputKey: 'CutoverConfig', OutputValue: '{"a":"<b>"}', ExportName: 'shop-config' }],
    },
  ]);
});

test('the resources and the events of a stack come in pages, the newest event first', async () => {
  const { stacks } = clients;
  const StackName = 'Shop';
  const list = (NextToken?: string) => stacks.send(new ListStackResourcesCommand({ StackName, NextToken }));
  const first = await list();
  const second = await list(first.NextToken);
  expect([first.StackResourceSummaries?.length, second.StackResourceSummaries?.length]).toEqual([100, 2]);
  const { StackResources } = await stacks.send(new DescribeStackResourcesCommand({ StackName }));
  expect(StackResources).toHaveLength(100);
  const one = {
    LogicalResourceId: 'R101',
    PhysicalResourceId: 'r-101',
    ResourceType: 'AWS::S3::Bucket',
    ResourceStatus: 'CREATE_COMPLETE',
  };
  const ask = { StackName, LogicalResourceId: 'R101' };
  expect((await stacks.send(new DescribeStackResourcesCommand(ask))).StackResources).toMatchObject([one]);
  const byPhysicalId = new DescribeStackResourcesCommand({ PhysicalResourceId: 'r-101' });
  expect((await stacks.send(byPhysicalId)).StackResources?.[0]).toMatchObject({ StackName });
  const { StackResourceDetail } = await stacks.send(new DescribeStackResourceCommand(ask));
  expect(StackResourceDetail).toMatchObject({ ...one, StackId: STACK.id, LastUpdatedTimestamp: T0 });
  const { StackEvents } = await stacks.send(new DescribeStackEventsCommand({ StackName }));
  expect(StackEvents).toMatchObject([
    { EventId: 'two', LogicalResourceId: 'Shop', ResourceStatus: 'CREATE_COMPLETE' },
    { EventId: 'one', ResourceStatusReason: 'User Initiated', Timestamp: T0 },
  ]);
  const failures = [
    stacks.send(new DescribeStackResourcesCommand({})),
    stacks.send(new DescribeStackResourceCommand({ ...ask, LogicalResourceId: 'Other' })),
    stacks.send(new DescribeStackEventsCommand({ StackName: 'Other' })),
    list('x'),
  ];
  expect(await Promise.all(failures.map(nameOfFailure))).toEqual(failures.map(() => 'ValidationError'));
});

test('a stack that is not there is rejected as the service does', async () => {
  await expect(clients.stacks.send(new DescribeStacksCommand({ StackName: 'Other' }))).rejects.toMatchObject({
    name: 'ValidationError',
    message: 'Stack with id Other does not exist',
  });
});

const findState = async (...AlarmNames: string[]) => {
  const { MetricAlarms } = await clients.watch.send(new DescribeAlarmsCommand({ AlarmNames }));
  return MetricAlarms?.map(({ AlarmName, StateValue, StateReason }) => [AlarmName, StateValue, StateReason]);
};

test('an alarm is OK until someone sets another state', async () => {
  expect(await findState('errors', 'gone')).toEqual([['errors', 'OK', 'Nothing has happened yet']]);
  const raise = { AlarmName: 'errors', StateValue: 'ALARM' as const, StateReason: 'a test' };
  await clients.watch.send(new SetAlarmStateCommand(raise));
  expect(await findState('errors')).toEqual([['errors', 'ALARM', 'a test']]);
  alarms.put({ name: 'errors', arn: 'arn', kind: 'metric', description: 'as redeployed' });
  expect(await findState('errors')).toEqual([['errors', 'ALARM', 'a test']]);
  const unknown = clients.watch.send(new SetAlarmStateCommand({ ...raise, AlarmName: 'gone' }));
  expect(await nameOfFailure(unknown)).toMatch(/^ResourceNotFound/);
});

test('composite alarms are reported when they are asked for', async () => {
  const { CompositeAlarms, MetricAlarms } = await clients.watch.send(
    new DescribeAlarmsCommand({ AlarmTypes: ['CompositeAlarm'], StateValue: 'OK' }),
  );
  expect([CompositeAlarms?.map(({ AlarmName }) => AlarmName), MetricAlarms]).toEqual([['all'], []]);
});

test('pages of alarms follow one another, and are filled by what was asked for', async () => {
  const ask = (NextToken?: string) =>
    clients.watch.send(new DescribeAlarmsCommand({ AlarmTypes: ['MetricAlarm'], MaxRecords: 1, NextToken }));
  const first = await ask();
  const second = await ask(first.NextToken);
  const names = [first, second].map(({ MetricAlarms }) => MetricAlarms?.map(({ AlarmName }) => AlarmName));
  expect([names, second.NextToken]).toEqual([[['errors'], ['latency']], undefined]);
});

test('older clients ask for alarms in the Query protocol', async () => {
  const body = new URLSearchParams({
    Action: 'DescribeAlarms',
    Version: '2010-08-01',
    'AlarmNames.member.1': 'latency',
  });
  const authorization = `AWS4-HMAC-SHA256 Credential=OPERATOR/20260101/${REGION}/monitoring/aws4_request`;
  const response = await fetch(cloud.url, { method: 'POST', body, headers: { authorization } });
  expect([response.status, await response.text()]).toEqual([
    200,
    expect.stringContaining('<AlarmName>latency</AlarmName>') as string,
  ]);
});

test('what is published and put on a bus is kept, and what the services reject is not', async () => {
  await clients.topics.send(new PublishCommand({ TopicArn: TOPIC, Subject: 'Shifted', Message: 'now 90/10' }));
  const broken = clients.topics.send(new PublishCommand({ TopicArn: TOPIC, Subject: 'two\nlines', Message: 'x' }));
  expect(await nameOfFailure(broken)).toMatch(/^InvalidParameter/);
  const entry = { Source: 'drainshift', DetailType: 'Drainshift Cutover', Detail: '{"kind":"shifted"}' };
  const { FailedEntryCount, Entries } = await clients.buses.send(
    new PutEventsCommand({
      Entries: [
        { ...entry, Detail: 'no JSON' },
        { ...entry, Source: undefined },
        { Source: 'x', DetailType: 'y' },
        { ...entry, Source: 'aws.states' },
        entry,
      ],
    }),
  );
  // Each by itself: the last one is put.
  expect([FailedEntryCount, Entries?.map(({ ErrorCode, EventId }) => ErrorCode ?? typeof EventId)]).toEqual([
    4,
    ['MalformedDetail', 'InvalidArgument', 'InvalidArgument', 'NotAuthorizedForSource', 'string'],
  ]);
  const put = (more: object) => clients.buses.send(new PutEventsCommand({ Entries: [{ ...entry, ...more }] }));
  expect(await nameOfFailure(put({ Detail: `{"a":"${'x'.repeat(262_144)}"}` }))).toBe('ValidationException');
  expect(await nameOfFailure(put({ EventBusName: TOPIC }))).toBe('ValidationException');
  expect(outbox.messages).toMatchObject([
    { topicArn: TOPIC, subject: 'Shifted', text: 'now 90/10' },
    { bus: `arn:aws:events:${REGION}:${ACCOUNT}:event-bus/default`, detail: { kind: 'shifted' } },
  ]);
});
