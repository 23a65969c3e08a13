import { RunningStack, group, listener, migration, rule, findStack } from './running-stack';

const FAILED = { Status: 'FAILED', Reason: 'held' };
const second = (properties: object = {}) => migration({ Second: rule(properties) });

test('the same template again changes nothing, asks no one and says so', async () => {
  const stack = new RunningStack(migration());
  expect(await stack.deploy(migration())).toEqual({ status: 'UPDATE_COMPLETE', applied: [], passedOver: [] });
  expect(stack.events).toEqual([]);
});

test('what is gone from the template is deleted at the end, and made again when it is there again', async () => {
  const stack = new RunningStack(second());
  expect(await stack.deploy(migration({ Rule: rule({ Priority: 2 }) }))).toMatchObject({
    status: 'UPDATE_COMPLETE',
    applied: ["'Rule' (Custom::DrainshiftWeightedRule)", "'Second' (Custom::DrainshiftWeightedRule)"],
  });
  await stack.deploy(migration({ Rule: rule({ Priority: 2 }), Second: rule() }));
  expect(stack.asked).toEqual(['Update Rule', 'Delete Second', 'Create Second']);
});

test('one whose condition does not hold any more is gone, too', async () => {
  const conditional = (Size: string) => ({
    Parameters: { Size: { Type: 'String', Default: Size } },
    Conditions: { Big: { 'Fn::Equals': [{ Ref: 'Size' }, 'big'] } },
    Resources: migration({ Second: rule({}, { Condition: 'Big' }), Rule: rule({ Size: { Ref: 'Size' } }) }),
  });
  const stack = new RunningStack(conditional('big'));
  expect(await stack.deploy(conditional('small'))).toMatchObject({ status: 'UPDATE_COMPLETE' });
  expect(stack.asked).toEqual(['Update Rule', 'Delete Second']);
});

test('a failure deletes what was new at the end; the next attempt makes it', async () => {
  const stack = new RunningStack(migration());
  stack.response = ({ LogicalResourceId }) => (LogicalResourceId === 'Third' ? FAILED : {});
  const next = migration({ Second: rule(), Third: rule(), Rule: rule({ Priority: 2 }) });
  expect(await stack.deploy(next)).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE', applied: [] });
  expect(stack.asked.slice(-3)).toEqual(['Update Rule', 'Delete Third', 'Delete Second']);
  stack.response = () => ({});
  stack.events.length = 0;
  expect(await stack.deploy(next)).toMatchObject({ status: 'UPDATE_COMPLETE' });
  expect(stack.asked.sort()).toEqual(['Create Second', 'Create Third', 'Update Rule']);
});

test('what never responded to its creation is deleted by a made-up id: it may be there', async () => {
  const stack = new RunningStack(migration());
  stack.response = ({ RequestType }) => (RequestType === 'Create' ? undefined : {});
  expect(await stack.deploy(second())).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE' });
  expect(stack.asked).toEqual(['Create Second', 'Delete Second']);
  expect(stack.events[1]?.PhysicalResourceId).toMatch(/^Shop-Second-[0-9A-F]{12}$/);
});

test('what failed to be updated gets an update with old and new swapped', async () => {
  const stack = new RunningStack(migration());
  stack.response = ({ ResourceProperties }) => (ResourceProperties.Priority === '2' ? FAILED : {});
  const deployed = await stack.deploy(migration({ Rule: rule({ Priority: 2 }) }));
  expect(deployed).toMatchObject({
    status: 'UPDATE_ROLLBACK_COMPLETE',
    reason: expect.stringContaining('held') as string,
  });
  expect(stack.asked).toEqual(['Update Rule', 'Update Rule']);
  expect(stack.events[1]?.OldResourceProperties).toEqual(stack.events[0]?.ResourceProperties);
  expect(stack.events[1]?.ResourceProperties).toEqual(stack.events[0]?.OldResourceProperties);
});

test('another physical id is another thing: the former one is deleted once nothing rolls back any more', async () => {
  const stack = new RunningStack(second());
  stack.response = ({ LogicalResourceId }) => ({ PhysicalResourceId: `${LogicalResourceId}-2` });
  const next = migration({ Rule: rule({ Priority: 2 }), Second: rule({ Of: { Ref: 'Rule' } }) });
  await stack.deploy(next);
  expect(stack.asked).toEqual(['Update Rule', 'Update Second', 'Delete Rule', 'Delete Second']);
  expect(stack.events[1]?.ResourceProperties.Of).toBe('Rule-2');
  expect(stack.events.slice(2).map(({ PhysicalResourceId }) => PhysicalResourceId)).toEqual(['Rule-1', 'Second-1']);
});

test('a deletion that fails is said, and the update stands', async () => {
  const stack = new RunningStack(second());
  stack.response = () => FAILED;
  expect(await stack.deploy(migration())).toMatchObject({
    status: 'UPDATE_COMPLETE',
    reason: "'Second' (Custom::DrainshiftWeightedRule) must be deleted, got FAILED: held",
  });
});

test('a rollback that fails ends every further update', async () => {
  const stack = new RunningStack(migration());
  stack.response = () => FAILED;
  const next = migration({ Rule: rule({ Priority: 2 }) });
  expect(await stack.deploy(next)).toMatchObject({ status: 'UPDATE_ROLLBACK_FAILED' });
  await expect(stack.deploy(next)).rejects.toThrow('must be complete to be redeployed, got UPDATE_ROLLBACK_FAILED');
});

test('one redeploy at a time', async () => {
  const stack = new RunningStack(migration());
  const first = stack.deploy(migration({ Rule: rule({ Priority: 2 }) }));
  await expect(stack.deploy(migration())).rejects.toThrow('must be complete to be redeployed, got UPDATE_IN_PROGRESS');
  expect(await first).toMatchObject({ status: 'UPDATE_COMPLETE' });
});

test('attributes that a failed update has set are gone again', async () => {
  const stack = new RunningStack(migration());
  stack.response = ({ ResourceProperties }) => (ResourceProperties.Priority === '2' ? FAILED : {});
  const attributes = [{ Key: 'deregistration_delay.timeout_seconds', Value: '60' }];
  const changed = { SourceGroup: group({ TargetGroupAttributes: attributes }), Rule: rule({ Priority: 2 }) };
  expect(await stack.deploy(migration(changed))).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE' });
  expect(stack.live.targetGroup(stack.ref('SourceGroup')).attributes.size).toBe(0);
});

const forward = (name: string) => [{ Type: 'forward', TargetGroupArn: { Ref: name } }];
const plainRule = (Actions: unknown, ListenerArn = 'Listener') => ({
  Type: 'AWS::ElasticLoadBalancingV2::ListenerRule',
  Properties: {
    ListenerArn: { Ref: ListenerArn },
    Priority: 5,
    Actions,
    Conditions: [{ Field: 'path-pattern', Values: ['/x'] }],
  },
});

test('what refers to something new that is not followed is said with it, and fails nothing', async () => {
  const stack = new RunningStack(migration());
  const next = migration({
    Group: group(),
    OnGroup: plainRule(forward('Group')),
    Other: listener({ Port: 8443 }),
    OnOther: plainRule(forward('SourceGroup'), 'Other'),
    Second: rule({ ListenerArn: { Ref: 'Other' } }),
  });
  const { status, applied, passedOver } = await stack.deploy(next);
  expect([status, applied]).toEqual(['UPDATE_COMPLETE', []]);
  expect(passedOver.map((name) => name.split("'")[1]).sort()).toEqual([
    'Group',
    'OnGroup',
    'OnOther',
    'Other',
    'Second',
  ]);
  expect(stack.events).toEqual([]);
});

test.each([
  ['a security group', { Type: 'AWS::EC2::SecurityGroup', Properties: { SecurityGroupIngress: [] } }],
  ['a custom resource that is not run', { Type: 'Custom::Other', Properties: { A: 1 } }],
  ['an alarm that goes', undefined],
])('%s is said to stay as it is', async (_, Thing) => {
  const stack = new RunningStack(
    migration({ Thing: Thing ? { Type: Thing.Type } : { Type: 'AWS::CloudWatch::Alarm' } }),
  );
  expect(await stack.deploy(migration({ Thing }))).toMatchObject({
    status: 'UPDATE_COMPLETE',
    applied: [],
    passedOver: [expect.stringContaining("'Thing'") as string],
  });
});

describe('a group of a side that would be another one', () => {
  const guard = {
    Type: 'Custom::DrainshiftGroupGuard',
    Properties: { ServiceToken: { 'Fn::GetAtt': ['Step', 'Arn'] }, SourceGroupArn: { Ref: 'SourceGroup' } },
  };
  const renamed = { ...guard, Properties: { ...guard.Properties, SourceGroupArn: { Ref: 'NewGroup' } } };
  const next: [string, ReturnType<typeof migration>][] = [
    ['by a property that replaces it', migration({ Guard: guard, SourceGroup: group({ Port: 9443 }) })],
    [
      'under another logical id',
      migration(
        { Guard: renamed, SourceGroup: undefined, NewGroup: group(), Rule: rule({ SourceGroup: { Ref: 'NewGroup' } }) },
        { source: 'NewGroup', target: 'TargetGroup' },
      ),
    ],
  ];

  test.each(next)('%s: the guard is asked, and what it rejects is rolled back', async (_, changed) => {
    const stack = new RunningStack(migration({ Guard: guard }));
    const present = stack.ref('SourceGroup');
    stack.response = ({ ResourceProperties }) => (ResourceProperties.SourceGroupArn === present ? {} : FAILED);
    expect(await stack.deploy(changed)).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE' });
    expect(stack.asked).toEqual(['Update Guard', 'Update Guard']);
  });

  test.each(next)('%s: when it may go, the standing one goes on in its place, and that is said', async (_, changed) => {
    const stack = new RunningStack(migration({ Guard: guard }));
    const present = stack.ref('SourceGroup');
    const { status, passedOver } = await stack.deploy(changed);
    expect([status, passedOver.join()]).toEqual(['UPDATE_COMPLETE', expect.stringContaining('TargetGroup')]);
    expect(stack.asked).toEqual(['Update Guard']);
    expect(stack.ref(changed.NewGroup ? 'NewGroup' : 'SourceGroup')).toBe(present);
    expect(stack.live.targetGroups.has(present)).toBe(true);
  });
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'another stack',
    () => deploy(migration(), { name: 'Other' }),
    /^'--redeploy' must hold the stack 'Shop', got 'Other'$/,
  ],
  [
    'another region',
    () => deploy(migration(), { region: 'eu-central-1' }),
    /must keep the region 'us-east-1', got 'eu-/,
  ],
  ['another account', () => deploy(migration(), { account: '2' }), /must keep the account '123456789012', got '2'/],
  [
    'no migration',
    () => deploy({ Bucket: { Type: 'AWS::S3::Bucket' } }),
    /^'--redeploy' must hold a stack with a drainshift/,
  ],
  [
    'another type',
    () => deploy(migration({ Rule: { Type: 'AWS::S3::Bucket' } })),
    /must keep the type 'Custom::DrainshiftWeightedRule' of 'Rule', got 'AWS::S3::Bucket'/,
  ],
  [
    'a reference to nothing',
    () => deploy(migration({ Thing: { Type: 'AWS::SNS::Topic', Properties: { A: { Ref: 'Gone' } } } })),
    /must define what it refers to, got 'Gone'/,
  ],
  [
    'another load balancer',
    () => deploy(renamedBalancer()),
    /^'--redeploy' must keep the cutover's 'loadBalancerArn' to be rehearsed, got /,
  ],
])('%s is rejected before anything is touched', async (_, attempt, message) => {
  await expect(attempt()).rejects.toThrow(message);
});

async function deploy(...next: Parameters<typeof findStack>): Promise<void> {
  const stack = new RunningStack(migration());
  try {
    await stack.deploy(...next);
  } finally {
    expect([stack.events, stack.description.status]).toEqual([[], 'CREATE_COMPLETE']);
  }
}

function renamedBalancer(): ReturnType<typeof migration> {
  const text = JSON.stringify(migration()).replaceAll('Balancer"', 'Other"').replaceAll('${Balancer}', '${Other}');
  return JSON.parse(text.replaceAll('LoadOther', 'LoadBalancer')) as ReturnType<typeof migration>;
}
