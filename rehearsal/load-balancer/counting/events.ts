import type { ConnectionKind } from '../../../core/proxy/connections';
import type { Outcome, RequestHead } from '../../../proxy/data-plane/contract/data-plane';

/** A request, as far as those who count need it. */
export interface Asked {
  /** The address of its client. */
  readonly client: string;
  readonly agent: string | undefined;
  /** `GET /cart` */
  readonly what: string;
  /** For a WebSocket or as an EventSource: its client comes back when it is told to. */
  readonly comesBack: boolean;
}

export interface Exchanged {
  /** A target, a rule's own response, or the load balancer because there was no other. */
  readonly by: 'target' | 'rule' | 'loadBalancer';
  /** Of a target. */
  readonly groupArn?: string;
  /** It was cut because its target is gone. */
  readonly isCut?: boolean;
  readonly outcome: Pick<Outcome, 'status' | 'kind'> & Partial<Outcome>;
}

/** What the load balancer tells of each request: once that it began and once that it ended. */
export interface BalancerEvents {
  started(asked: Asked): void;
  /** An upgraded connection or a stream is open, long before its end. */
  opened(asked: Asked, kind: ConnectionKind): void;
  ended(asked: Asked, exchanged: Exchanged): void;
  /** Header fields by which a client of the rehearsal learns which group was chosen for it. */
  listHints?(asked: Asked, groupArn: string): Readonly<Record<string, string>>;
}

/** A URL may be as long as a client likes. */
const MAX_WHAT = 100;

export function findAsked(request: RequestHead): Asked {
  const acceptsEvents = (request.field('accept') ?? '').toLowerCase().includes('text/event-stream');
  return {
    client: request.client.address,
    agent: request.field('user-agent'),
    what: `${request.method} ${request.url}`.slice(0, MAX_WHAT),
    comesBack: request.isUpgrade || (request.method === 'GET' && acceptsEvents),
  };
}
