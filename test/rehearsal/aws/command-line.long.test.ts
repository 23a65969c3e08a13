import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AlarmStates } from '../../../rehearsal/aws/services/alarms/alarm-states';
import { StackDescription } from '../../../rehearsal/aws/services/stacks/stacks-service';
import { ACCOUNT, ARNS, REGION, T0, LocalCloud, startLocalCloud, taskArn } from './world';

const CLI = process.env.DRAINSHIFT_AWS_CLI ?? 'aws';
const isInstalled = spawnSync(CLI, ['--version']).status === 0;
if (!isInstalled) process.stderr.write(`skipped: test/rehearsal/aws/command-line, '${CLI}' is not installed\n`);

let cloud: LocalCloud;
let home: string;
beforeAll(async () => {
  const alarms = new AlarmStates();
  alarms.put({ name: 'errors', arn: 'arn:errors', kind: 'metric', description: undefined }, T0);
  cloud = await startLocalCloud({ alarms, stacks: () => [STACK] });
  home = mkdtempSync(join(tmpdir(), 'drainshift-aws-cli-'));
});
afterAll(async () => {
  rmSync(home, { recursive: true });
  await cloud.stop();
});

const STACK: StackDescription = {
  id: `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/Shop/1`,
  name: 'Shop',
  description: undefined,
  status: 'CREATE_COMPLETE',
  statusReason: undefined,
  createdAt: T0,
  updatedAt: undefined,
  outputs: [{ key: 'A', value: 'a' }],
};

/** The CLI as an operator uses it, but with no one's configuration. */
async function aws(...args: string[]): Promise<unknown> {
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    AWS_ACCESS_KEY_ID: 'OPERATOR',
    AWS_SECRET_ACCESS_KEY: 'none',
    AWS_DEFAULT_REGION: REGION,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_PAGER: '',
  };
  const { stdout } = await promisify(execFile)(CLI, ['--endpoint-url', cloud.url, '--output', 'json', ...args], {
    env,
  });
  return stdout.trim() === '' ? undefined : (JSON.parse(stdout) as unknown);
}

const cliTest = isInstalled ? test : test.skip;

cliTest('describes the load balancer, its listeners, rules, target groups and target health', async () => {
  expect(await aws('elbv2', 'describe-load-balancers', '--names', 'front')).toMatchObject({
    LoadBalancers: [{ LoadBalancerArn: ARNS.balancer, State: { Code: 'active' } }],
  });
  expect(await aws('elbv2', 'describe-listeners', '--load-balancer-arn', ARNS.balancer)).toMatchObject({
    Listeners: [{ ListenerArn: ARNS.listener, Port: 8443 }, { ListenerArn: ARNS.smokeListener }],
  });
  expect(await aws('elbv2', 'describe-rules', '--listener-arn', ARNS.listener)).toMatchObject({
    Rules: [
      { RuleArn: ARNS.rule, Priority: '10' },
      { Priority: 'default', IsDefault: true },
    ],
  });
  expect(await aws('elbv2', 'describe-target-groups')).toMatchObject({
    TargetGroups: [{ TargetGroupName: 'source' }, { TargetGroupName: 'target' }],
  });
  expect(await aws('elbv2', 'describe-target-health', '--target-group-arn', ARNS.source)).toMatchObject({
    TargetHealthDescriptions: [{ TargetHealth: { State: 'healthy' } }, { TargetHealth: { Reason: 'Target.Timeout' } }],
  });
});

cliTest('changes the weights with modify-rule', async () => {
  const actions = [
    {
      Type: 'forward',
      ForwardConfig: {
        TargetGroups: [
          { TargetGroupArn: ARNS.source, Weight: 25 },
          { TargetGroupArn: ARNS.target, Weight: 75 },
        ],
      },
    },
  ];
  await aws('elbv2', 'modify-rule', '--rule-arn', ARNS.rule, '--actions', JSON.stringify(actions));
  expect(await aws('elbv2', 'describe-rules', '--rule-arns', ARNS.rule)).toMatchObject({
    Rules: [{ Actions: actions }],
  });
});

cliTest('lists and describes tasks', async () => {
  expect(await aws('ecs', 'list-tasks', '--cluster', 'web', '--service-name', 'source', '--page-size', '1')).toEqual({
    taskArns: [taskArn(1), taskArn(2)],
  });
  expect(await aws('ecs', 'describe-tasks', '--cluster', 'web', '--tasks', taskArn(1))).toMatchObject({
    tasks: [{ lastStatus: 'RUNNING', containers: [{ networkInterfaces: [{ privateIpv4Address: '127.0.1.1' }] }] }],
    failures: [],
  });
});

cliTest('describes stacks with their outputs', async () => {
  expect(await aws('cloudformation', 'describe-stacks', '--stack-name', 'Shop')).toMatchObject({
    Stacks: [{ StackName: 'Shop', StackStatus: 'CREATE_COMPLETE', Outputs: [{ OutputKey: 'A', OutputValue: 'a' }] }],
  });
});

cliTest('sets the state of an alarm and describes it', async () => {
  const state = ['--state-value', 'ALARM', '--state-reason', 'by hand'];
  await aws('cloudwatch', 'set-alarm-state', '--alarm-name', 'errors', ...state);
  expect(await aws('cloudwatch', 'describe-alarms', '--alarm-names', 'errors')).toMatchObject({
    MetricAlarms: [{ AlarmName: 'errors', StateValue: 'ALARM', StateReason: 'by hand' }],
  });
});

cliTest('says who calls, and fails with the code of the service', async () => {
  expect(await aws('sts', 'get-caller-identity')).toEqual({
    UserId: 'OPERATOR',
    Account: ACCOUNT,
    Arn: `arn:aws:iam::${ACCOUNT}:user/OPERATOR`,
  });
  await expect(aws('ecs', 'list-tasks', '--cluster', 'other')).rejects.toThrow('(ClusterNotFoundException)');
  await expect(aws('elbv2', 'describe-rules', '--rule-arns', 'arn:other')).rejects.toThrow('(ValidationError)');
});

cliTest('copies a file of several parts there and back', async () => {
  const [file, back] = [join(home, 'big'), join(home, 'back')];
  const body = randomBytes(12_000_000);
  writeFileSync(file, body);
  await aws('s3', 'cp', '--only-show-errors', file, 's3://store/big');
  await aws('s3', 'cp', '--only-show-errors', 's3://store/big', back);
  expect(readFileSync(back).equals(body)).toBe(true);
});

cliTest('writes, lists and reads objects, secrets and executions', async () => {
  const file = join(home, 'body.txt');
  writeFileSync(file, 'from a file');
  await aws('s3api', 'put-object', '--bucket', 'store', '--key', 'a b', '--body', file);
  expect(cloud.objects.find('store', 'a b')?.body.toString()).toBe('from a file');
  expect(await aws('s3api', 'list-objects-v2', '--bucket', 'store', '--prefix', 'a')).toMatchObject({
    Contents: [{ Key: 'a b' }],
  });
  expect(await aws('secretsmanager', 'get-secret-value', '--secret-id', 'admin')).toMatchObject({
    SecretString: 'a key',
  });
  await aws('stepfunctions', 'start-execution', '--state-machine-arn', ARNS.machine, '--name', 'cli');
  expect(await aws('stepfunctions', 'list-executions', '--state-machine-arn', ARNS.machine)).toMatchObject({
    executions: [{ name: 'cli', status: 'RUNNING' }],
  });
});
