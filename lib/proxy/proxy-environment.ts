import { Duration, Lazy, Token, Tokenization } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-ecs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import {
  ProxyVariable,
  SETTINGS,
  SettingTexts,
  buildEnvironment,
  variableName,
} from '../../core/proxy/settings/setting-names';
import { DrainProfile, PROPAGATION, SHUTDOWN_TIMEOUT } from '../shared/drain-profile';
import { PROXY_IDLE_TIMEOUT } from '../shared/idle-timeouts';
import { MigrationSide } from '../traffic/migration-side';
import { ADMIN_PORT, DATA_PORT } from '../shared/ports';
import { isLater, reject } from '../validation/validation';
import { TrafficCapture } from './traffic-capture';
import { TrafficMirror, renderMirror } from './traffic-mirror';
import { ISessionStore } from '../session-store/session-store-props';

export interface ProxySettings {
  readonly side: MigrationSide;
  readonly upstreamUrl: string;
  readonly otherUpstreamUrl: string | undefined;
  readonly profile: DrainProfile;
  /** Those that are props of their own. */
  readonly props: SettingTexts;
  /** Of the task. */
  readonly memoryLimitMiB: number;
  /** The value of the metrics' dimension `Service`. */
  readonly serviceName: string;
  /** The ports that lead to this side alone. Load balancers add theirs later, too. */
  readonly smokeTestPorts: readonly number[];
  readonly protectsTask: boolean;
  readonly adminSecret: ISecret;
  readonly sessionStore: ISessionStore | undefined;
  readonly switchStore: IBucket | undefined;
  readonly capture: TrafficCapture | undefined;
  readonly mirror: TrafficMirror | undefined;
  /** Whether whom it trusts comes as a secret. */
  readonly hasAuthorities: boolean;
  /** What the user adds. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The settings of a proxy as the variables of its environment. */
export function renderEnvironment(settings: ProxySettings): Record<string, string> {
  const { profile, sessionStore, switchStore, capture } = settings;
  const own: SettingTexts = {
    side: settings.side,
    listen: `0.0.0.0:${DATA_PORT}`,
    admin: `0.0.0.0:${ADMIN_PORT}`,
    // ECS gives a task the secret as it is at its start. From here it reads it again.
    admin_secret_arn: settings.adminSecret.secretArn,
    upstream: settings.upstreamUrl,
    other_upstream: settings.otherUpstreamUrl,
    // The load balancer does not verify the certificates of its targets, so one made at start is as good as any.
    tls: 'self-signed',
    // The load balancer is to be the one that closes.
    client_idle_seconds: renderSeconds(PROXY_IDLE_TIMEOUT),
    propagation_seconds: renderSeconds(PROPAGATION),
    stop_timeout_seconds: renderSeconds(profile.stopTimeout),
    grace_period_seconds: profile.gracePeriod && renderSeconds(profile.gracePeriod),
    graceful_shutdown_timeout_seconds: renderSeconds(SHUTDOWN_TIMEOUT),
    emf: 'true',
    service_name: settings.serviceName,
    task_protection: String(settings.protectsTask),
    session_store_url: sessionStore?.url,
    session_store_user: sessionStore?.secret && sessionStore.userName,
    switch_store: switchStore?.bucketName,
    ...capture?._render(),
    ...(settings.mirror && renderMirror(settings.mirror, settings.upstreamUrl)),
    ...settings.props,
  };
  const secrets = [
    ...(['admin_secret', 'capture_key', 'capture_password'] as const),
    ...(['session_store_password', 'upstream_authorities'] as const),
  ];
  // Next to the secret the proxy rejects it.
  const file = settings.hasAuthorities ? (['upstream_authorities_file'] as const) : [];
  const taken = [...(Object.keys(own) as ProxyVariable[]), ...secrets, ...file];
  checkEnvironment(settings.environment, taken.map(variableName));
  const defaults = {
    ...memoryBudget(settings.memoryLimitMiB),
    ...storeRegion(switchStore?.env.region ?? capture?._region),
    ...unjudged(settings.smokeTestPorts),
  };
  return { ...defaults, ...settings.environment, ...buildEnvironment(own) };
}

/**
 * Half of the task's memory, as the proxy would take of its own; but a container sees its machine's where the limit is that of
 * its task. Other values may be given: a sidecar needs memory, too.
 */
function memoryBudget(memoryLimitMiB: number): Record<string, string> {
  return isLater(memoryLimitMiB) ? {} : buildEnvironment({ memory_bytes: String(memoryLimitMiB * 2 ** 19) });
}

/** A value given instead may have ports of listeners that are none of a construct. An empty one is none. */
function unjudged(ports: readonly number[]): Record<string, string> {
  const produce = () => ports.map((port) => Tokenization.stringifyNumber(port)).join(',');
  return buildEnvironment({ smoke_test_ports: Lazy.string({ produce }) });
}

/** Fargate says which region it is in, and an instance does not. */
function storeRegion(region: string | undefined): Record<string, string> {
  return region === undefined ? {} : { AWS_REGION: region };
}

export function listSecrets(
  adminSecret: ISecret,
  sessionStore: ISessionStore | undefined,
  trustedAuthorities: ISecret | undefined,
  redactionKey: ISecret | undefined,
): Record<string, Secret> {
  return {
    [variableName('admin_secret')]: Secret.fromSecretsManager(adminSecret),
    ...(sessionStore?.secret && {
      [variableName('session_store_password')]: Secret.fromSecretsManager(sessionStore.secret, 'password'),
    }),
    ...(trustedAuthorities && {
      [variableName('upstream_authorities')]: Secret.fromSecretsManager(trustedAuthorities),
    }),
    ...(redactionKey && { [variableName('capture_key')]: Secret.fromSecretsManager(redactionKey) }),
  };
}

function checkEnvironment(environment: Readonly<Record<string, string>>, taken: readonly string[]): void {
  for (const [name, value] of Object.entries(environment)) {
    // It may be meant as a secret.
    if (taken.includes(name)) reject(`environment.${name}`, 'left to the construct', 'a value');
    // Of a variable that is empty the proxy takes the default.
    if (!NUMBERS.has(name) || value === '' || isLater(value) || /^\d+(\.\d+)?$/.test(value)) continue;
    reject(`environment.${name}`, 'a number', value);
  }
}

/** The variables that are numbers: with a text in place of one of these no task of a deployment would start. */
export const NUMBERS: ReadonlySet<string> = new Set(
  SETTINGS.filter((name) => ['integer', 'number'].includes(PROXY_SETTINGS[name].kind)).map(variableName),
);

/** One for each whole core: they share nothing but the port. */
export function workersFor(cpu: number): number | undefined {
  const { min, max } = PROXY_SETTINGS.workers;
  return Token.isUnresolved(cpu) ? undefined : Math.min(max, Math.max(min, Math.floor(cpu / 1024)));
}

export function renderSeconds(duration: Duration): string {
  return Tokenization.stringifyNumber(duration.toSeconds());
}
