import type { BaseOptions } from '@platformatic/kafka';
import { formatHostPort } from '../../core/validation/host-port';
import type { HostPort } from '../../core/validation/host-port';

/** What all clients of a cluster share: how they reach it, and how often they try. */
export function clientOptions(brokers: readonly HostPort[], clientId: string): BaseOptions {
  return {
    clientId,
    bootstrapBrokers: brokers.map(({ host, port }) => ({ host, port })),
    connectTimeout: 2_000,
    requestTimeout: 5_000,
    retries: 10,
    retryDelay: 200,
  };
}

/** Of an error of the library, which may consist of one for each attempt: what the last one says. */
export function describeFailure(error: unknown): string {
  const { errors, message } = error as { readonly errors?: readonly unknown[]; readonly message: string };
  const last = errors?.at(-1);
  return last === undefined ? message : describeFailure(last);
}

export function describeTopic(brokers: readonly HostPort[], topic: string): string {
  return `topic '${topic}' of ${brokers.map(formatHostPort).join(',')}`;
}
