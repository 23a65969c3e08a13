/** What a live connection is to the person behind it; a unary gRPC call is `http`. */
export type ConnectionKind = 'http' | 'websocket' | 'grpcStream' | 'serverSentEvents';

export const CONNECTION_KINDS: readonly ConnectionKind[] = ['http', 'websocket', 'grpcStream', 'serverSentEvents'];

/**
 * How a connection left the ledger: `completed` by itself, `moved` to another upstream, `closed` by a drain in the
 * protocol's own way (Close 1012, end of stream), `forced` by a drain that had no time left, or because a peer vanished.
 */
export type Ending = 'completed' | 'moved' | 'closed' | 'forced';

export const ENDINGS: readonly Ending[] = ['completed', 'moved', 'closed', 'forced'];

export type KindCounts = Readonly<Record<ConnectionKind, number>>;
export type EndingCounts = Readonly<Record<Ending, number>>;

export const NO_CONNECTIONS: KindCounts = { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0 };
export const NO_ENDINGS: EndingCounts = { completed: 0, moved: 0, closed: 0, forced: 0 };

export function addKinds(a: KindCounts, b: KindCounts): KindCounts {
  return {
    http: a.http + b.http,
    websocket: a.websocket + b.websocket,
    grpcStream: a.grpcStream + b.grpcStream,
    serverSentEvents: a.serverSentEvents + b.serverSentEvents,
  };
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
  return counts.http + counts.websocket + counts.grpcStream + counts.serverSentEvents;
}
