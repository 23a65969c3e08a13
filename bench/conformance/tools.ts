import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../processes/resolve';

/** What judges us, each at one version. */
const H2SPEC = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible';
const GRPC = 'google.golang.org/grpc';
const GRPC_VERSION = 'v1.85.0';
/** The suite is written in Python 2.7, and so is the last virtualenv that makes an environment of it. */
const AUTOBAHN = 'autobahntestsuite==25.10.1';
const VIRTUALENV = 'virtualenv==20.15.1';

/** Kept between runs. */
const CACHE = join(ROOT, 'node_modules/.cache/drainshift/conformance');

/** Where a tool is, or why it is not there. */
export type Tool = { readonly path: string } | { readonly missing: string };

export function h2specTool(): Tool {
  return goTool('h2spec', H2SPEC);
}

export function grpcTool(what: 'client' | 'server'): Tool {
  return goTool(`grpc-${what}`, `${GRPC}/interop/${what}@${GRPC_VERSION}`, what);
}

function goTool(folder: string, module: string, program = folder): Tool {
  const directory = join(CACHE, `${folder}-${module.split('@')[1]}`);
  const path = join(directory, program);
  if (existsSync(path)) return { path };
  mkdirSync(directory, { recursive: true });
  const failure = run('go', ['install', module], { GOBIN: directory });
  return failure === undefined ? { path } : { missing: `'go install ${module}': ${failure}` };
}

/** A Python that has it. */
export function autobahnTool(): Tool {
  const directory = join(CACHE, AUTOBAHN.replace('==', '-'));
  const path = join(directory, 'bin/python');
  if (existsSync(join(directory, 'bin/wstest'))) return { path };
  const python = python27();
  if (python === undefined) return { missing: 'it needs a Python 2.7, as `python2.7` or of pyenv, got none' };
  mkdirSync(CACHE, { recursive: true });
  const library = join(CACHE, 'virtualenv');
  const failure =
    run(python, ['-m', 'pip', 'install', '--quiet', '--target', library, '--upgrade', VIRTUALENV], {}) ??
    run(python, ['-m', 'virtualenv', '--quiet', directory], { PYTHONPATH: library }) ??
    run(join(directory, 'bin/pip'), ['install', '--quiet', AUTOBAHN], {});
  return failure === undefined ? { path } : { missing: `${AUTOBAHN}: ${failure}` };
}

/** pyenv's own `python2.7` asks which version is meant. */
function python27(): string | undefined {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions');
  const candidates = ['python2.7', join(versions, '2.7.18/bin/python2.7'), 'pypy'];
  return candidates.find(
    (command) => run(command, ['-c', 'import sys; assert sys.version_info[0] == 2'], {}) === undefined,
  );
}

/** @returns why it failed */
function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): string | undefined {
  const { error, status, stderr } = spawnSync(command, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
  if (error) return error.message;
  return status === 0 ? undefined : (stderr.trim().split('\n').at(-1) ?? `exit code ${status}`);
}
