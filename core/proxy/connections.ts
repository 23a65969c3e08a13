/**
 * What a live connection is to the person behind it; a unary gRPC call is `http`. `serverSentEvents` is the stream of an
 * EventSource, which comes back by itself; `streaming` any other response that streams: no client can resume it.
 */
export type ConnectionKind = 'http' | 'websocket' | 'grpcStream' | 'serverSentEvents' | 'streaming';

/** What the rest of the project has to know of a kind. */
export interface KindFacts {
  /** How pages and reports speak of several. */
  readonly plural: string;
  /** For a line with little room. */
  readonly short: string;
  /** What a draining proxy counts it as in its log lines. */
  readonly loggedAs: 'HTTP' | 'WebSocket' | 'streaming';
  /** How long one may go on in a drain, unless the plan says otherwise. */
  readonly drainSeconds: number;
}

/** In the order in which a drain closes those that are over their time: what costs its client least first. */
export const KIND_FACTS: Readonly<Record<ConnectionKind, KindFacts>> = {
  http: { plural: 'requests', short: 'http', loggedAs: 'HTTP', drainSeconds: 30 },
  websocket: { plural: 'WebSocket connections', short: 'ws', loggedAs: 'WebSocket', drainSeconds: 300 },
  grpcStream: { plural: 'streaming gRPC calls', short: 'grpc', loggedAs: 'streaming', drainSeconds: 300 },
  serverSentEvents: { plural: 'streams of server-sent events', short: 'sse', loggedAs: 'streaming', drainSeconds: 300 },
  streaming: { plural: 'other streaming responses', short: 'streaming', loggedAs: 'streaming', drainSeconds: 300 },
};

export const CONNECTION_KINDS = Object.keys(KIND_FACTS) as readonly ConnectionKind[];

/**
 * How a connection left the ledger: `completed` by itself, `moved` to another upstream, `closed` by a drain in the
 * protocol's own way (Close 1012, end of stream), `forced` by a drain that had no time left, or because a peer vanished.
 */
export type Ending = 'completed' | 'moved' | 'closed' | 'forced';

export const ENDINGS: readonly Ending[] = ['completed', 'moved', 'closed', 'forced'];

export type ByKind<T> = Readonly<Record<ConnectionKind, T>>;
export type KindCounts = ByKind<number>;
export type EndingCounts = Readonly<Record<Ending, number>>;

export function eachKind<T>(make: (kind: ConnectionKind) => T): Record<ConnectionKind, T> {
  return Object.fromEntries(CONNECTION_KINDS.map((kind) => [kind, make(kind)])) as Record<ConnectionKind, T>;
}

export const NO_CONNECTIONS: KindCounts = eachKind(() => 0);
export const NO_ENDINGS: EndingCounts = { completed: 0, moved: 0, closed: 0, forced: 0 };
export const NOTHING_ENDED: ByKind<EndingCounts> = eachKind(() => NO_ENDINGS);

export function addKinds(a: KindCounts, b: KindCounts): KindCounts {
  return eachKind((kind) => a[kind] + b[kind]);
}

export function addEndings(a: EndingCounts, b: EndingCounts): EndingCounts {
  return {
    completed: a.completed + b.completed,
    moved: a.moved + b.moved,
    closed: a.closed + b.closed,
    forced: a.forced + b.forced,
  };
}

export function total(counts: KindCounts): number {
  return CONNECTION_KINDS.reduce((sum, kind) => sum + counts[kind], 0);
}

/** Those that a switch closes in order: their clients connect anew, and wait. */
export const STREAM_KINDS = [
  'websocket',
  'grpcStream',
  'serverSentEvents',
] as const satisfies readonly ConnectionKind[];
export type StreamKind = (typeof STREAM_KINDS)[number];
