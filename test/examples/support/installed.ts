import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export const ROOT = resolve(__dirname, '../../..');
const NAG = join(__dirname, 'with-nag.mjs');
const RUN_APPS = join(__dirname, 'run-apps.mjs');

/** What `npm pack` made. */
export interface Tarball {
  readonly path: string;
  /** In bytes, compressed and unpacked. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

/** @returns the tarball of the package as it is built now, in a folder of its own */
export function pack(): Tarball {
  const folder = temporaryFolder();
  const printed = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [packed] = JSON.parse(printed) as (Omit<Tarball, 'path'> & { filename: string })[];
  if (packed === undefined) throw new Error(`'npm pack' must say what it packed, got ${printed}`);
  return { ...packed, path: join(folder, packed.filename) };
}

/**
 * A fresh app with the package in it, as `npm install` leaves it without a network: the package is unpacked, and what it
 * declares is linked. What it uses and does not declare is not there.
 */
export function install(tarball: Tarball, from?: string): string {
  const folder = temporaryFolder();
  // Without what somebody who tried the example has left there.
  const isSource = (path: string) => !/\/(node_modules|cdk\.out)$/.test(path);
  if (from !== undefined) cpSync(from, folder, { recursive: true, filter: isSource });
  const installed = join(folder, 'node_modules/drainshift');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball.path, '-C', installed, '--strip-components=1']);
  const { dependencies, peerDependencies } = JSON.parse(
    readFileSync(join(installed, 'package.json'), 'utf8'),
  ) as Manifest;
  for (const name of [...Object.keys({ ...dependencies, ...peerDependencies }), 'aws-cdk']) link(folder, name);
  return folder;
}

/** Gives an app one more package of ours, as if it had installed it. */
export function link(folder: string, name: string): void {
  const path = join(folder, 'node_modules', name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules', name), path);
}

export function remove(...paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
}

export interface Synthesized {
  readonly status: number | null;
  readonly output: string;
  /** The folder of the assembly. */
  readonly assembly: string;
}

/**
 * Runs apps with the rules of cdk-nag, all in one process, each into a folder of this name in its own.
 *
 * @param validated whether the rules of CloudFormation are asked, too, which take longer to load than an app to synthesize
 */
export function synthesizeAll(folders: readonly string[], name: string, { validated = false } = {}): Synthesized[] {
  const env = { PATH: process.env.PATH, CDK_VALIDATION: String(validated) };
  const args = ['--import', NAG, RUN_APPS, name, ...folders];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env })) as Synthesized[];
}

/** Runs an app as the CDK's own command does, with its `cdk.json`, and without that command, which takes seconds to start. */
export function synthesize(folder: string): Synthesized {
  const settings = JSON.parse(readFileSync(join(folder, 'cdk.json'), 'utf8')) as { app: string; context: object };
  const [, ...args] = settings.app.split(' ');
  return run(args, folder, {
    CDK_OUTDIR: assemblyOf(folder),
    CDK_CONTEXT_JSON: JSON.stringify(settings.context),
  });
}

/**
 * `cdk synth`, the real command, which fails where an app asks for what only an account can say: of its zones, of what
 * `fromLookup` is to find.
 */
export function synthesizeByCommand(folder: string): Synthesized {
  const cdk = join(folder, 'node_modules/aws-cdk/bin/cdk');
  return run([cdk, 'synth', '--quiet', '--no-lookups', '--output', assemblyOf(folder)], folder, {
    // Nothing of whoever runs this, no account's credentials above all; and no one is called.
    HOME: folder,
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CDK_DISABLE_VERSION_CHECK: 'true',
  });
}

const assemblyOf = (folder: string) => join(folder, 'cdk.out');

function run(args: readonly string[], cwd: string, env: Record<string, string>): Synthesized {
  const path = `${dirname(process.execPath)}:${process.env.PATH ?? ''}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    env: { PATH: path, CDK_VALIDATION: 'false', ...env },
  });
  return { status, output: `${stdout}${stderr}`, assembly: assemblyOf(cwd) };
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'drainshift-installed-'));
}
