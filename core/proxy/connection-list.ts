import type { MoveRejection } from '../moves/moves';
import type { Side } from '../traffic/weights';
import type { Problems } from '../validation/problems';
import { CONNECTION_KINDS, ConnectionKind } from './connections';

/**
 * Of a live connection. `awaiting`: the backend owes its response. `responding`: the response is under way. `ending`: the
 * backend has given all of it, and the client has not read it all. `open`: both ends may send, as over a WebSocket. `closing`:
 * an end, or the proxy, is closing it. `moving`: it has left its backend, and has not joined another one.
 */
export const CONNECTION_STATES = ['awaiting', 'responding', 'ending', 'open', 'closing', 'moving'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/** One live connection as it was when it was asked for. It shows no query, no field and no body. */
export interface ConnectionSnapshot {
  /** The same in every response. */
  readonly id: string;
  readonly kind: ConnectionKind;
  readonly state: ConnectionState;
  /** Since it came in, or was moved. */
  readonly ageSeconds: number;
  /** Body bytes from its client, and to it; of an upgraded connection everything after the handshake. */
  readonly bytes: { readonly received: number; readonly sent: number };
  /** The address of its client: the last of `X-Forwarded-For`, or the one that connected here. */
  readonly client: string;
  /** Of its request, without a query. */
  readonly path: string;
  /** Whose backend it is connected to; absent of one that is not, yet or any more. */
  readonly upstream?: Side;
  /** Whether it could be moved to another backend now. */
  readonly movable: boolean;
  /** Why not. */
  readonly rejection?: MoveRejection;
}

/** `GET /connections`: some of the live connections of one task, by worker and age. */
export interface ConnectionPage {
  readonly connections: readonly ConnectionSnapshot[];
  /** Where the next page begins: for `after`. Absent of the last one. */
  readonly next?: string;
}

/** A place in the list: behind this one of all connections that ever came to its worker. */
export interface ListPlace {
  readonly worker: number;
  readonly serial: number;
}

export interface ConnectionQuery {
  readonly after: ListPlace;
  readonly limit: number;
  readonly kinds: readonly ConnectionKind[];
}

/** The same for one worker. */
export interface WorkerQuery {
  readonly after: number;
  readonly limit: number;
  readonly kinds: readonly ConnectionKind[];
}

/** What one worker has; its connections have no worker's number in their ids yet. */
export interface WorkerPage {
  readonly connections: readonly (Omit<ConnectionSnapshot, 'id'> & { readonly serial: number })[];
  readonly hasMore: boolean;
}

export const PAGE_LIMIT = { default: 100, max: 1_000 } as const;
const START: ListPlace = { worker: 0, serial: 0 };
const PLACE = /^(\d{1,6})-(\d{1,15})$/;

/** Reads the query of `GET /connections`; absent parts take the defaults. */
export function readConnectionQuery(query: string, problems: Problems): ConnectionQuery {
  const given = new URLSearchParams(query);
  for (const name of new Set(given.keys())) {
    if (!['after', 'limit', 'kind'].includes(name)) problems.add(name, 'one of after, limit, kind', name);
  }
  for (const name of ['after', 'limit']) {
    const all = given.getAll(name);
    if (all.length > 1) problems.add(name, 'given once', all);
  }
  return { after: readPlace(given, problems), limit: readLimit(given, problems), kinds: readKinds(given, problems) };
}

function readPlace(given: URLSearchParams, problems: Problems): ListPlace {
  const text = given.get('after');
  if (text === null) return START;
  const [, worker, serial] = PLACE.exec(text) ?? [];
  if (worker !== undefined) return { worker: Number(worker), serial: Number(serial) };
  problems.add('after', "what a response said as 'next'", text);
  return START;
}

function readLimit(given: URLSearchParams, problems: Problems): number {
  const text = given.get('limit');
  if (text === null) return PAGE_LIMIT.default;
  return problems.integer('limit', /^\d{1,9}$/.test(text) ? Number(text) : text, { min: 1, max: PAGE_LIMIT.max });
}

function readKinds(given: URLSearchParams, problems: Problems): readonly ConnectionKind[] {
  const kinds = given.getAll('kind').flatMap((text) => text.split(','));
  if (kinds.length === 0) return CONNECTION_KINDS;
  for (const kind of kinds) problems.choice('kind', kind, { values: CONNECTION_KINDS });
  return kinds as ConnectionKind[];
}

/** What the worker at a place, or behind it, has to be asked for, when so many are still wanted. */
export function queryFor(worker: number, { after, kinds }: ConnectionQuery, limit: number): WorkerQuery | undefined {
  if (worker < after.worker) return undefined;
  return { after: worker === after.worker ? after.serial : START.serial, limit, kinds };
}

/**
 * One page of what several workers have.
 *
 * @param pages in the order of the workers' numbers
 */
export function joinPages(
  pages: readonly { readonly worker: number; readonly page: WorkerPage }[],
  hasMore: boolean,
): ConnectionPage {
  const connections = pages.flatMap(({ worker, page }) =>
    page.connections.map(({ serial, ...rest }): ConnectionSnapshot => ({ id: `${worker}-${serial}`, ...rest })),
  );
  const last = connections.at(-1);
  return hasMore && last !== undefined ? { connections, next: last.id } : { connections };
}

/** In an id the number of a worker is that of its generation, and three digits of its own. */
const WORKERS = 1_000;

/** What a generation has to be asked for; undefined where the place is behind all that it has. */
export function queryForGeneration(generation: number, query: ConnectionQuery): ConnectionQuery | undefined {
  const worker = query.after.worker - generation * WORKERS;
  if (worker >= WORKERS) return undefined;
  return { ...query, after: worker < 0 ? START : { ...query.after, worker } };
}

/** A page of a generation, with the ids that it has among all generations. */
export function nameGeneration(generation: number, { connections, next }: ConnectionPage): ConnectionPage {
  const rename = (id: string) => {
    const [worker, serial] = id.split('-');
    return `${generation * WORKERS + Number(worker)}-${serial}`;
  };
  const renamed = connections.map((connection) => ({ ...connection, id: rename(connection.id) }));
  return next === undefined ? { connections: renamed } : { connections: renamed, next: rename(next) };
}

/** The page of a generation behind those of the generations before it. @param own undefined: not asked, because the page is full */
export function joinGenerations(before: ConnectionPage, own: ConnectionPage | undefined): ConnectionPage {
  const connections = [...before.connections, ...(own?.connections ?? [])];
  const next = before.next ?? (own === undefined ? connections.at(-1)?.id : own.next);
  return next === undefined ? { connections } : { connections, next };
}
