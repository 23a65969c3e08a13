import { Duration, Token, Tokenization } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-ecs';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { PROXY_VARIABLES } from '../../core/cutover/cutover-config';
import { DrainProfile, PROPAGATION, SHUTDOWN_TIMEOUT } from '../shared/drain-profile';
import { PROXY_IDLE_TIMEOUT } from '../shared/idle-timeouts';
import { MigrationSide } from '../traffic/migration-side';
import { ADMIN_PORT, DATA_PORT } from '../shared/ports';
import { isLater, reject } from '../validation/validation';
import { ISessionStore } from '../session-store/session-store-props';

export interface ProxySettings {
  readonly side: MigrationSide;
  readonly upstreamUrl: string;
  readonly profile: DrainProfile;
  readonly upstreamIdleTimeout: Duration;
  /** Undefined where it is for the proxy to say. */
  readonly workers: number | undefined;
  /** Of the task. */
  readonly memoryLimitMiB: number;
  /** The value of the metrics' dimension `Service`. */
  readonly serviceName: string;
  readonly protectsTask: boolean;
  readonly adminSecret: ISecret;
  readonly sessionStore: ISessionStore | undefined;
  /** Whether whom it trusts comes as a secret. */
  readonly hasAuthorities: boolean;
  /** What the user adds. */
  readonly environment: Readonly<Record<string, string>>;
}

const AUTHORITIES = PROXY_VARIABLES.upstreamAuthorities;
const SESSION_STORE_PASSWORD = 'DRAINSHIFT_SESSION_STORE_PASSWORD';

/** The settings of a proxy as the variables of its environment; `docs/proxy.md` has them all. */
export function buildEnvironment(settings: ProxySettings): Record<string, string> {
  const { profile, workers, sessionStore } = settings;
  const own: Record<string, string | undefined> = {
    [PROXY_VARIABLES.side]: settings.side,
    [PROXY_VARIABLES.listen]: `0.0.0.0:${DATA_PORT}`,
    [PROXY_VARIABLES.admin]: `0.0.0.0:${ADMIN_PORT}`,
    // ECS gives a task the secret as it is at its start. From here it reads it again.
    [PROXY_VARIABLES.adminSecretArn]: settings.adminSecret.secretArn,
    [PROXY_VARIABLES.upstream]: settings.upstreamUrl,
    // The load balancer does not verify the certificates of its targets, so one made at start is as good as any.
    [PROXY_VARIABLES.tls]: 'self-signed',
    DRAINSHIFT_WORKERS: workers === undefined ? undefined : Tokenization.stringifyNumber(workers),
    // The load balancer is to be the one that closes.
    DRAINSHIFT_CLIENT_IDLE_SECONDS: seconds(PROXY_IDLE_TIMEOUT),
    DRAINSHIFT_UPSTREAM_IDLE_SECONDS: seconds(settings.upstreamIdleTimeout),
    DRAINSHIFT_PROPAGATION_SECONDS: seconds(PROPAGATION),
    DRAINSHIFT_STOP_TIMEOUT_SECONDS: seconds(profile.stopTimeout),
    DRAINSHIFT_GRACE_PERIOD_SECONDS: profile.gracePeriod && seconds(profile.gracePeriod),
    DRAINSHIFT_GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS: seconds(SHUTDOWN_TIMEOUT),
    DRAINSHIFT_EMF: 'true',
    DRAINSHIFT_SERVICE_NAME: settings.serviceName,
    DRAINSHIFT_TASK_PROTECTION: String(settings.protectsTask),
    DRAINSHIFT_SESSION_STORE_URL: sessionStore?.url,
    DRAINSHIFT_SESSION_STORE_USER: sessionStore?.secret && sessionStore.userName,
  };
  const secrets = [PROXY_VARIABLES.adminSecret, SESSION_STORE_PASSWORD, AUTHORITIES];
  // Next to the secret the proxy rejects it.
  const file = settings.hasAuthorities ? [`${AUTHORITIES}_FILE`] : [];
  checkEnvironment(settings.environment, [...Object.keys(own), ...secrets, ...file]);
  const given = Object.entries(own).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...memoryBudget(settings.memoryLimitMiB), ...settings.environment, ...Object.fromEntries(given) };
}

/**
 * Half of the task's memory, as the proxy would take of its own; but a container sees its machine's where the limit is that of
 * its task. Other values may be given: a sidecar needs memory, too.
 */
function memoryBudget(memoryLimitMiB: number): Record<string, string> {
  return isLater(memoryLimitMiB) ? {} : { DRAINSHIFT_MEMORY_BYTES: String(memoryLimitMiB * 2 ** 19) };
}

export function listSecrets(
  adminSecret: ISecret,
  sessionStore: ISessionStore | undefined,
  trustedAuthorities: ISecret | undefined,
): Record<string, Secret> {
  return {
    [PROXY_VARIABLES.adminSecret]: Secret.fromSecretsManager(adminSecret),
    ...(sessionStore?.secret && {
      [SESSION_STORE_PASSWORD]: Secret.fromSecretsManager(sessionStore.secret, 'password'),
    }),
    ...(trustedAuthorities && { [AUTHORITIES]: Secret.fromSecretsManager(trustedAuthorities) }),
  };
}

function checkEnvironment(environment: Readonly<Record<string, string>>, taken: readonly string[]): void {
  for (const [name, value] of Object.entries(environment)) {
    // It may be meant as a secret.
    if (taken.includes(name)) reject(`environment.${name}`, 'left to the construct', 'a value');
    // Of a variable that is empty the proxy takes the default.
    if (!NUMBERS.test(name) || value === '' || isLater(value) || /^\d+(\.\d+)?$/.test(value)) continue;
    reject(`environment.${name}`, 'a number', value);
  }
}

/** The settings of the proxy that are numbers: without one of these in its place no task of a deployment would start. */
export const NUMBERS = /^DRAINSHIFT_\w+_(SECONDS?|BYTES|LINES|CONNECTIONS|REQUESTS|STREAMS)$/;

/** One for each whole core: they share nothing but the port. */
export function workersFor(cpu: number): number | undefined {
  return Token.isUnresolved(cpu) ? undefined : Math.min(MAX_WORKERS, Math.max(1, Math.floor(cpu / 1024)));
}

export const MAX_WORKERS = 64;

function seconds(duration: Duration): string {
  return Tokenization.stringifyNumber(duration.toSeconds());
}
