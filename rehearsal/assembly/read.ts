import { own } from '../../core/own';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UsageError } from '../usage-error';
import { connected } from './exports';
import { Metadata, legacyAssets, pathsOf } from './metadata';
import { unfold } from './nested';
import { isOfStore } from './resolve';
import { Resource, Stack, Template } from './template';

const DEFAULT_REGION = 'us-east-1';
const DEFAULT_ACCOUNT = '123456789012';

interface Manifest {
  readonly artifacts?: Readonly<Record<string, Artifact>>;
}

interface Artifact {
  readonly type: string;
  readonly environment?: string;
  readonly displayName?: string;
  readonly properties?: {
    readonly templateFile?: string;
    readonly file?: string;
    readonly stackName?: string;
    readonly directoryName?: string;
  };
  readonly dependencies?: readonly string[];
  readonly metadata?: Metadata;
  /** Holds the metadata instead. */
  readonly additionalMetadataFile?: string;
}

interface AssetManifest {
  readonly files?: Readonly<Record<string, { readonly source: { readonly path?: string } }>>;
  readonly dockerImages?: Readonly<Record<string, { readonly source: { readonly directory?: string } }>>;
}

/**
 * The stacks of a cloud assembly: of the folder itself, or of the `cdk.out` inside it. Stages are followed, and nested
 * stacks unfolded into theirs.
 *
 * @param option that names the folder, for the message
 * @param parameters values of parameters and of imports that the assembly does not tell, by name
 * @throws UsageError when there is no assembly, and for a parameter that nothing in it has
 * @see https://docs.aws.amazon.com/cdk/v2/guide/deploy.html (cloud assemblies)
 */
export function readAssembly(
  folder: string,
  option = '--app',
  parameters: ReadonlyMap<string, string> = new Map(),
): Stack[] {
  const root = [folder, join(folder, 'cdk.out')].find((candidate) => existsSync(join(candidate, 'manifest.json')));
  if (root === undefined) {
    throw new UsageError(
      `'${option}' must be a folder with a synthesized CDK app, got '${folder}' without a manifest.json; run 'npx cdk synth' first`,
    );
  }
  const stacks = readStacks(resolve(root));
  for (const name of parameters.keys()) {
    const isKnown = stacks.some(({ template }) => hasParameter(template, name) || isImported(template, name));
    if (!isKnown) throw new UsageError(`'--parameter' must name a parameter or an imported value, got '${name}'`);
  }
  return connected(
    stacks.map((stack) => ({ ...stack, parameters: new Map([...(stack.parameters ?? []), ...parameters]) })),
  );
}

/** By its own name, or by its name in SSM. */
function hasParameter({ Parameters = {} }: Template, name: string): boolean {
  if (Object.hasOwn(Parameters, name)) return true;
  return Object.values(Parameters).some((each) => isOfStore(each) && each.Default === name);
}

function isImported(template: Template, name: string): boolean {
  return JSON.stringify(template).includes(`{"Fn::ImportValue":${JSON.stringify(name)}}`);
}

function readStacks(root: string): Stack[] {
  const manifest = readJson<Manifest | null>(join(root, 'manifest.json'));
  if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest)) {
    throw new UsageError(
      `'${join(root, 'manifest.json')}' must be the manifest of a CDK app, got ${JSON.stringify(manifest)?.slice(0, 40)}`,
    );
  }
  const stacks: Stack[] = [];
  for (const [id, artifact] of Object.entries(manifest.artifacts ?? {})) {
    if (artifact.type === 'cdk:cloud-assembly')
      stacks.push(...readStacks(join(root, artifact.properties?.directoryName ?? '')));
    if (artifact.type === 'aws:cloudformation:stack') stacks.push(readStack(root, id, artifact, manifest));
  }
  return stacks;
}

function readStack(root: string, id: string, artifact: Artifact, manifest: Manifest): Stack {
  const { templateFile = '', stackName = artifact.displayName ?? id } = artifact.properties ?? {};
  const { additionalMetadataFile: file } = artifact;
  const metadata = { ...artifact.metadata, ...(file !== undefined && readJson<Metadata>(join(root, file))) };
  const assets = readAssets(root, artifact, manifest);
  const legacy = legacyAssets(metadata, (path) => join(root, path));
  const files = new Map([...assets.files, ...legacy.files]);
  return {
    name: stackName,
    ...environmentOf(artifact),
    template: unfold(readJson<Template>(join(root, templateFile)), (nested) => nestedTemplate(root, nested, files)),
    files,
    images: new Map([...assets.images, ...legacy.images]),
    parameters: legacy.parameters,
    paths: pathsOf(metadata, artifact.displayName ?? id),
  };
}

/** Told by the CLI in its metadata, else by the hash in its address. */
function nestedTemplate(
  root: string,
  { Metadata: own, Properties }: Resource,
  files: ReadonlyMap<string, string>,
): Template | undefined {
  const told = own?.['aws:asset:path'];
  if (typeof told === 'string') return readJson<Template>(join(root, told));
  const hashes = JSON.stringify(Properties?.TemplateURL ?? '').match(/[0-9a-f]{64}/g) ?? [];
  const [file] = hashes.flatMap((hash) => files.get(hash) ?? []);
  return file === undefined ? undefined : readJson<Template>(file);
}

/** An app that names no account and no region is rehearsed with examples of both. */
function environmentOf({ environment = '' }: Artifact): { account: string; region: string } {
  const [, account = 'unknown-account', region = 'unknown-region'] = /^aws:\/\/([^/]+)\/(.+)$/.exec(environment) ?? [];
  return {
    account: account === 'unknown-account' ? DEFAULT_ACCOUNT : account,
    region: region === 'unknown-region' ? DEFAULT_REGION : region,
  };
}

function readAssets(root: string, artifact: Artifact, manifest: Manifest): Pick<Stack, 'files' | 'images'> {
  const files = new Map<string, string>();
  const images = new Map<string, string>();
  for (const dependency of artifact.dependencies ?? []) {
    const assets = own(manifest.artifacts, dependency);
    if (assets?.type !== 'cdk:asset-manifest') continue;
    const asset = readJson<AssetManifest>(join(root, assets.properties?.file ?? ''));
    for (const [hash, { source }] of Object.entries(asset.files ?? {})) {
      if (source.path !== undefined) files.set(hash, join(root, source.path));
    }
    for (const [hash, { source }] of Object.entries(asset.dockerImages ?? {})) {
      if (source.directory !== undefined) images.set(hash, join(root, source.directory));
    }
  }
  return { files, images };
}

function readJson<T>(file: string): T {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(
      `'${file}' must be a readable file of the assembly, got ${(error as NodeJS.ErrnoException).code}`,
    );
  }
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new UsageError(`'${file}' must be JSON, got ${(error as Error).message}`);
  }
}
