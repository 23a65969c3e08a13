import type { MoveRejection } from '../../../core/moves/moves';
import type { ConnectionState } from '../../../core/proxy/connection-list';
import type { ConnectionKind, Ending } from '../../../core/proxy/connections';
import { LedgerEntry, Movable } from '../contract/ledger';
import type { ConnectionChoice } from '../contract/upstreams';
import { type Resume, offerToken, tokenLine } from '../moves/resume';
import type { PlaneContext } from '../shared/context';
import type {
  Response,
  Decision,
  FailureCause,
  Forward,
  Recording,
  Upstream,
  UpstreamFailure,
} from '../contract/data-plane';
import type { Deviation } from '../contract/deviations';
import type { PackedExchange, StayReason } from '../contract/handover';
import { EventStreamMove, StreamExchange, takeToken } from '../moves/event-stream-move';
import { EventStream } from '../streams/event-stream';
import { Download } from './download';
import type {
  ResponseHead,
  ClientExchange,
  DownstreamStream,
  EngineHead,
  FieldBlock,
  InterimHead,
  ReplacedFields,
  Seen,
  UpstreamEvents,
  UpstreamStream,
} from '../contract/streams';
import { buildFieldBlock, listLines } from '../fields/lines';
import { GRPC_UNAVAILABLE, GrpcWatch } from '../streams/grpc';
import { lastForwardResponse, maxForwards } from './max-forwards';
import { Turn, StallDetector } from './stall-detector';
import { NO_UPLOAD, Upload } from './upload';
import { isOpaque, isSwitch, switchingProtocols, upgradeRejection } from './upgrade';
import { UpgradedConnection } from './upgraded-connection';
import { withVia } from '../fields/via';
import { findClient, keepClient } from '../shared/client-address';
import { cutQuery, keepPath } from '../shared/path';
import type { Ticking } from '../shared/ticker';

const NOTHING = Buffer.alloc(0);
const WITHOUT_TOKEN = { fields: undefined, token: undefined } as const;
const UNASKED_SWITCH: FailureCause = { why: 'a switch of protocols that was not asked for' };
/** RFC 9110 section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/**
 * `routing`: the route decides. `held`: it has said to wait. `recording`: it is received, and waits for its record. `awaiting`: the request is on its way, and no response has begun.
 * `responding`: the head of the response has gone on. `ending`: the client's connection has the whole response, and not all
 * of it has left. `over`: it is out of the ledger, or another entry stands there for it.
 */
export type ExchangeState = 'routing' | 'held' | 'recording' | 'awaiting' | 'responding' | 'ending' | 'over';

/**
 * One request of a client and its response, from the route's decision until both have ended. It is its own entry in the
 * ledger, leaves it once, and knows no version of HTTP; see `streams.ts`. The body of the request is its `Upload`, the
 * response its `Download`.
 */
export class Exchange extends LedgerEntry implements ClientExchange, UpstreamEvents, StreamExchange, Ticking {
  private state: ExchangeState = 'routing';
  private forward: Forward | undefined = undefined;
  /** While it is of use: not before the request is sent, and not behind the whole response. */
  private upstream: UpstreamStream | undefined = undefined;
  private status: number | undefined = undefined;
  private failure: UpstreamFailure | undefined = undefined;
  private cause: FailureCause | undefined = undefined;
  private recording: Recording | undefined = undefined;
  private readonly upload: Upload;
  private readonly download: Download;
  stream: EventStream | undefined = undefined;
  private move: EventStreamMove | undefined = undefined;
  private readonly grpc: GrpcWatch | undefined;
  /** Gives up the place among the held. */
  private unpark: (() => void) | undefined = undefined;
  /** Stops listening to the route's signal. */
  private forget: (() => void) | undefined = undefined;
  /** How it counts out when the response ends well. */
  private ending: Ending = 'completed';
  private hasRepeated = false;
  private isTicking = false;
  /** Offered to the upstream, of a connection that may be moved later. */
  private token: string | undefined = undefined;
  private readonly stallDetector: StallDetector;

  constructor(
    private readonly context: PlaneContext,
    private readonly client: DownstreamStream,
    readonly head: EngineHead,
  ) {
    super();
    this.upload = head.bodyLength === 0 ? NO_UPLOAD : new Upload(client, head);
    this.download = new Download(client);
    this.stallDetector = new StallDetector(context.ticker.nowMs);
    this.grpc = head.isGrpc ? new GrpcWatch() : undefined;
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
    this.state = 'awaiting';
    this.forward = forward;
    this.context.options.ledger.enter(this, 'http', this.beginMs);
    this.recording = forward.startRecording?.(this.head);
    if (forward.signal) this.cutOnSignal(forward.signal);
    const isKept = this.recording?.isAwaited === true;
    if ((this.context.options.continuesAtOnce || isKept) && this.upload.isWithheld) this.letContinue();
    if (!this.isAwaiting) return;
    if (isKept) this.record(this.recording!);
    else this.send(this.firstChoice);
  }

  /** All of the request comes first, then its record; what was held back of it is read. */
  private record(recording: Recording): void {
    this.state = 'recording';
    if (this.upload.isOver) this.commit(recording);
    else this.upload.resume();
  }

  private commit(recording: Recording): void {
    recording.commit((rejection) => {
      try {
        if (this.state !== 'recording') return;
        if (rejection !== undefined) this.respond(rejection);
        else this.sendRecorded(recording);
      } catch (error) {
        this.fault(error);
      }
    });
  }

  private sendRecorded(recording: Recording): void {
    const { upload } = this;
    this.state = 'awaiting';
    this.send(this.firstChoice);
    for (const bytes of recording.takeBody()) if (this.upstream) upload.receive(bytes, this.upstream);
    if (upload.isOver) upload.repeatEnd(this.upstream);
    this.upstream?.flush();
  }

  /** Over HTTP/2 nothing is said: such a client goes on by itself. */
  private letContinue(): void {
    this.upload.letContinue();
    if (this.head.httpVersion === '1.1') this.client.inform(100, '');
  }

  /** In a drain its own time counts from here, to the millisecond: the last tick may be a quarter of a second old. */
  private get beginMs(): number {
    const { ticker } = this.context;
    if (this.context.isDraining) ticker.read();
    return ticker.clockMs;
  }

  private park(hold: (resume: (decision: Decision) => void) => () => void): void {
    this.state = 'held';
    this.upload.hold();
    this.unpark = hold((decision) => {
      this.unpark = undefined;
      if (this.state !== 'held') return;
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
    let fields = this.buildFields();
    if (head.upgrade === 'websocket' && this.context.moves !== undefined) {
      this.token ??= offerToken();
      fields += tokenLine(this.token);
    }
    this.open(forward!.upstream, fields, choice);
  }

  private open(upstream: Upstream, fields: FieldBlock, choice: ConnectionChoice): void {
    const { head, forward } = this;
    this.stallDetector.upstreamMoved(this.nowMs);
    this.upstream = this.context.upstreams.open(
      upstream,
      { head, url: forward!.url ?? head.url, fields, choice },
      this,
    );
  }

  private buildFields(): FieldBlock {
    const { head, forward } = this;
    const { upstream, requestHeaders } = forward!;
    const left = maxForwards(head);
    const fields = this.block(
      upstream,
      left === undefined ? requestHeaders : { ...requestHeaders, 'max-forwards': `${left - 1}` },
    );
    const moves = head.upgrade === 'websocket' ? this.context.moves : undefined;
    return moves === undefined ? fields : moves.prepare(fields);
  }

  private block(upstream: Upstream, replaced: ReplacedFields | undefined): FieldBlock {
    const { head } = this;
    const fields = head.block(replaced);
    // A request of HTTP/1.0 may have none, the one of HTTP/1.1 that is made of it may not.
    return head.field('host') === undefined ? fields + listLines('Host', findHost(upstream)) : fields;
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
    if (this.state === 'over') return;
    const isKept = this.recording?.requestReceived(bytes);
    if (this.state === 'recording' && isKept === false) return this.sendRecorded(this.recording!);
    if (this.upstream === undefined) return;
    if (this.grpc?.upload(bytes)) this.becomeGrpcStream();
    this.upload.receive(bytes, this.upstream);
  }

  uploadEnded(trailers: FieldBlock): void {
    this.stallDetector.upstreamMoved(this.nowMs);
    this.grpc?.uploadEnded();
    this.recording?.requestEnded(trailers);
    this.upload.end(trailers, this.upstream);
    if (this.state === 'recording') this.commit(this.recording!);
  }

  uploadFlushed(): void {
    this.upstream?.flush();
  }

  clientDrained(): void {
    this.moved();
    this.download.resume(this.upstream);
  }

  uploadBroken(response: Response): void {
    if (!this.canRespond) return this.force();
    this.upload.giveUp();
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
    if (head.status === 100) this.upload.letContinue();
    if (this.isAwaiting) this.client.inform(head.status, withVia(head, this.forward!.via));
  }

  deviated(what: Deviation): void {
    try {
      if (this.state !== 'over') this.context.options.deviated?.(what, this.destination!);
    } catch (error) {
      this.context.faulted(error);
    }
  }

  responseStarted(head: ResponseHead): void {
    if (this.move?.isJoining) return this.move.responded(head);
    if (!this.isAwaiting) return;
    const { forward } = this;
    const { fields, token } = head.isEventStream ? takeToken(head.fields) : WITHOUT_TOKEN;
    const added = forward!.responseHeaders?.(head.status);
    this.state = 'responding';
    this.status = head.status;
    this.recording?.responseStarted(head);
    this.moved();
    const shown = fields === undefined ? head : { ...head, fields };
    const isAsItCame = added === undefined && forward!.via === undefined;
    this.download.begin(
      isAsItCame ? shown : { ...shown, fields: withVia(shown, this.forward!.via) + buildFieldBlock(added) },
      this.nowMs,
    );
    if (this.download.mayBeSilent) this.beginEvents(head, token);
    this.grpc?.responseStarted(this.nowMs);
  }

  responseReceived(bytes: Buffer): void {
    // A client that takes its response is not late with the rest of its upload.
    this.moved();
    if (this.state !== 'responding') return;
    if (this.stream) return this.stream.take(bytes);
    if (this.grpc?.respond(bytes)) this.becomeGrpcStream();
    this.write(bytes);
  }

  responseEnded(trailers: FieldBlock): void {
    if (this.state !== 'responding') return;
    this.state = 'ending';
    this.recording?.responseEnded(trailers);
    this.stream?.onEnd();
    this.move?.over();
    const { upstream } = this;
    this.upstream = undefined;
    // What the upstream did not want to read of a body must not stand before the next request.
    this.upload.resume();
    this.download.end(trailers);
    if (this.upload.isOver) return;
    upstream?.destroy();
    this.client.flush();
  }

  responseFlushed(): void {
    if (this.state !== 'over') this.client.flush();
  }

  upstreamDrained(): void {
    this.moved();
    this.upload.resume();
  }

  switched(head: ResponseHead): void {
    if (!this.isAwaiting || !isSwitch(head, this.head))
      return this.upstreamFailed('malformed', 'maybe', UNASKED_SWITCH);
    const { forward, context } = this;
    const added = forward!.responseHeaders?.(101);
    const client = this.client.detach();
    const upstream = this.upstream!.detach();
    if (!client || !upstream) return this.force();
    const { fields, resume } = this.judgeMove(head.fields);
    // From here on the connection belongs to another exchange, and this object is free.
    this.state = 'over';
    this.recording?.responseStarted(head);
    const isFramed = !isOpaque(this.head);
    const messages = isFramed ? this.recording?.followMessages?.(head.fields) : undefined;
    this.recording?.ended();
    this.forget?.();
    client.transport.write(switchingProtocols(withVia({ ...head, fields }, forward!.via) + buildFieldBlock(added)));
    const seen = { path: keepPath(this.head.url), clientAddress: keepClient(this.head) };
    const connection = new UpgradedConnection(context, forward!, seen, resume, forward!.upstream, messages);
    context.options.ledger.replace(this, connection, 'websocket');
    connection.begin(client, upstream, !isFramed);
  }

  /** What goes to the client of a 101, and what a move of its connection rests on. */
  private judgeMove(fields: FieldBlock): { readonly fields: FieldBlock; readonly resume: Resume | MoveRejection } {
    const { head, forward, token } = this;
    const { moves } = this.context;
    if (moves === undefined) return { fields, resume: 'off' };
    if (token === undefined) return { fields, resume: 'opaque' };
    return moves.judge({ head, url: forward!.url ?? head.url, sent: this.buildFields(), fields, token });
  }

  upstreamFailed(failure: UpstreamFailure, seen: Seen, cause?: FailureCause): void {
    if (this.move?.isJoining) return this.move.failed(failure);
    if (!this.isAwaiting && this.state !== 'responding' && this.state !== 'recording') return;
    this.upstream?.destroy();
    this.upstream = undefined;
    if (this.isAwaiting && this.canRepeat(failure, seen)) return this.repeat();
    this.failure = failure;
    this.cause = cause;
    if (this.state === 'responding') return this.force();
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

  write(bytes: Buffer): void {
    this.bytesSent += bytes.length;
    this.recording?.responseReceived(bytes);
    if (this.download.pass(bytes, this.upstream)) this.stallDetector.clientMoved(this.nowMs);
  }

  /**
   * Only an EventSource sends a GET, and comes back by itself when its stream ends between two events. To anybody else (an
   * LLM's client, MCP) such an end would be that of the whole response.
   */
  private beginEvents(head: ResponseHead, token: string | undefined): void {
    if (this.head.method !== 'GET') return this.become('streaming');
    const { moves } = this.context;
    // The route forgets what it has set as soon as it hears that the stream has begun.
    if (moves !== undefined) this.move = new EventStreamMove(this, moves, this.forward!.requestHeaders, token);
    this.become('serverSentEvents');
    this.stream = new EventStream(this, head.isEncoded, this.head.field('last-event-id'));
  }

  endStream(): void {
    this.endInOrder(() => this.download.end(''));
  }

  overdue(): void {
    this.force();
  }

  override get movable(): Movable | undefined {
    return this.move;
  }

  override get destination(): Upstream | undefined {
    return this.move?.joined ?? this.forward?.upstream;
  }

  leaveUpstream(): void {
    this.upstream?.destroy();
    this.upstream = undefined;
    this.download.upstreamLeft();
  }

  ask(upstream: Upstream, replaced: ReplacedFields): void {
    this.open(upstream, this.block(upstream, replaced), 'fresh');
    this.upstream!.flush();
  }

  // To another process.

  /** Why it cannot be taken out of this process; undefined of an event stream in the middle of its response. */
  get obstacle(): StayReason | undefined {
    const { state, stream, move, upload, download, upstream } = this;
    if (state !== 'responding' || !download.mayBeSilent || !upload.isOver) return 'request';
    if (stream?.isClosing) return 'closing';
    return stream?.isMoving || move?.isJoining || upstream === undefined ? 'moving' : undefined;
  }

  /** What is read of, while there is something. */
  get source(): UpstreamStream | undefined {
    return this.upstream;
  }

  /** Undefined where it has to stay in this process. */
  get forwardRecord(): object | undefined {
    return this.forward?.record?.(this.destination!);
  }

  /**
   * Takes it out of this process, without its streams: it is of no use afterwards, and another entry has to stand for it in the ledger.
   *
   * @returns with it what is held back of an event
   */
  pack(): { readonly packed: PackedExchange; readonly forward: Forward; readonly held: Buffer } {
    const { status, stream, move, stallDetector, forward } = this;
    const { packed: events, held = NOTHING } = stream?.pack() ?? {};
    const silentMs = stallDetector.silentMs(this.nowMs);
    this.state = 'over';
    this.recording?.ended();
    this.upstream = undefined;
    this.forget?.();
    return { packed: { status: status!, silentMs, events, move: move?.pack() }, forward: forward!, held };
  }

  /** Goes on where another one was; the ledger knows it already. @param upstream where it is connected to */
  unpack(
    { status, silentMs, events, move }: PackedExchange,
    held: Buffer,
    { forward, upstream }: { readonly forward: Forward; readonly upstream: Upstream },
  ): void {
    const { moves } = this.context;
    this.state = 'responding';
    this.status = status;
    this.forward = forward;
    this.upload.giveUp();
    this.download.continue();
    this.stallDetector.upstreamMoved(this.nowMs - silentMs);
    if (events !== undefined) this.stream = EventStream.unpack(events, held, this);
    if (move !== undefined && moves !== undefined) this.move = EventStreamMove.unpack(move, this, moves, upstream);
  }

  /** Behind `unpack`: nothing is read before it. */
  join(upstream: UpstreamStream): void {
    this.upstream = upstream;
    if (this.forward?.signal) this.cutOnSignal(this.forward.signal);
  }

  private becomeGrpcStream(): void {
    if (this.kind !== 'grpcStream') this.become('grpcStream');
  }

  /** Finds the side that keeps the other waiting for too long. */
  tick(nowMs: number): void {
    switch (this.state) {
      case 'routing':
      case 'held':
      case 'over':
        return;
      case 'recording':
      case 'awaiting':
      case 'responding':
      case 'ending':
        this.findKind(nowMs);
        return this.endLate(this.findLate(nowMs));
    }
  }

  private findKind(nowMs: number): void {
    if (this.grpc?.isStream(nowMs)) this.becomeGrpcStream();
    else if (this.kind === 'http' && this.download.isStreaming(nowMs))
      this.context.options.ledger.reclassify(this, 'streaming');
  }

  private endLate(late: 'client' | 'upstream' | undefined): void {
    if (late === 'client') this.giveUpOnClient();
    else if (late === 'upstream') this.upstreamFailed('idleTimeout', 'maybe');
  }

  private findLate(nowMs: number): 'client' | 'upstream' | undefined {
    const { upload, download, upstream, stallDetector } = this;
    const { limits, timeouts } = this.context;
    if (download.hasReader()) stallDetector.clientMoved(this.nowMs);
    const isReaderAwaited = download.isAwaited;
    const turn: Turn = {
      isClients: upload.isAwaited || isReaderAwaited,
      isUpstreams: upstream !== undefined && !upload.isAwaited && !download.isPaused,
      isFirstByte: upload.isOver && this.isAwaiting && upstream?.isBackedUp === false,
      isStream: download.mayBeSilent || this.kind === 'grpcStream',
    };
    const moved = this.bytesReceived + this.bytesSent - download.pendingBytes;
    const perSecond = isReaderAwaited ? limits.readBytesPerSecond : limits.uploadBytesPerSecond;
    if (stallDetector.isClientTooSlow(nowMs, turn, moved, perSecond, timeouts.bodyIdleMs)) return 'client';
    return stallDetector.late(nowMs, turn, timeouts);
  }

  private giveUpOnClient(): void {
    if (!this.canRespond) return this.force();
    this.upload.giveUp();
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

  override get path(): string {
    return cutQuery(this.head.url);
  }

  override get clientAddress(): string {
    return findClient(this.head);
  }

  override get phase(): ConnectionState {
    switch (this.state) {
      case 'routing':
      case 'held':
      case 'recording':
      case 'awaiting':
        return 'awaiting';
      case 'responding':
        if (this.stream?.isClosing) return 'closing';
        return this.stream?.isAway ? 'moving' : 'responding';
      case 'ending':
      case 'over':
        return 'ending';
    }
  }

  // How it ends.

  /** A drain has no time left for it. A stream ends in order; anything else is cut. */
  close(): Promise<void> {
    if (this.stream) return this.stream.close();
    const { client, grpc } = this;
    if (grpc && client.endGrpc && (grpc.isAtBoundary || this.canRespond)) {
      this.endInOrder(() => client.endGrpc!(GRPC_UNAVAILABLE, 'The server is being replaced'));
      return Promise.resolve();
    }
    this.force();
    return Promise.resolve();
  }

  closeStream(): void {
    void this.stream?.close().catch(() => undefined);
  }

  /** An error of our own costs this client its response, and no other client anything. */
  fault(error: unknown): void {
    this.context.faulted(error);
    if (this.canRespond) this.respond({ status: 500, body: 'Internal error\n' });
    else this.force();
  }

  responseSent(): void {
    this.finish(this.ending);
  }

  clientGone(): void {
    this.finish('forced');
  }

  private reject(response: Response): void {
    const why = (response.body ?? '').trimEnd();
    const notified = { status: response.status, address: this.head.client.address, why };
    const { refused, rejectionResponse } = this.context.options;
    refused?.(notified);
    const own = rejectionResponse?.(notified);
    this.respond(own ? { ...own, headers: { ...response.headers, ...own.headers } } : response);
  }

  private become(kind: ConnectionKind): void {
    this.context.options.ledger.reclassify(this, kind);
    this.forward!.opened?.(this.status ?? 200, kind);
  }

  /** A drain ends the response, in the words of its protocol. */
  private endInOrder(end: () => void): void {
    if (!this.canRespond && this.state !== 'responding') return;
    this.state = 'ending';
    this.ending = 'closed';
    this.move?.over();
    // As any other call that got no response of its upstream.
    this.status ??= 503;
    this.upstream?.destroy();
    this.upstream = undefined;
    this.upload.resume();
    end();
    this.client.flush();
  }

  /** Responds by the proxy itself. Nothing of the upstream's response has gone out. */
  private respond(response: Response): void {
    if (!this.canRespond) return;
    this.state = 'ending';
    this.status = response.status;
    this.recording?.responded(response.status);
    this.upstream?.destroy();
    this.upstream = undefined;
    this.upload.resume();
    this.client.respond(response);
  }

  /** For a client whose connection does not tick it. */
  tickByItself(): void {
    if (this.state === 'over') return;
    this.isTicking = true;
    this.context.ticker.add(this);
  }

  /** The request is with the upstream, which owes the head of its response. */
  private get isAwaiting(): boolean {
    return this.state === 'awaiting';
  }

  /** Nothing has gone to the client: a response by the proxy itself can. */
  private get canRespond(): boolean {
    switch (this.state) {
      case 'routing':
      case 'held':
      case 'recording':
      case 'awaiting':
        return true;
      case 'responding':
      case 'ending':
      case 'over':
        return false;
    }
  }

  private get nowMs(): number {
    return this.context.ticker.nowMs;
  }

  private force(): void {
    if (this.state === 'over') return;
    this.client.reset();
    this.finish('forced');
  }

  private finish(ending: Ending): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.recording?.ended();
    this.unpark?.();
    if (this.isTicking) this.context.ticker.remove(this);
    this.stream?.onClose();
    this.move?.over();
    this.upstream?.destroy();
    this.upstream = undefined;
    const { forward, status, kind, failure, cause, bytesReceived, bytesSent } = this;
    if (forward === undefined) return;
    this.forget?.();
    this.context.options.ledger.leave(this, ending);
    if (forward.settled === undefined) return;
    try {
      forward.settled({ status, kind, ending, failure, cause, bytesReceived, bytesSent });
    } catch (error) {
      this.context.faulted(error);
    }
  }
}

function findHost({ host, port }: Upstream): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
