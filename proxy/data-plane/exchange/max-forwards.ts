import type { Response, RequestHead } from '../contract/data-plane';

/** What a client may still ask for when its request ends here. */
const ALLOWED = 'GET, HEAD, POST, PUT, DELETE, OPTIONS';
const METHODS: ReadonlySet<string> = new Set(['OPTIONS', 'TRACE']);
const NUMBER = /^\d{1,9}$/;

/** How many more proxies may pass this request on (RFC 9110 section 7.6.2); undefined where it does not say. */
export function maxForwards(head: RequestHead): number | undefined {
  if (!METHODS.has(head.method)) return undefined;
  const value = head.field('max-forwards');
  return value !== undefined && NUMBER.test(value) ? Number(value) : undefined;
}

/** For a request that may not be passed on. What TRACE asks for would hand back credentials, so it is not served. */
export function lastForwardResponse({ method }: RequestHead): Response {
  return { status: method === 'OPTIONS' ? 200 : 405, headers: { allow: ALLOWED } };
}
