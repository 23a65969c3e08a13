import { CfnParameter, Fn, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Bucket, IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { addEndpoints } from '../../../lib/cutover/cutover-endpoints';
import { checkSwitch, SwitchParts } from '../../../lib/cutover/switch-parts';
import { ConnectionMoves, CutoverPlan, MigrationProps, PointOfNoReturn, ProxyOptions } from '../../../lib';
import { listResources, newMigration, newStack } from '../fixture';

const plan = CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED });
const [OLD, NEW] = ['http://old.internal:8080', 'https://new.internal'];

/** The rule by itself: what proxies know of a switch, right unless said otherwise. */
function newRule() {
  const stack = newStack();
  const store = new Bucket(stack, 'Store');
  const check = (source: Partial<SwitchParts['source']> = {}, given: CutoverPlan | undefined = plan) =>
    checkSwitch({
      plan: given,
      loadBalancer: { store },
      source: { _upstreams: { upstreamUrl: OLD, otherUpstreamUrl: NEW }, _switchStore: store, ...source },
      target: { _upstreams: { upstreamUrl: NEW, otherUpstreamUrl: OLD }, _switchStore: store },
    });
  const upstreams = (upstreamUrl: string, otherUpstreamUrl?: string) =>
    check({ _upstreams: { upstreamUrl, otherUpstreamUrl } });
  return { stack, check, upstreams };
}

const { stack, check, upstreams } = newRule();

test('proxies that know both backends and the store pass, and so do all of another plan', () => {
  expect(() => check()).not.toThrow();
  const nothing = { _upstreams: { upstreamUrl: OLD }, _switchStore: undefined };
  expect(() => check(nothing, CutoverPlan.gradual())).not.toThrow();
  expect(() =>
    checkSwitch({ loadBalancer: { store: new Bucket(stack, 'B') }, source: nothing, target: nothing }),
  ).not.toThrow();
});

test.each<[string | undefined, string]>([
  [undefined, 'nothing'],
  ['https://newer.internal', 'https://newer.internal'],
  ['http://new.internal', 'http://new.internal'],
  ['https://new.internal:8443', 'https://new.internal:8443'],
])('another backend than that of the other side is rejected: %s', (url, got) => {
  const rule = `the backend of the target with CutoverPlan.drainThenShift (${NEW})`;
  expect(() => upstreams(OLD, url)).toThrow(`'source.otherUpstreamUrl' must be ${rule}, got ${got}`);
});

test('the same backend passes however it is written, and what is known only at deployment', () => {
  const name = new CfnParameter(stack, 'Name').valueAsString;
  for (const url of ['https://new.internal:443', 'HTTPS://NEW.internal/', `https://${name}`])
    expect(() => upstreams(OLD, url)).not.toThrow();
});

test.each<[string, (scope: Stack) => IBucket | undefined, string]>([
  ['none', () => undefined, 'nothing'],
  ['another one of the app', (scope) => new Bucket(scope, 'Other'), "'Test/Other'"],
  ['one of another name', (scope) => Bucket.fromBucketName(scope, 'Named', 'the-store'), "'Test/Named'"],
])('a store that is not that of the load balancer is rejected: %s', (_, make, got) => {
  expect(() => check({ _switchStore: make(stack) })).toThrow(
    `'source.switchStore' must be the store of the load balancer with CutoverPlan.drainThenShift, got ${got}`,
  );
});

test('a store that is known only at deployment passes', () => {
  const parameter = new CfnParameter(stack, 'Bucket').valueAsString;
  for (const [id, name] of Object.entries({ Parameter: parameter, Imported: Fn.importValue('store') }))
    expect(() => check({ _switchStore: Bucket.fromBucketName(stack, id, name) })).not.toThrow();
});

describe('a migration', () => {
  const migrate = (props: Partial<MigrationProps> = {}) => {
    const own = newStack();
    newMigration(own, { plan, ...props });
    return Template.fromStack(own);
  };
  const findSettings = (template: Template) =>
    Object.values(listResources(template, 'AWS::ECS::TaskDefinition')).map(({ Properties }) => {
      const [proxy] = Properties.ContainerDefinitions as {
        Environment: { Name: string; Value: unknown }[];
        Secrets: { Name: string }[];
      }[];
      const variables = Object.fromEntries(proxy!.Environment.map(({ Name, Value }) => [Name, Value]));
      return {
        side: variables.DRAINSHIFT_SIDE,
        upstream: variables.DRAINSHIFT_UPSTREAM,
        other: variables.DRAINSHIFT_OTHER_UPSTREAM,
        store: variables.DRAINSHIFT_SWITCH_STORE,
        secrets: proxy!.Secrets.map(({ Name }) => Name),
      };
    });

  test('gives both sides the store and the backend of the other', () => {
    const template = migrate();
    const [store] = Object.keys(listResources(template, 'AWS::S3::Bucket')).filter((id) => id.includes('Store'));
    expect(findSettings(template)).toEqual([
      { side: 'source', upstream: OLD, other: NEW, store: { Ref: store }, secrets: expect.any(Array) as [] },
      { side: 'target', upstream: NEW, other: OLD, store: { Ref: store }, secrets: expect.any(Array) as [] },
    ]);
  });

  test('gives no store where the plan does not switch, and the other backend for its moves alone', () => {
    const [source, target] = findSettings(migrate({ plan: undefined }));
    expect(source).toMatchObject({ other: NEW, store: undefined });
    expect(target).toMatchObject({ other: OLD, store: undefined });
    const still = CutoverPlan.gradual({ drain: { moves: ConnectionMoves.NONE } });
    for (const settings of findSettings(migrate({ plan: still })))
      expect(settings).toMatchObject({ other: undefined, store: undefined });
    const standing = { upstreamUrl: OLD, moves: ConnectionMoves.NONE };
    expect(findSettings(migrate({ plan: undefined, source: standing }))).toMatchObject([
      { other: undefined },
      { other: OLD },
    ]);
  });

  test.each<[(scope: Stack) => Partial<ProxyOptions>, string]>([
    [() => ({ otherUpstreamUrl: 'http://c.internal' }), "'source.otherUpstreamUrl' must be the backend of the target"],
    [(scope) => ({ switchStore: new Bucket(scope, 'Mine') }), "'source.switchStore' must be the store of the load"],
    [
      () => ({ otherUpstreamUrl: 'c.internal' }),
      "'source.otherUpstreamUrl' must be http(s)://host[:port] without a path",
    ],
  ])('rejects what contradicts that', (options, message) => {
    const own = newStack();
    const source = { upstreamUrl: OLD, ...options(own) };
    expect(() => newMigration(own, { plan, source })).toThrow(message);
  });

  test('checks the certificate of the other backend against its own authorities', () => {
    const named = (own: Stack): ISecret => new Secret(own, 'Authorities');
    const [one, other] = [newStack(), newStack()];
    newMigration(one, { plan, target: { upstreamUrl: NEW, trustedAuthorities: named(one) } });
    for (const { secrets } of findSettings(Template.fromStack(one)))
      expect(secrets).toContain('DRAINSHIFT_UPSTREAM_AUTHORITIES');
    const source = { upstreamUrl: 'https://old.internal' };
    const target = { upstreamUrl: NEW, trustedAuthorities: named(other) };
    expect(() => newMigration(other, { plan, source, target })).toThrow(
      "'source.trustedAuthorities' must be given with CutoverPlan.drainThenShift: these proxies forward to https://new.internal, too, got nothing",
    );
  });
});

test.each([true, false])(
  'the autoscaling that is suspended meanwhile is reached without a NAT gateway: %s',
  (switches) => {
    const scope = new Stack();
    const has = {
      hasAlarms: false,
      hasTopic: false,
      hasHookFunction: false,
      hasHosts: false,
      hasInstances: false,
      canExecute: false,
    };
    addEndpoints(scope, { vpc: new Vpc(scope, 'Vpc', { natGateways: 0 }), callers: [], ...has, switches });
    const names = Object.values(listResources(Template.fromStack(scope), 'AWS::EC2::VPCEndpoint')).map(
      ({ Properties }) => JSON.stringify(Properties.ServiceName),
    );
    expect(names.some((name) => name.includes('application-autoscaling'))).toBe(switches);
  },
);
