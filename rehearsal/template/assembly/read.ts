import { own } from '../../../core/validation/own';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { UsageError } from '../../errors/usage-error';
import { connected } from './exports';
import { Metadata, legacyAssets, listPaths } from './metadata';
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
  const outermost = realpathSync(root);
  const stacks = readStacks({ root: outermost, outermost });
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

/** An assembly, and the one that it is nested in, whose files it may share. */
interface Place {
  readonly root: string;
  readonly outermost: string;
}

function readStacks(place: Place): Stack[] {
  const { root } = place;
  const manifest = readJson<Manifest | null>(join(root, 'manifest.json'));
  if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest)) {
    throw new UsageError(
      `'${join(root, 'manifest.json')}' must be the manifest of a CDK app, got ${JSON.stringify(manifest)?.slice(0, 40)}`,
    );
  }
  const stacks: Stack[] = [];
  for (const [id, artifact] of Object.entries(manifest.artifacts ?? {})) {
    if (artifact.type === 'cdk:cloud-assembly')
      stacks.push(...readStacks({ ...place, root: inside(place, artifact.properties?.directoryName ?? '') }));
    if (artifact.type === 'aws:cloudformation:stack') stacks.push(readStack(place, id, artifact, manifest));
  }
  return stacks;
}

function readStack(place: Place, id: string, artifact: Artifact, manifest: Manifest): Stack {
  const { templateFile = '', stackName = artifact.displayName ?? id } = artifact.properties ?? {};
  const { additionalMetadataFile: file } = artifact;
  const metadata = { ...artifact.metadata, ...(file !== undefined && readJson<Metadata>(inside(place, file))) };
  const assets = readAssets(place, artifact, manifest);
  const legacy = legacyAssets(metadata, (path) => inside(place, path));
  const files = new Map([...assets.files, ...legacy.files]);
  return {
    name: stackName,
    ...buildEnvironment(artifact),
    template: unfold(readJson<Template>(inside(place, templateFile)), (nested) => nestedTemplate(place, nested, files)),
    files,
    images: new Map([...assets.images, ...legacy.images]),
    parameters: legacy.parameters,
    paths: listPaths(metadata, artifact.displayName ?? id),
  };
}

/** Told by the CLI in its metadata, else by the hash in its address. */
function nestedTemplate(
  place: Place,
  { Metadata: own, Properties }: Resource,
  files: ReadonlyMap<string, string>,
): Template | undefined {
  const notified = own?.['aws:asset:path'];
  if (typeof notified === 'string') return readJson<Template>(inside(place, notified));
  const hashes = JSON.stringify(Properties?.TemplateURL ?? '').match(/[0-9a-f]{64}/g) ?? [];
  const [file] = hashes.flatMap((hash) => files.get(hash) ?? []);
  return file === undefined ? undefined : readJson<Template>(file);
}

/** An app that names no account and no region is rehearsed with examples of both. */
function buildEnvironment({ environment = '' }: Artifact): { account: string; region: string } {
  const [, account = 'unknown-account', region = 'unknown-region'] = /^aws:\/\/([^/]+)\/(.+)$/.exec(environment) ?? [];
  return {
    account: account === 'unknown-account' ? DEFAULT_ACCOUNT : account,
    region: region === 'unknown-region' ? DEFAULT_REGION : region,
  };
}

function readAssets(place: Place, artifact: Artifact, manifest: Manifest): Pick<Stack, 'files' | 'images'> {
  const files = new Map<string, string>();
  const images = new Map<string, string>();
  for (const dependency of artifact.dependencies ?? []) {
    const assets = own(manifest.artifacts, dependency);
    if (assets?.type !== 'cdk:asset-manifest') continue;
    const asset = readJson<AssetManifest>(inside(place, assets.properties?.file ?? ''));
    for (const [hash, { source }] of Object.entries(asset.files ?? {})) {
      if (source.path !== undefined) files.set(hash, inside(place, source.path));
    }
    for (const [hash, { source }] of Object.entries(asset.dockerImages ?? {})) {
      if (source.directory !== undefined) images.set(hash, inside(place, source.directory));
    }
  }
  return { files, images };
}

/**
 * A path of a manifest, links followed: it must stay inside the assembly, which may come from another author.
 *
 * @throws UsageError
 */
function inside({ root, outermost }: Place, path: string): string {
  // Also one that is absolute, as an app makes it that copies no assets.
  const full = resolve(root, path);
  const real = existsSync(full) ? realpathSync(full) : full;
  if (real === outermost || real.startsWith(`${outermost}${sep}`)) return full;
  throw new UsageError(`a path of the assembly must stay inside '${outermost}', got '${path}'`);
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
