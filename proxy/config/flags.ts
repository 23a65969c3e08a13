import { parseArgs } from 'node:util';
import { SETTINGS, Setting } from './settings';

export const USAGE = `Usage: proxy --listen HOST:PORT --upstream URL [--admin HOST:PORT] [--config FILE]

  --listen HOST:PORT      the data port (default 0.0.0.0:8443)
  --upstream URL          http(s)://host[:port] of the backend
  --admin HOST:PORT       the admin port; needs a secret in DRAINSHIFT_ADMIN_SECRET or a file (--admin-secret-file)
  --config FILE           YAML; flags come before environment variables, and those before the file
  --side source|target    which backend this is (default source)
  --tls off|self-signed   TLS on the data port (default off)
  --tls-certificate-file FILE --tls-key-file FILE
  --other-upstream URL    the other side's backend, for a retarget
  --workers COUNT         processes that share the data port (default 1)
  --grace-period-seconds SECONDS|short-lived|mixed|websocket-heavy
  --propagation-seconds SECONDS  --stop-timeout-seconds SECONDS
  --access-log off|errors|on
  --log-level LEVEL
  --help  --version

Every setting of docs/proxy.md is a flag: client_idle_seconds is --client-idle-seconds.
`;

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'wrong'; readonly problem: string }
  | { readonly kind: 'run'; readonly flags: Partial<Record<Setting, string>>; readonly configFile: string | undefined };

const NAMES = Object.keys(SETTINGS) as Setting[];

/** What the command line asks for. Every setting is a flag: `grace_period_seconds` is `--grace-period-seconds`. */
export function readFlags(args: readonly string[]): Command {
  const settings = Object.fromEntries(NAMES.map((name) => [formatFlag(name), { type: 'string' as const }]));
  try {
    const { values } = parseArgs({
      args: withNegativeNumbers(args),
      options: { ...settings, config: { type: 'string' }, help: { type: 'boolean' }, version: { type: 'boolean' } },
    });
    if (values.help === true) return { kind: 'help' };
    if (values.version === true) return { kind: 'version' };
    const given = values as Record<string, string | undefined>;
    const flags: Partial<Record<Setting, string>> = {};
    for (const name of NAMES) {
      const value = given[formatFlag(name)];
      if (value !== undefined) flags[name] = value;
    }
    return { kind: 'run', flags, configFile: given.config };
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

function formatFlag(name: Setting): string {
  return name.replaceAll('_', '-');
}
