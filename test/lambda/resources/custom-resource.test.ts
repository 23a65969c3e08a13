import { IncomingHttpHeaders, Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CustomResourceEvent, ResourceAct, customResourceHandler } from '../../../lambda/resources/custom-resource';

interface Response {
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

let server: Server;
let responses: Response[];
/** The statuses of the next responses; then with 200. */
let statuses: number[];
let printed: string;

beforeEach(async () => {
  [responses, statuses, printed] = [[], [], ''];
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => {
      responses.push({ method: request.method, headers: request.headers, body: JSON.parse(text) as Response['body'] });
      response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    printed += String(chunk);
    return true;
  });
});

afterEach(async () => {
  jest.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const inTime = { getRemainingTimeInMillis: () => 120_000 };
const SECRET = 'X-Amz-Signature=secret-of-the-url';

function event(over: Partial<CustomResourceEvent> = {}): CustomResourceEvent {
  return {
    RequestType: 'Create',
    ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/answer?${SECRET}`,
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'Rule',
    ResourceProperties: {},
    ...over,
  };
}

const call = (act: ResourceAct, over: Partial<CustomResourceEvent> = {}, context = inTime) =>
  customResourceHandler(act)(event(over), context);

test('what was done is reported to the URL of the request, with an empty type', async () => {
  await call(async () => ({ physicalId: 'arn', reason: 'made' }));
  expect(responses).toHaveLength(1);
  expect(responses[0]).toMatchObject({
    method: 'PUT',
    body: {
      Status: 'SUCCESS',
      Reason: 'made',
      PhysicalResourceId: 'arn',
      StackId: 'stack',
      RequestId: 'request',
      LogicalResourceId: 'Rule',
    },
  });
  expect(responses[0]?.headers['content-type']).toBe('');
});

test.each([
  ['a rejection', async () => Promise.reject(new Error('not allowed'))],
  [
    'an exception',
    () => {
      throw new Error('not allowed');
    },
  ],
])('%s is reported as a failure, under the id that was there before', async (_, act) => {
  await call(act);
  await call(act, { RequestType: 'Update', PhysicalResourceId: 'arn' });
  expect(responses.map(({ body }) => body)).toMatchObject([
    { Status: 'FAILED', Reason: 'not allowed', PhysicalResourceId: 'Rule-not-created' },
    { Status: 'FAILED', Reason: 'not allowed', PhysicalResourceId: 'arn' },
  ]);
});

test('what is not done in time is stopped, and reported as a failure', async () => {
  let isStopped = false;
  const act: ResourceAct = (_, signal) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        isStopped = true;
        resolve({ physicalId: 'arn', reason: 'too late' });
      });
    });
  await call(act, {}, { getRemainingTimeInMillis: () => 25_010 });
  expect(isStopped).toBe(true);
  expect(responses.map(({ body }) => body)).toMatchObject([
    { Status: 'FAILED', Reason: "'Rule' must be done within 0 s, got no end" },
  ]);
});

test('a response that is not taken is given again', async () => {
  statuses = [503, 500];
  await call(async () => ({ physicalId: 'arn', reason: 'made' }));
  expect(responses).toHaveLength(3);
});

test('a response that cannot be given fails the call, so that it shows', async () => {
  statuses = [500, 500, 500, 500, 500, 500];
  await expect(call(async () => ({ physicalId: 'arn', reason: 'made' }))).rejects.toThrow(
    'the response to CloudFormation must be accepted, got status 500',
  );
  expect(responses).toHaveLength(5);
});

test('the URL is never printed, also when no one listens there', async () => {
  const url = `http://127.0.0.1:1/answer?${SECRET}`;
  const failed = call(async () => Promise.reject(new Error('no')), { ResponseURL: url });
  await expect(failed).rejects.toThrow(/^the response to CloudFormation must be accepted, got ECONNREFUSED$/);
  await call(async () => ({ physicalId: 'arn', reason: 'made' }));
  expect(printed).toContain('"Reason":"made"');
  expect(printed).not.toContain('secret-of-the-url');
});

test('a response stays within the size that CloudFormation takes', async () => {
  await call(async () => Promise.reject(new Error('x'.repeat(100_000))));
  expect(JSON.stringify(responses[0]?.body).length).toBeLessThan(4096);
});
