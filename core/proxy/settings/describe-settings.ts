import { describeDefault, describeInTable } from '../../validation/describe-fields';
import type { Field } from '../../validation/fields';
import { buildJsonSchema } from '../../validation/json-schema';
import { PROXY_SETTINGS, SETTING_GROUPS, SettingField, SettingGroup } from './settings';
import { PROXY_VARIABLES, ProxyVariable, SETTINGS, Setting, flagName, variableName } from './setting-names';

/** The settings of one table of docs/proxy.md, as rows in Markdown. */
export function formatSettingTable(group: SettingGroup): string {
  const rows = listVariables(group).map((name) => {
    const field: SettingField = PROXY_SETTINGS[name];
    const inFile = field.kind === 'secret' ? '–' : `\`${name}\``;
    const about = field.more === undefined ? field.sentence : `${field.sentence} ${field.more}`;
    return [inFile, `\`${variableName(name)}\``, describeForm(field), describeUsual(field), about];
  });
  return [
    '| in the file | environment | value | default | meaning |',
    '|---|---|---|---|---|',
    ...rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`),
  ].join('\n');
}

function listVariables(group: SettingGroup): ProxyVariable[] {
  return PROXY_VARIABLES.filter((name) => PROXY_SETTINGS[name].group === group);
}

function describeForm(field: SettingField): string {
  return field.kind === 'secret' ? 'never in the file' : describeInTable(field);
}

/** The default in words. */
function describeUsual(field: SettingField): string {
  if (field.follows !== undefined) return `\`${field.follows}\``;
  if (field.defaultRule !== undefined) return field.defaultRule;
  if (field.kind === 'secret') return '–';
  return describeDefault(field) || '–';
}

/** Every flag of the proxy under the heading of its group. */
export function formatSettingsUsage(): string {
  return SETTING_GROUPS.map((group) => {
    const names = SETTINGS.filter((name) => PROXY_SETTINGS[name].group === group);
    return `\n${HEADINGS[group]}:\n${names.map(formatFlagUsage).join('')}`;
  }).join('');
}

const HEADINGS: Readonly<Record<SettingGroup, string>> = {
  general: 'Settings',
  timeouts: 'Timeouts, in seconds',
  limits: 'Limits',
  protocols: 'Protocols',
  moves: 'Moves to the other backend',
  capture: 'Captured traffic',
  mirror: 'Copies to a target',
  surroundings: 'Beside the traffic',
};

function formatFlagUsage(name: Setting): string {
  const field: SettingField = PROXY_SETTINGS[name];
  const usual = describeUsual(field).replaceAll('`', '');
  const fallback = ['–', 'required'].includes(usual) ? '' : ` (default: ${usual})`;
  return `  ${flagName(name)} ${formatForm(name)}\n      ${field.sentence}${fallback}\n`;
}

/** What stands for the value of a flag: `HOST:PORT`, `off|on`, `SECONDS`. */
function formatForm(name: Setting): string {
  const field: SettingField = PROXY_SETTINGS[name];
  const values = listSettingValues(name);
  if (field.form !== undefined) return field.form;
  if (field.kind === 'number') return [field.unit === '%' ? 'PERCENT' : 'SECONDS', ...values].join('|');
  if (field.kind === 'integer') return field.unit === 'bytes' ? 'BYTES' : 'COUNT';
  return values.join('|');
}

/** The words that a setting may have; none where it has any other value. */
function listSettingValues(name: Setting): readonly string[] {
  const field: SettingField = PROXY_SETTINGS[name];
  if (field.kind === 'choice') return field.values;
  if (field.kind === 'number') return Object.keys(field.words ?? {});
  return field.kind === 'boolean' ? ['true', 'false'] : [];
}

/** What a shell completes. */
export interface SettingFlag {
  readonly flag: string;
  readonly description: string;
  readonly values?: readonly string[];
}

export function listSettingFlags(): SettingFlag[] {
  return SETTINGS.map((name) => {
    const values = listSettingValues(name);
    const flag = { flag: flagName(name), description: PROXY_SETTINGS[name].sentence };
    return values.length === 0 ? flag : { ...flag, values };
  });
}

/** The JSON Schema of the proxy's file. An empty value, which the reader takes for absent, it does not accept. */
export function buildSettingsSchema(id: string) {
  const fields = SETTINGS.map((name) => [name, inSchema(PROXY_SETTINGS[name] as SettingField & Field)]);
  const schema = buildJsonSchema(
    { id, title: 'The settings of a drainshift proxy' },
    Object.fromEntries(fields) as Record<Setting, Field>,
  );
  // Flags and variables may give what the file does not.
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== 'required'));
}

/** Where the default is that of another one, the schema has none. */
function inSchema(field: SettingField & Field): Field {
  return field.follows === undefined ? field : ({ ...field, default: undefined } as Field);
}
