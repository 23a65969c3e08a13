import type { Answer, UpstreamFailure } from './data-plane/data-plane';

/** Seconds after which a client that is refused may ask again; the load balancer has then moved on. */
const RETRY_AFTER_SECONDS = 2;

const FAILURE_STATUS: Readonly<Record<Exclude<UpstreamFailure, 'full'>, 502 | 504>> = {
  connectRefused: 502,
  reset: 502,
  malformed: 502,
  connectTimeout: 504,
  idleTimeout: 504,
};

/** For a request whose upstream failed before it answered. */
export function failureAnswer(failure: UpstreamFailure): Answer {
  if (failure === 'full') return retryLater('Too many requests wait for the upstream');
  return { status: FAILURE_STATUS[failure], body: `The upstream failed: ${failure}\n` };
}

export function retryLater(why: string): Answer {
  return { status: 503, headers: { 'retry-after': String(RETRY_AFTER_SECONDS) }, body: `${why}\n` };
}
