import { UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { DescribeRulesCommand, ModifyRuleCommand } from '@aws-sdk/client-elastic-load-balancing-v2';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { EndpointFaults } from '../../../rehearsal/aws/endpoint/faults';
import { ARNS, LocalCloud, createClients, startLocalCloud } from './world';

let cloud: LocalCloud;
let faults: EndpointFaults;
beforeEach(async () => {
  cloud = await startLocalCloud();
  faults = cloud.endpoint.faults;
});
afterEach(() => cloud.stop());

const put = (Key: string) => cloud.s3.send(new PutObjectCommand({ Bucket: 'store', Key, Body: 'x', IfNoneMatch: '*' }));
const forwardTo = (arn: string) => [{ Type: 'forward' as const, TargetGroupArn: arn }];
const modify = () => cloud.elb.send(new ModifyRuleCommand({ RuleArn: ARNS.rule, Actions: forwardTo(ARNS.target) }));
const scale = (abortSignal?: AbortSignal) =>
  cloud.ecs.send(new UpdateServiceCommand({ cluster: 'web', service: 'source', desiredCount: 5 }), { abortSignal });
const desiredCount = () => cloud.ecsModel.services.get(ARNS.sourceService)?.desiredCount;
const isStored = (key: string) => cloud.objects.find('store', key) !== undefined;

test('a status gets a response in the words of the service, for so many calls', async () => {
  faults.set({ service: 's3', action: 'PutObject' }, { kind: 'status', status: 409 }, { times: 1 });
  await expect(put('a')).rejects.toMatchObject({
    name: 'ConditionalRequestConflict',
    $metadata: { httpStatusCode: 409 },
  });
  expect(isStored('a')).toBe(false);
  await put('a');
  faults.set({ service: 'ecs' }, { kind: 'status', status: 503 });
  await expect(scale()).rejects.toMatchObject({ name: 'ServiceUnavailable', $metadata: { attempts: 3 } });
  await put('b');
});

test('a race of two conditional writes gets the conflict of S3, and the words of it', async () => {
  const scope = { action: 'PutObject', pathIncludes: '/switch/decision/' };
  faults.set(scope, { kind: 'status', status: 409 }, { times: 1 });
  await put('switch/regime.json');
  await expect(put('switch/decision/1.json')).rejects.toMatchObject({
    name: 'ConditionalRequestConflict',
    message: 'The conditional request cannot succeed due to a conflicting operation against this resource.',
  });
  await put('switch/decision/1.json');
});

test('a call waits for what is done meanwhile', async () => {
  const seen: boolean[] = [];
  const until = async () => {
    seen.push(isStored('late'));
    await put('meanwhile');
  };
  faults.set({ pathEndsWith: '/late' }, { kind: 'wait', until }, { times: 1 });
  await put('late');
  expect(seen).toEqual([false]);
  expect([isStored('late'), isStored('meanwhile')]).toEqual([true, true]);
});

test('a call may act before its response is lost', async () => {
  faults.set({ action: 'PutObject', pathEndsWith: '/lost' }, { kind: 'status', status: 500 }, { afterActing: true });
  faults.set({ action: 'UpdateService' }, { kind: 'reset' }, { afterActing: true, times: 1 });
  // The second attempt of the client finds what its first one wrote.
  await expect(put('lost')).rejects.toThrow();
  expect(isStored('lost')).toBe(true);
  await put('other');
  await scale();
  expect(desiredCount()).toBe(5);
});

test('a call that hangs ends with its client, and others are served', async () => {
  const clear = faults.set({ action: 'UpdateService' }, { kind: 'hang' });
  await expect(scale(AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'AbortError' });
  await cloud.elb.send(new DescribeRulesCommand({ RuleArns: [ARNS.rule] }));
  expect(desiredCount()).toBe(2);
  clear();
  await scale();
});

test('a late call gets a response as any other', async () => {
  faults.set({ action: 'UpdateService' }, { kind: 'delay', ms: 20 });
  await scale();
  expect([desiredCount(), cloud.calls.at(-1)?.status]).toEqual([5, 200]);
  expect(cloud.calls.at(-1)?.ms).toBeGreaterThanOrEqual(19);
});

test('a rule that only pretends to be changed says so in its response alone', async () => {
  faults.set({ action: 'ModifyRule' }, { kind: 'pretend' });
  expect((await modify()).Rules).toMatchObject([{ Actions: forwardTo(ARNS.target) }]);
  const { Rules } = await cloud.elb.send(new DescribeRulesCommand({ RuleArns: [ARNS.rule] }));
  expect(Rules?.[0]?.Actions?.[0]?.ForwardConfig?.TargetGroups).toMatchObject([{ Weight: 100 }, { Weight: 0 }]);
  faults.clear();
  await modify();
});

test('what is written may be read late, and a second write ends that', async () => {
  const read = async () => {
    const { Rules } = await cloud.elb.send(new DescribeRulesCommand({ RuleArns: [ARNS.rule] }));
    return Rules?.[0]?.Actions?.[0]?.ForwardConfig?.TargetGroups?.length;
  };
  cloud.elbModel.propagation = { at: 'reading', share: 1, ms: Infinity };
  expect((await modify()).Rules).toMatchObject([{ Actions: forwardTo(ARNS.target) }]);
  expect(await read()).toBe(2);
  cloud.elbModel.propagation = undefined;
  await modify();
  expect(await read()).toBe(1);
});

test('an action that cannot pretend says so', async () => {
  faults.set({ action: 'UpdateService' }, { kind: 'pretend' });
  await expect(scale()).rejects.toThrow("the fault 'pretend' must be for an action that can pretend");
  expect(desiredCount()).toBe(2);
});

test('whom a fault spares sees through it; the last fault counts', async () => {
  cloud.objects.put('store', 'seen', Buffer.from('x'));
  faults.set({ service: 's3', spares: ['OPERATOR'] }, { kind: 'status', status: 403 });
  const { s3 } = createClients(cloud.url, 'ROLE');
  const get = new GetObjectCommand({ Bucket: 'store', Key: 'seen' });
  await cloud.s3.send(get);
  await expect(s3.send(get)).rejects.toMatchObject({ name: 'AccessDenied' });
  faults.set({ service: 's3' }, { kind: 'status', status: 400, code: 'Odd', message: 'as asked' });
  await expect(s3.send(get)).rejects.toMatchObject({ name: 'Odd', message: 'as asked' });
  s3.destroy();
});

test('a fault that makes no sense is rejected', () => {
  const status = { kind: 'status', status: 409 } as const;
  expect(() => faults.set({}, status, { times: 0 })).toThrow("'times' must be an integer from 1 up, got 0");
  expect(() => faults.set({}, { kind: 'status', status: 200 })).toThrow(
    "'status' must be an integer from 400 to 599, got 200",
  );
  expect(() => faults.set({}, { kind: 'delay', ms: -1 })).toThrow("'ms' must be a number from 0 up, got -1");
  expect(() => faults.set({}, { kind: 'pretend' }, { afterActing: true })).toThrow(
    "'afterActing' must be false for pretend, got true",
  );
});
