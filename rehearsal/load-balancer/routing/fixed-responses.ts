import type { Response, RejectedRequest, UpstreamFailure } from '../../../proxy/data-plane/contract/data-plane';
import type { Action } from '../model/model';

const REASONS: Record<number, string> = {
  301: '301 Moved Permanently',
  302: '302 Found',
  400: '400 Bad Request',
  405: '405 Not Allowed',
  414: '414 Request-URI Too Large',
  463: '463 ',
  500: '500 Internal Server Error',
  502: '502 Bad Gateway',
  503: '503 Service Temporarily Unavailable',
  504: '504 Gateway Time-out',
};
/** Who responds when no target did. */
const SERVER = { server: 'awselb/2.0' };

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

/** A response that the load balancer makes itself. */
export function ownResponse(status: number): Response {
  const title = REASONS[status] ?? String(status);
  return {
    status,
    headers: { ...SERVER, 'content-type': 'text/html' },
    body: `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`,
  };
}

/** The response of a rule. */
export function fixedResponse({
  statusCode,
  contentType,
  body,
}: Extract<Action, { type: 'fixed-response' }>): Response {
  return { status: statusCode, headers: { ...SERVER, 'content-type': contentType }, body };
}

/** To a request that is none for it: fields that are too large are a 400 here. */
export function rejectionResponse({ status }: RejectedRequest): Response {
  return ownResponse(status === 431 ? 400 : status);
}

export function responseFor(failure: UpstreamFailure): Response {
  return ownResponse(FAILURES[failure]);
}
