import type { ClientRequest as UpstreamRequest, IncomingMessage, InformationEvent } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionKind, Ending } from '../../core/connections';
import type { Guard } from '../ledger';
import { watchAttempt } from './attempt';
import { ClientAnswer } from './client-answer';
import type { Answer, Forward, Outcome, RequestHead, UpstreamFailure } from './data-plane';
import { relayDownload } from './download';
import { EventStreamRelay, isEventStream } from './event-stream';
import type { ExchangeContext } from './exchange-context';
import { append, endToEnd, requestFields } from './fields';
import { ClientRequest, ClientResponse, isHttp2, refuse } from './head';
import { endUploadAfterAnswer } from './http2-sessions';
import { Patience } from './patience';
import { firstChoice, mayRepeat } from './repeat';
import { safely } from './safely';
import type { UpgradeRequest, Upgraded } from './upgrade';
import { relayUpload } from './upload';
import type { ConnectionChoice } from './upstream-pool';

/** One request of a client and its answer, from the route's decision until both are over. */
export class Exchange {
  private guard: Guard | undefined;
  private forward: Forward | undefined;
  private upstreamRequest: UpstreamRequest | undefined;
  private upstreamResponse: IncomingMessage | undefined;
  private upgraded: Upgraded | undefined;
  private kind: ConnectionKind = 'http';
  private failure: UpstreamFailure | undefined;
  private isOver = false;
  private isHandedOver = false;
  /** The client holds its body back until the upstream asks for it. */
  private awaitsContinue: boolean;
  /** How it counts out when the answer ends well. */
  private ending: Ending = 'completed';
  private readonly client: ClientAnswer;
  private readonly patience: Patience;
  /** Around every handler of an event. */
  private readonly safely = safely((error) => this.faulted(error));
  private readonly answered = this.safely(() => this.finished());
  private readonly clientGone = this.safely(() => (this.isHandedOver ? undefined : this.finish('forced')));
  private readonly upstreamGone = this.safely(() => this.checkWhole());
  private readonly cut = this.safely(() => this.cutOff());

  constructor(
    private readonly context: ExchangeContext,
    private readonly request: ClientRequest,
    private readonly response: ClientResponse,
    private readonly head: RequestHead,
    private readonly upgrade?: UpgradeRequest,
  ) {
    this.client = new ClientAnswer(request, response, head, context.isDraining);
    this.awaitsContinue = head.headers.expect !== undefined;
    this.patience = new Patience(
      context.timeouts.bodyIdleMs,
      () => this.awaitsUpload || this.client.isWaitingForReader(this.upstreamResponse),
      this.safely(() => this.giveUpOnClient()),
    );
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (isHttp2(request)) endUploadAfterAnswer(request);
  }

  /** Asks the route and does what it says. Throws nothing. */
  readonly run = this.safely(() => {
    const decision = this.context.options.route(this.head);
    if ('answer' in decision) return this.answer(decision.answer);
    this.forward = decision.forward;
    this.guard = this.context.options.ledger.open('http', { close: () => this.force() });
    this.response.once('finish', this.answered);
    this.response.once('close', this.clientGone);
    // An answer that waits behind another of its connection has no socket yet, and is not told when that closes.
    if (!isHttp2(this.request)) this.request.socket.once('close', this.clientGone);
    const { signal } = decision.forward;
    signal?.addEventListener('abort', this.cut);
    if (signal?.aborted) return this.cutOff();
    this.send(firstChoice(this.head, this.client.framing, this.repeatsStale));
  });

  /** Answers by the proxy itself. Nothing of the upstream's answer may have gone out yet. */
  answer(answer: Answer): void {
    this.client.give(answer);
  }

  private send(choice: ConnectionChoice): void {
    const { upstream, requestHeaders } = this.forward!;
    const message = {
      method: this.head.method,
      path: this.head.url,
      headers: requestFields(this.head.headers, this.client.framing, { ...requestHeaders, ...this.upgrade?.fields }),
      idleMs: this.context.timeouts.upstreamIdleMs,
    };
    try {
      this.upstreamRequest = this.context.pools.request(upstream, choice, message);
    } catch {
      // Node checks here what its HTTP/2 side let through: bytes that HTTP/1.1 has no way to say.
      return this.answer(refuse(400, 'The request cannot be said in HTTP/1.1'));
    }
    this.watch(this.upstreamRequest);
    if (this.client.framing !== 'none') this.patience.progress();
    relayUpload(this.request, this.upstreamRequest, this.client.framing, {
      safely: this.safely,
      progress: () => {
        this.awaitsContinue = false;
        this.patience.progress();
      },
    });
  }

  private watch(upstream: UpstreamRequest): void {
    watchAttempt(upstream, this.context.timeouts.connectMs, {
      information: this.safely((info) => this.inform(info)),
      response: this.safely((response) => this.relay(response)),
      upgrade: this.safely((response, socket, head) => this.switchProtocols(response, socket, head)),
      failed: this.safely((failure, isStale) => {
        if (isStale && !this.isAnswered && mayRepeat(this.head, this.client.framing, this.repeatsStale))
          this.send('fresh');
        else this.fail(failure);
      }),
      isStalled: () => this.isUpstreamStalled(),
    });
  }

  private inform(info: InformationEvent): void {
    if (this.isOver) return;
    if (info.statusCode === 100) {
      this.awaitsContinue = false;
      this.patience.progress();
    }
    this.client.inform(info);
  }

  private relay(upstream: IncomingMessage): void {
    this.upstreamResponse = upstream;
    upstream.on('error', () => undefined);
    upstream.once('close', this.upstreamGone);
    if (this.isAnswered) return void upstream.destroy();
    try {
      this.client.begin(upstream, this.forward?.responseHeaders);
    } catch {
      upstream.destroy();
      return this.fail('malformed');
    }
    if (isEventStream(upstream)) this.relayEvents(upstream);
    else this.relayBody(upstream);
  }

  private relayBody(upstream: IncomingMessage): void {
    relayDownload(upstream, this.response, { safely: this.safely, progress: this.patience.progress });
    // Head and first bytes leave in one packet where they came in one; a head alone must not wait for them.
    const flush = this.safely(() => {
      if (this.isOver) return;
      this.client.flushHead();
      this.patience.progress();
    });
    setImmediate(flush);
  }

  private relayEvents(upstream: IncomingMessage): void {
    this.upstreamRequest?.setTimeout(0);
    this.patience.stop();
    this.kind = 'serverSentEvents';
    const relay = new EventStreamRelay(upstream, this.response, this.context.timeouts.streamIdleMs, {
      safely: this.safely,
      ending: () => (this.ending = 'closed'),
      overdue: () => void this.force(),
    });
    this.guard?.reclassify('serverSentEvents', relay);
    this.client.flushHead();
    this.forward?.opened?.(upstream.statusCode ?? 200, this.kind);
  }

  private switchProtocols(answer: IncomingMessage, upstream: Socket, upstreamHead: Buffer): void {
    if (this.isAnswered || !this.upgrade || !this.guard) {
      upstream.destroy();
      return this.fail('malformed');
    }
    const fields = endToEnd(answer.headersDistinct);
    append(fields, this.forward?.responseHeaders?.(101) ?? {});
    const over = (how: Ending) => this.finish(how);
    const { faulted } = this.context;
    this.isHandedOver = true;
    this.upgraded = this.upgrade.accept({ answer, fields, upstream, upstreamHead, guard: this.guard, over, faulted });
    if (this.upgraded) {
      this.patience.stop();
      this.kind = 'websocket';
      this.client.switched();
      this.forward?.opened?.(101, this.kind);
      return;
    }
    this.isHandedOver = false;
    upstream.destroy();
    this.fail('malformed');
  }

  private get repeatsStale(): boolean {
    return this.context.options.repeatsStale ?? true;
  }

  /** Whether the client has, or will have, an answer that no other can replace. */
  private get isAnswered(): boolean {
    return this.isOver || this.client.hasBegun;
  }

  /** The client has not sent all of its body, and both it and the upstream could go on with it. */
  private get awaitsUpload(): boolean {
    if (this.client.framing === 'none' || this.request.complete || this.awaitsContinue) return false;
    return !(this.upstreamRequest?.writableNeedDrain ?? false);
  }

  /** Silence is not the upstream's fault while it waits for the client: for the rest of a body, or for room to write. */
  private isUpstreamStalled(): boolean {
    return !this.awaitsUpload && !(this.upstreamResponse?.isPaused() ?? false);
  }

  /** The upstream failed. Before the answer began the client is told so; after that its stream can only be reset. */
  private fail(failure: UpstreamFailure): void {
    if (this.isOver) return;
    if (this.client.hasBegun) return this.breakOff(failure);
    this.failure = failure;
    this.request.unpipe();
    this.patience.progress();
    this.answer(this.context.options.failureAnswer(failure, this.head));
  }

  /** The upstream's answer is over, whole or not. */
  private checkWhole(): void {
    if (!this.upstreamResponse?.complete) this.breakOff('reset');
  }

  private breakOff(failure: UpstreamFailure): void {
    if (this.isOver || this.response.writableEnded) return;
    this.failure ??= failure;
    void this.force();
  }

  private giveUpOnClient(): void {
    if (this.isOver) return;
    if (this.client.hasBegun) return void this.force();
    this.request.unpipe();
    this.answer(refuse(408, 'The body did not come in time'));
    this.upstreamRequest?.destroy();
  }

  private cutOff(): void {
    if (this.upgraded) return this.upgraded.cut();
    this.fail('reset');
    this.upstreamRequest?.destroy();
  }

  /** An error of our own costs this client its answer, and nobody else anything. */
  private faulted(error: unknown): void {
    this.context.faulted(error);
    this.upgraded?.cut();
    if (this.isOver) return;
    try {
      if (!this.client.hasBegun && !this.isHandedOver) return this.answer({ status: 500, body: 'Internal error\n' });
    } catch {
      // Then without a word.
    }
    void this.force();
  }

  private force(): Promise<void> {
    this.client.destroy();
    this.finish('forced');
    return Promise.resolve();
  }

  /** The answer is over; Node says so of an HTTP/2 stream that was reset, too. */
  private finished(): void {
    if (isHttp2(this.request)) {
      const { writableFinished, rstCode } = this.request.stream;
      return this.finish(writableFinished && rstCode === 0 ? this.ending : 'forced');
    }
    // What the upstream did not want to read of a body must not stand before the next request.
    if (!this.request.complete) this.request.unpipe().resume();
    this.finish(this.ending);
  }

  private finish(ending: Ending): void {
    if (this.isOver) return;
    this.isOver = true;
    this.patience.stop();
    this.forward?.signal?.removeEventListener('abort', this.cut);
    if (!isHttp2(this.request)) this.request.socket.off('close', this.clientGone);
    if (!this.isHandedOver) this.leaveUpstream();
    this.guard?.end(ending);
    const { kind, failure } = this;
    const outcome: Outcome = { status: this.client.status, kind, ending, ...(failure && { failure }) };
    this.safely(() => this.forward?.settled?.(outcome))();
  }

  /** A connection is used again only when both messages went over it whole: Node waits for ever for the rest of a body. */
  private leaveUpstream(): void {
    const { upstreamRequest: request, upstreamResponse: response } = this;
    if (!response?.complete || !request?.writableFinished) request?.destroy();
  }
}
