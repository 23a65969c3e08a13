import { Server, ServerResponse, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { until } from '../../support/until';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import { alarmsPort } from '../../../lambda/adapters/alarms';
import { callFunction } from '../../../lambda/adapters/call-function';
import { certificatesPort } from '../../../lambda/adapters/certificates';
import { identityPort } from '../../../lambda/adapters/identity';
import { listenerRulesPort } from '../../../lambda/adapters/load-balancer/listener-rules';
import { loadBalancerPort } from '../../../lambda/adapters/load-balancer/load-balancer';
import { notifierPort } from '../../../lambda/adapters/notifier';
import { findCutoverConfigs } from '../../../lambda/operator';
import { proxiesPort } from '../../../lambda/adapters/proxies/proxies';
import { cachedSecret } from '../../../lambda/adapters/client/secret';
import { smokePort } from '../../../lambda/adapters/smoke/smoke';
import { storePort } from '../../../lambda/adapters/store/store';
import { endInTime, withTimeLeft } from '../../../lambda/contract/time-left';

const CONFIG: CutoverConfig = {
  loadBalancerArn: 'arn:balancer',
  weightedRuleArn: 'arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/a/b/c/d',
  weightedListenerArn: 'arn:listener',
  smokeListenerArns: { source: 'arn:s', target: 'arn:t' },
  targetGroupArns: { source: 'arn:gs', target: 'arn:gt' },
  clusterArn: 'arn:cluster',
  serviceNames: { source: 'source', target: 'target' },
  adminPort: 1,
  adminSecretArn: 'arn:secret',
  storeBucket: 'store',
  domainName: 'shop.example.com',
  notificationTopicArn: 'arn:aws:sns:eu-central-1:123456789012:night',
  eventBusName: 'default',
};
const STATEMENT = {
  says: 'x',
  host: 'x',
  credential: 'c',
  date: 'd',
  expires: 900,
  signature: 's',
} as unknown as Parameters<ReturnType<typeof identityPort>['findSigner']>[0];
const FORWARD = { groups: [{ arn: 'arn:gs', weight: 1 }], stickiness: { enabled: false, seconds: 0 } };
const open = () => new AbortController().signal;

const ALARMS = { source: { metric: [], other: [] }, target: { metric: ['5xx'], other: [] } };

/** Every call of AWS that a step or a person waits for, and what its message must name. */
const CALLS: [name: string, call: () => Promise<unknown>][] = [
  ['S3 must respond to GetObject', () => storePort('store').holder()],
  ['S3 must respond to GetObject', () => storePort('store').approval('night', 'firstShift')],
  ['S3 must respond to GetObject', () => storePort('store').abortRequested('night')],
  ['S3 must respond to PutObject', () => storePort('store').putEvidence({ execution: 'night' } as never)],
  ['Elastic Load Balancing must respond to DescribeRules', () => loadBalancerPort(CONFIG).rules()],
  [
    'Elastic Load Balancing must respond to DescribeTargetHealth',
    () => loadBalancerPort(CONFIG).healthyTargets('source'),
  ],
  ['Elastic Load Balancing must respond to ModifyRule', () => loadBalancerPort(CONFIG).setForward(FORWARD)],
  [
    'Elastic Load Balancing must respond to Describe',
    () => smokePort(CONFIG).probe('source', { path: '/', expectedStatus: 200 }, { quorum: 'every', maxAtOnce: 1 }),
  ],
  [
    'Elastic Load Balancing must respond to Describe',
    () =>
      smokePort({ ...CONFIG, smokeRoute: 'targets' }).probe(
        'source',
        { path: '/', expectedStatus: 200 },
        { quorum: 'half', maxAtOnce: 1 },
      ),
  ],
  ['Elastic Load Balancing must respond to DescribeRules', () => listenerRulesPort(open()).find('arn:rule')],
  ['ACM must respond to DescribeCertificate', () => certificatesPort(open()).end('arn:certificate')],
  ['CloudWatch must respond to DescribeAlarms', () => alarmsPort().read(ALARMS)],
  ['ECS must respond to ListTasks', () => proxiesPort(CONFIG).tasks('source')],
  ['Secrets Manager must respond to GetSecretValue', () => cachedSecret('arn:secret', { cacheMs: 1, limitMs: 900 })()],
  ['Lambda must respond to Invoke', () => callFunction('undrain', {}, 'undrain the source')],
  ['CloudFormation must respond to DescribeStacks', () => findCutoverConfigs('shop')],
  ['STS ', () => identityPort(CONFIG).findSigner(STATEMENT)],
];

let server: Server | undefined;
const responses: ServerResponse[] = [];

async function serve(respond: (response: ServerResponse) => void): Promise<void> {
  server = createServer((_, response) => {
    responses.push(response);
    respond(response);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server?.once('listening', resolve));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'LAMBDA',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
}
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** As a step that has so long. */
function inStep<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
  const endsMs = performance.now() + milliseconds;
  return withTimeLeft(() => endsMs - performance.now(), work);
}

const STALLS: [string, (response: ServerResponse) => void][] = [
  ['sends no response', () => undefined],
  ['stops in the middle of a body', (response) => response.writeHead(200, { 'content-length': 100 }).write('{"a":')],
  ['is busy for ever', (response) => response.writeHead(503).end()],
];

test.each(STALLS)('a service that %s is named with the call, in the time of the step', async (_, response) => {
  await serve(response);
  const notified = await Promise.all(
    CALLS.map(async ([name, call]) => {
      const error = await inStep(300, call).then(
        () => 'no error',
        (caught: Error) => `${caught.name}: ${caught.message}`,
      );
      return [name, error] as const;
    }),
  );
  const unnamed = notified.filter(([name, error]) => !error.startsWith(`AwsUnavailable: ${name}`));
  expect(unnamed).toEqual([]);
});

test('a body whose connection breaks names the service and the call', async () => {
  await serve((response) => {
    response.writeHead(200, { 'content-length': 100 }).write('{"a":', () => response.socket?.resetAndDestroy());
  });
  await expect(storePort('store').holder()).rejects.toMatchObject({
    name: 'AwsUnavailable',
    message: expect.stringMatching(/^S3 must respond to GetObject, got /) as string,
  });
});

test('a message that is not sent names the service, and no step waits for it', async () => {
  await serve(() => undefined);
  const lines: string[] = [];
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  const detail = { kind: 'failed', execution: 'night', storeBucket: 'store', text: '' } as const;
  await inStep(300, () => notifierPort(CONFIG).tell({ subject: 'x', text: 'x', detail }));
  write.mockRestore();
  expect(lines.join('')).toContain('SNS must respond to Publish');
  expect(lines.join('')).toContain('EventBridge must respond to PutEvents');
});

test('a step that does not end ends before its function does, and says what it waits for; it begins no call after that', async () => {
  await serve(() => undefined);
  let later: Promise<unknown> | undefined;
  const step = endInTime({ getRemainingTimeInMillis: () => 2_100 }, async () => {
    await Promise.allSettled([loadBalancerPort(CONFIG).rules(), new Promise((resolve) => setTimeout(resolve, 200))]);
    const asked = responses.length;
    later = loadBalancerPort(CONFIG)
      .setForward(FORWARD)
      .catch((error: Error) => [error.message, responses.length - asked]);
  });
  await expect(step).rejects.toMatchObject({
    name: 'AwsUnavailable',
    message: expect.stringMatching(/^(a step must end within 0.1 s|Elastic)/) as string,
  });
  await until(() => later !== undefined);
  expect(await later).toEqual([
    'Elastic Load Balancing must respond to ModifyRule in the time of its step, got none left',
    0,
  ]);
});
