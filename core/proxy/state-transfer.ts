import type { Differences } from '../state/differences';
import type { Side } from '../traffic/weights';
import { Fields, readFields } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { requestPath } from '../validation/request-path';

/**
 * `POST /state-transfer`: copies the state of an application from the backend of one side to that of the other, or compares
 * both, past what is held. Begun by the first order with an id; each further one with that id says how far it is.
 */
export interface TransferOrder {
  readonly id: string;
  readonly kind: 'copy' | 'compare';
  readonly from: Side;
  readonly to: Side;
  /** Of the application's contract: see `statePath`. */
  readonly path: string;
  /** The Host of its requests. @default - the host and port of the upstream */
  readonly host?: string;
  /** Their `X-Drainshift-Epoch`. */
  readonly epoch: number;
  /** Of an earlier copy: what has changed since. @default - all of it */
  readonly since?: string;
  readonly maxBytes: number;
  /** Of the whole transfer. */
  readonly limitMs: number;
  /** The response comes when it has ended, or after so long. */
  readonly waitMs: number;
  /** Whether it is to end now. */
  readonly cancels: boolean;
}

/** How far a transfer is. */
export interface TransferReport {
  readonly state: 'running' | 'done' | 'failed';
  /** That have left the one backend. */
  readonly bytes: number;
  /** As the application counts them. Absent where it does not. */
  readonly keys?: number;
  /** Where a later copy begins; absent where the application exports its state as a whole only. */
  readonly cursor?: string;
  /** How often it went on behind a connection that broke. */
  readonly resumed: number;
  readonly tookMs: number;
  /** Of a comparison whose sides agree. */
  readonly digest?: string;
  readonly differences?: Differences;
  /** Why it failed. */
  readonly problem?: string;
}

export const MAX_TRANSFER_WAIT_MS = 25_000;
export const MAX_TRANSFER_MS = 3_600_000;
export const MAX_STATE_BYTES = 1_099_511_627_776;

const SIDE = { kind: 'choice', values: ['source', 'target'], sentence: 'A side.' } as const;

const FIELDS = {
  id: {
    kind: 'text',
    pattern: '^[A-Za-z0-9._-]{1,128}$',
    rule: "a name of up to 128 letters, digits, '.', '_' and '-'",
    sentence: 'Of this transfer.',
  },
  kind: { kind: 'choice', values: ['copy', 'compare'], default: 'copy', sentence: 'What is done.' },
  from: { ...SIDE, sentence: 'The side whose state it is.' },
  to: { ...SIDE, sentence: 'The side that gets it.' },
  path: { kind: 'text', ...requestPath(1_024), sentence: 'The path of the contract.' },
  host: { kind: 'text', isOptional: true, pattern: '^[!-~]{1,255}$', rule: 'a host', sentence: 'The Host.' },
  epoch: { kind: 'integer', min: 0, max: Number.MAX_SAFE_INTEGER, sentence: 'The `X-Drainshift-Epoch`.' },
  since: {
    kind: 'text',
    isOptional: true,
    pattern: '^[A-Za-z0-9._~-]{1,128}$',
    rule: "a cursor of up to 128 letters, digits, '.', '_', '~' and '-'",
    sentence: 'Of an earlier copy.',
  },
  maxBytes: { kind: 'integer', min: 1, max: MAX_STATE_BYTES, default: MAX_STATE_BYTES, sentence: 'At the most.' },
  limitMs: { kind: 'integer', min: 1, max: MAX_TRANSFER_MS, unit: 'ms', sentence: 'For all of it.' },
  waitMs: { kind: 'integer', min: 0, max: MAX_TRANSFER_WAIT_MS, default: 0, unit: 'ms', sentence: 'For its end.' },
  cancels: { kind: 'boolean', default: false, sentence: 'Whether it is to end now.' },
} as const satisfies Fields;

/** Reads an order out of JSON; problems go to `problems` under `name`. */
export function readTransferOrder(name: string, value: unknown, problems: Problems): TransferOrder {
  const { host, since, ...order } = readFields(problems, name, value, FIELDS);
  if (problems.all.length === 0 && order.from === order.to) problems.add('to', 'the other side', order.to);
  return { ...order, ...(host !== undefined && { host }), ...(since !== undefined && { since }) };
}
