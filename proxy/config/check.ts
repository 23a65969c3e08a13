import { PROXY_SETTINGS, SettingField } from '../../core/proxy/settings/settings';
import { ConnectionLimits, shareFiles } from '../../core/proxy/file-budget';
import { SETTINGS, Setting, flagName, variableName } from '../../core/proxy/settings/setting-names';
import { oneLine } from '../../core/text/one-line';
import { formatHostPort } from '../../core/validation/host-port';
import { Problems } from '../../core/validation/problems';
import type { ProxyConfig } from './config';
import { ConfigSources, Given, collectGiven, readSetting, readVariable } from './given';
import { parseCertificates } from './pem';

/** What the machine allows. */
export interface Machine {
  /** What the connections of clients may hold. */
  readonly memoryBytes: number;
  /** What a process may have open at once. */
  readonly openFiles: number;
}

/** The setting, its value and where that is from. */
type Line = readonly [name: string, value: string, origin: string];

/**
 * What a proxy with this configuration would do, for people: in words, and every setting with where its value comes from. It
 * shows no secret.
 *
 * @param warnings what the start would warn of
 */
export function describeConfig(
  config: ProxyConfig,
  sources: ConfigSources,
  machine: Machine,
  warnings: readonly string[],
): string {
  const given = collectGiven(sources, new Problems());
  const lines = SETTINGS.map((name): Line => [
    name,
    describeValue(name, config, given, machine),
    describeOrigin(name, given),
  ]);
  const secrets = (['admin_secret', 'session_store_password'] as const).flatMap((name): Line[] =>
    readVariable(sources.environment, name) === undefined ? [] : [[name, '(not shown)', variableName(name)]],
  );
  const parts = [describeWork(config), formatLines([...lines, ...secrets]), warnings.map((line) => `Warning: ${line}`)];
  return parts
    .map((part) => part.map((line) => `${line}\n`).join(''))
    .filter(Boolean)
    .join('\n');
}

function describeWork(config: ProxyConfig): string[] {
  const { side, listen, upstream, otherUpstream, admin, workers } = config;
  const { gracePeriodSeconds, propagationSeconds, stopTimeoutSeconds } = config;
  const protocols = config.tls === 'off' ? 'without TLS' : 'with TLS';
  return [
    'The settings are valid. The proxy would:',
    `- listen on ${formatHostPort(listen)} ${protocols}, in ${workers === 1 ? '1 process' : `${workers} processes`}`,
    `- send requests to ${formatUpstream(upstream)}, as the proxy of the ${side}`,
    otherUpstream === undefined
      ? '- have no other upstream: it could not be retargeted'
      : `- send them to ${formatUpstream(otherUpstream)} after a retarget`,
    admin === undefined
      ? '- have no admin API: no cutover could drain it'
      : `- have its admin API on ${formatHostPort(admin.at)}`,
    `- after SIGTERM accept for ${propagationSeconds} s, then drain for up to ${gracePeriodSeconds} s; it is killed after ${stopTimeoutSeconds} s`,
  ];
}

function formatUpstream({ protocol, host, port }: ProxyConfig['upstream']): string {
  return `${protocol}://${formatHostPort({ host, port })}`;
}

/** In columns. */
function formatLines(lines: readonly Line[]): string[] {
  const widths = [0, 1].map((column) => Math.max(...lines.map((cells) => cells[column as 0 | 1].length)));
  return lines.map(([name, value, origin]) => `${name.padEnd(widths[0]!)}  ${value.padEnd(widths[1]!)}  ${origin}`);
}

function describeOrigin(name: Setting, { values, origins }: Given): string {
  const { follows }: SettingField = PROXY_SETTINGS[name];
  switch (origins[name]) {
    case 'flag':
      return flagName(name);
    case 'variable':
      return variableName(name);
    case 'file':
      return 'file';
    case undefined:
      return follows === undefined || values[follows as Setting] === undefined ? 'default' : `as ${follows}`;
  }
}

function describeValue(name: Setting, config: ProxyConfig, given: Given, machine: Machine): string {
  const { unit, defaultRule }: SettingField = PROXY_SETTINGS[name];
  const find = EFFECTIVE[name];
  const value = (find ? find(config, machine) : readSetting(name, given.values, new Problems())) as Value;
  if (value === undefined || value === '') return defaultRule ?? 'none';
  const text = oneLine(typeof value === 'object' ? value.join(',') : `${value}`);
  return unit === undefined ? text : `${text} ${unit}`;
}

type Value = string | number | boolean | readonly string[] | undefined;

/** Where the proxy has more than what was given: a time that fits, half of the memory, what its files allow. */
const EFFECTIVE: Readonly<Partial<Record<Setting, (config: ProxyConfig, machine: Machine) => Value>>> = {
  grace_period_seconds: ({ gracePeriodSeconds }) => gracePeriodSeconds,
  tls: ({ tls }) => (typeof tls === 'string' ? tls : 'own certificate'),
  first_byte_seconds: ({ timeouts }) => timeouts.firstByteMs / 1000,
  memory_bytes: (_, { memoryBytes }) => memoryBytes,
  client_connections: (config, machine) => shareConnections(config, machine).clientConnections,
  upstream_connections: (config, machine) => shareConnections(config, machine).upstreamConnections,
  session_store_user: ({ sessionStore }) => sessionStore?.user,
  upstream_server_name: ({ upstream }) => upstream.serverName ?? upstream.host,
  other_upstream_server_name: ({ otherUpstream }) => otherUpstream && (otherUpstream.serverName ?? otherUpstream.host),
  upstream_authorities: ({ upstream }) => upstream.authorities && countCertificates(upstream.authorities),
  move_rules: ({ moves }) => moves?.adapters?.rules.map(({ name }) => name).join(','),
  upgrade_protocols: ({ limits }) => limits.upgradeProtocols.join(','),
};

/** Each process has the file limit for itself. */
function shareConnections({ workers, limits }: ProxyConfig, { openFiles }: Machine): ConnectionLimits {
  const { clientConnections, upstreamConnections } = shareFiles(openFiles, {
    clientConnections: Math.ceil(limits.clientConnections / workers),
    upstreamConnections: Math.ceil(limits.upstreamConnections / workers),
  });
  return {
    clientConnections: Math.min(limits.clientConnections, workers * clientConnections),
    upstreamConnections: Math.min(limits.upstreamConnections, workers * upstreamConnections),
  };
}

/** The text is long, and may be a secret of another kind that stands beside the certificates. */
function countCertificates(pem: string): string {
  const count = parseCertificates(pem)?.length ?? 0;
  return count === 1 ? '1 certificate' : `${count} certificates`;
}
