import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  install,
  pack,
  remove,
  ROOT,
  synthesizeByCommand,
  Tarball,
  temporaryFolder,
} from '../examples/support/installed';

/**
 * `npm run check:deploy`: every stack of every example is created in moto's CloudFormation, which knows of ids, duplicates and
 * the order of things what no template says, and is read by cfn-lint. It needs python3 with pip, and installs both in a folder
 * of its own.
 */
const EXAMPLES = join(ROOT, 'examples');
const HERE = join(ROOT, 'test/deploy');
const ACCOUNT = '444455556666';
const REGION = 'eu-west-1';
/** A dependency that a reference implies already: aws-cdk-lib writes it on purpose, everywhere. */
const NOT_OURS = 'W3005';

let environment: string;
let tarball: Tarball;
const python = (name: string) => join(environment, 'bin', name);

beforeAll(() => {
  environment = temporaryFolder();
  execFileSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' });
  execFileSync(python('pip'), ['install', '--quiet', '--requirement', join(HERE, 'requirements.txt')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  tarball = pack();
});
afterAll(() => remove(environment, dirname(tarball.path)));

interface Deployed {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param template its path, in the folder of its assembly */
function deploy(template: string, account = ACCOUNT): Deployed {
  const args = ['-W', 'ignore', join(HERE, 'deploy_in_moto.py'), dirname(template), template];
  return spawnSync(python('python'), [...args, account, REGION, process.execPath], {
    encoding: 'utf8',
    timeout: 300_000,
  });
}

function templatesIn(assembly: string): string[] {
  const names = readdirSync(assembly, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.template.json')).map((name) => join(assembly, name));
}

/** The account that a stack names; most leave it open. */
function findAccount(template: string): string {
  const { artifacts } = JSON.parse(readFileSync(join(dirname(template), 'manifest.json'), 'utf8')) as {
    artifacts: Record<string, { type: string; environment?: string; properties?: { templateFile?: string } }>;
  };
  const stack = Object.values(artifacts).find(
    ({ type, properties }) => type === 'aws:cloudformation:stack' && template.endsWith(`/${properties?.templateFile}`),
  );
  return /^aws:\/\/(\d{12})\//.exec(stack?.environment ?? '')?.[1] ?? ACCOUNT;
}

function synthesizeExample(name: string): { folder: string; templates: string[] } {
  const folder = install(tarball, join(EXAMPLES, name));
  const { status, output, assembly } = synthesizeByCommand(folder);
  if (status !== 0) throw new Error(output);
  return { folder, templates: templatesIn(assembly) };
}

// The others are applications to rehearse.
const APPS = readdirSync(EXAMPLES).filter((name) => existsSync(join(EXAMPLES, name, 'cdk.json')));

describe.each(APPS)('%s', (example) => {
  let folder: string;
  let templates: string[] = [];

  beforeAll(() => {
    ({ folder, templates } = synthesizeExample(example));
  });
  afterAll(() => remove(folder));

  test('cfn-lint finds nothing', () => {
    const { status, stdout } = spawnSync(
      python('cfn-lint'),
      ['--regions', REGION, '--ignore-checks', NOT_OURS, '--', ...templates],
      { encoding: 'utf8' },
    );
    expect([status, stdout]).toEqual([0, '']);
  });

  test('every stack is created, its custom resources by the functions of the package', () => {
    expect(templates).not.toEqual([]);
    for (const template of templates) {
      const { status, stderr, stdout } = deploy(template, findAccount(template));
      expect([template, status, stderr]).toEqual([template, 0, '']);
      const { responded } = JSON.parse(stdout) as { responded: string[] };
      const text = readFileSync(template, 'utf8');
      const rules = responded.filter((response) => response.startsWith('Custom::DrainshiftWeightedRule: '));
      expect(rules).toHaveLength(text.includes('"Custom::DrainshiftWeightedRule"') ? 1 : 0);
    }
  });
});

describe('the check finds', () => {
  let folder: string;
  let template: string;
  beforeAll(() => {
    const made = synthesizeExample('existing-network');
    folder = made.folder;
    template = made.templates[0] ?? 'none';
  });
  afterAll(() => remove(folder));

  type Resources = Record<string, { Type: string; Properties: Record<string, unknown> }>;

  function deployChanged(change: (resources: Resources) => void): string {
    const content = JSON.parse(readFileSync(template, 'utf8')) as { Resources: Resources };
    change(content.Resources);
    const changed = join(dirname(template), 'Changed.template.json');
    writeFileSync(changed, JSON.stringify(content));
    const { status, stderr } = deploy(changed);
    return `${status}: ${stderr}`;
  }

  test.each<[string, (resources: Resources) => void, RegExp]>([
    [
      'a rule of a security group that is there twice',
      (resources) => {
        const [ingress] = Object.values(resources).filter(({ Type }) => Type === 'AWS::EC2::SecurityGroupIngress');
        resources.Again = ingress!;
      },
      /^1: .*InvalidPermission\.Duplicate/,
    ],
    [
      'a custom resource that its function rejects',
      (resources) => {
        const rule = Object.values(resources).find(({ Type }) => Type === 'Custom::DrainshiftWeightedRule');
        rule!.Properties.Priority = 'first';
      },
      /^1: .*Priority/,
    ],
    [
      'a type that no one knows',
      (resources) => (resources.New = { Type: 'AWS::New::Thing', Properties: {} }),
      /AWS::New::Thing/,
    ],
  ])('%s', (_, change, problem) => expect(deployChanged(change)).toMatch(problem));
});
