import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AnyResource, twiceIn } from '../lib/twice';
import { install, pack, remove, ROOT, synthesizeAll, Synthesized, Tarball } from './support/installed';

const EXAMPLES = join(ROOT, 'examples');

/** What each example is about: resources that it must have, and how many. */
const SUBJECTS: Record<string, Record<string, number>> = {
  minimal: { 'AWS::EC2::VPC': 1, 'AWS::ECS::Service': 2, 'AWS::StepFunctions::StateMachine': 1 },
  'import-constructs': { 'AWS::EC2::VPC': 1, 'AWS::ECS::Service': 2, 'AWS::StepFunctions::StateMachine': 1 },
  'existing-network': { 'AWS::EC2::VPC': 0, 'AWS::ElasticLoadBalancingV2::LoadBalancer': 0, 'AWS::ECS::Service': 2 },
  'search-migration': {
    // Of the proxies of both sides, and of the replay.
    'AWS::ECS::Service': 3,
    'AWS::StepFunctions::StateMachine': 1,
    // A network load balancer before the other; :443, :9201 and :9202 behind it.
    'AWS::ElasticLoadBalancingV2::LoadBalancer': 2,
    'AWS::ElasticLoadBalancingV2::Listener': 4,
  },
  'single-writer': { 'AWS::ECS::Service': 2, 'AWS::StepFunctions::StateMachine': 1 },
  'sticky-sessions': { 'AWS::ECS::Service': 2, 'AWS::StepFunctions::StateMachine': 1 },
  'websocket-scaling': {
    'AWS::ElastiCache::ReplicationGroup': 1,
    'AWS::ECS::Service': 3,
    'AWS::ApplicationAutoScaling::ScalingPolicy': 9,
  },
  'websocket-valkey': { 'AWS::ElastiCache::ServerlessCache': 1, 'AWS::ECS::Service': 3 },
  pipeline: { 'AWS::CodePipeline::Pipeline': 1, 'AWS::StepFunctions::StateMachine': 2 },
};

/** Those are synthesized twice that have the most kinds of constructs between them. */
const TWICE = ['pipeline', 'single-writer', 'websocket-valkey'];

const CARELESS = `
  const { App, Stack, aws_s3: s3 } = require('aws-cdk-lib');
  const app = new App();
  const bucket = new s3.CfnBucket(new Stack(app, 'Careless'), 'Bucket');
  bucket.addPropertyOverride('AccessControl', 'Everybody');
  app.synth();`;

interface Template {
  readonly Resources: Record<string, AnyResource>;
}

interface Report {
  readonly pluginReports: readonly {
    readonly pluginName: string;
    readonly violations: readonly { readonly ruleName: string }[];
  }[];
}

let tarball: Tarball;
/** By example, and the careless app. */
const folders = new Map<string, string>();
const synthesized = new Map<string, Synthesized>();
const again = new Map<string, Synthesized>();

function keep(
  all: Map<string, Synthesized>,
  names: readonly string[],
  ...how: [string, { validated: boolean }?]
): void {
  const results = synthesizeAll(
    names.map((name) => folders.get(name)!),
    ...how,
  );
  names.forEach((name, index) => all.set(name, results[index]!));
}

beforeAll(() => {
  tarball = pack();
  for (const example of Object.keys(SUBJECTS)) folders.set(example, install(tarball, join(EXAMPLES, example)));
  const careless = install(tarball, join(EXAMPLES, 'minimal'));
  writeFileSync(join(careless, 'app.js'), CARELESS);
  folders.set('careless', careless);
  keep(synthesized, [...folders.keys()], 'cdk.out', { validated: true });
  keep(again, TWICE, 'again');
});
afterAll(() => remove(dirname(tarball.path), ...folders.values()));

/** How long a synthesis took, which the command writes beside it where it took long. */
const MEASURED = 'performance-counters.json';

function filesIn(assembly: string): string[] {
  return readdirSync(assembly, { recursive: true, encoding: 'utf8' }).filter((name) => name !== MEASURED);
}

/** A report names no rules that found nothing. */
function findingsIn(assembly: string): string[] {
  const { pluginReports } = JSON.parse(readFileSync(join(assembly, 'validation-report.json'), 'utf8')) as Report;
  return pluginReports.flatMap(({ pluginName, violations }) =>
    violations.map(({ ruleName }) => `${pluginName}: ${ruleName}`),
  );
}

function templatesIn(assembly: string): Template[] {
  const names = filesIn(assembly).filter((name) => name.endsWith('.template.json'));
  return names.map((name) => JSON.parse(readFileSync(join(assembly, name), 'utf8')) as Template);
}

test('the rules are asked: a careless app breaks both kinds', () => {
  const { status, assembly } = synthesized.get('careless')!;
  expect([status, findingsIn(assembly)]).toEqual([
    1,
    expect.arrayContaining(['AwsSolutions: AwsSolutions-S1', expect.stringMatching(/^CloudFormation Validate: /)]),
  ]);
});

test('every example is here', () => {
  // Those are applications, and no apps of the CDK.
  const applications = ['own-traffic', 'resumable-websocket'];
  expect(readdirSync(EXAMPLES).sort()).toEqual([...Object.keys(SUBJECTS), ...applications].sort());
});

describe.each(Object.keys(SUBJECTS))('%s', (example) => {
  let folder: string;
  let status: number | null;
  let output: string;
  let assembly: string;
  beforeAll(() => {
    folder = folders.get(example)!;
    ({ status, output, assembly } = synthesized.get(example)!);
  });

  test('imports packages alone', () => {
    const app = readFileSync(join(folder, 'app.js'), 'utf8');
    const names = [...app.matchAll(/(?:require\(| from )'([^']+)'/g)];
    expect(names).not.toEqual([]);
    for (const [, name = ''] of names) {
      expect(name).toMatch(/^(aws-cdk-lib(\/[\w-]+)?|constructs|drainshift)$/);
    }
  });

  test('synthesizes against the packed package, by the rules of CloudFormation and of AwsSolutions', () => {
    expect([status, output]).toEqual([0, expect.not.stringMatching(/error/i)]);
    expect(findingsIn(assembly)).toEqual([]);
  });

  test('asks for nothing that only an account can say', () => {
    const manifests = filesIn(assembly).filter((name) => name.endsWith('manifest.json'));
    const missing = manifests.flatMap((name) => {
      const manifest = JSON.parse(readFileSync(join(assembly, name), 'utf8')) as { missing?: unknown[] };
      return manifest.missing ?? [];
    });
    expect([manifests.length > 0, missing]).toEqual([true, []]);
  });

  test('has what it is about', () => {
    const types = templatesIn(assembly).flatMap(({ Resources }) => Object.values(Resources).map(({ Type }) => Type));
    const found = Object.keys(SUBJECTS[example] ?? {}).map((type) => [
      type,
      types.filter((each) => each === type).length,
    ]);
    expect(Object.fromEntries(found)).toEqual(SUBJECTS[example]);
  });

  test('has no two rules that mean the same', () => {
    expect(templatesIn(assembly).flatMap(twiceIn)).toEqual([]);
  });

  if (!TWICE.includes(example)) return;
  test('synthesizes to the same bytes again', () => {
    const second = again.get(example)!;
    expect([second.status, second.output]).toEqual([0, expect.not.stringMatching(/error/i)]);
    expect(filesIn(second.assembly).sort()).toEqual(filesIn(assembly).sort());
    const different = readdirSync(second.assembly, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      // It says which rules were asked, and the second time they are not.
      .filter(({ name }) => name !== 'validation-report.json' && name !== MEASURED)
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !readFileSync(path).equals(readFileSync(path.replace(second.assembly, assembly))));
    expect(different).toEqual([]);
  });
});
