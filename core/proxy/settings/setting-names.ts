import type { Field, FieldValue } from '../../validation/fields';
import { LIMIT_SETTINGS, PROXY_SETTINGS, SettingField, TIMEOUT_SETTINGS } from './settings';

type Table = typeof PROXY_SETTINGS;
/** With those that only the environment may hold. */
export type ProxyVariable = keyof Table;
export type SecretSetting = {
  [Name in ProxyVariable]: Table[Name]['kind'] extends 'secret' ? Name : never;
}[ProxyVariable];
/** The name of a setting in a file. */
export type Setting = Exclude<ProxyVariable, SecretSetting>;

/** What a setting is once it is read. */
export type SettingValue<Name extends ProxyVariable> = Table[Name] extends Field ? FieldValue<Table[Name]> : never;

export const PROXY_VARIABLES = Object.keys(PROXY_SETTINGS) as ProxyVariable[];

export const SETTINGS = PROXY_VARIABLES.filter((name): name is Setting => PROXY_SETTINGS[name].kind !== 'secret');

/** The variable of the environment: `DRAINSHIFT_CLIENT_IDLE_SECONDS`. */
export function variableName<Name extends ProxyVariable>(name: Name): `DRAINSHIFT_${Uppercase<Name>}` {
  return `DRAINSHIFT_${name.toUpperCase() as Uppercase<Name>}`;
}

/** The environment of a proxy with these settings, as texts. Those that are undefined are left out. */
export function buildEnvironment(texts: SettingTexts): Record<string, string> {
  const names = Object.keys(texts) as ProxyVariable[];
  return Object.fromEntries(
    names.flatMap((name) => {
      const text = texts[name];
      return text === undefined ? [] : [[variableName(name), text]];
    }),
  );
}

/** Settings as the environment has them. */
export type SettingTexts = { readonly [Name in ProxyVariable]?: string | undefined };

/** The flag of the command line: `--client-idle-seconds`. */
export function flagName(name: Setting): string {
  return `--${name.replaceAll('_', '-')}`;
}

/** The variable with the path of the file. */
export const CONFIG_VARIABLE = 'DRAINSHIFT_CONFIG';

type Camel<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Name;

export type TimeoutSetting = keyof typeof TIMEOUT_SETTINGS;
export type LimitSetting = keyof typeof LIMIT_SETTINGS;
type TimeoutName<Name extends string> = Name extends `${infer What}_seconds` ? `${Camel<What>}Ms` : never;

/** The timeouts of the data plane in milliseconds: `client_idle_seconds` is `clientIdleMs`. */
export type Timeouts = { readonly [Name in TimeoutSetting as TimeoutName<Name>]: number };
/** The limits of the data plane that are settings: `field_bytes` is `fieldBytes`. */
export type LimitSettings = { readonly [Name in LimitSetting as Camel<Name>]: number };

const camelCase = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

export function timeoutName(name: TimeoutSetting): keyof Timeouts {
  return camelCase(name.replace(/seconds$/, 'ms')) as keyof Timeouts;
}

export function limitName(name: LimitSetting): keyof LimitSettings {
  return camelCase(name) as keyof LimitSettings;
}

export const TIMEOUTS = Object.keys(TIMEOUT_SETTINGS) as TimeoutSetting[];
export const LIMITS = Object.keys(LIMIT_SETTINGS) as LimitSetting[];

/** Those that protect what the workers share: the backend, the host's ports. */
export const SHARED_LIMITS = LIMITS.filter((name) => 'isShared' in LIMIT_SETTINGS[name]).map(limitName);

/** All timeouts, of those that were given and the defaults of the others. */
export function completeTimeouts(given: Partial<Timeouts> = {}): Timeouts {
  const defaults = TIMEOUTS.map((name) => {
    const field: SettingField & { readonly default: number } = TIMEOUT_SETTINGS[name];
    const followed = field.follows === undefined ? undefined : given[timeoutName(field.follows as TimeoutSetting)];
    return [timeoutName(name), followed ?? 1000 * field.default];
  });
  return { ...(Object.fromEntries(defaults) as Timeouts), ...given };
}

/** All limits, of those that were given and the defaults of the others. */
export function completeLimits(given: Partial<LimitSettings> = {}): LimitSettings {
  const defaults = LIMITS.map((name) => [limitName(name), LIMIT_SETTINGS[name].default]);
  return { ...(Object.fromEntries(defaults) as LimitSettings), ...given };
}
