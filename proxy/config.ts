import { isIP } from 'node:net';
import { Problems } from '../core/problems';
import { Side, SIDES } from '../core/weights';
import { PROXY_VARIABLES } from '../core/wiring';
import type { Upstream } from './data-plane/data-plane';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** PEM, or how to come by it. */
export type TlsConfig = 'off' | 'self-signed' | { readonly cert: string; readonly key: string };

/** What a proxy is started with. Times are seconds. */
export interface ProxyConfig {
  readonly side: Side;
  readonly listen: HostPort;
  /** Absent: no admin API. */
  readonly admin?: { readonly at: HostPort; readonly secret: string };
  readonly upstream: Upstream;
  readonly tls: TlsConfig;
  /**
   * An upstream that is silent for this long has failed. Shorter than the idle timeout of the load balancer in front, or
   * a hanging upstream shows as clients that left.
   * @default 50
   */
  readonly upstreamIdleSeconds?: number;
  /** After SIGTERM every connection may finish by itself for this long. */
  readonly gracePeriodSeconds: number;
  /** After the grace period, what closing the rest may take. */
  readonly gracefulShutdownTimeoutSeconds: number;
  /** After SIGTERM new connections are still taken for this long, until the load balancer has stopped sending them. */
  readonly propagationSeconds: number;
  readonly closeRatePerSecond: number;
  readonly logLevel: LogLevel;
}

/** An Application Load Balancer gives up after 60 s, unless it is told otherwise. */
export const UPSTREAM_IDLE_SECONDS = 50;

const GRACE_PRESETS = { 'short-lived': 30, mixed: 120, 'websocket-heavy': 300 } as const;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Every setting by its name in a file, with its environment variable. Flags have the file's names. */
export const SETTINGS = {
  side: PROXY_VARIABLES.side,
  listen: PROXY_VARIABLES.listen,
  admin: PROXY_VARIABLES.admin,
  admin_secret_file: 'DRAINSHIFT_ADMIN_SECRET_FILE',
  upstream: PROXY_VARIABLES.upstream,
  upstream_server_name: 'DRAINSHIFT_UPSTREAM_SERVER_NAME',
  upstream_verify_certificate: 'DRAINSHIFT_UPSTREAM_VERIFY_CERTIFICATE',
  upstream_idle_seconds: 'DRAINSHIFT_UPSTREAM_IDLE_SECONDS',
  tls: PROXY_VARIABLES.tls,
  tls_certificate_file: 'DRAINSHIFT_TLS_CERTIFICATE_FILE',
  tls_key_file: 'DRAINSHIFT_TLS_KEY_FILE',
  grace_period_seconds: 'DRAINSHIFT_GRACE_PERIOD_SECONDS',
  graceful_shutdown_timeout_seconds: 'DRAINSHIFT_GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS',
  propagation_seconds: 'DRAINSHIFT_PROPAGATION_SECONDS',
  close_rate_per_second: 'DRAINSHIFT_CLOSE_RATE_PER_SECOND',
  log_level: 'DRAINSHIFT_LOG_LEVEL',
} as const;

export type Setting = keyof typeof SETTINGS;

export const CONFIG_VARIABLE = 'DRAINSHIFT_CONFIG';

export interface ConfigSources {
  readonly flags: Readonly<Partial<Record<Setting, string>>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The parsed YAML; undefined when there is no file. */
  readonly file: unknown;
  /** Throws when a file cannot be read. */
  readonly readText: (path: string) => string;
}

const DAY = 86_400;
const SECRET_LENGTH = 16;

/**
 * One configuration out of flags, environment and file, in this order of precedence.
 *
 * @throws CutoverError `ConfigInvalid` with one line a problem; no line shows a secret.
 */
export function readConfig(sources: ConfigSources): ProxyConfig {
  const problems = new Problems();
  const values = collect(sources, problems);
  const config: ProxyConfig = {
    side: oneOf('side', values.side ?? 'source', SIDES, problems),
    listen: hostPort('listen', values.listen ?? '0.0.0.0:8443', problems),
    ...admin(values, sources, problems),
    upstream: upstream(values, problems),
    tls: tls(values, sources, problems),
    upstreamIdleSeconds: problems.integer('upstream_idle_seconds', values.upstream_idle_seconds, {
      min: 1,
      max: 4_000,
      default: UPSTREAM_IDLE_SECONDS,
    }),
    gracePeriodSeconds: grace(values.grace_period_seconds, problems),
    gracefulShutdownTimeoutSeconds: seconds('graceful_shutdown_timeout_seconds', values, 10, problems),
    propagationSeconds: seconds('propagation_seconds', values, 5, problems),
    closeRatePerSecond: problems.integer('close_rate_per_second', values.close_rate_per_second, {
      min: 1,
      max: 10_000,
      default: 20,
    }),
    logLevel: oneOf('log_level', values.log_level ?? 'info', LOG_LEVELS, problems),
  };
  problems.throwIfAny('ConfigInvalid');
  return config;
}

type Values = Partial<Record<Setting, unknown>>;

function collect(sources: ConfigSources, problems: Problems): Values {
  const names = Object.keys(SETTINGS) as Setting[];
  // An empty file is `null` to YAML.
  const file = problems.object('config', sources.file ?? undefined, names);
  const values: Values = {};
  for (const name of names) {
    // A variable that is set to nothing is one that a shell script left out.
    const variable = sources.environment[SETTINGS[name]];
    const text = sources.flags[name] ?? (variable === '' ? undefined : variable);
    const value = text === undefined ? file[name] : fromText(text);
    if (value !== undefined && value !== null) values[name] = value;
  }
  return values;
}

/** Flags and variables are text; a file's numbers and booleans are not. */
function fromText(text: string): string | number | boolean {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}

function admin(values: Values, sources: ConfigSources, problems: Problems): Pick<ProxyConfig, 'admin'> {
  if (values.admin === undefined) return {};
  const at = hostPort('admin', values.admin, problems);
  const secret = adminSecret(values, sources, problems);
  if (secret.length < SECRET_LENGTH) {
    const rule = `at least ${SECRET_LENGTH} characters long when 'admin' is set; give it in ${PROXY_VARIABLES.adminSecret} or 'admin_secret_file'`;
    problems.add('admin_secret', rule, `${secret.length} characters`);
  }
  return { admin: { at, secret } };
}

function adminSecret(values: Values, sources: ConfigSources, problems: Problems): string {
  const secret = sources.environment[PROXY_VARIABLES.adminSecret];
  if (secret !== undefined && secret !== '') return secret;
  return values.admin_secret_file === undefined ? '' : textOf('admin_secret_file', values, sources, problems).trim();
}

function textOf(name: Setting, values: Values, sources: ConfigSources, problems: Problems): string {
  const path = values[name];
  try {
    if (typeof path === 'string') return sources.readText(path);
  } catch {
    // Said below, in one form with a path that is missing.
  }
  problems.add(name, 'the path of a readable file', path);
  return '';
}

function tls(values: Values, sources: ConfigSources, problems: Problems): TlsConfig {
  const certificateFile = values.tls_certificate_file;
  const keyFile = values.tls_key_file;
  if (certificateFile === undefined && keyFile === undefined) {
    // YAML reads a bare `off` as text, but people write `false`.
    return oneOf(
      'tls',
      values.tls === false ? 'off' : (values.tls ?? 'off'),
      ['off', 'self-signed'] as const,
      problems,
    );
  }
  if (values.tls !== undefined)
    problems.add('tls', "absent next to 'tls_certificate_file' and 'tls_key_file'", values.tls);
  return {
    cert: textOf('tls_certificate_file', values, sources, problems),
    key: textOf('tls_key_file', values, sources, problems),
  };
}

function upstream(values: Values, problems: Problems): Upstream {
  const parsed = parseUpstream(values.upstream);
  if (!parsed) problems.add('upstream', 'http(s)://host[:port] without a path', withoutCredentials(values.upstream));
  const verify = values.upstream_verify_certificate ?? true;
  if (typeof verify !== 'boolean') problems.add('upstream_verify_certificate', 'true or false', verify);
  const serverName = values.upstream_server_name;
  if (serverName !== undefined && (typeof serverName !== 'string' || isIP(serverName) !== 0)) {
    problems.add('upstream_server_name', 'a host name', serverName);
  }
  return {
    ...(parsed ?? { protocol: 'http', host: 'localhost', port: 80 }),
    verifyCertificate: verify === true,
    ...(typeof serverName === 'string' && { serverName }),
  };
}

function parseUpstream(value: unknown): Upstream | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  const isBare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (!isBare || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  const protocol = url.protocol === 'https:' ? 'https' : 'http';
  const port = url.port === '' ? (protocol === 'https' ? 443 : 80) : Number(url.port);
  return { protocol, host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

/** A problem goes to logs: a name and password that were put before the host do not. */
function withoutCredentials(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^([a-z]+:\/\/)?.*@/is, '$1***@') : value;
}

/** `host:port`, `[::1]:port`. */
function hostPort(name: string, value: unknown, problems: Problems): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(String(value));
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port };
  problems.add(name, 'HOST:PORT', value);
  return { host: '', port: 0 };
}

function grace(value: unknown, problems: Problems): number {
  const names = Object.keys(GRACE_PRESETS);
  if (typeof value === 'string' && names.includes(value)) return GRACE_PRESETS[value as keyof typeof GRACE_PRESETS];
  if (value === undefined) return GRACE_PRESETS.mixed;
  if (typeof value === 'number' && value >= 0 && value <= DAY) return value;
  problems.add('grace_period_seconds', `a number from 0 to ${DAY}, or one of ${names.join(', ')}`, value);
  return GRACE_PRESETS.mixed;
}

function seconds(name: Setting, values: Values, fallback: number, problems: Problems): number {
  return problems.number(name, values[name], { min: 0, max: DAY, default: fallback });
}

function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[], problems: Problems): T {
  if (allowed.includes(value as T)) return value as T;
  problems.add(name, `one of ${allowed.join(', ')}`, value);
  return allowed[0]!;
}
