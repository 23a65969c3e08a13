import type { Response } from '../contract/data-plane';

/** Of a call that has its response's head, and neither a second message nor an end for this long. */
const STREAM_AFTER_MS = 1_000;

/** A flag byte and four bytes of length stand before each message. */
const PREFIX_BYTES = 5;

/** gRPC's codes of a status, as far as a proxy gives them. */
export const GRPC_UNAVAILABLE = 14;

/** What an HTTP status means to a gRPC client that gets no status of its own. */
const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 13, // INTERNAL
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 12, // UNIMPLEMENTED
  429: GRPC_UNAVAILABLE,
  502: GRPC_UNAVAILABLE,
  503: GRPC_UNAVAILABLE,
  504: GRPC_UNAVAILABLE,
};
const GRPC_UNKNOWN = 2;

/**
 * Whether a content type is that of gRPC. gRPC-Web is not: it is made to pass as plain HTTP, with its trailers in the body.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 */
export function isGrpcContent(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:\+[^;]*)?\s*(?:;|$)/i.test(contentType);
}

/** @see https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
function findGrpcStatus(httpStatus: number): number {
  return GRPC_STATUS[httpStatus] ?? GRPC_UNKNOWN;
}

/** The fields that end a call: trailers, or the only head of a response without messages. */
export function grpcEnd(status: number, message: string): Record<string, string> {
  return { 'grpc-status': String(status), ...(message !== '' && { 'grpc-message': percentEncoded(message) }) };
}

/** The whole of a response by the proxy, for a client that reads the status of a call and not that of HTTP. */
export function grpcResponse({ status, headers, body = '' }: Response): Record<string, string> {
  const fields: Record<string, string> = { 'content-type': 'application/grpc' };
  for (const [name, value] of Object.entries(headers ?? {})) {
    const key = name.toLowerCase();
    if (!key.startsWith('content-') && key !== 'connection') fields[key] = value;
  }
  if (status === 200) return { ...fields, 'grpc-status': '0' };
  return { ...fields, ...grpcEnd(findGrpcStatus(status), body.trim() || `HTTP status ${status}`) };
}

/** Printable ASCII but `%` stands for itself. */
function percentEncoded(message: string): string {
  const bytes = Buffer.from(message);
  let encoded = '';
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Counts the messages of one direction of a call across chunks, without a look at what they say. */
export class GrpcMessages {
  /** Messages whose prefix has begun. */
  started = 0;
  /** Messages that are there as a whole. */
  complete = 0;
  private prefixBytes = 0;
  private length = 0;
  /** Bytes of the message that are still to come, its prefix not counted. */
  private missing = 0;

  /** Between two messages, or before the first. */
  get isAtBoundary(): boolean {
    return this.started === this.complete;
  }

  scan(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.missing > 0) {
        const taken = Math.min(this.missing, bytes.length - at);
        this.missing -= taken;
        at += taken;
        if (this.missing === 0) this.complete += 1;
      } else {
        this.takePrefix(bytes[at]!);
        at += 1;
      }
    }
  }

  private takePrefix(byte: number): void {
    if (this.prefixBytes === 0) {
      this.started += 1;
      this.length = 0;
    } else {
      this.length = this.length * 256 + byte;
    }
    this.prefixBytes += 1;
    if (this.prefixBytes < PREFIX_BYTES) return;
    this.prefixBytes = 0;
    this.missing = this.length;
    if (this.missing === 0) this.complete += 1;
  }
}

/**
 * Tells a stream from a unary call, which only their schema does. A call is taken for unary, and counts as `http`, until
 * one of these shows that it is none; it is final:
 *
 * - a second message begins in one direction;
 * - a message of the response is there while the client goes on with its request: no server responds to half of a unary
 * request;
 * - the client has sent a message and kept its request open for a second;
 * - the response has begun, is in the middle of no message, and the call is still open a second later: a unary response has
 *   its head, its message and its end in one go.
 *
 * So a stream whose server has said nothing yet, not even its head, counts as `http` until then.
 */
export class GrpcWatch {
  private readonly sent = new GrpcMessages();
  private readonly received = new GrpcMessages();
  private isUploadOver = false;
  private isStreaming = false;
  private messageSentMs: number | undefined;
  private responseStartedMs: number | undefined;

  /** Bytes of the request. Returns whether it is a stream now; so do the next two. */
  upload(bytes: Buffer): boolean {
    this.sent.scan(bytes);
    return this.decide();
  }

  uploadEnded(): void {
    this.isUploadOver = true;
  }

  /** Bytes of the response. */
  respond(bytes: Buffer): boolean {
    this.received.scan(bytes);
    return this.decide();
  }

  /** The head of the response is there. */
  responseStarted(nowMs: number): void {
    this.responseStartedMs ??= nowMs;
  }

  /** To be asked from time to time while the call is open; the first look after an event starts its second. */
  isStream(nowMs: number): boolean {
    if (this.isStreaming) return true;
    if (this.sent.complete > 0) this.messageSentMs ??= nowMs;
    if (this.received.started > 0) this.responseStartedMs ??= nowMs;
    const hasSent = !this.isUploadOver && isPast(this.messageSentMs, nowMs);
    const hasResponded = this.received.isAtBoundary && isPast(this.responseStartedMs, nowMs);
    this.isStreaming = hasSent || hasResponded;
    return this.isStreaming;
  }

  /** The response is in the middle of no message: it can be ended here, and the client knows all that it got. */
  get isAtBoundary(): boolean {
    return this.received.isAtBoundary;
  }

  private decide(): boolean {
    const isRespondedEarly = this.received.complete > 0 && !this.isUploadOver;
    this.isStreaming ||= this.sent.started > 1 || this.received.started > 1 || isRespondedEarly;
    return this.isStreaming;
  }
}

function isPast(sinceMs: number | undefined, nowMs: number): boolean {
  return sinceMs !== undefined && nowMs - sinceMs >= STREAM_AFTER_MS;
}
