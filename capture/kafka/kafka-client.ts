import type { BaseOptions, SASLOptions } from '@platformatic/kafka';
import type { KafkaUrl } from '../../core/capture/store-url';
import { formatHostPort } from '../../core/validation/host-port';

/** How a client logs in. */
export interface KafkaAccess {
  /** Of `plain` and `scram`. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Of `iam`: a token for a region, which holds for some minutes. */
  readonly createToken: (region: string | undefined) => Promise<string>;
}

/** What all clients of a cluster share: how they reach it, and how often they try. */
export function clientOptions(store: KafkaUrl, clientId: string, access: KafkaAccess): BaseOptions {
  const { brokers, security } = store;
  const sasl = describeLogin(store, access);
  return {
    clientId,
    bootstrapBrokers: brokers.map(({ host, port }) => ({ host, port })),
    connectTimeout: 2_000,
    requestTimeout: 5_000,
    retries: 10,
    retryDelay: 200,
    // Authorities are Node's own, and those of NODE_EXTRA_CA_CERTS.
    ...(security !== 'none' && { tls: {}, tlsServerName: true }),
    ...(sasl && { sasl }),
  };
}

function describeLogin({ security, brokers }: KafkaUrl, access: KafkaAccess): SASLOptions | undefined {
  const { user: username = '', password = '', createToken } = access;
  switch (security) {
    case 'none':
    case 'tls':
      return undefined;
    case 'plain':
      return { mechanism: 'PLAIN', username, password };
    case 'scram':
      return { mechanism: 'SCRAM-SHA-512', username, password };
    case 'iam':
      return { mechanism: 'OAUTHBEARER', token: () => createToken(findRegion(brokers[0]!.host)) };
  }
}

/** By the names of MSK: `b-1.shop.a1b2c3.c2.kafka.eu-central-1.amazonaws.com`, `boot-x1y2z3.c1.kafka-serverless.…`. */
function findRegion(host: string): string | undefined {
  return /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/.exec(host)?.[1];
}

/** Of an error of the library, which may consist of one for each attempt, and have a cause: what the last one says. */
export function describeFailure(error: unknown): string {
  const { errors, message, cause } = error as FailedCall;
  const last = errors?.at(-1);
  if (last !== undefined) return describeFailure(last);
  return cause === undefined ? message : `${message} ${describeFailure(cause)}`;
}

interface FailedCall {
  readonly errors?: readonly unknown[];
  readonly message: string;
  readonly cause?: unknown;
}

export function describeTopic({ brokers, topic }: KafkaUrl): string {
  return `topic '${topic}' of ${brokers.map(formatHostPort).join(',')}`;
}
