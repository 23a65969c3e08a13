import type { RequestHead } from './data-plane/data-plane';

/**
 * The forwarding fields of a request to the backend. Behind a load balancer its protocol and port are the client's, and
 * stay; the list of addresses grows by the one that connected here. Host and X-Amzn-Trace-Id pass as they are.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 */
export function forwardingHeaders(head: RequestHead, port: number): Record<string, string> {
  const { headers, client, isTls } = head;
  const before = text(headers['x-forwarded-for']);
  return {
    'x-forwarded-for': before === undefined ? client.address : `${before}, ${client.address}`,
    'x-forwarded-proto': text(headers['x-forwarded-proto']) ?? (isTls ? 'https' : 'http'),
    'x-forwarded-port': text(headers['x-forwarded-port']) ?? String(port),
  };
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
