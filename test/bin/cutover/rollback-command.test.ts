import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import { begin } from '../../../core/cutover/run';
import { parsePlan } from '../../../core/plan/plan';
import { storePort } from '../../../lambda/adapters/store/store';
import { deployedCutover } from '../../rehearsal/aws/deployed';
import { ACCOUNT, ARNS, REGION, LocalCloud, forward, startLocalCloud } from '../../rehearsal/aws/world';
import { Command, run } from '../../rehearsal/command';
import { until } from '../../support/until';

const config = {
  weightedRuleArn: ARNS.rule,
  weightedListenerArn: ARNS.listener,
  smokeListenerArns: { source: ARNS.smokeListener, target: ARNS.smokeListener },
  targetGroupArns: { source: ARNS.source, target: ARNS.target },
  storeBucket: 'store',
} as CutoverConfig;
const DEFINITION = {
  StartAt: 'Lock',
  States: { Lock: { Type: 'Task', Parameters: { Payload: { defaultPlan: {} } } }, Done: { Type: 'Succeed' } },
};

let cloud: LocalCloud;
beforeEach(async () => {
  const stacks = [
    deployedCutover('shop', { ...config, stateMachineArn: ARNS.machine }),
    deployedCutover('old', config),
  ];
  cloud = await startLocalCloud({ stacks: () => stacks });
  Object.assign(cloud.statesModel.stateMachines.get(ARNS.machine)!, { definition: JSON.stringify(DEFINITION) });
  Object.assign(cloud.elbModel.rule(ARNS.rule), { actions: [forward([ARNS.target, 100])] });
  Object.assign(process.env, { AWS_REGION: REGION, AWS_ACCESS_KEY_ID: 'OPERATOR', AWS_SECRET_ACCESS_KEY: 'none' });
  delete process.env.AWS_ENDPOINT_URL;
});
afterEach(() => cloud.stop());

const flags = (stack: string, ...more: string[]) => [
  'rollback',
  '--stack',
  stack,
  '--endpoint-url',
  cloud.url,
  ...more,
];
const executions = () => [...cloud.statesModel.executions.values()];
const end = (error: string, cause: string) => Object.assign(executions()[0]!, { status: 'FAILED', error, cause });

test('one that was killed goes on, and the command that is run again follows it', async () => {
  const first = new Command(flags('shop', '--yes'));
  await first.says(/started 'rollback-.*\n.* {2}Decide/);
  first.signal('SIGKILL');
  await first.ended;
  expect(executions()).toMatchObject([
    { status: 'RUNNING', input: `{"action":"rollback","startedBy":"arn:aws:iam::${ACCOUNT}:user/OPERATOR"}` },
  ]);
  const { name } = executions()[0]!;
  // As its step `Lock` has done by now.
  process.env.AWS_ENDPOINT_URL = cloud.url;
  await storePort('store').acquire(begin(name, '2026-01-01T00:00:00.000Z', parsePlan({})));
  const again = new Command(flags('shop', '--yes', '--json'));
  await again.says(/a rollback is under way since 2026-01-01T00:00:00.000Z: 'rollback-.*'. Following it/);
  Object.assign(executions()[0]!, { status: 'SUCCEEDED' });
  const { code, output } = await again.ended;
  expect(code).toBe(0);
  expect(JSON.parse(output.slice(output.indexOf('{\n')))).toMatchObject({
    execution: name,
    isJoined: true,
    outcome: 'completed',
  });
  expect(executions()).toHaveLength(1);
});

test('the exit code says how it ended, and a person who stops it hears that it goes on', async () => {
  const rejected = new Command(flags('shop', '--yes'));
  await until(() => executions().length === 1);
  end('Refused', 'WeightsUnexpected: no\u001b[2J');
  const { code, output } = await rejected.ended;
  expect(code).toBe(5);
  expect(output).toMatch(/'rollback-.*' was rejected, and nothing was moved: WeightsUnexpected: no/);
  expect(output).not.toContain('\u001b');
  const left = new Command(flags('shop', '--yes'));
  await left.says(/Decide/);
  left.signal('SIGINT');
  const { code: stopped, output: said } = await left.ended;
  expect(stopped).toBe(1);
  expect(said).toMatch(/'rollback-.*' goes on$/m);
  expect(said).toMatch(/stop it: drainshift abort --stack shop --execution rollback-/);
});

test('without a person to ask, and of a stack that does not name its state machine, nothing is started', async () => {
  const [unasked, old] = await Promise.all([run(flags('shop')), run(flags('old', '--yes'))]);
  expect(unasked).toEqual({
    code: 64,
    output: "drainshift: '--yes' must be given where no operator can be asked, got none\n",
  });
  expect(old).toEqual({
    code: 1,
    output: "drainshift: 'old' must name its state machine, got a stack of an older version: deploy it again\n",
  });
  expect(executions()).toEqual([]);
});
