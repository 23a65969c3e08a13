import { SMOKE_AGENT } from '../../../core/plan/smoke';
import { RepeatedLines } from '../../../core/text/repeated-lines';
import type { Asked, BalancerEvents, Exchanged } from './events';
import { isClientAddress } from '../../processes/loopback';

/** What the load balancer saw of clients that are not the rehearsal's. What they got is not checked, but how it ended. */
export interface OwnClientsTally {
  /** With those that asked for a WebSocket. */
  readonly requests: number;
  /**
   * Without a whole response, or with an error of the way there: of the load balancer, or 502, 503, 504 and 508 of a proxy.
   * Other errors are the application's, and are in `statuses` alone.
   */
  readonly failed: number;
  /** For a WebSocket or an EventSource, and told by a 503 to come back. */
  readonly refused: number;
  /** Given up by the client itself. */
  readonly left: number;
  /** Responses by their status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly webSockets: {
    readonly opened: number;
    /** At the end of the count. */
    readonly live: number;
    /** By a Close frame, from either side. */
    readonly closed: number;
    /** By the way there, without one. */
    readonly dropped: number;
    /** By the client, without one. */
    readonly left: number;
    /** By the load balancer's idle timeout. */
    readonly timedOut: number;
  };
  /** The first 20 that failed or were dropped and differ, one line each: time of the first, address, request, what came, how often. */
  readonly failures: readonly string[];
}

type Counters<T> = { -readonly [Name in keyof T]: T[Name] extends number ? number : never };

/** Of those between client and application, whichever of them says so. */
const ERRORS_OF_THE_WAY: ReadonlySet<number | undefined> = new Set([502, 503, 504, 508]);

/** Counts the requests of clients that are neither the rehearsal's nor the cutover's. */
export class OwnClients implements BalancerEvents {
  private readonly http = { requests: 0, failed: 0, refused: 0, left: 0 };
  private readonly statuses: Record<string, number> = {};
  private readonly webSockets: Counters<OwnClientsTally['webSockets']> = {
    opened: 0,
    live: 0,
    closed: 0,
    dropped: 0,
    left: 0,
    timedOut: 0,
  };
  private readonly failures = new RepeatedLines();

  /** Whether one has asked for anything yet. */
  get haveCome(): boolean {
    return this.http.requests > 0;
  }

  /** Failures of any kind, so far. */
  get lost(): number {
    return this.http.failed + this.webSockets.dropped;
  }

  tally(): OwnClientsTally {
    const { http, statuses, webSockets, failures } = this;
    return { ...http, statuses: { ...statuses }, webSockets: { ...webSockets }, failures: failures.list() };
  }

  started(asked: Asked): void {
    if (isOwn(asked)) this.http.requests += 1;
  }

  opened(asked: Asked, kind: string): void {
    if (kind !== 'websocket' || !isOwn(asked)) return;
    this.webSockets.opened += 1;
    this.webSockets.live += 1;
  }

  ended(asked: Asked, exchanged: Exchanged): void {
    if (!isOwn(asked)) return;
    const { status, kind } = exchanged.outcome;
    if (status !== undefined) this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    if (kind === 'websocket') this.webSocketEnded(asked, exchanged);
    else this.requestEnded(asked, exchanged);
  }

  private webSocketEnded(asked: Asked, { isCut = false, outcome }: Exchanged): void {
    const { leftFirst, sawClose = false } = outcome;
    this.webSockets.live -= 1;
    if (sawClose) this.webSockets.closed += 1;
    else if (isCut || leftFirst === 'upstream') {
      this.webSockets.dropped += 1;
      this.note(asked, `a WebSocket that ended without a Close frame${isCut ? ', with its target' : ''}`);
    } else if (leftFirst === 'client') this.webSockets.left += 1;
    else this.webSockets.timedOut += 1;
  }

  private requestEnded(asked: Asked, { by, outcome }: Exchanged): void {
    const { status, failure, ending } = outcome;
    // Before any response it is the client that went.
    if (status === undefined) this.http.left += 1;
    else if (failure === undefined && by === 'target' && status === 503 && asked.comesBack) this.http.refused += 1;
    else if (failure !== undefined || (by !== 'rule' && isErrorOfTheWay(by, status))) {
      this.http.failed += 1;
      const who = by === 'target' && failure === undefined ? '' : ' of the load balancer';
      const whole = failure !== undefined && status < 500 ? `half a response (${status})` : `${status}${who}`;
      this.note(asked, `${whole}${failure === undefined ? '' : `: ${failure}`}`);
    } else if (ending === 'forced') this.http.left += 1;
  }

  private note({ client, what }: Asked, got: string): void {
    this.failures.add(new Date().toISOString(), `your own client ${client}`, `${what} got ${got}`);
  }
}

function isErrorOfTheWay(by: Exchanged['by'], status: number): boolean {
  return by === 'loadBalancer' ? status >= 500 : ERRORS_OF_THE_WAY.has(status);
}

/** Neither the rehearsal's traffic, which has addresses of its own, nor a smoke request of the cutover. */
function isOwn({ client, agent }: Asked): boolean {
  return !isClientAddress(client) && agent !== SMOKE_AGENT;
}
