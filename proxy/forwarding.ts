import type { RequestHead } from './data-plane/data-plane';
import type { TraceIds } from './trace-ids';

export const TRACE_FIELD = 'x-amzn-trace-id';

/** Fields by their lower-case names, set in place of those that came. */
export type ForwardingFields = {
  'x-forwarded-for': string;
  'x-forwarded-proto'?: string;
  'x-forwarded-port'?: string;
  [TRACE_FIELD]?: string;
};

/**
 * The forwarding fields of a request to the backend. Behind a load balancer its protocol, port and trace id are the
 * client's, and stay; the list of addresses grows by the one that connected here. Host and `traceparent` pass as they are.
 *
 * @param port the data port, as text
 * @param traceIds of which one is taken where the client sent none
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 */
export function forwardingFields(head: RequestHead, port: string, traceIds: TraceIds, nowMs: number): ForwardingFields {
  const { address } = head.client;
  const before = head.field('x-forwarded-for');
  const fields: ForwardingFields = { 'x-forwarded-for': before === undefined ? address : `${before}, ${address}` };
  // What is there passes without being set: the engine then copies the lines as they came.
  if (head.field('x-forwarded-proto') === undefined) fields['x-forwarded-proto'] = head.isTls ? 'https' : 'http';
  if (head.field('x-forwarded-port') === undefined) fields['x-forwarded-port'] = port;
  if (head.field(TRACE_FIELD) === undefined) fields[TRACE_FIELD] = traceIds.next(nowMs);
  return fields;
}
