import { SmokeRequest } from './plan';

/** How the cutover's smoke requests name themselves in `User-Agent`. */
export const SMOKE_AGENT = 'drainshift-smoke';

/** Which way the smoke requests of a cutover take: through the load balancer's listeners, or to each target itself. */
export type SmokeRoute = 'loadBalancer' | 'targets';

/** What came of one smoke request: a status, or why there was none. */
export interface SmokeResponse {
  readonly got: number | string;
  /** Where targets were asked themselves: which one it was, and how many like it. */
  readonly from?: string;
}

/**
 * How many of the targets that are asked must respond as expected: every one before anything moves. Later `half` of them,
 * because one target of two that has just died, and that the load balancer has not missed yet, is no reason to move traffic,
 * and none to leave it on a side that is worse: the others serve, and the error rate judges the rest.
 */
export type Quorum = 'every' | 'half';

/** How the targets of a side are asked. */
export interface SmokeSample {
  readonly quorum: Quorum;
  /**
   * The most targets that get one request at a time. Of more, `every` goes on to the next ones until all have got it, and `half`
   * draws so many at random, others at each poll.
   */
  readonly maxAtOnce: number;
}

/** As many requests of a side at one time as a plan may have: each is a socket of a function with a small CPU. */
const MAX_REQUESTS = 50;

export function smokeSample(smoke: readonly SmokeRequest[], quorum: Quorum): SmokeSample {
  return { quorum, maxAtOnce: Math.max(1, Math.floor(MAX_REQUESTS / Math.max(1, smoke.length))) };
}

/**
 * @param responses one of each target that was asked, under its address
 * @param notAsked how many were to be asked too, and there was no time for: none of them is known to respond
 */
export function findResponse(
  responses: readonly { readonly target: string; readonly got: number | string }[],
  expectedStatus: number,
  quorum: Quorum,
  notAsked = 0,
): SmokeResponse {
  const failed = responses.filter(({ got }) => got !== expectedStatus);
  const [first] = failed;
  if (responses.length === 0) return { got: 'no healthy target' };
  if (!first && notAsked > 0) {
    return {
      got: `no response of ${notAsked} of ${responses.length + notAsked} targets: there was no time to ask them`,
    };
  }
  if (!first || (quorum === 'half' && failed.length * 2 <= responses.length)) return { got: expectedStatus };
  return { got: first.got, from: `${first.target}, ${failed.length} of ${responses.length} targets` };
}

/** As a message says it after "got". */
export function describeResponse({ got, from }: SmokeResponse): string {
  return from === undefined ? String(got) : `${got} (${from})`;
}
