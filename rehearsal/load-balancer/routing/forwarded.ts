import { randomBytes } from 'node:crypto';
import type { RequestHead } from '../../../proxy/data-plane/contract/data-plane';

/** More addresses than this in X-Forwarded-For get 463. */
export const MAX_FORWARDED_FOR = 30;
/** A longer trace is written anew. */
const MAX_TRACE_BYTES = 7 * 1024;
const DEFAULT_PORTS: readonly number[] = [80, 443];

export function forwardedFor(request: RequestHead): string[] {
  const header = request.headers['x-forwarded-for'];
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text === '' ? [] : text.split(',').map((address) => address.trim());
}

type Attributes = ReadonlyMap<string, string>;

/** What the load balancer changes of a request's fields, by its attributes; `undefined` takes a field away. */
export function requestHeaders(
  request: RequestHead,
  listenerPort: number,
  attributes: Attributes,
): Record<string, string | undefined> {
  return {
    ...(attributes.get('routing.http.drop_invalid_header_fields.enabled') === 'true' && withoutInvalid(request)),
    ...(attributes.get('routing.http.preserve_host_header.enabled') !== 'true' && hostWithPort(request, listenerPort)),
    ...forwarded(request, listenerPort, attributes),
  };
}

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html */
function withoutInvalid({ headers }: RequestHead): Record<string, undefined> {
  const invalid = Object.keys(headers).filter((name) => !/^[-a-z0-9]+$/i.test(name));
  return Object.fromEntries(invalid.map((name) => [name, undefined]));
}

/** A target sees the port of a listener that is not on its protocol's own port, unless the client named one. */
function hostWithPort({ headers }: RequestHead, listenerPort: number): Record<string, string> {
  const { host } = headers;
  if (DEFAULT_PORTS.includes(listenerPort) || typeof host !== 'string' || /:\d+$/.test(host)) return {};
  return { host: `${host}:${listenerPort}` };
}

function forwarded(
  request: RequestHead,
  listenerPort: number,
  attributes: Attributes,
): Record<string, string | undefined> {
  const mode = attributes.get('routing.http.xff_header_processing.mode') ?? 'append';
  const hasPort = attributes.get('routing.http.xff_client_port.enabled') === 'true';
  const appended = [...forwardedFor(request), hasPort ? withPort(request.client) : request.client.address].join(', ');
  return {
    ...(mode === 'append' && { 'x-forwarded-for': appended }),
    ...(mode === 'remove' && { 'x-forwarded-for': undefined }),
    'x-forwarded-proto': request.isTls ? 'https' : 'http',
    'x-forwarded-port': String(listenerPort),
    'x-amzn-trace-id': findTrace(request.field('x-amzn-trace-id')),
    // It was met already.
    expect: undefined,
  };
}

function withPort({ address, port }: RequestHead['client']): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * A client that sent a trace keeps its `Root` and what else it wrote, and `Self` says this hop; without one it gets a `Root`.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
 */
function findTrace(sent = ''): string {
  const fields = sent.split(';').map((field) => field.trim()).filter((field) => field !== ''); // prettier-ignore
  const has = (name: string) => fields.some((field) => field.startsWith(`${name}=`));
  if (fields.length === 0 || sent.length > MAX_TRACE_BYTES) return `Root=${newTraceId()}`;
  if (!has('Root') && !has('Self')) return [`Root=${newTraceId()}`, ...fields].join(';');
  return [`Self=${newTraceId()}`, ...fields.filter((field) => !field.startsWith('Self='))].join(';');
}

/** `1-`, seconds in hexadecimal, `-`, 96 random bits. */
function newTraceId(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `1-${seconds}-${randomBytes(12).toString('hex')}`;
}
