import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { ProxyImage } from '../../../lib/proxy/proxy-image';
import { newProxies, TASK } from './proxy-fixture';
import { newStack, resourceLike, resolveText } from '../fixture';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drainshift-image-'));
  writeFileSync(join(folder, 'Dockerfile.proxy'), 'FROM scratch\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface DockerImage {
  readonly source: { readonly platform: string; readonly dockerBuildArgs?: Record<string, string> };
}

function findDockerImages(stack: Stack): Record<string, DockerImage> {
  const { directory } = (stack.node.root as App).synth();
  const assets = readFileSync(join(directory, `${stack.artifactId}.assets.json`), 'utf8');
  return (JSON.parse(assets) as { dockerImages: Record<string, DockerImage> }).dockerImages;
}

test('default: built from this package, with its command in the template', () => {
  const stack = newStack();
  newProxies(stack);
  Template.fromStack(stack).hasResourceProperties(TASK, {
    ContainerDefinitions: [
      Match.objectLike({ Command: ['node', '--max-semi-space-size=4', 'proxy.js'], WorkingDirectory: '/app' }),
    ],
  });
});

test('custom: its base images come from mirrors', () => {
  const stack = newStack();
  const image = ProxyImage.fromPackage({
    nodeRegistry: '111122223333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library',
    distrolessRegistry: 'mirror.example.com:5000/distroless',
  });
  newProxies(stack, { image });
  const [{ source } = {}] = Object.values(findDockerImages(stack));
  expect(source?.dockerBuildArgs).toEqual({
    NODE_REGISTRY: '111122223333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library',
    DISTROLESS_REGISTRY: 'mirror.example.com:5000/distroless',
  });
  const dockerfile = readFileSync(join(__dirname, '../../../proxy/Dockerfile'), 'utf8');
  for (const name of Object.keys(source?.dockerBuildArgs ?? {})) {
    expect(dockerfile).toMatch(new RegExp(`^ARG ${name}=\\S+$`, 'm'));
    expect(dockerfile).toContain(`\${${name}}/`);
  }
});

test.each([
  ['https://mirror.example.com', "'https://mirror.example.com'"],
  ['mirror.example.com/', "'mirror.example.com/'"],
  ['Mirror.example.com', "'Mirror.example.com'"],
  ['mirror.example.com/node:24', "'mirror.example.com/node:24'"],
  ['', "''"],
])("refused: a registry that is none: '%s'", (registry, got) => {
  for (const name of ['nodeRegistry', 'distrolessRegistry']) {
    expect(() => ProxyImage.fromPackage({ [name]: registry })).toThrow(
      `'${name}' must be HOST[:PORT][/PATH] in lowercase, without a scheme, got ${got}`,
    );
  }
});

test('rejected: a registry that is known only at deployment', () => {
  expect(() =>
    ProxyImage.fromPackage({ nodeRegistry: `${newStack().account}.dkr.ecr.eu-central-1.amazonaws.com` }),
  ).toThrow("'nodeRegistry' must be known at synthesis, got a token");
});

test('custom: built from a Dockerfile, for the processors that it runs on', () => {
  const stack = newStack();
  const image = ProxyImage.fromDirectory(folder, { file: 'Dockerfile.proxy', buildArgs: { MODE: 'own' } });
  newProxies(stack, { image, cpuArchitecture: CpuArchitecture.X86_64 });
  Template.fromStack(stack).hasResourceProperties(TASK, {
    ContainerDefinitions: [
      Match.objectLike({
        Command: Match.absent(),
        WorkingDirectory: Match.absent(),
        User: '65532',
        ReadonlyRootFilesystem: true,
      }),
    ],
    RuntimePlatform: Match.objectLike({ CpuArchitecture: 'X86_64' }),
  });
});

test('imported: from a repository, by its tag and with a command of its own', () => {
  const stack = newStack();
  const repository = Repository.fromRepositoryName(stack, 'Repository', 'proxies');
  const image = ProxyImage.fromEcrRepository(repository, '1.4.2', { command: ['proxy', '--quiet'] });
  newProxies(stack, { image });
  const [, task] = resourceLike(Template.fromStack(stack), TASK, /./);
  const [container] = task.Properties.ContainerDefinitions as { Image: unknown; Command: string[] }[];
  expect(container?.Command).toEqual(['proxy', '--quiet']);
  expect(resolveText(container?.Image)).toMatch(/\/proxies:1\.4\.2$/);
});

test.each(['', 'latest'])("refused: a tag that is moved: '%s'", (tag) => {
  const repository = Repository.fromRepositoryName(newStack(), 'Repository', 'proxies');
  expect(() => ProxyImage.fromEcrRepository(repository, tag)).toThrow(
    `'tagOrDigest' must be a tag that is not moved, got ${tag}`,
  );
});

test.each([
  [CpuArchitecture.ARM64, 'linux/arm64'],
  [CpuArchitecture.X86_64, 'linux/amd64'],
  // Not the same object as the constant.
  [CpuArchitecture.of('X86_64'), 'linux/amd64'],
])('built for the processors that the task asks for: %j', (cpuArchitecture, platform) => {
  const stack = newStack();
  newProxies(stack, { cpuArchitecture });
  expect(Object.values(findDockerImages(stack)).map(({ source }) => source.platform)).toEqual([platform]);
});

test('rejected: processors that there is no image for', () => {
  expect(() => newProxies(newStack(), { cpuArchitecture: CpuArchitecture.of('RISCV') })).toThrow(
    "'cpuArchitecture' must be ARM64 or X86_64, got RISCV",
  );
});
