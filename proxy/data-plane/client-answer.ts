import { ServerResponse, type IncomingMessage, type InformationEvent } from 'node:http';
import type { Answer, RequestHead } from './data-plane';
import { Fields, Framing, answerFields, append } from './fields';
import { ClientRequest, ClientResponse, isHttp2, requestFraming } from './head';

type Added = (status: number) => Readonly<Record<string, string | string[]>>;

/** What one client gets: the upstream's answer or one of our own, in HTTP/1.x or HTTP/2. */
export class ClientAnswer {
  /** How the request's body ends. */
  readonly framing: Framing;
  private sent: number | undefined;

  constructor(
    private readonly request: ClientRequest,
    private readonly response: ClientResponse,
    private readonly head: RequestHead,
    private readonly isDraining: () => boolean,
  ) {
    this.framing = requestFraming(request);
  }

  /** The status of the answer that has begun. */
  get status(): number | undefined {
    return this.sent;
  }

  /** No other answer can take the place of this one any more. */
  get hasBegun(): boolean {
    return this.response.headersSent;
  }

  /** Whether it is the client's turn to read. An answer that waits behind another of its connection has no socket. */
  isWaitingForReader(upstream: IncomingMessage | undefined): boolean {
    if (this.response instanceof ServerResponse && this.response.socket === null) return false;
    return this.response.writableEnded || (upstream?.isPaused() ?? false);
  }

  /** Answers by the proxy itself. */
  give(answer: Answer): void {
    const body = Buffer.from(answer.body ?? '');
    const fields: Fields = { ...answer.headers };
    if (body.length > 0) fields['content-type'] ??= 'text/plain; charset=utf-8';
    if (answer.status !== 204 && answer.status !== 304) fields['content-length'] = String(body.length);
    if (isHttp2(this.request)) delete fields.connection;
    else if (this.closesConnection()) fields.connection = 'close';
    this.sent = answer.status;
    this.response.writeHead(answer.status, fields);
    this.response.end(this.head.method === 'HEAD' ? undefined : body);
    this.request.resume();
  }

  /**
   * Begins the upstream's answer.
   *
   * @throws Error when its head cannot be said to this client, or `added` throws.
   */
  begin(upstream: IncomingMessage, added: Added | undefined): void {
    const status = upstream.statusCode ?? 0;
    if (status < 200) throw new Error(`'status' must be one that ends a request, got ${status}`);
    const isHttp1 = !isHttp2(this.request);
    const hasBody = this.head.method !== 'HEAD' && status !== 204 && status !== 304;
    const isChunked = upstream.headers['content-length'] === undefined && this.head.httpVersion !== '1.0';
    const fields = answerFields(upstream.headersDistinct, status, hasBody && (isChunked || !isHttp1));
    append(fields, added?.(status) ?? {});
    if (isHttp1 && this.closesConnection()) fields.connection = 'close';
    // HTTP/2 has no reason phrase.
    if (this.response instanceof ServerResponse) this.response.writeHead(status, upstream.statusMessage, fields);
    else this.response.writeHead(status, fields);
    this.sent = status;
  }

  /** An HTTP/2 head is out as soon as it is written. */
  flushHead(): void {
    if (this.response instanceof ServerResponse && !this.response.writableEnded) this.response.flushHeaders();
  }

  /** The upstream switched protocols, and its 101 is the answer. */
  switched(): void {
    this.sent = 101;
  }

  /** Passes a 100 or 103 on. */
  inform(info: InformationEvent): void {
    if (this.hasBegun || this.head.httpVersion === '1.0') return;
    if (info.statusCode === 100 && this.head.headers.expect !== undefined) this.response.writeContinue();
    const { link } = info.headers;
    if (info.statusCode !== 103 || link === undefined) return;
    try {
      this.response.writeEarlyHints({ link });
    } catch {
      // Node takes only links of one form. A hint is no part of the answer: without it nothing is lost.
    }
  }

  /** A truncated answer must not look like a whole one: a plain FIN ends an HTTP/1.0 body. */
  destroy(): void {
    if (isHttp2(this.request)) return void this.request.stream.close(2 /* INTERNAL_ERROR, RFC 9113 section 7 */);
    const { socket } = this.request;
    if ('encrypted' in socket) socket.destroy();
    else socket.resetAndDestroy();
  }

  /** A close under a body that is still coming would reset the answer away; Node reads such a body to its end. */
  private closesConnection(): boolean {
    return this.isDraining() && (this.framing === 'none' || this.request.complete);
  }
}
