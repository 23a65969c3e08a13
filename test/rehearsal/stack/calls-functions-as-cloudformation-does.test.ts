import { once } from 'node:events';
import { connect } from 'node:net';
import { CustomResource } from '../../../rehearsal/template/parts/custom-resources';
import { CustomResources } from '../../../rehearsal/stack/custom-resources';

const RESOURCE: CustomResource = {
  logicalId: 'Rule',
  type: 'Custom::Thing',
  serviceToken: 'arn:function',
  properties: { ServiceToken: 'arn:function', Priority: '1000' },
  timeoutSeconds: 3600,
};
const STACK_ID = 'arn:aws:cloudformation:eu-central-1:123456789012:stack/Shop/1';

type Event = Readonly<Record<string, unknown>> & { readonly ResponseURL: string };
type Response = Readonly<Record<string, unknown>>;

/** What the function got, and what it responds with beside what a response has to repeat. */
function stack(response: (event: Event) => Response | string) {
  const events: Event[] = [];
  const puts: Promise<number>[] = [];
  const resources = new CustomResources(STACK_ID, async (functionArn, raw) => {
    expect(functionArn).toBe('arn:function');
    const event = raw as Event;
    events.push(event);
    const { StackId, RequestId, LogicalResourceId } = event;
    const said = response(event);
    const body = typeof said === 'string' ? said : JSON.stringify({ StackId, RequestId, LogicalResourceId, ...said });
    const put = fetch(event.ResponseURL, { method: 'PUT', body }).then(({ status }) => status);
    puts.push(put);
    await put;
  });
  return { resources, events, puts };
}

test('a creation is asked for, and the response gives the id and the attributes', async () => {
  const { resources, events, puts } = stack(() => ({
    Status: 'SUCCESS',
    PhysicalResourceId: 'arn:rule',
    Data: { Port: 443, Weights: { Source: 100 } },
  }));
  expect(await resources.create(RESOURCE)).toEqual({
    ref: 'arn:rule',
    attributes: { Port: '443', 'Weights.Source': '100' },
  });
  expect(events).toEqual([
    {
      RequestType: 'Create',
      StackId: STACK_ID,
      RequestId: expect.any(String) as string,
      LogicalResourceId: 'Rule',
      ResourceType: 'Custom::Thing',
      ServiceToken: 'arn:function',
      ResponseURL: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\//) as string,
      ResourceProperties: RESOURCE.properties,
    },
  ]);
  expect(await Promise.all(puts)).toEqual([200]);
});

test('an update reports what was, and a deletion what there is', async () => {
  const { resources, events } = stack(() => ({ Status: 'SUCCESS', PhysicalResourceId: 'arn:new' }));
  const old = { ...RESOURCE, properties: { Priority: '1' } };
  expect(await resources.update(RESOURCE, old, 'arn:old')).toEqual({ ref: 'arn:new', attributes: {} });
  await resources.delete(RESOURCE, 'arn:new');
  expect(events).toMatchObject([
    { RequestType: 'Update', PhysicalResourceId: 'arn:old', OldResourceProperties: { Priority: '1' } },
    { RequestType: 'Delete', PhysicalResourceId: 'arn:new', ResourceProperties: RESOURCE.properties },
  ]);
});

test('a failure is reported with its reason and its id', async () => {
  const { resources } = stack(() => ({ Status: 'FAILED', Reason: 'held', PhysicalResourceId: 'arn:rule' }));
  await expect(resources.create(RESOURCE)).rejects.toMatchObject({
    name: 'CustomResourceFailed',
    message: "'Rule' (Custom::Thing) must be created, got FAILED: held",
    physicalId: 'arn:rule',
  });
});

const good = { Status: 'SUCCESS', PhysicalResourceId: 'arn:rule' };

test.each<[string, Response | string, RegExp]>([
  ['no JSON', 'done', /must be a JSON object, got 'done'/],
  ['another request', { ...good, RequestId: 'other' }, /'RequestId' of the response must be that of the event/],
  [
    'no id',
    { Status: 'SUCCESS' },
    /'PhysicalResourceId' of the response must be a string of 1 to 1024 bytes, got nothing/,
  ],
  ['no status', { PhysicalResourceId: 'arn' }, /'Status' of the response must be SUCCESS or FAILED, got nothing/],
  ['a failure without a reason', { ...good, Status: 'FAILED' }, /'Reason' of the response must be given with FAILED/],
  ['data that is a list', { ...good, Data: [1] }, /'Data' of the response must be an object/],
  ['too much', { ...good, Data: { a: 'x'.repeat(4096) } }, /must have at most 4096 bytes, got 4\d{3}/],
])('a response with %s is none', async (_, response, message) => {
  await expect(stack(() => response).resources.create(RESOURCE)).rejects.toThrow(message);
});

test('a function that ends without a response is not waited for', async () => {
  const silent = new CustomResources(STACK_ID, () => Promise.resolve());
  await expect(silent.create(RESOURCE)).rejects.toThrow('no response from a function that returned');
  const broken = new CustomResources(STACK_ID, () => Promise.reject(new Error('Runtime.ExitError')));
  await expect(broken.create(RESOURCE)).rejects.toThrow('no response from a function that failed: Runtime.ExitError');
});

test('one that goes on without a response is waited for as long as the resource says', async () => {
  const late = new CustomResources(STACK_ID, () => new Promise(() => undefined));
  await expect(late.create({ ...RESOURCE, timeoutSeconds: 0.01 })).rejects.toThrow('no response in 0.01 s');
});

test('no one but the function that was asked knows where its response goes', async () => {
  const statuses: number[] = [];
  const { resources } = stack(() => good);
  const curious = new CustomResources(STACK_ID, async (_, raw) => {
    const { origin } = new URL((raw as Event).ResponseURL);
    statuses.push((await fetch(`${origin}/guess`, { method: 'PUT', body: '{}' })).status);
    statuses.push((await fetch((raw as Event).ResponseURL)).status);
  });
  await expect(curious.create(RESOURCE)).rejects.toThrow('no response');
  expect(statuses).toEqual([403, 403]);
  await resources.create(RESOURCE);
});

test('a response that was cut on its way was never put: the function may try again', async () => {
  const resources = new CustomResources(STACK_ID, async (_, raw) => {
    const { ResponseURL, StackId, RequestId, LogicalResourceId } = raw as Event;
    const { hostname, port, pathname } = new URL(ResponseURL);
    const cut = connect(Number(port), hostname);
    cut.write(`PUT ${pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n{"Status"`);
    // It is being read.
    await once(cut, 'data');
    cut.destroy();
    await once(cut, 'close');
    const body = JSON.stringify({ ...good, StackId, RequestId, LogicalResourceId });
    await fetch(ResponseURL, { method: 'PUT', body });
  });
  expect(await resources.create(RESOURCE)).toEqual({ ref: 'arn:rule', attributes: {} });
});
