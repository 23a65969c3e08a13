import { begin } from '../../core/cutover/run';
import { parsePlan } from '../../core/plan/plan';
import { storePort } from '../../lambda/adapters/store/store';
import type { Undrained } from '../../lambda/steps/undrain';
import { AwsError } from '../../rehearsal/errors/aws-error';
import type { StackDescription } from '../../rehearsal/aws/services/stacks/stacks-service';
import { cutoverConfig, deployedStack } from '../rehearsal/aws/deployed';
import { ARNS, REGION, LocalCloud, startLocalCloud } from '../rehearsal/aws/world';
import { Command, run } from '../rehearsal/command';
import { until } from '../support/until';

const config = { ...cutoverConfig(1), undrainFunctionName: 'undrain' };

function stack(name: string, ...keys: readonly string[]): StackDescription {
  const value = (key: string) => (key === 'Url' ? 'https://shop.example.com' : JSON.stringify(config));
  return deployedStack(name, Object.fromEntries(keys.map((key) => [key, value(key)])));
}

let cloud: LocalCloud;
/** What the stack's function returns, and how it was called. */
let undrained: Undrained;
let invoked: [string, unknown][];
/** The one action that is not allowed. */
let denied: string | undefined;
beforeEach(async () => {
  denied = undefined;
  const stacks = [
    stack('shop', 'Url', 'MigrationCutoverConfig1A2B3C4D'),
    stack('two', 'OneCutoverConfig', 'OtherCutoverConfig'),
    stack('bare', 'Url'),
  ];
  const authorize = ({ action }: { action: string }) => {
    if (action === denied) throw new AwsError('AccessDenied', 'not you', 403);
  };
  undrained = { state: { serves: true }, notUndrained: [] };
  invoked = [];
  const invoke = async (arn: string, event: unknown) => {
    invoked.push([arn, event]);
    return undrained;
  };
  cloud = await startLocalCloud({ stacks: () => stacks, authorize, invoke });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: cloud.url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'OPERATOR',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
});
afterEach(() => cloud.stop());

const get = (...flags: string[]) => run(['weights', 'get', '--stack', ...flags]);
const set = (source: string, target: string, ...flags: string[]) =>
  run(['weights', 'set', '--source', source, '--target', target, '--stack', ...flags]);
const weights = () => {
  const action = cloud.elbModel.rule(ARNS.rule).actions[0];
  return action?.type === 'forward' ? action.forward.targetGroups.map(({ weight }) => weight) : [];
};
const writes = () => cloud.calls.filter(({ action }) => action === 'ModifyRule');
const lock = () => storePort('store').acquire(begin('move-1', '2026-01-01T00:00:00.000Z', parsePlan({})));

test('get prints the weights in force and who holds the lock', async () => {
  expect(await get('shop')).toEqual({
    code: 0,
    output: [
      'source  100  100.0 % of new clients',
      'target  0    0.0 % of new clients',
      'lock    free',
      `rule    ${ARNS.rule}`,
      '',
    ].join('\n'),
  });
  await lock();
  const { code, output } = await get('shop', '--json');
  expect([code, JSON.parse(output)]).toEqual([
    0,
    {
      stack: 'shop',
      ruleArn: ARNS.rule,
      weights: { source: 100, target: 0 },
      stickinessSeconds: null,
      lock: { execution: 'move-1', since: '2026-01-01T00:00:00.000Z' },
    },
  ]);
});

test('set sets, reads back, and gives the lock back', async () => {
  expect(await set('0', '7', 'shop', '--yes')).toEqual({
    code: 0,
    output: 'changed from 100/0 to 0/7, and read back\n',
  });
  expect(weights()).toEqual([7]);
  expect(await storePort('store').holder()).toBeUndefined();
  expect(await set('0', '7', 'shop', '--yes', '--json')).toMatchObject({ code: 0 });
  expect(writes()).toHaveLength(1);
});

test('set holds the lock while it writes', async () => {
  let holder: string | undefined;
  const rule = cloud.elbModel.rule.bind(cloud.elbModel);
  cloud.elbModel.rule = (arn) => {
    const held = cloud.objects.find('store', 'lock.json');
    if (held) holder = (JSON.parse(String(held.body)) as { execution: string }).execution;
    return rule(arn);
  };
  await set('1', '0', 'shop', '--yes');
  await set('0', '1', 'shop', '--yes');
  expect(holder).toMatch(/^manual-/);
});

test('set is rejected while a cutover holds the lock', async () => {
  await lock();
  const { code, output } = await set('0', '1', 'shop', '--yes');
  expect([code, output]).toEqual([
    1,
    "drainshift: the lock must be free, got one held by 'move-1' since 2026-01-01T00:00:00.000Z\n",
  ]);
  expect(writes()).toEqual([]);
});

test('set gives the lock back when it fails', async () => {
  denied = 'elasticloadbalancing:ModifyRule';
  const { code, output } = await set('0', '1', 'shop', '--yes');
  expect([code, output]).toEqual([
    1,
    'drainshift: Elastic Load Balancing must respond to ModifyRule, got 403 AccessDenied: not you\n' +
      "Your identity lacks this right: see 'Rights' in docs/operating.md.\n",
  ]);
  expect(await storePort('store').holder()).toBeUndefined();
});

test('the one who stops it twice is notified of the lock, and until when it may be held', async () => {
  cloud.endpoint.faults.set({ action: 'ModifyRule' }, { kind: 'throttle' }, { times: 100 });
  const command = new Command(['weights', 'set', '--source', '0', '--target', '1', '--yes', '--stack', 'shop']);
  await until(() => cloud.calls.some(({ action }) => action === 'ModifyRule'));
  command.signal('SIGINT');
  // Another one: two of a kind that wait are one.
  command.signal('SIGTERM');
  const { code, output } = await command.ended;
  const held = await storePort('store').holder();
  expect(held?.execution).toMatch(/^manual-/);
  expect(output).toMatch(
    new RegExp(
      `^drainshift: ended at once: the lock may still be held by '${held?.execution}'; it ends by itself at 2`,
    ),
  );
  expect(code).toBe(1);
});

test.each<[string, () => ReturnType<typeof run>, number, RegExp]>([
  ['two weights of 0', () => set('0', '0', 'shop', '--yes'), 64, /at least one is above 0/],
  ['a weight over 999', () => set('1000', '0', 'shop', '--yes'), 64, /must be an integer from 0 to 999, got '1000'/],
  [
    'no --yes, and no operator to ask',
    () => set('1', '1', 'shop'),
    64,
    /'--yes' must be given where no operator can be asked/,
  ],
  ['no stack', () => run(['weights', 'get']), 64, /--stack <name>/],
  ['no subcommand', () => run(['weights']), 64, /get .*set /s],
  ['several cutovers', () => get('two'), 64, /one of OneCutoverConfig, OtherCutoverConfig/],
  [
    'a stack without a cutover',
    () => get('bare'),
    1,
    /'bare' must have an output that ends in CutoverConfig, got none/,
  ],
  ['an unknown cutover', () => get('two', '--cutover', 'No'), 1, /must have an output No, got OneCutoverConfig/],
  [
    'an unknown stack',
    () => get('nowhere'),
    1,
    /'--stack' must be a stack in eu-central-1, got 'nowhere', which does not/,
  ],
])('%s ends with its exit code and says why', async (_, command, code, message) => {
  const ended = await command();
  expect(ended.output).toMatch(message);
  expect(ended.code).toBe(code);
  expect(writes()).toEqual([]);
});

test('a region that no one names is asked for', async () => {
  delete process.env.AWS_REGION;
  process.env.AWS_CONFIG_FILE = '/dev/null';
  const { code, output } = await get('shop');
  delete process.env.AWS_CONFIG_FILE;
  expect([code, output]).toEqual([
    64,
    "drainshift: '--region' must be given where neither AWS_REGION nor the profile names one, got none\n",
  ]);
  expect((await get('shop', '--region', REGION)).code).toBe(0);
});

test('an AWS that is not there is named', async () => {
  const endpoint = process.env.AWS_ENDPOINT_URL;
  process.env.AWS_ENDPOINT_URL = 'http://127.0.0.1:1';
  const { code, output } = await get('shop');
  process.env.AWS_ENDPOINT_URL = endpoint;
  expect([code, output]).toEqual([
    1,
    'drainshift: CloudFormation must respond to DescribeStacks, got connect ECONNREFUSED 127.0.0.1:1\n' +
      'AWS did not respond as it should. Run the command again; its console and the AWS CLI may meet the same.\n',
  ]);
});

test('one of several cutovers is chosen by its output', async () => {
  expect((await get('two', '--cutover', 'OtherCutoverConfig')).code).toBe(0);
});

describe('undrain', () => {
  const undrain = (...flags: string[]) => run(['undrain', '--stack', ...flags]);

  test('calls the function of the stack, and reports whether the side serves', async () => {
    expect(await undrain('shop')).toEqual({
      code: 0,
      output: 'every proxy of the source was told to serve; the source serves\n',
    });
    expect(invoked).toEqual([[`arn:aws:lambda:${REGION}:123456789012:function:undrain`, { side: 'source' }]]);
    const { output } = await undrain('shop', '--side', 'target', '--json');
    expect(JSON.parse(output)).toEqual({ stack: 'shop', side: 'target', state: { serves: true }, notUndrained: [] });
  });

  test('fails with each task that could not be reached, and over a side that does not serve', async () => {
    undrained = { state: { serves: true }, notUndrained: ['10.0.0.7 must respond within 3 s, got no response'] };
    expect(await undrain('shop')).toMatchObject({
      code: 1,
      output: expect.stringContaining('10.0.0.7 must respond') as string,
    });
    const reason = 'the source must have at least 1 healthy targets, got 0';
    undrained = { state: { serves: false, code: 'TargetsUnhealthy', reason }, notUndrained: [] };
    expect(await undrain('shop')).toMatchObject({
      code: 1,
      output: expect.stringContaining('does not serve') as string,
    });
  });

  test('a right that is missing, and a side that is none, are one line each', async () => {
    denied = 'lambda:InvokeFunction';
    expect(await undrain('shop')).toMatchObject({ code: 1, output: expect.stringContaining('not you') as string });
    expect((await undrain('shop', '--side', 'both')).code).toBe(64);
  });
});

test('a source that cannot be undrained gets no weight', async () => {
  await set('0', '100', 'shop', '--yes');
  undrained = { state: { serves: true }, notUndrained: ['10.0.0.7 must respond within 3 s, got no response'] };
  const refused = await set('100', '0', 'shop', '--yes');
  expect(refused).toMatchObject({
    code: 1,
    output: expect.stringContaining('every proxy of the source must serve') as string,
  });
  expect(weights()).toEqual([100]);
});

test.each(['0x10', '1e2', ' 5', '+5', '5.5', '1000', '-1', ''])('a weight of %j is wrong use', async (weight) => {
  const { code, output } = await set(weight, '1', 'shop', '--yes');
  expect(code).toBe(64);
  expect(output).toContain(`must be an integer from 0 to 999, got '${weight}'`);
});
