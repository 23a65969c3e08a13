import { DrainBudget, longestGraceSeconds } from '../../core/proxy/shutdown-budget';
import { Problems } from '../../core/validation/problems';
import {
  LIMITS,
  LimitSetting,
  LimitSettings,
  TIMEOUTS,
  TimeoutSetting,
  completeLimits,
  completeTimeouts,
  limitName,
  timeoutName,
} from '../../core/proxy/setting-names';
import { PROXY_SETTINGS } from '../../core/proxy/settings';
import { Side, SIDES } from '../../core/traffic/weights';
import { AdminConfig, readAdminKeys } from './admin-settings';
import type { Limits, Timeouts, Upstream } from '../data-plane/contract/data-plane';
import { FORWARDED_FOR_MODES, ForwardedForMode } from '../forwarding/forwarding';
import { parseCertificates, parsePrivateKey } from './pem';
import { SessionStoreConfig, readSessionStore } from './session-store-settings';
import { SETTINGS, Setting, TEXTS, Values } from './settings';
import { readUpgradeProtocols } from './upgrade-protocols';
import { readUpstreams } from './upstreams';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** PEM, or how to come by it. */
export type TlsConfig = 'off' | 'self-signed' | { readonly cert: string; readonly key: string };

/** What a proxy is started with. Times are seconds where they do not say otherwise. */
export interface ProxyConfig {
  readonly side: Side;
  readonly listen: HostPort;
  /** Absent: no admin API. */
  readonly admin?: AdminConfig;
  /** Processes that share the data port. */
  readonly workers: number;
  readonly upstream: Upstream;
  /** The other side's upstream, for a retarget. Absent: there can be none. */
  readonly otherUpstream?: Upstream;
  readonly tls: TlsConfig;
  readonly timeouts: Timeouts;
  /** Without `openFiles` as many as this machine says. */
  readonly limits: Omit<Limits, 'openFiles'> & Partial<Pick<Limits, 'openFiles'>>;
  /** After SIGTERM every connection may finish by itself for this long. */
  readonly gracePeriodSeconds: number;
  /** After the grace period, what closing the rest may take. */
  readonly gracefulShutdownTimeoutSeconds: number;
  /** After SIGTERM new connections are still taken for this long, until the load balancer has stopped sending them. */
  readonly propagationSeconds: number;
  /** What the orchestrator grants from SIGTERM to SIGKILL. */
  readonly stopTimeoutSeconds: number;
  readonly closeRatePerSecond: number;
  readonly accessLog: AccessLogMode;
  /** What becomes of an `X-Forwarded-For` that came. */
  readonly forwardedFor?: ForwardedForMode;
  /** The name that this deployment has in `Via`. Absent: no `Via`. */
  readonly via?: string;
  /** Whether each connection must begin with a PROXY header, which names its client. */
  readonly proxyProtocol?: ProxyProtocolMode;
  /** The name that its CloudWatch metrics have. Absent: no lines for them. */
  readonly metricsService?: string;
  /** Whether its ECS task is protected from scale-in while it has long-lived connections. */
  readonly protectsTask?: boolean;
  /** Absent: the health check says nothing of one. */
  readonly sessionStore?: SessionStoreConfig;
  readonly logLevel: LogLevel;
}

const GRACE_PRESETS = { 'short-lived': 30, mixed: 120, 'websocket-heavy': 300 } as const;
const MAX_WORKERS = 64;

const ACCESS_LOG_MODES = ['off', 'errors', 'on'] as const;
/** `errors`: responses of 500 and more, and failures of the upstream. */
export type AccessLogMode = (typeof ACCESS_LOG_MODES)[number];

const PROXY_PROTOCOL_MODES = ['off', 'required'] as const;
export type ProxyProtocolMode = (typeof PROXY_PROTOCOL_MODES)[number];

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

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
/** A pseudonym of RFC 9110 section 7.6.3 that no other reader takes for a host with a port. */
const VIA_NAME = /^[\w.-]{1,64}$/;
/** What CloudWatch takes as the value of a dimension. */
const METRICS_SERVICE = /^(?=.{1,255}$)[ -~]*[!-~][ -~]*$/;

/**
 * One configuration out of flags, environment and file, in this order of precedence.
 *
 * @throws CutoverError `ConfigInvalid` with one line a problem; no line shows a secret.
 */
export function readConfig(sources: ConfigSources): ProxyConfig {
  const problems = new Problems();
  const values = collect(sources, problems);
  const side = requireOneOf('side', values.side ?? 'source', SIDES, problems);
  const listen = hostPort('listen', values.listen ?? '0.0.0.0:8443', problems);
  const config: ProxyConfig = {
    side,
    listen,
    ...admin(listen, values, sources, problems),
    workers: problems.integer('workers', values.workers, { min: 1, max: MAX_WORKERS, default: 1 }),
    ...readUpstreams(values, listen, (name) => readText(name, values, sources, problems), problems),
    tls: tls(values, sources, problems),
    timeouts: timeouts(values, problems),
    limits: { ...limits(values, problems), upgradeProtocols: readUpgradeProtocols(values, problems) },
    ...shutdown(values, problems),
    closeRatePerSecond: problems.integer('close_rate_per_second', values.close_rate_per_second, {
      min: 1,
      max: 10_000,
      default: 20,
    }),
    ...metrics(values, problems),
    protectsTask: problems.boolean('task_protection', values.task_protection, false),
    ...readSessionStore(values, sources.environment, problems),
    forwardedFor: requireOneOf('forwarded_for', values.forwarded_for ?? 'append', FORWARDED_FOR_MODES, problems),
    ...via(values, problems),
    proxyProtocol: requireOneOf(
      'proxy_protocol',
      asWord(values.proxy_protocol ?? 'off'),
      PROXY_PROTOCOL_MODES,
      problems,
    ),
    accessLog: requireOneOf('access_log', asWord(values.access_log ?? 'errors'), ACCESS_LOG_MODES, problems),
    logLevel: requireOneOf('log_level', values.log_level ?? 'info', LOG_LEVELS, problems),
  };
  problems.throwIfAny('ConfigInvalid');
  return config;
}

function collect(sources: ConfigSources, problems: Problems): Values {
  const names = Object.keys(SETTINGS) as Setting[];
  // An empty file is `null` to YAML.
  const file = problems.object('config', sources.file ?? undefined, names);
  const values: Values = {};
  for (const name of names) {
    // A variable that is set to nothing is one that a shell script left out.
    const variable = sources.environment[SETTINGS[name]];
    const text = sources.flags[name] ?? (variable === '' ? undefined : variable);
    const value = text === undefined ? file[name] : TEXTS.has(name) ? text : fromText(text);
    if (value !== undefined && value !== null) values[name] = value;
  }
  return values;
}

/** Flags and variables are text; a file's numbers and booleans are not. */
function fromText(text: string): string | number | boolean {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}

function admin(
  listen: HostPort,
  values: Values,
  sources: ConfigSources,
  problems: Problems,
): Pick<ProxyConfig, 'admin'> {
  if (values.admin === undefined) return {};
  const at = hostPort('admin', values.admin, problems);
  // Port 0 is a free one for each.
  if (at.port !== 0 && at.port === listen.port) problems.add('admin', "another port than 'listen'", values.admin);
  const textIn = (name: Setting) => readText(name, values, sources, problems);
  const keys = readAdminKeys(values, { ...sources, readText: textIn }, problems);
  return { admin: { at, ...keys } };
}

/** Undefined, and reported, when it cannot be read. */
function readText(name: Setting, values: Values, sources: ConfigSources, problems: Problems): string | undefined {
  const path = values[name];
  try {
    if (typeof path === 'string') return sources.readText(path);
  } catch {
    // Said below, in one form with a path that is missing.
  }
  problems.add(name, 'the path of a readable file', path);
  return undefined;
}

function tls(values: Values, sources: ConfigSources, problems: Problems): TlsConfig {
  const certificateFile = values.tls_certificate_file;
  const keyFile = values.tls_key_file;
  if (certificateFile === undefined && keyFile === undefined) {
    return requireOneOf('tls', asWord(values.tls ?? 'off'), ['off', 'self-signed'] as const, problems);
  }
  if (values.tls !== undefined)
    problems.add('tls', "absent next to 'tls_certificate_file' and 'tls_key_file'", values.tls);
  const cert = readText('tls_certificate_file', values, sources, problems);
  const key = readText('tls_key_file', values, sources, problems);
  checkPair(cert, key, values, problems);
  return { cert: cert ?? '', key: key ?? '' };
}

/** What cannot be read was said before. Problems show the paths and never what is in the files. */
function checkPair(cert: string | undefined, key: string | undefined, values: Values, problems: Problems): void {
  const { tls_certificate_file: certificateFile, tls_key_file: keyFile } = values;
  const certificates = cert === undefined ? undefined : parseCertificates(cert);
  const privateKey = key === undefined ? undefined : parsePrivateKey(key);
  if (cert !== undefined && !certificates)
    problems.add('tls_certificate_file', 'a PEM file with certificates', certificateFile);
  if (key !== undefined && !privateKey)
    problems.add('tls_key_file', 'a PEM file with a private key that needs no passphrase', keyFile);
  if (privateKey && certificates?.[0]?.checkPrivateKey(privateKey) === false)
    problems.add('tls_key_file', "the key of the first certificate in 'tls_certificate_file'", keyFile);
}

/** `host:port`, `[::1]:port`. */
function hostPort(name: string, value: unknown, problems: Problems): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(String(value));
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port };
  problems.add(name, 'HOST:PORT', value);
  return { host: '', port: 0 };
}

function timeouts(values: Values, problems: Problems): Timeouts {
  const given = TIMEOUTS.filter((name) => values[name] !== undefined);
  const read = (name: TimeoutSetting) => 1000 * problems.number(name, values[name], PROXY_SETTINGS[name]);
  return completeTimeouts(Object.fromEntries(given.map((name) => [timeoutName(name), read(name)])));
}

function limits(values: Values, problems: Problems): LimitSettings {
  const read = (name: LimitSetting) => problems.integer(name, values[name], PROXY_SETTINGS[name]);
  return completeLimits(Object.fromEntries(LIMITS.map((name) => [limitName(name), read(name)])));
}

function shutdown(values: Values, problems: Problems): DrainBudget {
  const granted = {
    gracefulShutdownTimeoutSeconds: seconds('graceful_shutdown_timeout_seconds', values, 10, problems),
    propagationSeconds: seconds('propagation_seconds', values, 5, problems),
    stopTimeoutSeconds: seconds('stop_timeout_seconds', values, 120, problems),
  };
  // Who did not ask for a time gets one that fits.
  const fallback = Math.max(0, Math.min(GRACE_PRESETS.mixed, longestGraceSeconds(granted)));
  return { ...granted, gracePeriodSeconds: grace(values.grace_period_seconds, fallback, problems) };
}

function grace(value: unknown, fallback: number, problems: Problems): number {
  const names = Object.keys(GRACE_PRESETS);
  if (typeof value === 'string' && names.includes(value)) return GRACE_PRESETS[value as keyof typeof GRACE_PRESETS];
  if (value === undefined) return fallback;
  if (typeof value === 'number' && value >= 0 && value <= DAY) return value;
  problems.add('grace_period_seconds', `a number from 0 to ${DAY}, or one of ${names.join(', ')}`, value);
  return fallback;
}

function seconds(name: Setting, values: Values, fallback: number, problems: Problems): number {
  return problems.number(name, values[name], { min: 0, max: DAY, default: fallback });
}

function metrics(values: Values, problems: Problems): Pick<ProxyConfig, 'metricsService'> {
  if (!problems.boolean('emf', values.emf, false)) return {};
  const { service_name: name } = values;
  // YAML reads a name of digits as a number.
  const metricsService = typeof name === 'string' || typeof name === 'number' ? `${name}` : '';
  if (METRICS_SERVICE.test(metricsService)) return { metricsService };
  problems.add('service_name', "from 1 to 255 ASCII characters, not all blank, when 'emf' is on", name);
  return {};
}

function via({ via: name }: Values, problems: Problems): Pick<ProxyConfig, 'via'> {
  if (name === undefined) return {};
  if (typeof name === 'string' && VIA_NAME.test(name)) return { via: name };
  problems.add('via', 'a name of letters, digits, dots, - and _, of at most 64', name);
  return {};
}

/** YAML 1.2 reads a bare `on` or `off` as text, but people write `true` and `false`. */
function asWord(value: unknown): unknown {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : value;
}

function requireOneOf<T extends string>(name: string, value: unknown, allowed: readonly T[], problems: Problems): T {
  if (allowed.includes(value as T)) return value as T;
  problems.add(name, `one of ${allowed.join(', ')}`, value);
  return allowed[0]!;
}
