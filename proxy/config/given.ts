import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { SETTINGS, SecretSetting, Setting, SettingValue, variableName } from '../../core/proxy/settings/setting-names';
import { readField } from '../../core/validation/fields';
import { withoutSchema } from '../../core/validation/json-schema';
import type { Problems } from '../../core/validation/problems';

/** What was given, from wherever; not checked yet. */
export type Values = Partial<Record<Setting, unknown>>;

export type Origin = 'flag' | 'variable' | 'file';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigSources {
  readonly flags: Readonly<Partial<Record<Setting, string>>>;
  readonly environment: Environment;
  /** The parsed YAML; undefined when there is no file. */
  readonly file: unknown;
  /** Throws when a file cannot be read. */
  readonly readText: (path: string) => string;
}

export interface Given {
  readonly values: Values;
  /** Where each of them is from. */
  readonly origins: Readonly<Partial<Record<Setting, Origin>>>;
}

/** What flags, environment and file say, in this order of precedence. */
export function collectGiven({ flags, environment, file }: ConfigSources, problems: Problems): Given {
  // An empty file is `null` to YAML.
  const inFile = problems.object('config', withoutSchema(file ?? undefined), SETTINGS);
  const values: Values = {};
  const origins: Partial<Record<Setting, Origin>> = {};
  for (const name of SETTINGS) {
    const flag = flags[name];
    const text = flag ?? readVariable(environment, name);
    const value = text === undefined ? inFile[name] : readText(name, text);
    if (value === undefined || value === null) continue;
    values[name] = value;
    origins[name] = flag !== undefined ? 'flag' : text !== undefined ? 'variable' : 'file';
  }
  return { values, origins };
}

/** A variable that is set to nothing is one that a shell script left out. */
export function readVariable(environment: Environment, name: Setting | SecretSetting): string | undefined {
  const text = environment[variableName(name)];
  return text === '' ? undefined : text;
}

/** Flags and variables are text; a file's numbers and booleans are not. */
function readText(name: Setting, text: string): unknown {
  const { kind } = PROXY_SETTINGS[name];
  if (kind === 'text') return text;
  if (kind === 'list') return readJson(text);
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}

/** What is no JSON stays a text, which is no list. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One that needs no more than the table of settings to be read. */
export function readSetting<Name extends Setting>(name: Name, values: Values, problems: Problems): SettingValue<Name> {
  return readField(problems, name, values[name], PROXY_SETTINGS[name]) as SettingValue<Name>;
}
