import type { ConnectionChoice, PlaneContext } from '../shared/context';
import type { Response, Decision, FailureCause, Upstream, UpstreamFailure } from '../contract/data-plane';
import type { Deviation } from '../contract/deviations';
import { EventStream } from '../streams/event-stream';
import { ExchangeEnd } from './exchange-end';
import type {
  ResponseHead,
  ClientExchange,
  DownstreamStream,
  EngineHead,
  FieldBlock,
  InterimHead,
  Seen,
  UpstreamEvents,
} from '../contract/streams';
import { buildFieldBlock, listLines } from '../fields/lines';
import { GrpcWatch } from '../streams/grpc';
import { lastForwardResponse, maxForwards } from './max-forwards';
import { Pace } from './pace';
import { Turn, StallDetector } from './stall-detector';
import { Upload } from './upload';
import { isOpaque, isSwitch, switchingProtocols, upgradeRejection } from './upgrade';
import { UpgradedConnection } from './upgraded-connection';
import { withVia } from '../fields/via';

const UNASKED_SWITCH: FailureCause = { why: 'a switch of protocols that was not asked for' };
/** RFC 9110 section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** From the head of a response until it counts as one that streams: as long as a gRPC call has to show what it is. */
const STREAMING_AFTER_MS = 1_000;

/**
 * One request of a client and its response, from the route's decision until both have ended. It is its own entry in the
 * ledger, and knows no version of HTTP; see `streams.ts`.
 */
export class Exchange extends ExchangeEnd implements ClientExchange, UpstreamEvents {
  private hasRepeated = false;
  private isResponsePaused = false;
  /** Written and not read by the client, as of the last tick. */
  private pendingBytes = 0;
  /** When the head of the upstream's response was passed on. */
  private responseStartedMs = Infinity;
  /** The response may be without a byte for as long as `streamIdleMs`: an event stream. */
  private mayBeSilent = false;
  private readonly stallDetector: StallDetector;
  /** Undefined until its client is waited for at a tick. */
  private pace: Pace | undefined = undefined;

  constructor(context: PlaneContext, client: DownstreamStream, head: EngineHead) {
    super(context, client, head);
    this.stallDetector = new StallDetector(context.ticker.nowMs);
    if (head.isGrpc) this.grpc = new GrpcWatch();
  }

  /** Asks the route, and does what it says. */
  run(): void {
    try {
      const rejection = this.head.isUpgrade ? upgradeRejection(this.head) : undefined;
      if (rejection) this.reject(rejection);
      else if (maxForwards(this.head) === 0) this.respond(lastForwardResponse(this.head));
      else this.decide(this.context.options.route(this.head));
    } catch (error) {
      this.fault(error);
    }
  }

  private decide(decision: Decision): void {
    if ('response' in decision) return this.respond(decision.response);
    if ('hold' in decision) return this.park(decision.hold);
    const { forward } = decision;
    this.forward = forward;
    this.context.options.ledger.enter(this, 'http', this.beginMs);
    if (forward.signal) this.cutOnSignal(forward.signal);
    if (this.context.options.continuesAtOnce && this.upload.awaitsContinue) this.letContinue();
    if (!this.isResponseEnded) this.send(this.firstChoice);
  }

  /** Over HTTP/2 nothing is said: such a client goes on by itself. */
  private letContinue(): void {
    this.upload.awaitsContinue = false;
    if (this.head.httpVersion === '1.1') this.client.inform(100, '');
  }

  /** In a drain its own time counts from here, to the millisecond: the ticker's may be a quarter of a second old. */
  private get beginMs(): number {
    return this.context.isDraining ? this.context.ticker.read() : this.nowMs;
  }

  private park(hold: (resume: (decision: Decision) => void) => () => void): void {
    this.upload.hold();
    this.unpark = hold((decision) => {
      this.unpark = undefined;
      if (this.isOver) return;
      try {
        this.decide(decision);
        // Its end may have come already: node:http2 tells that of an empty body beside its paused stream.
        if (this.upload.isOver && this.upstream) this.upload.repeat(this.upstream);
        // What was held back goes to the upstream that is known now.
        if (this.upstream && !this.upstream.isBackedUp) this.upload.resume();
        this.upstream?.flush();
      } catch (error) {
        this.fault(error);
      }
    });
  }

  private send(choice: ConnectionChoice): void {
    const { head, forward } = this;
    const { upstream, requestHeaders } = forward!;
    const left = maxForwards(head);
    let fields = head.block(left === undefined ? requestHeaders : { ...requestHeaders, 'max-forwards': `${left - 1}` });
    // A request of HTTP/1.0 may have none, the one of HTTP/1.1 that is made of it may not.
    if (head.field('host') === undefined) fields += listLines('Host', findHost(upstream));
    this.stallDetector.upstreamMoved(this.nowMs);
    this.upstream = this.context.upstreams.open(
      upstream,
      { head, url: forward!.url ?? head.url, fields, choice },
      this,
    );
  }

  private get firstChoice(): ConnectionChoice {
    if (this.head.isUpgrade) return 'fresh';
    // Tests that need stale connections still get them.
    const isRepeatable = this.isIdempotent && Upload.isSmall(this.head);
    return isRepeatable || this.context.options.repeatsStale === false ? 'kept' : 'young';
  }

  private get isIdempotent(): boolean {
    return IDEMPOTENT.has(this.head.method);
  }

  // What the client tells.

  uploadReceived(bytes: Buffer): void {
    this.bytesReceived += bytes.length;
    this.stallDetector.clientMoved(this.nowMs);
    if (this.isOver || this.upstream === undefined) return;
    if (this.grpc?.upload(bytes)) this.becomeGrpcStream();
    this.upload.receive(bytes, this.upstream);
  }

  uploadEnded(trailers: FieldBlock): void {
    this.stallDetector.upstreamMoved(this.nowMs);
    this.grpc?.uploadEnded();
    this.upload.end(trailers, this.upstream);
  }

  uploadFlushed(): void {
    this.upstream?.flush();
  }

  clientDrained(): void {
    this.moved();
    if (!this.isResponsePaused) return;
    this.isResponsePaused = false;
    this.upstream?.resumeResponse();
  }

  uploadBroken(response: Response): void {
    if (this.hasStarted) return this.force();
    this.upload.isOver = true;
    this.respond(response);
  }

  // What the upstream tells.

  /** What comes through a load balancer or another proxy comes from many clients over one connection. */
  get owner(): object | undefined {
    const { head, client } = this;
    const isForwarded = ['x-forwarded-for', 'forwarded', 'via'].some((name) => head.field(name) !== undefined);
    return head.httpVersion === '2' || isForwarded ? undefined : client;
  }

  informed(head: InterimHead): void {
    this.moved();
    if (head.status === 100) this.upload.awaitsContinue = false;
    if (!this.hasStarted) this.client.inform(head.status, withVia(head, this.forward!.via));
  }

  deviated(what: Deviation): void {
    try {
      if (!this.isOver) this.context.options.deviated?.(what, this.forward!.upstream);
    } catch (error) {
      this.context.faulted(error);
    }
  }

  responseStarted(head: ResponseHead): void {
    if (this.isOver || this.hasStarted) return;
    const { forward } = this;
    const added = forward!.responseHeaders?.(head.status);
    this.hasStarted = true;
    this.status = head.status;
    this.moved();
    this.responseStartedMs = this.nowMs;
    const isAsItCame = added === undefined && forward!.via === undefined;
    this.client.begin(
      isAsItCame ? head : { ...head, fields: withVia(head, this.forward!.via) + buildFieldBlock(added) },
    );
    // One with a stated length is a file like any other: it cannot be ended before that.
    if (head.isEventStream && head.bodyLength === -1) this.beginEvents(head);
    this.grpc?.responseStarted(this.nowMs);
  }

  responseReceived(bytes: Buffer): void {
    // A client that takes its response is not late with the rest of its upload.
    this.moved();
    if (this.isOver) return;
    if (this.stream) return this.stream.take(bytes);
    if (this.grpc?.respond(bytes)) this.becomeGrpcStream();
    this.pass(bytes);
  }

  responseEnded(trailers: FieldBlock): void {
    if (this.isOver || this.isResponseEnded) return;
    this.isResponseEnded = true;
    this.stream?.onEnd();
    const { upstream } = this;
    this.upstream = undefined;
    // What the upstream did not want to read of a body must not stand before the next request.
    this.upload.resume();
    this.client.end(trailers);
    if (this.upload.isOver) return;
    upstream?.destroy();
    this.client.flush();
  }

  responseFlushed(): void {
    if (!this.isOver) this.client.flush();
  }

  upstreamDrained(): void {
    this.moved();
    this.upload.resume();
  }

  switched(head: ResponseHead): void {
    if (this.isOver || !isSwitch(head, this.head)) return this.upstreamFailed('malformed', 'maybe', UNASKED_SWITCH);
    const { forward, context } = this;
    const added = forward!.responseHeaders?.(101);
    const client = this.client.detach();
    const upstream = this.upstream!.detach();
    if (!client || !upstream) return this.force();
    // From here on the connection belongs to another exchange, and this object is free.
    this.isOver = true;
    this.forget?.();
    client.transport.write(switchingProtocols(withVia(head, this.forward!.via) + buildFieldBlock(added)));
    const connection = new UpgradedConnection(context, forward!);
    context.options.ledger.replace(this, connection, 'websocket');
    connection.begin(client, upstream, isOpaque(this.head));
  }

  upstreamFailed(failure: UpstreamFailure, seen: Seen, cause?: FailureCause): void {
    if (this.isOver || this.isResponseEnded) return;
    this.upstream?.destroy();
    this.upstream = undefined;
    if (!this.hasStarted && this.canRepeat(failure, seen)) return this.repeat();
    this.failure = failure;
    this.cause = cause;
    if (this.hasStarted) return this.force();
    try {
      this.respond(this.context.options.failureResponse(failure, this.head));
    } catch (error) {
      this.fault(error);
    }
  }

  /** Whether a kept connection was stale, and a repeat asks the upstream for nothing twice. */
  private canRepeat(failure: UpstreamFailure, seen: Seen): boolean {
    if (failure !== 'reset' || this.hasRepeated || this.context.options.repeatsStale === false) return false;
    return this.upload.isRepeatable && (seen === 'nothing' || (seen === 'unlikely' && this.isIdempotent));
  }

  private repeat(): void {
    this.hasRepeated = true;
    this.send('fresh');
    this.upload.repeat(this.upstream!);
    if (!this.upstream!.isBackedUp) this.upload.resume();
  }

  private pass(bytes: Buffer): void {
    this.bytesSent += bytes.length;
    this.client.write(bytes);
    if (!this.client.isBackedUp || this.isResponsePaused) return;
    this.isResponsePaused = true;
    this.stallDetector.clientMoved(this.nowMs);
    this.upstream?.pauseResponse();
  }

  /**
   * Only an EventSource sends a GET, and comes back by itself when its stream ends between two events. To anybody else (an
   * LLM's client, MCP) such an end would be that of the whole response.
   */
  private beginEvents(head: ResponseHead): void {
    this.mayBeSilent = true;
    if (this.head.method !== 'GET') return this.become('streaming');
    this.become('serverSentEvents');
    this.stream = new EventStream(
      {
        write: (bytes) => this.pass(bytes),
        endStream: () => this.endInOrder(() => this.client.end('')),
        overdue: () => this.force(),
      },
      head.isEncoded,
    );
  }

  private becomeGrpcStream(): void {
    if (this.kind !== 'grpcStream') this.become('grpcStream');
  }

  /** Finds the side that keeps the other waiting for too long. */
  tick(nowMs: number): void {
    if (this.isOver || this.unpark) return;
    if (this.grpc?.isStream(nowMs)) this.becomeGrpcStream();
    else if (this.isStreaming(nowMs)) this.context.options.ledger.reclassify(this, 'streaming');
    const late = this.findLate(nowMs);
    if (late === 'client') this.giveUpOnClient();
    else if (late === 'upstream') this.upstreamFailed('idleTimeout', 'maybe');
  }

  /** A response that is still under way: a long one, or one that comes as it is made. What it is, its bytes do not say. */
  private isStreaming(nowMs: number): boolean {
    return this.kind === 'http' && nowMs - this.responseStartedMs >= STREAMING_AFTER_MS;
  }

  private findLate(nowMs: number): 'client' | 'upstream' | undefined {
    this.lookForReader();
    const isClients = this.upload.isAwaited || this.client.isBackedUp;
    const isUpstreams = this.upstream !== undefined && !this.upload.isAwaited && !this.isResponsePaused;
    const isFirstByte = this.upload.isOver && !this.hasStarted && this.upstream?.isBackedUp === false;
    const turn = { isClients, isUpstreams, isFirstByte, isStream: this.mayBeSilent || this.kind === 'grpcStream' };
    return this.isClientTooSlow(nowMs, turn) ? 'client' : this.stallDetector.late(nowMs, turn, this.context.timeouts);
  }

  /** How fast a stream should go is unknown. */
  private isClientTooSlow(nowMs: number, { isClients, isStream }: Turn): boolean {
    const { uploadBytesPerSecond, readBytesPerSecond } = this.context.limits;
    const moved = this.bytesReceived + this.bytesSent - this.pendingBytes;
    if (this.pace === undefined) {
      if (isClients && !isStream) this.pace = new Pace(nowMs, moved);
      return false;
    }
    const perSecond = this.client.isBackedUp ? readBytesPerSecond : uploadBytesPerSecond;
    return this.pace.isTooSlow(nowMs, isClients && !isStream, moved, perSecond, this.context.timeouts.bodyIdleMs);
  }

  /** A client that reads slowly is not one that does not read. */
  private lookForReader(): void {
    const pending = this.client.isBackedUp ? this.client.pendingBytes : 0;
    if (pending < this.pendingBytes) this.stallDetector.clientMoved(this.nowMs);
    this.pendingBytes = pending;
  }

  private giveUpOnClient(): void {
    if (this.hasStarted) return this.force();
    this.upload.isOver = true;
    this.respond({ status: 408, headers: { connection: 'close' }, body: 'The body did not come in time\n' });
  }

  private cutOnSignal(signal: AbortSignal): void {
    const cut = () => this.upstreamFailed('reset', 'maybe');
    this.forget = () => signal.removeEventListener('abort', cut);
    signal.addEventListener('abort', cut);
    if (signal.aborted) cut();
  }

  private moved(): void {
    this.stallDetector.clientMoved(this.nowMs);
    this.stallDetector.upstreamMoved(this.nowMs);
  }
}

function findHost({ host, port }: Upstream): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
