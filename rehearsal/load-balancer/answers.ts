import type { Answer, UpstreamFailure } from '../../proxy/data-plane/data-plane';

const REASONS: Record<number, string> = {
  463: '463 ',
  502: '502 Bad Gateway',
  503: '503 Service Temporarily Unavailable',
  504: '504 Gateway Time-out',
};

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html */
const FAILURES: Record<UpstreamFailure, number> = {
  connectRefused: 502,
  connectFailed: 502,
  nameNotFound: 502,
  certificateRejected: 502,
  tlsFailed: 502,
  reset: 502,
  malformed: 502,
  connectTimeout: 504,
  idleTimeout: 504,
  full: 503,
};

/** An answer that the load balancer makes itself. */
export function ownAnswer(status: number): Answer {
  const title = REASONS[status] ?? String(status);
  return {
    status,
    headers: { server: 'awselb/2.0', 'content-type': 'text/html' },
    body: `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`,
  };
}

export function answerFor(failure: UpstreamFailure): Answer {
  return ownAnswer(FAILURES[failure]);
}
