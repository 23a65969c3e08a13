import { randomBytes } from 'node:crypto';
import type { RequestHead } from '../../proxy/data-plane/data-plane';

/** More addresses than this in X-Forwarded-For are answered with 463. */
export const MAX_FORWARDED_FOR = 30;

export function forwardedFor(request: RequestHead): string[] {
  const header = request.headers['x-forwarded-for'];
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text === '' ? [] : text.split(',').map((address) => address.trim());
}

/** The fields that the load balancer adds, in its default mode (`append`). */
export function forwardedHeaders(
  request: RequestHead,
  listenerPort: number,
  mode: string,
): Record<string, string | undefined> {
  const trace = request.headers['x-amzn-trace-id'];
  const appended = [...forwardedFor(request), request.client.address].join(', ');
  return {
    ...(mode === 'append' && { 'x-forwarded-for': appended }),
    ...(mode === 'remove' && { 'x-forwarded-for': undefined }),
    'x-forwarded-proto': request.isTls ? 'https' : 'http',
    'x-forwarded-port': String(listenerPort),
    'x-amzn-trace-id': typeof trace === 'string' && trace.includes('Root=') ? trace : newTrace(),
  };
}

/** `Root=1-` seconds in hexadecimal `-` 96 random bits. */
function newTrace(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')}`;
}
