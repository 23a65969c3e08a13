import { CONFIG_VARIABLE } from '../../../core/cutover/cutover-config';
import { listDependencies, referencesIn } from '../assembly/dependencies';
import type { Resource, Stack, Template } from '../assembly/template';
import { UsageError } from '../../errors/usage-error';

/**
 * The stack as it would be with one of its migrations alone: what belongs to another one goes, unless the chosen one or
 * the rest of the stack leans on it.
 *
 * @param name the construct path within the stack (`Blue`), needed where there are several
 * @throws UsageError
 */
export function withOneMigration(stack: Stack, name: string | undefined): Stack {
  if (stack.migration !== undefined) return stack;
  const scopes = migrationScopes(stack);
  const names = [...scopes.keys()];
  const listed = names.map((each) => `'${each}'`).join(', ');
  if (names.length === 0 || (name === undefined && names.length < 2)) return stack;
  if (names.length > 1 && names.some((each) => each === UNKNOWN)) {
    throw new UsageError(
      `the migrations of '${stack.name}' must have their construct paths in the assembly to be told apart, got none`,
    );
  }
  const own = name === undefined ? undefined : scopes.get(name);
  if (name === undefined || own === undefined) {
    throw new UsageError(`'--migration' must be one of ${listed}, got ${name === undefined ? 'nothing' : `'${name}'`}`);
  }
  const others = [...scopes.values()].filter((scope) => scope !== own);
  return { ...stack, migration: name, template: pruned(stack, others) };
}

const UNKNOWN = '?';
/** A function of the cutover is three constructs deep in it: `Cutover/Steps/Lock/Resource`. */
const DEPTH = 3;

/** By name, the path of each migration's construct; where the paths are not known, by what their functions are told. */
function migrationScopes({ template, paths }: Stack): Map<string, string> {
  const functions = Object.entries(template.Resources ?? {}).filter(([, resource]) => isStep(resource));
  const known = functions.map(([logicalId]) => paths?.get(logicalId));
  if (known.some((path) => path === undefined)) {
    const configs = new Set(functions.map(([, resource]) => JSON.stringify(resolveConfig(resource))));
    return new Map([...configs].map((_, index) => [index === 0 ? UNKNOWN : `${UNKNOWN}${index}`, '']));
  }
  return new Map(known.map((path) => findScope(path ?? '')));
}

function findScope(path: string): [name: string, scope: string] {
  const segments = path.split('/').slice(0, -DEPTH);
  if (segments.length > 1 && segments.at(-1) === 'Cutover') segments.pop();
  return [segments.join('/'), segments.join('/')];
}

function resolveConfig({ Properties }: Resource): unknown {
  const environment = Properties?.Environment as { Variables?: Record<string, unknown> } | undefined;
  return environment?.Variables?.[CONFIG_VARIABLE];
}

function isStep(resource: Resource): boolean {
  return resource.Type === 'AWS::Lambda::Function' && resolveConfig(resource) !== undefined;
}

function pruned({ template, paths }: Stack, others: readonly string[]): Template {
  const resources = template.Resources ?? {};
  const isOfOther = (logicalId: string) => others.some((scope) => paths?.get(logicalId)?.startsWith(`${scope}/`));
  const kept = new Set<string>();
  const keep = (logicalId: string) => {
    const resource = Object.hasOwn(resources, logicalId) ? resources[logicalId] : undefined;
    if (!resource || kept.has(logicalId)) return;
    kept.add(logicalId);
    listDependencies(resource).forEach(keep);
  };
  Object.keys(resources)
    .filter((logicalId) => !isOfOther(logicalId))
    .forEach(keep);
  const isWhole = (value: unknown) => referencesIn(value).every((id) => !Object.hasOwn(resources, id) || kept.has(id));
  return {
    ...template,
    Resources: Object.fromEntries(Object.entries(resources).filter(([logicalId]) => kept.has(logicalId))),
    Outputs: Object.fromEntries(Object.entries(template.Outputs ?? {}).filter(([, { Value }]) => isWhole(Value))),
  };
}
