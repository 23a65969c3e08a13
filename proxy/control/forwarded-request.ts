import type { Capture } from '../capture/capture';
import type { Mirror } from '../mirror/mirror';
import { joinRecordings } from '../mirror/join-recordings';
import { AccessLog, Visit, startVisit } from '../telemetry/access-log';
import type { Clock } from '../process/clock';
import type {
  Forward,
  Outcome,
  RecordedRequest,
  Recording,
  RequestHead,
  Upstream,
} from '../data-plane/contract/data-plane';
import { findClient } from '../data-plane/shared/client-address';
import { ForwardingFields, TRACE_FIELD } from '../forwarding/forwarding';
import { type RecentTraffic, UNJUDGED } from '../telemetry/recent-traffic';
import type { CountedRequest, TrafficCount } from '../telemetry/traffic-count';
import type { UpstreamLog } from '../telemetry/upstream-log';

/** Where what happens to requests is written down. */
export interface Ledgers {
  readonly clock: Clock;
  readonly traffic: TrafficCount;
  readonly recent: RecentTraffic;
  readonly upstreams: UpstreamLog;
  readonly accessLog: AccessLog | undefined;
  /** Undefined: nothing is recorded. */
  readonly capture?: Capture | undefined;
  /** Undefined: nothing is copied. */
  readonly mirror?: Mirror | undefined;
  /** The name in the `Via` of responses. */
  readonly via: string | undefined;
}

/** What another process needs of a request whose stream has begun, as JSON has it. */
export interface ForwardRecord {
  readonly upstream: Upstream;
  readonly isJudged: boolean;
  readonly ageMs: number;
  readonly visit?: Visit;
}

/**
 * A request on its way to an upstream and into the books. One object with methods, and no closures: this is made for
 * every request.
 */
export class ForwardedRequest implements Forward, CountedRequest {
  hasOpened = false;
  /** Undefined from when the stream began. */
  private head: RequestHead | undefined;
  /** What it is for `RecentTraffic`. */
  private readonly route: number;

  /** @param head undefined of one whose stream began in another process */
  constructor(
    private readonly ledgers: Ledgers,
    head: RequestHead | undefined,
    readonly upstream: Upstream,
    public requestHeaders: ForwardingFields | undefined,
    private readonly startedMs: number,
    readonly isJudged: boolean,
    private visit: Visit | undefined = undefined,
  ) {
    this.head = head;
    this.route = UNJUDGED;
    if (head === undefined) this.hasOpened = true;
    else this.route = this.take(head);
  }

  private take(head: RequestHead): number {
    const { ledgers, isJudged, startedMs } = this;
    ledgers.traffic.take(isJudged);
    return isJudged
      ? ledgers.recent.take(head.url, head.field('cookie'), head.field('user-agent'), startedMs)
      : UNJUDGED;
  }

  /** One of another process, whose stream began there. @param upstreams that are known here by an object of their own */
  static resume(ledgers: Ledgers, record: ForwardRecord, upstreams: readonly Upstream[]): ForwardedRequest {
    const text = JSON.stringify(record.upstream);
    const known = upstreams.find((upstream) => JSON.stringify(upstream) === text);
    const startedMs = ledgers.clock.nowMs() - record.ageMs;
    const upstream = known ?? record.upstream;
    return new ForwardedRequest(ledgers, undefined, upstream, undefined, startedMs, record.isJudged, record.visit);
  }

  startRecording(head: RecordedRequest): Recording | undefined {
    const { capture, mirror } = this.ledgers;
    const record = capture?.begin(head);
    if (mirror === undefined) return record;
    const isForwarded = record?.isAwaited !== true;
    const copy = mirror.begin(head, { upstream: this.upstream, replaced: this.requestHeaders, isForwarded });
    return joinRecordings(record, copy);
  }

  /** Of a stream that has begun. */
  record(upstream: Upstream): ForwardRecord {
    const { isJudged, visit } = this;
    const ageMs = this.ledgers.clock.nowMs() - this.startedMs;
    return { upstream, isJudged, ageMs, ...(visit && { visit }) };
  }

  get via(): string | undefined {
    return this.ledgers.via;
  }

  opened(status: number): void {
    const { ledgers } = this;
    this.hasOpened = true;
    const nowMs = ledgers.clock.nowMs();
    ledgers.traffic.opened(status, nowMs - this.startedMs, this.isJudged);
    ledgers.recent.responded(this.route, nowMs - this.startedMs, nowMs);
    // A WebSocket may live for days: of its head no more is kept than its line needs, if it can have one.
    if (this.head !== undefined && ledgers.accessLog?.mayAdmit(status) === true) this.visit = this.seen(this.head);
    this.head = undefined;
    this.requestHeaders = undefined;
  }

  settled(outcome: Outcome): void {
    const { ledgers } = this;
    const nowMs = ledgers.clock.nowMs();
    const durationMs = nowMs - this.startedMs;
    const verdict = ledgers.traffic.settled(outcome, this, durationMs, nowMs);
    if (verdict !== 'unknown') this.countRecent(verdict, durationMs, nowMs);
    const { failure, status, cause } = outcome;
    if (failure !== undefined) ledgers.upstreams.failed(failure, status, this.upstream, cause);
    if (ledgers.accessLog !== undefined) this.log(ledgers.accessLog, outcome, durationMs);
  }

  private countRecent(verdict: 'good' | 'failed', durationMs: number, nowMs: number): void {
    const { recent } = this.ledgers;
    if (!this.hasOpened) recent.responded(this.route, durationMs, nowMs);
    if (verdict === 'failed') recent.failed(this.route, this.head === undefined ? '' : findClient(this.head), nowMs);
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
