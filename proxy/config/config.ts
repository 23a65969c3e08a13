import { DrainBudget, longestGraceSeconds } from '../../core/proxy/shutdown-budget';
import {
  LIMITS,
  LimitSetting,
  LimitSettings,
  Setting,
  SettingValue,
  TIMEOUTS,
  TimeoutSetting,
  Timeouts,
  completeLimits,
  completeTimeouts,
  limitName,
  timeoutName,
} from '../../core/proxy/settings/setting-names';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { Side } from '../../core/traffic/weights';
import { HOST_PORT_RULE, HostPort, parseHostPort } from '../../core/validation/host-port';
import { Problems } from '../../core/validation/problems';
import type { CaptureConfig } from '../capture/capture';
import type { MirrorConfig } from '../mirror/mirror';
import type { Limits, MoveSettings, Upstream } from '../data-plane/contract/data-plane';
import { AdminConfig, readAdminKeys } from './admin-settings';
import { readCapture } from './capture-settings';
import { readMirror } from './mirror-settings';
import { ConfigSources, Values, collectGiven, readSetting } from './given';
import { AdapterConfig, readMoveAdapters } from './move-adapters';
import { parseCertificates, parsePrivateKey } from './pem';
import { SessionStoreConfig, readSessionStore } from './session-store-settings';
import { readUpstreams } from './upstreams';

/** PEM, or how to come by it. */
export type TlsConfig = 'off' | 'self-signed' | { readonly cert: string; readonly key: string };

/** Which connections are moved to another backend, and how. */
export interface MoveConfig extends Omit<MoveSettings, 'adapters'> {
  /** Absent: none. */
  readonly adapters?: AdapterConfig;
  /** At once in one process. */
  readonly concurrency: number;
}

export interface RestartLimits {
  /** So many generations may live. */
  readonly maxGenerations: number;
  /** A new generation has to prove itself within this. */
  readonly timeoutSeconds: number;
}

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
  /** Absent: nothing is moved. */
  readonly moves?: MoveConfig;
  /** Absent: the defaults. */
  readonly restart?: RestartLimits;
  /** Whether connections of TLS go over to another process in a restart. Absent: they do not. */
  readonly tlsHandover?: SettingValue<'tls_handover'>;
  /** For how long this process passes on bytes of connections that another generation serves. Absent, 0: it does not. */
  readonly pumpSeconds?: SettingValue<'pump_seconds'>;
  readonly accessLog: SettingValue<'access_log'>;
  /** What becomes of an `X-Forwarded-For` that came. */
  readonly forwardedFor?: SettingValue<'forwarded_for'>;
  /** Ports of a load balancer's listeners whose requests a cutover does not judge this side by, as they stand in `X-Forwarded-Port`. */
  readonly smokeTestPorts?: SettingValue<'smoke_test_ports'>;
  /** The name that this deployment has in `Via`. Absent: no `Via`. */
  readonly via?: string;
  /** Whether each connection must begin with a PROXY header, which names its client. */
  readonly proxyProtocol?: SettingValue<'proxy_protocol'>;
  /** The name that its CloudWatch metrics have. Absent: no lines for them. */
  readonly metricsService?: string;
  /** Whether its ECS task is protected from scale-in while it has long-lived connections. */
  readonly protectsTask?: boolean;
  /** The bucket of S3 that holds the regime and the decisions of switches. Absent: no switch can hold it. */
  readonly switchStore?: string;
  /** Absent: nothing is recorded. */
  readonly capture?: CaptureConfig;
  /** Absent: nothing is copied. */
  readonly mirror?: MirrorConfig;
  /** Absent: the health check says nothing of one. */
  readonly sessionStore?: SessionStoreConfig;
  readonly logLevel: SettingValue<'log_level'>;
}

/**
 * One configuration out of flags, environment and file, in this order of precedence.
 *
 * @throws CutoverError `ConfigInvalid` with one line a problem; no line shows a secret.
 */
export function readConfig(sources: ConfigSources): ProxyConfig {
  const problems = new Problems();
  const { values } = collectGiven(sources, problems);
  const read = <Name extends Setting>(name: Name) => readSetting(name, values, problems);
  const side = read('side');
  const listen = hostPort('listen', values.listen ?? PROXY_SETTINGS.listen.default, problems);
  // Problems are told in the order in which it is read.
  const ports = { ...admin(listen, values, sources, problems), workers: read('workers') };
  const upstreams = readUpstreams(values, listen, (name) => readText(name, values, sources, problems), problems);
  const config: ProxyConfig = {
    side,
    listen,
    ...ports,
    ...upstreams,
    tls: tls(values, sources, problems),
    timeouts: timeouts(values, problems),
    limits: { ...limits(values, problems), upgradeProtocols: read('upgrade_protocols') },
    ...shutdown(values, problems),
    closeRatePerSecond: read('close_rate_per_second'),
    moves: {
      mode: read('moves'),
      timeoutMs: 1000 * read('move_timeout_seconds'),
      concurrency: read('move_concurrency'),
      never: read('moves_never'),
      dropsContextTakeover: read('websocket_no_context_takeover'),
      adapters: readMoveAdapters(values, problems),
    },
    restart: { maxGenerations: read('max_generations'), timeoutSeconds: read('restart_timeout_seconds') },
    tlsHandover: read('tls_handover'),
    pumpSeconds: read('pump_seconds'),
    ...metrics(values, problems),
    protectsTask: read('task_protection'),
    ...switchStore(read('switch_store')),
    ...readCapture(values, sources.environment, problems),
    ...readMirror(values, listen, upstreams.upstream, problems),
    ...readSessionStore(values, sources.environment, problems),
    forwardedFor: read('forwarded_for'),
    smokeTestPorts: read('smoke_test_ports'),
    ...via(values, problems),
    proxyProtocol: read('proxy_protocol'),
    accessLog: read('access_log'),
    logLevel: read('log_level'),
  };
  problems.throwIfAny('ConfigInvalid');
  return config;
}

function switchStore(bucket: string | undefined): Pick<ProxyConfig, 'switchStore'> {
  return bucket === undefined ? {} : { switchStore: bucket };
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
    return readSetting('tls', values, problems);
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

function hostPort(name: string, value: unknown, problems: Problems): HostPort {
  const parsed = parseHostPort(value);
  if (parsed) return parsed;
  problems.add(name, HOST_PORT_RULE, value);
  return { host: '', port: 0 };
}

function timeouts(values: Values, problems: Problems): Timeouts {
  const given = TIMEOUTS.filter((name) => values[name] !== undefined);
  const read = (name: TimeoutSetting) => 1000 * readSetting(name, values, problems);
  return completeTimeouts(Object.fromEntries(given.map((name) => [timeoutName(name), read(name)])));
}

function limits(values: Values, problems: Problems): LimitSettings {
  const read = (name: LimitSetting) => readSetting(name, values, problems);
  return completeLimits(Object.fromEntries(LIMITS.map((name) => [limitName(name), read(name)])));
}

function shutdown(values: Values, problems: Problems): DrainBudget {
  const granted = {
    gracefulShutdownTimeoutSeconds: readSetting('graceful_shutdown_timeout_seconds', values, problems),
    propagationSeconds: readSetting('propagation_seconds', values, problems),
    stopTimeoutSeconds: readSetting('stop_timeout_seconds', values, problems),
  };
  const asked = readSetting('grace_period_seconds', values, problems);
  // Who did not ask for a time gets one that fits.
  const isAsked = values.grace_period_seconds !== undefined;
  return {
    ...granted,
    gracePeriodSeconds: isAsked ? asked : Math.max(0, Math.min(asked, longestGraceSeconds(granted))),
  };
}

function metrics(values: Values, problems: Problems): Pick<ProxyConfig, 'metricsService'> {
  if (!readSetting('emf', values, problems)) return {};
  const form = { ...PROXY_SETTINGS.service_name, isOptional: false };
  return { metricsService: problems.text('service_name', values.service_name, form) };
}

function via(values: Values, problems: Problems): Pick<ProxyConfig, 'via'> {
  const name = readSetting('via', values, problems);
  return name === undefined ? {} : { via: name };
}
