import type { Logger } from 'pino';
import { LogThrottle } from './log-throttle';
import type { Clock } from '../process/clock';
import type { Outcome, RequestHead } from '../data-plane/contract/data-plane';
import { TRACE_FIELD } from '../forwarding/forwarding';

/** Fields and paths are the client's: a line stays short whatever they hold. */
const MAX_LENGTH = 1_024;
const ERRORS_PER_SECOND = 100;

/** What a line says of a request before its outcome. */
export interface Visit {
  readonly method: string;
  /** Without the query, which may hold a token. */
  readonly path: string;
  readonly hasQuery: boolean;
  readonly protocol: string;
  /** The address that connected here; behind a load balancer its own. */
  readonly client: string;
  /** `X-Forwarded-For` as it came. */
  readonly forwardedFor: string | undefined;
  readonly traceId: string | undefined;
}

/** One JSON line a request, when it has ended; of its fields only those that are named in `Visit`. */
export class AccessLog {
  private readonly log: Logger;
  private readonly logThrottle: LogThrottle;

  /** `isErrorsOnly`: responses of 500 and more and failed upstreams, and these no faster than 100 a second. */
  constructor(
    log: Logger,
    private readonly isErrorsOnly: boolean,
    clock: Clock,
  ) {
    // An operator who asks for this log wants it whatever the level of the other one.
    this.log = log.child({}, { level: 'info' });
    this.logThrottle = new LogThrottle(ERRORS_PER_SECOND, clock, (leftOut) =>
      this.log.info({ leftOut }, `${leftOut} more failed requests within a second`),
    );
  }

  /** Whether a request with this outcome has a line; one that is left out is counted as such. */
  admits({ status, failure }: Pick<Outcome, 'status' | 'failure'>): boolean {
    if (!this.isErrorsOnly) return true;
    return (failure !== undefined || (status ?? 0) >= 500) && this.logThrottle.admit();
  }

  /**
   * Whether a stream that began with this status may have a line when it has ended. Behind a switch nothing fails any more.
   */
  mayAdmit(status: number): boolean {
    return !this.isErrorsOnly || status !== 101;
  }

  write(visit: Visit, outcome: Outcome, durationMs: number): void {
    const { status, kind, ending, failure, cause, bytesReceived, bytesSent } = outcome;
    const rounded = Math.round(durationMs * 1000) / 1000;
    const figures = { status, kind, ended: ending, failure, ...cause, durationMs: rounded, bytesReceived, bytesSent };
    this.log.info({ ...visit, ...figures }, 'Request');
  }

  /** A request that the proxy rejected for a reason of its own. */
  refused(head: RequestHead, status: number): void {
    const outcome = { status, kind: 'http', ending: 'completed', bytesReceived: 0, bytesSent: 0 } as const;
    if (this.admits(outcome)) this.write(startVisit(head, undefined), outcome, 0);
  }

  /** A request that was rejected before it could be read whole. */
  unread(status: number, client: string, why: string): void {
    if (this.admits({ status })) this.log.info({ client, status, why: own(why) }, 'Request rejected');
  }

  stop(): void {
    this.logThrottle.end();
  }
}

/** @param traceId where the client sent none */
export function startVisit(head: RequestHead, traceId: string | undefined): Visit {
  const query = head.url.indexOf('?');
  return {
    method: own(head.method),
    path: own(query < 0 ? head.url : head.url.slice(0, query)),
    hasQuery: query >= 0,
    protocol: `HTTP/${head.httpVersion}`,
    client: head.client.address,
    forwardedFor: own(head.field('x-forwarded-for')),
    traceId: own(traceId ?? head.field(TRACE_FIELD)),
  };
}

/** A copy: a part of a string keeps the whole of it, here the head of a request, for as long as a WebSocket may live. */
function own<T extends string | undefined>(text: T): T {
  return (text === undefined ? undefined : Buffer.from(text.slice(0, MAX_LENGTH), 'latin1').toString('latin1')) as T;
}
