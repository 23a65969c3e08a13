import type { Problems } from '../validation/problems';
import { Side, SIDES } from '../traffic/weights';
import { requestPath } from '../validation/request-path';

/** `POST /probe`: try what a switch needs of this task. Nothing is kept, and no request of a client is touched. */
export interface ProbeOrder {
  /** The side whose upstream is asked. */
  readonly to: Side;
  /** Of the request to it: a GET. */
  readonly path: string;
  /** Its Host. @default - the host and port of the upstream */
  readonly host?: string;
  /** Whether the store is left out: requests wait for the response, and it was asked shortly before. */
  readonly isOfBackendAlone?: boolean;
}

export interface ProbeReport {
  /** The clock of the task: milliseconds since the epoch. */
  readonly wallMs: number;
  readonly tookMs: number;
  /** Of the upstream's response; 0 of one that speaks no HTTP/1.1, and could be connected to. */
  readonly status?: number;
  /** Why there is none. */
  readonly upstreamProblem?: string;
  /** Why this task could not follow a decision: the store cannot be read, or a decision not be written. */
  readonly storeProblem?: string;
}

const { pattern, rule } = requestPath();
const PATH = new RegExp(pattern);
const HOST = /^[!-~]{1,255}$/;

/** Reads a probe order out of JSON; problems go to `problems` under `name`. */
export function readProbeOrder(name: string, value: unknown, problems: Problems): ProbeOrder {
  const fields = ['to', 'path', 'host', 'isOfBackendAlone'];
  const { to, path = '/', host, isOfBackendAlone = false } = problems.object(name, value, fields);
  const side = SIDES.find((known) => known === to);
  if (side === undefined) problems.add('to', `one of ${SIDES.join(', ')}`, to);
  const isPath = typeof path === 'string' && PATH.test(path);
  if (!isPath) problems.add('path', rule, path);
  const isHost = host === undefined || (typeof host === 'string' && HOST.test(host));
  if (!isHost) problems.add('host', 'a host', host);
  if (typeof isOfBackendAlone !== 'boolean') problems.add('isOfBackendAlone', 'true or false', isOfBackendAlone);
  const order = { to: side ?? 'source', path: isPath ? path : '/', isOfBackendAlone: isOfBackendAlone === true };
  return { ...order, ...(isHost && host !== undefined && { host }) };
}
