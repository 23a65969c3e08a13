import {
  ServerResponse,
  type ClientRequest as UpstreamRequest,
  type IncomingMessage,
  type InformationEvent,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { ConnectionKind, Ending } from '../../core/connections';
import type { Guard } from '../ledger';
import { watchAttempt } from './attempt';
import type { Answer, DataPlaneOptions, Forward, Outcome, RequestHead, Timeouts, UpstreamFailure } from './data-plane';
import { EventStreamRelay, isEventStream } from './event-stream';
import { Fields, Framing, answerFields, append, endToEnd, requestFields, trailerFields } from './fields';
import { ClientRequest, ClientResponse, isHttp2, refuse, requestFraming } from './head';
import type { ConnectionChoice, UpstreamPools } from './upstream-pool';

/** What an exchange needs of the engine around it. */
export interface ExchangeContext {
  readonly options: DataPlaneOptions;
  readonly timeouts: Timeouts;
  readonly pools: UpstreamPools;
  readonly isDraining: () => boolean;
}

/** RFC 9110 section 9.2.2, of which a proxy may send again what had no body. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** An upgrade that the upstream accepted, for whoever speaks its protocol. */
export interface Accepted {
  readonly answer: IncomingMessage;
  readonly fields: Fields;
  readonly upstream: Socket;
  readonly upstreamHead: Buffer;
  readonly guard: Guard;
  /** Ends the exchange: the tunnel is over. */
  readonly over: (how: Ending) => void;
}

/** How a protocol switch is asked for; see `websocket.ts`. */
export interface UpgradeRequest {
  readonly fields: Fields;
  /** Returns false when the upstream's 101 is not what was asked for. */
  readonly accept: (accepted: Accepted) => boolean;
}

/** One request of a client and its answer, from the route's decision until both are over. */
export class Exchange {
  private guard: Guard | undefined;
  private forward: Forward | undefined;
  private upstreamRequest: UpstreamRequest | undefined;
  private upstreamResponse: IncomingMessage | undefined;
  private kind: ConnectionKind = 'http';
  private status: number | undefined;
  private failure: UpstreamFailure | undefined;
  private isOver = false;
  private isHandedOver = false;
  /** How it counts out when the answer ends well. */
  private ending: Ending = 'completed';
  private readonly framing: Framing;
  private readonly clientGone = () => this.abandon();

  constructor(
    private readonly context: ExchangeContext,
    private readonly request: ClientRequest,
    private readonly response: ClientResponse,
    private readonly head: RequestHead,
    private readonly upgrade?: UpgradeRequest,
  ) {
    this.framing = requestFraming(request);
    request.on('error', () => undefined);
    response.on('error', () => undefined);
  }

  run(): void {
    const decision = this.context.options.route(this.head);
    if ('answer' in decision) return this.answer(decision.answer);
    this.forward = decision.forward;
    this.guard = this.context.options.ledger.open('http', { close: () => this.force() });
    this.response.once('finish', () => this.finished());
    this.response.once('close', this.clientGone);
    // An answer that waits behind another of its connection has no socket yet, and is not told when that closes.
    if (!isHttp2(this.request)) this.request.socket.once('close', this.clientGone);
    this.send(this.upgrade ? 'fresh' : this.mayRepeat() ? 'shared' : 'young');
  }

  /** Answers by the proxy itself. Nothing of the upstream's answer may have gone out yet. */
  answer(answer: Answer): void {
    const body = Buffer.from(answer.body ?? '');
    const fields: Fields = { ...answer.headers };
    if (body.length > 0) fields['content-type'] ??= 'text/plain; charset=utf-8';
    if (answer.status !== 204 && answer.status !== 304) fields['content-length'] = String(body.length);
    if (isHttp2(this.request)) delete fields.connection;
    else if (this.closesConnection()) fields.connection = 'close';
    this.status = answer.status;
    this.response.writeHead(answer.status, fields);
    this.response.end(this.head.method === 'HEAD' ? undefined : body);
    this.request.resume();
  }

  private send(choice: ConnectionChoice): void {
    const { upstream, requestHeaders } = this.forward!;
    const fields = {
      ...requestFields({ ...this.head.headers }, this.framing),
      ...requestHeaders,
      ...this.upgrade?.fields,
    };
    for (const [name, value] of Object.entries(fields)) if (value === undefined) delete fields[name];
    const message = {
      method: this.head.method,
      path: this.head.url,
      headers: fields,
      idleMs: this.context.timeouts.upstreamIdleMs,
    };
    let request: UpstreamRequest;
    try {
      request = this.context.pools.request(upstream, choice, message);
    } catch {
      // Node checks here what its HTTP/2 side let through: bytes that HTTP/1.1 has no way to say.
      return this.answer(refuse(400, 'The request cannot be said in HTTP/1.1'));
    }
    this.upstreamRequest = request;
    watchAttempt(request, this.context.timeouts.connectMs, {
      information: (info) => this.inform(info),
      response: (response) => this.relay(response),
      upgrade: (response, socket, head) => this.switchProtocols(response, socket, head),
      failed: (failure, isStale) =>
        isStale && this.mayRepeat() && !this.isOver ? this.send('fresh') : this.fail(failure),
      isStalled: () => this.isUpstreamStalled(),
    });
    this.sendBody(request);
  }

  private sendBody(upstream: UpstreamRequest): void {
    if (this.framing === 'none') return void upstream.end();
    upstream.flushHeaders();
    const body: Readable = this.request;
    body.pipe(upstream, { end: false });
    body.once('end', () => {
      if (this.framing === 'chunked') upstream.addTrailers(trailerFields(this.request.trailers));
      upstream.end();
    });
  }

  private inform(info: InformationEvent): void {
    if (this.response.headersSent || this.isOver || this.head.httpVersion === '1.0') return;
    if (info.statusCode === 100 && this.head.headers.expect !== undefined) this.response.writeContinue();
    const link = info.headers.link;
    if (info.statusCode === 103 && link !== undefined) this.response.writeEarlyHints({ link });
  }

  private relay(upstream: IncomingMessage): void {
    this.upstreamResponse = upstream;
    upstream.on('error', () => undefined);
    upstream.once('close', () => {
      if (!upstream.complete) this.breakOff('reset');
    });
    if (this.isOver) return void upstream.destroy();
    try {
      this.writeHead(upstream);
    } catch {
      upstream.destroy();
      return this.fail('malformed');
    }
    if (isEventStream(upstream)) this.relayEvents(upstream);
    else this.relayBody(upstream);
  }

  private writeHead(upstream: IncomingMessage): void {
    const status = upstream.statusCode ?? 0;
    const isHttp1 = !isHttp2(this.request);
    const hasBody = this.head.method !== 'HEAD' && status !== 204 && status !== 304;
    const isChunked = upstream.headers['content-length'] === undefined && this.head.httpVersion !== '1.0';
    const fields = answerFields(upstream.headersDistinct, status, hasBody && (isChunked || !isHttp1));
    append(fields, this.forward?.responseHeaders?.(status) ?? {});
    if (isHttp1 && this.closesConnection()) fields.connection = 'close';
    // HTTP/2 has no reason phrase.
    if (this.response instanceof ServerResponse) this.response.writeHead(status, upstream.statusMessage, fields);
    else this.response.writeHead(status, fields);
    this.status = status;
  }

  private relayBody(upstream: IncomingMessage): void {
    upstream.pipe(this.response, { end: false });
    upstream.once('end', () => {
      const trailers = trailerFields(upstream.trailers);
      if (Object.keys(trailers).length > 0) this.response.addTrailers(trailers);
      this.response.end();
    });
    // Head and first bytes leave in one packet where they came in one; a head alone must not wait for them.
    setImmediate(() => {
      if (!this.isOver && !this.response.writableEnded) this.flushHead();
    });
  }

  private relayEvents(upstream: IncomingMessage): void {
    this.upstreamRequest?.setTimeout(0);
    this.kind = 'serverSentEvents';
    const relay = new EventStreamRelay(upstream, this.response, {
      ending: () => (this.ending = 'closed'),
      overdue: () => void this.force(),
    });
    this.guard?.reclassify('serverSentEvents', relay);
    this.flushHead();
  }

  /** An HTTP/2 head is out as soon as it is written. */
  private flushHead(): void {
    if (this.response instanceof ServerResponse) this.response.flushHeaders();
  }

  private switchProtocols(answer: IncomingMessage, upstream: Socket, upstreamHead: Buffer): void {
    if (this.isOver || !this.upgrade || !this.guard) return void upstream.destroy();
    const fields = endToEnd(answer.headersDistinct);
    append(fields, this.forward?.responseHeaders?.(101) ?? {});
    const over = (how: Ending) => this.finish(how);
    this.isHandedOver = true;
    if (this.upgrade.accept({ answer, fields, upstream, upstreamHead, guard: this.guard, over })) {
      this.kind = 'websocket';
      this.status = 101;
      return;
    }
    this.isHandedOver = false;
    upstream.destroy();
    this.fail('malformed');
  }

  /** A close under a body that is still coming would reset the answer away; Node reads such a body to its end. */
  private closesConnection(): boolean {
    return this.context.isDraining() && (this.framing === 'none' || this.request.complete);
  }

  private mayRepeat(): boolean {
    return this.framing === 'none' && IDEMPOTENT.has(this.head.method);
  }

  /** Silence is not the upstream's fault while it waits for the client: for the rest of a body, or for room to write. */
  private isUpstreamStalled(): boolean {
    if (this.framing !== 'none' && !this.request.complete) return false;
    return !(this.upstreamResponse?.isPaused() ?? false);
  }

  /** The upstream failed. Before the answer began the client is told so; after that its stream can only be reset. */
  private fail(failure: UpstreamFailure): void {
    if (this.isOver) return;
    if (this.response.headersSent) return this.breakOff(failure);
    this.failure = failure;
    this.request.unpipe();
    this.answer(this.context.options.failureAnswer(failure, this.head));
  }

  private breakOff(failure: UpstreamFailure): void {
    if (this.isOver || this.response.writableEnded) return;
    this.failure ??= failure;
    this.destroyClient();
    this.finish('forced');
  }

  private force(): Promise<void> {
    this.destroyClient();
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

  private abandon(): void {
    if (!this.isHandedOver) this.finish('forced');
  }

  private finish(how: Ending): void {
    if (this.isOver) return;
    this.isOver = true;
    if (!isHttp2(this.request)) this.request.socket.off('close', this.clientGone);
    if (!this.isHandedOver && !this.upstreamResponse?.complete) this.upstreamRequest?.destroy();
    this.guard?.end(how);
    const outcome: Outcome = { status: this.status, kind: this.kind, ...(this.failure && { failure: this.failure }) };
    this.forward?.settled?.(outcome);
  }

  /** A truncated answer must not look like a whole one: a plain FIN ends an HTTP/1.0 body. */
  private destroyClient(): void {
    if (isHttp2(this.request)) return void this.request.stream.close(2 /* INTERNAL_ERROR, RFC 9113 section 7 */);
    const socket = this.request.socket;
    if ('encrypted' in socket) socket.destroy();
    else socket.resetAndDestroy();
  }
}
