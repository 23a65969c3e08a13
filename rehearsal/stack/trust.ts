import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_VARIABLE } from '../../core/cutover/cutover-config';
import type { StackModel } from '../template/model/stack-model';
import type { FunctionSpec } from '../functions/function';
import type { ServiceSpec } from '../tasks/runner';
import type { ContainerSpec } from '../tasks/task-process';
import { UsageError } from '../errors/usage-error';
import { ownAssets } from '../processes/own-assets';

/** What of an assembly may run: the package's own bundles, or whatever it holds. */
export type Trust = 'ownBundles' | 'everything';

export const TRUST_OPTION = '--allow-foreign-commands';

/** Of the options of Node.js that `lib` gives a proxy; others could load any file. */
const PROXY_OPTION = /^--max-semi-space-size=\d+$/;

/**
 * Environment that programs of this package read. Others could load code: NODE_OPTIONS, LD_PRELOAD, AWS_CONFIG_FILE with a
 * `credential_process`, OPENSSL_CONF.
 */
const OWN_ENVIRONMENT = /^(DRAINSHIFT_\w+|AWS_REGION|AWS_NODEJS_CONNECTION_REUSE_ENABLED|AWS_EMF_\w+|NODE_ENV|TZ)$/;

/** Whether a folder holds a bundle of this very package, byte for byte, and nothing beside it. */
export function isOwnBundle(name: 'lambda' | 'proxy', folder: string): boolean {
  const own = join(ownAssets(), name);
  const [expected, found] = [listFiles(own), listFiles(folder)];
  if (expected.length === 0 || JSON.stringify(expected) !== JSON.stringify(found)) return false;
  return expected.every((file) => readFileSync(join(own, file)).equals(readFileSync(join(folder, file))));
}

/** With what is below: a folder is told from a file by its slash, and a link is none of either. */
function listFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => (entry.isFile() ? entry.name : `${entry.name}/`))
    .sort();
}

/** @throws UsageError for what a cutover would run and what is not the package's own */
export function checkTrust({ services, functions, customResources }: StackModel, trust: Trust): void {
  if (trust === 'everything') return;
  for (const { name, container } of services) {
    const problem = containerProblem(container);
    if (problem !== undefined) throw foreign(`the proxy of '${name}'`, problem);
  }
  const providers = customResources.map(({ serviceToken }) => serviceToken);
  for (const { arn, name, folder, environment } of functions) {
    const isRun = Object.hasOwn(environment, CONFIG_VARIABLE) || providers.includes(arn);
    if (isRun && !isOwnBundle('lambda', folder)) throw foreign(`function '${name}'`, `another bundle in '${folder}'`);
  }
}

function foreign(what: string, got: string): UsageError {
  return new UsageError(
    `${what} must be the one of this very package to be run on your machine, got ${got}; ` +
      `synthesize the app with this version of drainshift, or trust the assembly: ${TRUST_OPTION}`,
  );
}

function containerProblem({ folder, command: [program, ...rest] }: ContainerSpec): string | undefined {
  const options = rest.slice(0, -1);
  const isOwn = program === 'node' && rest.at(-1) === 'proxy.js' && options.every((each) => PROXY_OPTION.test(each));
  if (!isOwn) return `the command '${[program, ...rest].join(' ')}'`;
  return isOwnBundle('proxy', folder) ? undefined : `another bundle in '${folder}'`;
}

/** The variables that a process of the rehearsal may be given. */
function ownEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => OWN_ENVIRONMENT.test(name)));
}

/** What of a stack is left out here because it is not the package's own, a line for each. */
export function foreignParts({ services, functions, statusRules }: StackModel): string[] {
  const called = statusRules.flatMap(({ functionArns }) => functionArns);
  return [
    ...functions
      .filter(({ arn, folder }) => called.includes(arn) && !isOwnBundle('lambda', folder))
      .map(({ name }) => `function '${name}' is not this package's, and is not run here`),
    ...services.flatMap(({ name, container }) => foreignVariables(name, container.environment)),
    ...functions
      .filter(({ environment }) => Object.hasOwn(environment, CONFIG_VARIABLE))
      .flatMap(({ name, environment }) => foreignVariables(name, environment)),
  ];
}

function foreignVariables(of: string, environment: Readonly<Record<string, string>>): string[] {
  return Object.keys(environment)
    .filter((name) => !OWN_ENVIRONMENT.test(name))
    .map((name) => `'${name}' of '${of}' is not this package's, and is not set here`);
}

/** The functions that may run, and of their environment what they may have. */
export function trustedFunctions(functions: readonly FunctionSpec[], trust: Trust): FunctionSpec[] {
  if (trust === 'everything') return [...functions];
  return functions
    .filter(({ folder }) => isOwnBundle('lambda', folder))
    .map((spec) => ({ ...spec, environment: ownEnvironment(spec.environment) }));
}

/** A service with what its container may have of its environment. */
export function trustedService(service: ServiceSpec, trust: Trust): ServiceSpec {
  if (trust === 'everything') return service;
  const { container } = service;
  return { ...service, container: { ...container, environment: ownEnvironment(container.environment) } };
}
