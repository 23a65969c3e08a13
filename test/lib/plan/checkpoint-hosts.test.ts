import { App, Duration, Size, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import {
  AmazonLinuxCpuType,
  IVpc,
  Instance,
  InstanceClass,
  InstanceSize,
  InstanceType,
  MachineImage,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import {
  Cluster,
  Compatibility,
  ContainerImage,
  Ec2Service,
  Ec2TaskDefinition,
  FargateService,
  FargateTaskDefinition,
  TaskDefinition,
} from 'aws-cdk-lib/aws-ecs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import {
  CheckpointEngine,
  CheckpointHost,
  CheckpointHosts,
  CheckpointHostsProps,
  CutoverPlan,
  PointOfNoReturn,
  StateTransfer,
} from '../../../lib';
import { findDefinition, listResources, newMigration, newStack, resolveText, resourceLike } from '../fixture';

const APPLICATION = { pidFile: '/run/app.pid', start: 'systemctl restart app' };
const IDS = { source: 'i-0123456789abcdef0', target: 'mi-0123456789abcdef1' };

const ofId = (instanceId: string): CheckpointHost => ({ instanceId, ...APPLICATION });
const SHARED = { folder: '/mnt/images' };
const imported = (): CheckpointHostsProps => ({ source: ofId(IDS.source), target: ofId(IDS.target), ...SHARED });

function newInstance(stack: Stack, id: string, vpc: IVpc): Instance {
  return new Instance(stack, id, {
    vpc,
    instanceType: InstanceType.of(InstanceClass.T4G, InstanceSize.MICRO),
    machineImage: MachineImage.latestAmazonLinux2023({ cpuType: AmazonLinuxCpuType.ARM_64 }),
  });
}

/** Two instances and a bucket of the same app. */
function newHosts(stack: Stack, more: Partial<CheckpointHostsProps> = {}): CheckpointHosts {
  const vpc = new Vpc(stack, 'Hosts Vpc');
  const host = (id: string) => ({ instance: newInstance(stack, id, vpc), ...APPLICATION });
  return new CheckpointHosts(stack, 'Hosts', {
    ...{ source: host('Old'), target: host('New') },
    ...(!more.bucket && SHARED),
    ...more,
  });
}

function plan(hosts: CheckpointHosts, more: object = {}): CutoverPlan {
  return CutoverPlan.drainThenShift({
    pointOfNoReturn: PointOfNoReturn.SHARED,
    maxPause: Duration.seconds(20),
    state: StateTransfer.checkpoint({ hosts, ...more }),
  });
}

interface Content {
  readonly mainSteps: readonly { readonly inputs: { readonly runCommand: readonly unknown[] } }[];
}

function findCommand(stack: Stack): string {
  const [, document] = resourceLike(Template.fromStack(stack), 'AWS::SSM::Document', /^Hosts/);
  const { mainSteps } = document.Properties.Content as Content;
  return mainSteps.flatMap(({ inputs }) => inputs.runCommand.map(resolveText)).join('\n');
}

test('default: a document for hosts that share a folder, on which nothing else is made', () => {
  const stack = newStack();
  const hosts = new CheckpointHosts(stack, 'Hosts', imported());
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::SSM::Document', {
    DocumentType: 'Command',
    DocumentFormat: 'JSON',
    TargetType: '/AWS::EC2::Instance',
    UpdateMethod: 'NewVersion',
    Content: { schemaVersion: '2.2', parameters: Match.objectLike({ action: Match.anyValue() }) },
  });
  expect(Object.keys(template.toJSON().Resources as object)).toHaveLength(1);
  const command = findCommand(stack);
  expect(command).toContain('ENGINE=criu ENGINE_COMMAND=criu FOLDER=/mnt/images BUCKET=');
  expect(command).toContain("PID_FILE=/run/app.pid START='systemctl restart app'");
  expect(command).toContain('\ncriu_dump() {\n');
  expect([hosts.sourceInstanceId, hosts.targetInstanceId]).toEqual([IDS.source, IDS.target]);
  expect(stack.resolve(hosts.documentName)).toEqual({
    Ref: expect.stringMatching(/^HostsDocument/) as string,
  });
});

test('custom: every prop arrives where the hosts read it', () => {
  const stack = newStack();
  const bucket = new Bucket(stack, 'Images');
  new CheckpointHosts(stack, 'Hosts', {
    ...{ engine: CheckpointEngine.CEDANA, engineCommand: '/opt/cedana --quiet', folder: '/mnt/images', bucket },
    source: ofId(IDS.source),
    target: { instanceId: IDS.target, pidFile: '/run/new.pid', start: "su app -c 'node server.js'" },
  });
  const command = findCommand(stack);
  expect(command).toContain("ENGINE=cedana ENGINE_COMMAND='/opt/cedana --quiet' FOLDER=/mnt/images");
  expect(command).toMatch(/BUCKET='?s3:\/\/Images\w+\/drainshift-checkpoints\/[\w-]+'?$/m);
  expect(command).toContain(String.raw`PID_FILE=/run/new.pid START='su app -c '\''node server.js'\'''`);
});

test('custom: instances of the app get what the agent needs, and their part of the bucket alone', () => {
  const stack = newStack();
  const bucket = new Bucket(stack, 'Images');
  const hosts = newHosts(stack, { bucket });
  const template = Template.fromStack(stack);
  expect(stack.resolve(hosts.sourceInstanceId)).toEqual({ Ref: expect.stringMatching(/^Old/) as string });
  for (const id of ['Old', 'New']) {
    const [, role] = resourceLike(template, 'AWS::IAM::Role', new RegExp(`^${id}InstanceRole`));
    const managed = (role.Properties.ManagedPolicyArns as unknown[]).map(resolveText);
    expect(managed).toEqual(['arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore']);
    const [, policy] = resourceLike(template, 'AWS::IAM::Policy', new RegExp(`^${id}InstanceRole`));
    const { Statement } = policy.Properties.PolicyDocument as {
      Statement: { Action: string[]; Resource: unknown[] }[];
    };
    const objects = Statement.flatMap(({ Resource }) => Resource.map(resolveText)).filter((each) => each.includes('/'));
    expect(new Set(objects.map((each) => each.slice(each.indexOf('/'))))).toEqual(
      new Set([expect.stringMatching(/^\/drainshift-checkpoints\/[\w-]+Hosts-\w+\/\*$/) as string]),
    );
    const actions = Statement.flatMap(({ Action }) => Action);
    expect(actions).toEqual(expect.arrayContaining(['s3:PutObject', 's3:GetObject*', 's3:List*', 's3:DeleteObject*']));
  }
});

test('imported: what the app does not make gets no rights', () => {
  const stack = newStack();
  const bucket = Bucket.fromBucketName(stack, 'Images', 'images-of-memory');
  new CheckpointHosts(stack, 'Hosts', { ...imported(), bucket });
  expect(findCommand(stack)).toContain('BUCKET=s3://images-of-memory/drainshift-checkpoints');
  Template.fromStack(stack).resourceCountIs('AWS::IAM::Policy', 0);
});

const NO_RIGHT = "which Fargate's tasks cannot have";
type Side = (stack: Stack) => Partial<CheckpointHost>;
const cluster = (stack: Stack) => new Cluster(stack, 'Cluster', { vpc: new Vpc(stack, 'Vpc') });
function withContainer<T extends TaskDefinition>(definition: T): T {
  definition.addContainer('app', { image: ContainerImage.fromRegistry('app'), memoryLimitMiB: 128 });
  return definition;
}
const service = (stack: Stack, taskDefinition: TaskDefinition) =>
  new Ec2Service(stack, 'Service', { cluster: cluster(stack), taskDefinition: withContainer(taskDefinition) });

test.each<[string, Side, string]>([
  [
    'a service of Fargate',
    (stack) => {
      const taskDefinition = withContainer(new FargateTaskDefinition(stack, 'Tasks'));
      return { instance: new FargateService(stack, 'Service', { cluster: cluster(stack), taskDefinition }) };
    },
    `must be an ec2.Instance: to dump a process takes root or CAP_CHECKPOINT_RESTORE, ${NO_RIGHT}, got Test/Service`,
  ],
  ['a task definition of Fargate', (stack) => ({ instance: new FargateTaskDefinition(stack, 'Tasks') }), NO_RIGHT],
  [
    'a task definition that Fargate may run too',
    (stack) => ({
      instance: new TaskDefinition(stack, 'Tasks', {
        ...{ compatibility: Compatibility.EC2_AND_FARGATE, cpu: '256', memoryMiB: '512' },
      }),
    }),
    NO_RIGHT,
  ],
  [
    'a service whose tasks Fargate may run too',
    (stack) => {
      const size = { compatibility: Compatibility.EC2_AND_FARGATE, cpu: '256', memoryMiB: '512' };
      return { instance: service(stack, new TaskDefinition(stack, 'Tasks', size)) };
    },
    NO_RIGHT,
  ],
  [
    'a service of instances',
    (stack) => ({ instance: service(stack, new Ec2TaskDefinition(stack, 'Tasks')) }),
    'must be an ec2.Instance, got Test/Service',
  ],
  [
    'an imported service of Fargate',
    (stack) => ({
      instance: FargateService.fromFargateServiceAttributes(stack, 'Service', {
        ...{ cluster: cluster(stack), serviceName: 'web' },
      }),
    }),
    'must be an ec2.Instance',
  ],
  ['another construct', (stack) => ({ instance: new Bucket(stack, 'B') }), 'must be an ec2.Instance, got Test/B'],
])('%s is rejected at synth, on either side', (_, host, message) => {
  for (const side of ['source', 'target'] as const) {
    const stack = newStack();
    const props = { ...imported(), [side]: { ...APPLICATION, ...host(stack) } };
    expect(() => new CheckpointHosts(stack, 'Hosts', props)).toThrow(
      `'${side}.instance' ${message.startsWith('must') ? message : ''}`,
    );
    expect(() => new CheckpointHosts(stack, 'Again', props)).toThrow(message);
  }
});

test.each<[string, object, string]>([
  [
    'neither',
    { instanceId: undefined },
    "'source.instance' must be given, or else instanceId, and not both, got undefined",
  ],
  ['a pid file beside others', { pidFile: 'app.pid' }, "'source.pidFile' must be an absolute path"],
  ['a pid file that a shell would read', { pidFile: '/run/$(id)' }, "'source.pidFile' must be an absolute path"],
  ['no pid file', { pidFile: undefined }, "'source.pidFile' must be a string, got nothing"],
  ['no command', { start: '' }, "'source.start' must be a command in one line without braces"],
  ['an absent command', { start: undefined }, "'source.start' must be a string, got nothing"],
  ['two lines', { start: 'a\nb' }, "'source.start' must be a command in one line"],
  ['a parameter of a document', { start: 'echo {{ epoch }}' }, "'source.start' must be a command in one line"],
  ['a misspelt prop', { pidfile: '/run/a.pid' }, "'source.pidfile' must be one of"],
])('of a host, %s is rejected', (_, more, message) => {
  const props = { ...imported(), source: { ...ofId(IDS.source), ...more } };
  expect(() => new CheckpointHosts(newStack(), 'Hosts', props)).toThrow(message);
});

test.each<[string, object, string]>([
  [
    'no folder and no bucket',
    { folder: undefined },
    "'folder' must be given without a bucket, as one that both hosts share",
  ],
  ['memory, which no two hosts share', { folder: '/dev/shm/images' }, "'folder' must be given without a bucket"],
  ['a folder beside others', { folder: 'images' }, "'folder' must be an absolute path of letters, digits"],
  ['a folder that a shell would read', { folder: "/a'b" }, "'folder' must be an absolute path"],
  ['the root as its folder', { folder: '/' }, "'folder' must be an absolute path"],
  ['an engine of two lines', { engineCommand: 'criu\nid' }, "'engineCommand' must be a command in one line"],
  ['a misspelt prop', { buckt: undefined, foldr: '/a' }, "'foldr' must be one of"],
])('%s is rejected', (_, more, message) => {
  expect(() => new CheckpointHosts(newStack(), 'Hosts', { ...imported(), ...more })).toThrow(message);
});

test('an instance and an id are one too many', () => {
  const stack = newStack();
  const instance = newInstance(stack, 'Old', new Vpc(stack, 'Vpc'));
  const source = { instance, ...ofId(IDS.source) };
  expect(() => new CheckpointHosts(stack, 'Hosts', { ...imported(), source })).toThrow(
    `'source.instance' must be given, or else instanceId, and not both, got both`,
  );
});

test('one instance for both is rejected by the plan, and so is what is no id of one', () => {
  const of = (source: string, target: string) => () => {
    const hosts = new CheckpointHosts(newStack(), 'Hosts', { ...SHARED, source: ofId(source), target: ofId(target) });
    return plan(hosts)._toJson({ source: 100, target: 0 });
  };
  expect(of(IDS.source, IDS.source)).toThrow("'switch.state.checkpoint.target.instanceId' must be another instance");
  expect(of('arn:aws:ecs:eu-central-1:111122223333:task/web/1', IDS.target)).toThrow(
    'tasks of Fargate have no right to CAP_CHECKPOINT_RESTORE',
  );
});

describe('a migration with it', () => {
  let stack: Stack;
  let template: Template;
  beforeAll(() => {
    stack = newStack();
    const hosts = newHosts(stack, { bucket: new Bucket(stack, 'Images') });
    const more = { verifyPath: '/digest', prepareTimeout: Duration.minutes(2), maxSize: Size.gibibytes(2) };
    newMigration(stack, {
      plan: plan(hosts, { ...more, timeouts: { freeze: Duration.seconds(8) } }),
      vpcEndpoints: true,
    });
    template = Template.fromStack(stack);
  });

  test('has the plan in its state machine', () => {
    const written = findDefinition(template).States.Lock?.Parameters?.Payload?.defaultPlan;
    const { state } = (written as { switch: { state: object } }).switch;
    expect(state).toMatchObject({
      checkpoint: {
        ...{ documentName: expect.stringMatching(/^HostsDocument/) as string, verifyPath: '/digest' },
        source: { instanceId: expect.stringMatching(/^Old/) as string },
        target: { instanceId: expect.stringMatching(/^New/) as string },
      },
      ...{ prepareSeconds: 120, maxBytes: 2 * 2 ** 30 },
      timeoutMs: { freeze: 8_000 },
    });
  });

  interface Statement {
    readonly Action: string | string[];
    readonly Resource: unknown;
  }
  const statementsOf = () =>
    Object.entries(listResources(template, 'AWS::IAM::Policy')).flatMap(([name, { Properties }]) =>
      (Properties.PolicyDocument as { Statement: Statement[] }).Statement.map((statement) => ({ name, ...statement })),
    );

  test('lets the steps that switch run this document on both instances, and nothing else', () => {
    const calls = statementsOf().filter(({ Action }) => JSON.stringify(Action).includes('ssm:'));
    const steps = ['Doctor', 'Preflight', 'Recover', 'Rollback', 'Switch'];
    for (const action of ['ssm:SendCommand', 'ssm:GetCommandInvocation']) {
      const of = calls.filter(({ Action }) => Action === action);
      expect(of.map(({ name }) => /CutoverSteps([A-Z][a-z]+)ServiceRole/.exec(name)?.[1]).sort()).toEqual(steps);
      for (const { Resource } of of) {
        const expected = [
          /^arn:aws:ssm:AWS::Region:AWS::AccountId:document\/HostsDocument\w+$/,
          /^arn:aws:ec2:AWS::Region:AWS::AccountId:instance\/Old\w+$/,
          /^arn:aws:ec2:AWS::Region:AWS::AccountId:instance\/New\w+$/,
        ].map((pattern) => expect.stringMatching(pattern) as string);
        const resources = Array.isArray(Resource) ? Resource.map(resolveText) : Resource;
        expect(resources).toEqual(action === 'ssm:SendCommand' ? expected : '*');
      }
    }
    expect(calls).toHaveLength(2 * steps.length);
  });

  test('is reached without a NAT gateway', () => {
    const names = (of: Template) =>
      Object.values(listResources(of, 'AWS::EC2::VPCEndpoint')).map(({ Properties }) =>
        resolveText(Properties.ServiceName),
      );
    expect(names(template).filter((name) => /\.ssm$/.test(name))).toHaveLength(1);
    const other = newStack();
    newMigration(other, { vpcEndpoints: true });
    expect(names(Template.fromStack(other)).filter((name) => /\.ssm$/.test(name))).toEqual([]);
  });

  test('the rules AwsSolutions find nothing in its own parts', () => {
    const app = stack.node.root as App;
    const { violations } = new AwsSolutionsChecks(app).validateScope(app);
    const found = violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName}: ${constructPath}`),
    );
    // The instances, their network and the bucket are the app's.
    expect(found).toContain('AwsSolutions-EC29: Test/Old/Resource');
    expect(found.filter((each) => /Test\/(Hosts|Migration)\//.test(each))).toEqual([]);
  });
});

test('a managed node is named as one in the rights', () => {
  const stack = newStack();
  const hosts = new CheckpointHosts(stack, 'Hosts', imported());
  expect(hosts._instanceArns.map((arn) => resolveText(stack.resolve(arn)))).toEqual([
    `arn:aws:ec2:AWS::Region:AWS::AccountId:instance/${IDS.source}`,
    `arn:aws:ssm:AWS::Region:AWS::AccountId:managed-instance/${IDS.target}`,
  ]);
});

test('without it no step may call Systems Manager', () => {
  const stack = newStack();
  newMigration(stack, { plan: CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED }) });
  expect(JSON.stringify(listResources(Template.fromStack(stack), 'AWS::IAM::Policy'))).not.toContain('ssm:');
});
