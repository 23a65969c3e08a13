import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CfnParameter, Duration, Lazy, Stack } from 'aws-cdk-lib';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import {
  AdminSecret,
  Cutover,
  DrainProfile,
  Migration,
  MigrationAlarms,
  MigrationDashboard,
  MigrationSide,
  MutualTls,
  NetworkFront,
  ProxyCompute,
  ProxyImage,
  ProxyService,
  SessionStore,
  StickyTargetGroup,
} from '../../../lib';
import { STRUCTS } from '../../../lib/validation/prop-names';
import { newMigration, newStack } from '../fixture';

const LIB = resolve(__dirname, '../../../lib');

test('every struct of the public API is checked, by itself or as a part of another', () => {
  const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const sources = files.map((file) => readFileSync(join(LIB, file), 'utf8'));
  const checked = sources.flatMap((text) => [...text.matchAll(/checkNames\('(\w+)'/g)].map(([, name]) => name));
  const parts = Object.values(STRUCTS).flatMap((props) => Object.values<string>(props));
  // The names of what another one extends are its own.
  const extended = sources.flatMap((text) =>
    [...text.matchAll(/interface \w+ extends (\w+)/g)].map(([, name]) => name),
  );
  const known = new Set([...checked, ...extended, ...parts.map((part) => part.replace(/\[\]|\?/g, ''))]);
  expect(Object.keys(STRUCTS).filter((name) => !known.has(name))).toEqual([]);
});

type Make = (stack: Stack, props: object) => unknown;

const inMigration: Make = (stack, props) => newMigration(stack, props);
const side = (more: object) => ({ source: { upstreamUrl: 'http://old.internal', ...more } });

/** As JavaScript hands them in. */
test.each<[string, Make, object, string]>([
  ['an alarm that no migration has', inMigration, { alarms: [] }, "'alarms' must be one of "],
  ['one letter', inMigration, { vetoAlarm: [] }, "'vetoAlarm' must be one of "],
  ['a prop of a side, beside the sides', inMigration, { minTasks: 5 }, "'minTasks' must be one of "],
  ['a side', inMigration, side({ minTask: 5 }), "'source.minTask' must be one of "],
  [
    'the scaling of a side',
    inMigration,
    side({ scaling: { cpu: 40 } }),
    "'source.scaling.cpu' must be one of connectionsPerTask, ",
  ],
  [
    'a threshold',
    inMigration,
    { alarmThresholds: { maxErrorRate: 0.01 } },
    "'alarmThresholds.maxErrorRate' must be one of ",
  ],
  [
    'weights',
    inMigration,
    { initialWeights: { source: 1, taget: 1 } },
    "'initialWeights.taget' must be one of source, target",
  ],
  ['a smoke test', inMigration, { smokeTests: { port: 1 } }, "'smokeTests.port' must be one of sourcePeers, "],
  ['a schedule', inMigration, { schedule: { when: 1 } }, "'schedule.when' must be one of at, plan"],
  ['a side that is none', inMigration, { source: 'http://old.internal' }, "'source' must be an object"],
  ['a name of every object', inMigration, { constructor: 1 }, "'constructor' must be one of "],
  ['cutover', (stack, props) => new Cutover(stack, 'It', props as never), { alarm: [] }, "'alarm' must be one of "],
  [
    'alarms',
    (stack, props) => new MigrationAlarms(stack, 'It', props as never),
    { latency: 1 },
    "'latency' must be one of ",
  ],
  [
    'dashboard',
    (stack, props) => new MigrationDashboard(stack, 'It', props as never),
    { name: 'a' },
    "'name' must be one of ",
  ],
  [
    'proxies',
    (stack, props) => new ProxyService(stack, 'It', props as never),
    { subnets: 1 },
    "'subnets' must be one of ",
  ],
  ['a front', (stack, props) => new NetworkFront(stack, 'It', props as never), { peers: 1 }, "'peers' must be one of "],
  [
    'a group',
    (stack, props) => new StickyTargetGroup(stack, 'It', { vpc: new Vpc(stack, 'Vpc'), ...props }),
    { healthCheck: { path: '/' } },
    "'healthCheck.path' must be one of healthyThreshold, ",
  ],
  [
    'a session store',
    (stack, props) => new SessionStore(stack, 'It', props as never),
    { auth: 1 },
    "'auth' must be one of ",
  ],
  ['a secret', (stack, props) => new AdminSecret(stack, 'It', props), { key: 1 }, "'key' must be one of encryptionKey"],
  ['a drain profile', (_, props) => DrainProfile.custom(props as never), { grace: 1 }, "'grace' must be one of "],
  ['Spot', (_, props) => ProxyCompute.fargateSpot(props), { base: 1 }, "'base' must be one of onDemandBase, "],
  ['instances', (_, props) => ProxyCompute.ec2(props), { max: 1 }, "'max' must be one of capacityProviderName, "],
  ['an image', (_, props) => ProxyImage.fromDirectory('.', props), { dockerfile: 'a' }, "'dockerfile' must be one of "],
  ['mutual TLS', (_, props) => MutualTls.verify({} as never, props), { ignore: true }, "'ignore' must be one of "],
])('what JavaScript misspells is rejected: %s', (_, make, props, message) => {
  expect(() => make(newStack(), props)).toThrow(message);
});

class Backend {}

/** As JavaScript hands them in. */
test.each<[string, Make, object | undefined | null, string]>([
  [
    'none at all',
    (stack) => new Migration(stack, 'It', undefined as never),
    {},
    "'props' must be an object, got nothing",
  ],
  ['null', (stack) => new AdminSecret(stack, 'It', null as never), {}, "'props' must be an object, got null"],
  ['a prop that is null', inMigration, { domainName: null }, "'domainName' must be a string, got null"],
  ['a side that is missing', inMigration, { source: undefined }, "'source' must be an object, got nothing"],
  ['a URL that is missing', inMigration, { source: {} }, "'source.upstreamUrl' must be a string, got nothing"],
  ['a boolean', inMigration, { internetFacing: 'false' }, `'internetFacing' must be true or false, got "false"`],
  ['a number', inMigration, { rulePriority: '5' }, `'rulePriority' must be a number, got "5"`],
  ['no number', inMigration, { trafficPort: NaN }, "'trafficPort' must be a number, got NaN"],
  ['a list', inMigration, { hostHeaders: 'a.example' }, `'hostHeaders' must be a list, got "a.example"`],
  ['an item', inMigration, { rollbackAlarms: ['name'] }, `'rollbackAlarms[0]' must be an IAlarm, got "name"`],
  ['a map', inMigration, side({ environment: ['A=b'] }), `'source.environment' must be an object, got ["A=b"]`],
  ['an entry', inMigration, side({ environment: { A: 1 } }), "'source.environment.A' must be a string, got 1"],
  [
    'an enum of ours',
    inMigration,
    { smokeRoute: 'TARGETS' },
    `'smokeRoute' must be one of "loadBalancer", "targets", got "TARGETS"`,
  ],
  [
    'a part of a plan',
    inMigration,
    { changeablePlanParts: ['poll'] },
    `'changeablePlanParts[0]' must be one of "stages", `,
  ],
  ['an enum of the CDK', inMigration, { sslPolicy: 'TLS13' }, "'sslPolicy' must be one of "],
  ['an enum of numbers', inMigration, { logGroupRetention: 'ONE_DAY' }, "'logGroupRetention' must be one of 1, 3, "],
  [
    'an algorithm',
    (stack, props) => new StickyTargetGroup(stack, 'It', { vpc: new Vpc(stack, 'Vpc'), ...props }),
    { algorithm: 'bogus' },
    `'algorithm' must be one of "round_robin", `,
  ],
  ['seconds', inMigration, { idleTimeout: 30 }, "'idleTimeout' must be a Duration, got 30"],
  ['a plan', inMigration, { plan: { stages: [] } }, `'plan' must be a CutoverPlan, got {"stages":[]}`],
  [
    'the plan of a schedule',
    inMigration,
    { schedule: { at: ScheduleExpression.rate(Duration.days(1)), plan: { stages: [] } } },
    `'schedule.plan' must be a CutoverPlan, got {"stages":[]}`,
  ],
  [
    'a class of others',
    inMigration,
    { source: side({}).source, mutualTls: new Backend(), vpc: new Backend() },
    "'vpc' must be an IVpc, got a Backend",
  ],
  [
    'what is known later',
    inMigration,
    { alarmThresholds: Lazy.any({ produce: () => ({}) }) },
    "'alarmThresholds' must be known at synthesis, got a token",
  ],
  [
    'the construct around a secret',
    (stack, props) => newMigration(stack, { ...props, adminSecret: new AdminSecret(stack, 'Admin') as never }),
    {},
    "'adminSecret' must be an ISecret, got the AdminSecret 'Test/Admin'",
  ],
])('what JavaScript hands in must be of its kind: %s', (_, make, props, message) => {
  expect(() => make(newStack(), props as object)).toThrow(message);
});

test('a cutover moves what this app makes: an import is rejected by its name', () => {
  const stack = newStack();
  const source = ProxyService.fromProxyServiceAttributes(stack, 'Theirs', {
    side: MigrationSide.SOURCE,
    serviceArn: 'arn:aws:ecs:eu-central-1:111122223333:service/shop/source',
    serviceName: 'Shop-Source',
  });
  expect(() => new Cutover(stack, 'It', { source } as never)).toThrow(
    "'source' must be a ProxyService, got the ImportedProxyService 'Test/Theirs'",
  );
});

test('what is known only at deployment is of any kind', () => {
  const stack = newStack();
  const later = Lazy.any({ produce: () => undefined });
  const parameter = new CfnParameter(stack, 'Parameter', { type: 'Number' });
  const props = { rulePriority: parameter.valueAsNumber, dashboardName: Lazy.string({ produce: () => 'a' }) };
  expect(() => newMigration(stack, { ...props, deletionProtection: later as never })).not.toThrow();
});

test('what connects the constructs may be handed to each of them in one object', () => {
  const { loadBalancer, source, target, cutover, vpc, cluster } = newMigration(newStack(), { monitoring: false });
  const parts = { loadBalancer, source, target, cutover, vpc, cluster };
  expect(() => new MigrationAlarms(source.stack, 'Alarms', parts)).not.toThrow();
});
