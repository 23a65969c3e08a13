import { ListTasksCommand } from '@aws-sdk/client-ecs';
import {
  AddTagsCommand,
  DescribeRulesCommand,
  ModifyRuleCommand,
  RemoveTagsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { AuthorizationRequest } from '../../../rehearsal/aws/endpoint/endpoint';
import { PolicyStatement, accessDenied, isAllowed } from '../../../rehearsal/aws/iam/iam';
import { ARNS, LocalCloud, createClients, nameOfFailure, startLocalCloud } from './world';

const STATEMENTS: readonly PolicyStatement[] = [
  { Effect: 'Allow', Action: 'elasticloadbalancing:ModifyRule', Resource: ARNS.smokeRule },
  {
    Effect: 'Allow',
    Action: 'ecs:ListTasks',
    Resource: '*',
    Condition: { ArnEquals: { 'ecs:cluster': ARNS.cluster } },
  },
  ...(['AddTags', 'RemoveTags'] as const).map((action): PolicyStatement => ({
    Effect: 'Allow',
    Action: `elasticloadbalancing:${action}`,
    Resource: ARNS.rule,
    Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['mark'] }, Null: { 'aws:TagKeys': 'false' } },
  })),
  { Effect: 'Allow', Action: ['s3:PutObject', 's3:GetObject'], Resource: 'arn:aws:s3:::store/*' },
  // As the documentation writes it, for objects that are written once.
  {
    Effect: 'Deny',
    Action: 's3:PutObject',
    Resource: 'arn:aws:s3:::store/once/*',
    Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
  },
];

function authorize({ accessKeyId, action, resources, context }: AuthorizationRequest): void {
  if (accessKeyId === 'OPERATOR') return;
  for (const resource of resources) {
    if (!isAllowed(STATEMENTS, action, resource, context)) throw accessDenied(accessKeyId, action, resource);
  }
}

let cloud: LocalCloud;
let role: ReturnType<typeof createClients>;
beforeAll(async () => {
  cloud = await startLocalCloud({ authorize });
  role = createClients(cloud.url, 'ROLE');
});
afterAll(async () => {
  Object.values(role).forEach((client) => client.destroy());
  await cloud.stop();
});

const toSource = [{ Type: 'forward', TargetGroupArn: ARNS.source }] as const;

test('the access key names the principal, and each protocol denies in its own shape', async () => {
  const rule = { RuleArn: ARNS.rule, Actions: [...toSource] };
  const denied = await role.elb.send(new ModifyRuleCommand(rule)).catch((error: unknown) => error);
  expect(denied).toMatchObject({ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } });
  expect((denied as Error).message).toContain(`elasticloadbalancing:ModifyRule on resource: ${ARNS.rule}`);
  expect(cloud.elbModel.rule(ARNS.rule).actions).not.toEqual(toSource);
  const secret = role.sm.send(new GetSecretValueCommand({ SecretId: 'admin' }));
  await expect(secret).rejects.toMatchObject({ name: 'AccessDeniedException', $metadata: { httpStatusCode: 403 } });
  const object = role.s3.send(new DeleteObjectCommand({ Bucket: 'store', Key: 'a' }));
  await expect(object).rejects.toMatchObject({ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } });
  await cloud.elb.send(new DescribeRulesCommand({ ListenerArn: ARNS.listener }));
});

test('a right holds under the conditions that the service fills in', async () => {
  expect((await role.ecs.send(new ListTasksCommand({ cluster: 'web' }))).taskArns).toHaveLength(4);
  expect(await nameOfFailure(role.ecs.send(new ListTasksCommand({ cluster: 'other' })))).toBe('AccessDeniedException');
});

test('a right to write one tag is no right to write others beside it, or to remove them', async () => {
  const ResourceArns = [ARNS.rule];
  const add = (...keys: string[]) =>
    nameOfFailure(
      role.elb.send(new AddTagsCommand({ ResourceArns, Tags: keys.map((Key) => ({ Key, Value: 'mine' })) })),
    );
  const remove = (...TagKeys: string[]) =>
    nameOfFailure(role.elb.send(new RemoveTagsCommand({ ResourceArns, TagKeys })));
  await role.elb.send(new AddTagsCommand({ ResourceArns, Tags: [{ Key: 'mark', Value: 'mine' }] }));
  for (const change of [add, remove]) {
    for (const keys of [['owner'], ['mark', 'owner'], []]) expect(await change(...keys)).toBe('AccessDenied');
  }
  expect(cloud.elbModel.tags.get(ARNS.rule)).toEqual({ mark: 'mine' });
  await role.elb.send(new RemoveTagsCommand({ ResourceArns, TagKeys: ['mark'] }));
});

test('who may not list a bucket gets access denied for a missing object', async () => {
  await role.s3.send(new PutObjectCommand({ Bucket: 'store', Key: 'there', Body: 'x' }));
  await role.s3.send(new GetObjectCommand({ Bucket: 'store', Key: 'there' }));
  const missing = (clients: typeof role | LocalCloud) =>
    clients.s3.send(new GetObjectCommand({ Bucket: 'store', Key: 'gone' }));
  expect(await nameOfFailure(missing(role))).toBe('AccessDenied');
  expect(await nameOfFailure(missing(cloud))).toBe('NoSuchKey');
});

test('a policy can ask for a condition of every write that makes an object', async () => {
  const put = (Key: string, more = {}) =>
    nameOfFailure(role.s3.send(new PutObjectCommand({ Bucket: 'store', Key, Body: 'x', ...more })));
  expect(await put('once/a')).toBe('AccessDenied');
  expect(await put('once/a', { IfMatch: '"etag"' })).toBe('AccessDenied');
  expect(await put('once/a', { IfNoneMatch: '*' })).toBe('no failure');
  expect(await put('once/a', { IfNoneMatch: '*' })).toBe('PreconditionFailed');
  expect(await put('often')).toBe('no failure');
  const upload = new CreateMultipartUploadCommand({ Bucket: 'store', Key: 'once/parts' });
  expect(await nameOfFailure(role.s3.send(upload))).toBe('no failure');
});

test('an unsigned call is rejected by every protocol', async () => {
  const form = {
    method: 'POST',
    body: new URLSearchParams({ Action: 'DescribeLoadBalancers', Version: '2015-12-01' }),
  };
  const query = await fetch(cloud.url, form);
  expect([query.status, await query.text()]).toEqual([
    403,
    expect.stringContaining('<Code>MissingAuthenticationToken</Code>'),
  ]);
  const headers = { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListTasks' };
  const json = await fetch(cloud.url, { method: 'POST', headers, body: '{}' });
  expect([json.status, await json.json()]).toEqual([
    403,
    expect.objectContaining({ __type: 'MissingAuthenticationTokenException' }),
  ]);
  const s3 = await fetch(`${cloud.url}/store/there`);
  expect([s3.status, await s3.text()]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')]);
});
