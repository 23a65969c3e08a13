import type { SettingValue } from '../../core/proxy/settings/setting-names';
import type { RequestHead } from '../data-plane/contract/data-plane';
import type { LoopGuard } from './loop-guard';
import type { TraceIds } from './trace-ids';

export const TRACE_FIELD = 'x-amzn-trace-id';
/** With it a backend can refuse the requests of a side that was left; see docs/switch.md. */
export const EPOCH_FIELD = 'x-drainshift-epoch';

/** Fields by their lower-case names, set in place of those that came. */
export type ForwardingFields = {
  'x-forwarded-for'?: string;
  via?: string;
  'cdn-loop'?: string;
  'x-forwarded-proto'?: string;
  'x-forwarded-port'?: string;
  [TRACE_FIELD]?: string;
  [EPOCH_FIELD]?: string;
};

/** What the fields of all requests have in common. */
export interface Forwarding {
  /** The data port, as text. */
  readonly port: string;
  /** Of which one is taken where the client sent none. */
  readonly traceIds: TraceIds;
  /** What becomes of an `X-Forwarded-For` that came: it grows by the address that connected here, or stays. */
  readonly forwardedFor: SettingValue<'forwarded_for'>;
  readonly loopGuard: LoopGuard;
}

/**
 * The forwarding fields of a request to the backend. Behind a load balancer its protocol, port and trace id are the
 * client's, and stay; the list of addresses grows by the one that connected here, unless it is to be preserved. Host and
 * `traceparent` pass as they are.
 *
 * @param epoch of the switch that the proxy knows last; undefined where there are no switches
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 */
export function forwardingFields(
  head: RequestHead,
  forwarding: Forwarding,
  nowMs: number,
  epoch?: number,
): ForwardingFields {
  const { port, traceIds, forwardedFor, loopGuard } = forwarding;
  const { address } = head.client;
  const before = head.field('x-forwarded-for');
  const fields: ForwardingFields = { [loopGuard.field]: loopGuard.value(head) };
  // What is there passes without being set: the engine then copies the lines as they came.
  if (before === undefined) fields['x-forwarded-for'] = address;
  else if (forwardedFor === 'append') fields['x-forwarded-for'] = `${before}, ${address}`;
  if (head.field('x-forwarded-proto') === undefined) fields['x-forwarded-proto'] = head.isTls ? 'https' : 'http';
  if (head.field('x-forwarded-port') === undefined) fields['x-forwarded-port'] = port;
  if (head.field(TRACE_FIELD) === undefined) fields[TRACE_FIELD] = traceIds.next(nowMs);
  if (epoch !== undefined) fields[EPOCH_FIELD] = String(epoch);
  return fields;
}
