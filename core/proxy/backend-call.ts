import { Fields, readFields } from '../validation/fields';
import type { Problems } from '../validation/problems';
import type { Side } from '../traffic/weights';
import { requestPath } from '../validation/request-path';

/** `POST /backend-call`: make one request of a hook to the backend of a side, past what is held. */
export interface BackendCallOrder {
  readonly to: Side;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  readonly path: string;
  /** Its Host. @default - the host and port of the upstream */
  readonly host?: string;
  /** Its `X-Drainshift-Epoch`: of the last switch that was committed, as requests of clients have it. */
  readonly epoch: number;
  /** JSON. @default - no body */
  readonly body?: string;
  readonly timeoutMs: number;
}

export interface BackendCallReport {
  /** Absent where there was no response. */
  readonly status?: number;
  /** The `Retry-After` of the response; absent of an older proxy. */
  readonly retryAfter?: string;
  /** The beginning of the response's body. */
  readonly body?: string;
  /** Why there was none. */
  readonly upstreamProblem?: string;
}

/** Of the body of a response, in bytes. */
export const MAX_CALL_BODY = 8_192;
export const MAX_CALL_MS = 25_000;

const FIELDS = {
  to: { kind: 'choice', values: ['source', 'target'], default: '', sentence: 'The side whose backend is called.' },
  method: {
    kind: 'choice',
    values: ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    default: 'POST',
    sentence: 'Its method.',
  },
  path: {
    kind: 'text',
    ...requestPath(),
    sentence: 'Its path.',
  },
  host: { kind: 'text', isOptional: true, pattern: '^[!-~]{1,255}$', rule: 'a host', sentence: 'Its Host.' },
  epoch: { kind: 'integer', min: 0, max: Number.MAX_SAFE_INTEGER, sentence: 'Its `X-Drainshift-Epoch`.' },
  body: { kind: 'text', isOptional: true, pattern: '^[^]{0,16384}$', rule: 'a text', sentence: 'JSON.' },
  timeoutMs: { kind: 'integer', min: 1, max: MAX_CALL_MS, unit: 'ms', sentence: 'For the whole call.' },
} as const satisfies Fields;

/** Reads an order out of JSON; problems go to `problems` under `name`. */
export function readBackendCallOrder(name: string, value: unknown, problems: Problems): BackendCallOrder {
  const { host, body, to, ...order } = readFields(problems, name, value, FIELDS);
  // Without a default of its own: no side is called by mistake.
  if (typeof value === 'object' && value !== null && !('to' in value))
    problems.add('to', 'one of source, target', undefined);
  return { ...order, to, ...(host !== undefined && { host }), ...(body !== undefined && { body }) };
}
