import { AccessLog, Visit, startVisit } from '../telemetry/access-log';
import type { Clock } from '../process/clock';
import type { Forward, Outcome, RequestHead, Upstream } from '../data-plane/contract/data-plane';
import { ForwardingFields, TRACE_FIELD } from '../forwarding/forwarding';
import type { TrafficCount } from '../telemetry/traffic-count';
import type { UpstreamLog } from '../telemetry/upstream-log';

/** Where what happens to requests is written down. */
export interface Ledgers {
  readonly clock: Clock;
  readonly traffic: TrafficCount;
  readonly upstreams: UpstreamLog;
  readonly accessLog: AccessLog | undefined;
  /** The name in the `Via` of responses. */
  readonly via: string | undefined;
}

/**
 * A request on its way to an upstream and into the books. One object with methods, and no closures: this is made for
 * every request.
 */
export class ForwardedRequest implements Forward {
  private hasOpened = false;
  /** Undefined unless there is an access log, and from when the stream began. */
  private head: RequestHead | undefined;
  private visit: Visit | undefined = undefined;

  constructor(
    private readonly ledgers: Ledgers,
    head: RequestHead,
    readonly upstream: Upstream,
    public requestHeaders: ForwardingFields | undefined,
    private readonly startedMs: number,
  ) {
    this.head = ledgers.accessLog === undefined ? undefined : head;
    ledgers.traffic.take();
  }

  get via(): string | undefined {
    return this.ledgers.via;
  }

  opened(status: number): void {
    const { ledgers } = this;
    this.hasOpened = true;
    ledgers.traffic.opened(status, ledgers.clock.nowMs() - this.startedMs);
    // A WebSocket may live for days: of its head no more is kept than its line needs, if it can have one.
    if (this.head !== undefined && ledgers.accessLog!.mayAdmit(status)) this.visit = this.seen(this.head);
    this.head = undefined;
    this.requestHeaders = undefined;
  }

  settled(outcome: Outcome): void {
    const { ledgers } = this;
    const nowMs = ledgers.clock.nowMs();
    const durationMs = nowMs - this.startedMs;
    ledgers.traffic.settled(outcome, this.hasOpened, durationMs, nowMs);
    const { failure, status, cause } = outcome;
    if (failure !== undefined) ledgers.upstreams.failed(failure, status, this.upstream, cause);
    if (ledgers.accessLog !== undefined) this.log(ledgers.accessLog, outcome, durationMs);
  }

  private log(accessLog: AccessLog, outcome: Outcome, durationMs: number): void {
    if (!accessLog.admits(outcome)) return;
    const visit = this.visit ?? (this.head && this.seen(this.head));
    if (visit !== undefined) accessLog.write(visit, outcome, durationMs);
  }

  private seen(head: RequestHead): Visit {
    return startVisit(head, this.requestHeaders?.[TRACE_FIELD]);
  }
}
