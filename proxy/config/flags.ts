import { parseArgs } from 'node:util';
import { formatSettingsUsage } from '../../core/proxy/settings/describe-settings';
import { SETTINGS, Setting, flagName, variableName } from '../../core/proxy/settings/setting-names';

export const USAGE = `Usage: proxy --listen HOST:PORT --upstream URL [--admin HOST:PORT] [--config FILE]

  --config FILE
      YAML; flags come before environment variables, and those before the file
  --check
      start nothing: say what is wrong with the settings, or what the proxy would do
  --help  --version
${formatSettingsUsage()}
Each is a variable of the environment, too: --listen is ${variableName('listen')}.
Only there: ${variableName('admin_secret')}, ${variableName('session_store_password')}.
`;

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'wrong'; readonly problem: string }
  | {
      /** `check`: say what a start would do, and start nothing. */
      readonly kind: 'run' | 'check';
      readonly flags: Partial<Record<Setting, string>>;
      readonly configFile: string | undefined;
    };

/** What the command line asks for. Every setting is a flag: `grace_period_seconds` is `--grace-period-seconds`. */
export function readFlags(args: readonly string[]): Command {
  const settings = Object.fromEntries(SETTINGS.map((name) => [nameInArgs(name), { type: 'string' as const }]));
  try {
    const { values } = parseArgs({
      args: withNegativeNumbers(args),
      options: {
        ...settings,
        config: { type: 'string' },
        check: { type: 'boolean' },
        help: { type: 'boolean' },
        version: { type: 'boolean' },
      },
    });
    if (values.help === true) return { kind: 'help' };
    if (values.version === true) return { kind: 'version' };
    const given = values as Record<string, string | undefined>;
    const flags: Partial<Record<Setting, string>> = {};
    for (const name of SETTINGS) {
      const value = given[nameInArgs(name)];
      if (value !== undefined) flags[name] = value;
    }
    return { kind: values.check === true ? 'check' : 'run', flags, configFile: given.config };
  } catch (error) {
    return { kind: 'wrong', problem: (error as Error).message.split(/[.\n]/)[0] ?? 'Wrong use' };
  }
}

/** `--name -3` as `--name=-3`: parseArgs takes it for two flags, and what is wrong with -3 is better said by its setting. */
function withNegativeNumbers(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const name = joined.at(-1);
    if (/^-\d/.test(arg) && name !== undefined && /^--[^=]+$/.test(name)) joined.splice(-1, 1, `${name}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}

function nameInArgs(name: Setting): string {
  return flagName(name).slice(2);
}
