import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { oneLine } from '../../core/text/one-line';
import type { Problems } from '../../core/validation/problems';
import type { MoveAdapter } from '../data-plane/moves/adapters/adapter';
import { BUILT_IN_ADAPTERS } from '../data-plane/moves/adapters/adapters';
import { MoveRule, createRuleAdapter, parseRuleMessages } from '../data-plane/moves/adapters/rule';
import { Values, readSetting } from './given';

/** Which adapters a proxy has, as one process says it to another. */
export interface AdapterConfig {
  /** Names of built-in ones, and absolute paths of modules. */
  readonly names: readonly string[];
  readonly rules: readonly MoveRule[];
}

/** The adapters that were asked for. Modules are loaded, so that one that is none is a problem of the configuration. */
export function readMoveAdapters(values: Values, problems: Problems): AdapterConfig {
  const given = readSetting('move_adapters', values, problems);
  if (given.includes('none') && given.length > 1) problems.add('move_adapters', "'none' alone, or names", given);
  const names = given.filter((name) => name !== 'none').map((name) => (isPath(name) ? resolve(name) : name));
  for (const path of names.filter(isPath)) {
    const found = loadModule(path);
    if (typeof found === 'string') {
      problems.add('move_adapters', `${PROXY_SETTINGS.move_adapters.rule} that export an adapter`, `${path}: ${found}`);
    }
  }
  const rules = readSetting('move_rules', values, problems).map(({ remember, swallow, ...which }) => ({
    ...which,
    remember: parseRuleMessages(remember),
    swallow: parseRuleMessages(swallow),
  }));
  return { names, rules };
}

/**
 * The adapters themselves, in the order in which they are asked.
 *
 * @throws Error where a module is none any more
 */
export function loadMoveAdapters({ names, rules }: AdapterConfig = { names: [], rules: [] }): readonly MoveAdapter[] {
  return [...rules.map(createRuleAdapter), ...names.map(loadAdapter)];
}

function loadAdapter(name: string): MoveAdapter {
  const found = isPath(name) ? loadModule(name) : BUILT_IN_ADAPTERS.find((each) => each.name === name);
  if (typeof found === 'object') return found;
  throw new Error(`'${name}' must be a module that exports an adapter: ${found ?? 'unknown'}`);
}

const isPath = (name: string) => name.includes('/');

/** What a module exports as `adapter`, as its default, or alone; or why that is no adapter. */
function loadModule(path: string): MoveAdapter | string {
  let exported: unknown;
  try {
    exported = createRequire(path)(path);
  } catch (error) {
    return oneLine((error as Error).message.split('\n')[0] ?? '');
  }
  const { adapter, default: usual } = (exported ?? {}) as Record<string, unknown>;
  const found = (adapter ?? usual ?? exported ?? {}) as Partial<Record<keyof MoveAdapter, unknown>>;
  if (typeof found.name !== 'string' || found.name === '') return "its adapter has no 'name'";
  const missing = (['recognizes', 'follow'] as const).find((name) => typeof found[name] !== 'function');
  return missing === undefined ? (found as MoveAdapter) : `its adapter has no function '${missing}'`;
}
