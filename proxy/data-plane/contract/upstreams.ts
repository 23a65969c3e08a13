import type { EngineHead, FieldBlock, UpstreamEvents, UpstreamStream } from './streams';
import type { Upstream } from './upstream';

/**
 * Which connection a request may take: `kept` any kept-alive one, for requests that can be sent again; `young` only one
 * that was in use a moment ago, for requests that cannot; `fresh` a new one, for upgrades and second tries.
 */
export type ConnectionChoice = 'kept' | 'young' | 'fresh';

/** The ways to the upstreams. What comes of a request is told to `events`, later than the call. */
export interface Upstreams {
  open(upstream: Upstream, request: UpstreamRequest, events: UpstreamEvents): UpstreamStream;
}

/** What an upstream connection has to know of a request's head. */
export type UpstreamHead = Pick<EngineHead, 'method' | 'field' | 'bodyLength' | 'upgrade' | 'takesTrailers' | 'isGrpc'>;

export interface UpstreamRequest {
  readonly head: UpstreamHead;
  /** Path and query. */
  readonly url: string;
  readonly fields: FieldBlock;
  readonly choice: ConnectionChoice;
}
