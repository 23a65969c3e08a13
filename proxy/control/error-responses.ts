import type { Response, UpstreamFailure } from '../data-plane/contract/data-plane';

/** Seconds after which a client that is rejected may ask again; the load balancer has then moved on. */
const RETRY_AFTER_SECONDS = 2;

interface Shown {
  readonly status: 502 | 504;
  /** What a client is told. Names, certificates and addresses of the inside are not for it. */
  readonly as: string;
}

const UNREACHABLE: Shown = { status: 502, as: 'it could not be connected to' };

const FAILURES: Readonly<Record<Exclude<UpstreamFailure, 'full'>, Shown>> = {
  connectRefused: UNREACHABLE,
  connectFailed: UNREACHABLE,
  nameNotFound: UNREACHABLE,
  certificateRejected: UNREACHABLE,
  tlsFailed: UNREACHABLE,
  reset: { status: 502, as: 'it closed the connection' },
  malformed: { status: 502, as: 'its response could not be read' },
  connectTimeout: { status: 504, as: 'it did not take the connection in time' },
  idleTimeout: { status: 504, as: 'it did not respond in time' },
};

/** For a request whose upstream failed before it responded. */
export function failureResponse(failure: UpstreamFailure): Response {
  if (failure === 'full') return retryLater('Too many requests wait for the upstream');
  const { status, as } = FAILURES[failure];
  return { status, body: `The upstream failed: ${as}\n` };
}

export function retryLater(why: string): Response {
  return { status: 503, headers: { 'retry-after': String(RETRY_AFTER_SECONDS) }, body: `${why}\n` };
}

/** For a request that was here before (RFC 5842 section 7.2). */
export function loopDetected(): Response {
  return { status: 508, body: 'This request was forwarded here before: the upstream leads back to this proxy\n' };
}
