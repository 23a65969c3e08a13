import http2, { type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Response, DataPlaneOptions, Limits, RejectedRequest, Timeouts } from '../contract/data-plane';
import type { ClientEvents, DownstreamStream, EngineHead } from '../contract/streams';
import { EXCHANGE_BYTES, Holder, TLS_BYTES } from '../shared/memory-budget';
import type { Peer } from '../contract/transport';
import { Http2Client } from './downstream';
import { sendGoaway } from './goaway';
import { FrameGuard, type GuardEvents } from './frame-guard';
import { CheckedSocket } from './checked-socket';
import { ClientConnection, Http2Head, describeConnection } from './request-head';

/** For all streams of a connection together; the first 64 KiB of RFC 9113 would make them wait for each other. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;
/** Megabytes that one session may hold, of fields and of frames that wait. */
const SESSION_MEMORY_MB = 32;
/** What a connection and a stream cost before they hold anything; measured. */
const SESSION_BYTES = 64 * 1024;
const STREAM_BYTES = 16 * 1024;
const LATER: Response = { status: 503, headers: { 'retry-after': '2' }, body: 'Too little memory\n' };
/** A connection may cancel this many streams at once, and so many a second later on (CVE-2023-44487). */
const RESET_BURST = 1000;
const RESETS_A_SECOND = 33;
/** For the last word to a client whose connection cannot be read any more. */
const LOST_MS = 1_000;

/** What the sessions need of the engine. */
export interface ClientSessionsContext {
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly isDraining: boolean;
  readonly isMemoryTight: boolean;
  readonly options: Pick<DataPlaneOptions, 'refused' | 'rejectionResponse'>;
  /** Begins the exchange of a request. It may respond in the call already. */
  begin(client: DownstreamStream, head: EngineHead): ClientEvents;
  /** Told of an error of our own; it has cost one stream its response. */
  faulted(error: unknown): void;
}

/** The HTTP/2 connections of clients: over TLS by ALPN, or plain by prior knowledge. */
export class ClientSessions {
  private readonly live = new Set<ClientSession>();

  constructor(private readonly context: ClientSessionsContext) {}

  /**
   * Takes over a connection.
   *
   * @param socket that has no reader any more; bytes that were read of it are given back by `unshift` before
   * @param client who is at its other end @default - whom the socket is connected to
   */
  accept(socket: Duplex, client?: Peer): void {
    socket.on('error', () => undefined);
    if (socket.destroyed) return;
    // Reset before it was asked who it is: no request is to go on without a name.
    if ((socket as Socket).remoteAddress === undefined) return void socket.destroy();
    // In HTTP/2 there is no half of a connection: a client's end is the end of all its streams.
    socket.allowHalfOpen = false;
    const live = new ClientSession(socket, client, this.context, () => this.live.delete(live));
    this.live.add(live);
  }

  /** GOAWAY to all; streams that are under way go on. */
  retireAll(): void {
    for (const session of this.live) session.retire();
  }

  /** The connections that are open. */
  get all(): Iterable<Holder> {
    return this.live;
  }

  /** Open connections. */
  get size(): number {
    return this.live.size;
  }

  destroy(): void {
    for (const session of this.live) session.destroy();
  }
}

/** The connection of one client. */
class ClientSession implements GuardEvents, Holder {
  private readonly session: ServerHttp2Session;
  private readonly guard: FrameGuard;
  private readonly clients = new Map<number, Http2Client>();
  private readonly streams = new Set<ServerHttp2Stream>();
  private isLeaving = false;
  private idleTimer: NodeJS.Timeout | undefined;
  private readonly connection: ClientConnection;

  constructor(
    private readonly socket: Duplex,
    client: Peer | undefined,
    private readonly context: ClientSessionsContext,
    ended: () => void,
  ) {
    this.connection = describeConnection(socket, client);
    this.guard = new FrameGuard('client', this);
    const session = http2.performServerHandshake(new CheckedSocket(socket, this.guard), sessionOptions(context.limits));
    this.session = session;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('error', () => undefined);
    session.on('stream', (stream, headers, _flags, raw) => this.begin(stream, headers, raw));
    this.watchIdle();
    session.once('close', () => {
      clearTimeout(this.idleTimer);
      ended();
    });
  }

  broken(streamId: number, code: number, why: string): void {
    const client = this.clients.get(streamId);
    if (client) client.breakOff(code);
    this.noteRejected({ status: 400, body: why });
  }

  reply(frame: Buffer): void {
    this.socket.write(frame);
  }

  /** node:http2 says why, if it can. */
  lost(): void {
    setTimeout(() => this.destroy(), LOST_MS).unref();
  }

  retire(): void {
    if (this.isLeaving || this.session.closed || this.session.destroyed) return;
    this.isLeaving = true;
    this.guard.pinged();
    sendGoaway(this.session, this.socket, this.context.timeouts.bodyIdleMs);
  }

  destroy(): void {
    this.session.destroy();
    this.socket.destroy();
  }

  get heldBytes(): number {
    let bytes = SESSION_BYTES + TLS_BYTES;
    for (const { writableLength, readableLength } of this.streams) {
      // What waits is kept by the stream, by its session, and by the connection to the upstream.
      bytes += STREAM_BYTES + EXCHANGE_BYTES + 3 * writableLength + readableLength;
    }
    return bytes;
  }

  shed(): void {
    this.destroy();
  }

  private idle(): void {
    if (this.streams.size > 0) return;
    // Its client sent GOAWAY: node:http2 ends its own half then, and waits for the client's without a limit.
    if (!this.isLeaving && (this.session.closed || this.session.destroyed)) this.destroy();
    else this.retire();
  }

  private begin(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]): void {
    // It may be broken already, and tell of it only later.
    stream.on('error', () => undefined);
    const { id = 0 } = stream;
    const fault = this.guard.findFault(id);
    if (stream.destroyed) return this.guard.forget(id);
    this.streams.add(stream);
    stream.once('close', () => this.ended(stream, id));
    if (fault !== undefined) return stream.close(fault);
    try {
      this.serve(stream, headers, raw);
    } catch (error) {
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      this.context.faulted(error);
    }
  }

  private serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]): void {
    const { limits, timeouts } = this.context;
    const head = new Http2Head(headers, raw, this.connection, !stream.endAfterHeaders);
    const client = new Http2Client(stream, head, timeouts.bodyIdleMs, () => this.destroy());
    this.clients.set(stream.id ?? 0, client);
    const rejection = head.rejection(limits) ?? (this.context.isMemoryTight ? LATER : undefined);
    if (rejection) this.reject(client, rejection);
    else client.listen(this.context.begin(client, head));
  }

  private reject(client: Http2Client, response: Response): void {
    const notified = this.noteRejected(response);
    client.respond(this.context.options.rejectionResponse?.(notified) ?? response);
  }

  private noteRejected({ status, body = '' }: Response): RejectedRequest {
    const notified = { status, address: this.connection.client.address, why: body.trimEnd() };
    this.context.options.refused?.(notified);
    return notified;
  }

  private ended(stream: ServerHttp2Stream, streamId: number): void {
    this.streams.delete(stream);
    this.clients.delete(streamId);
    this.guard.forget(streamId);
    if (this.context.isDraining) this.retire();
    // The idle time counts from the last stream's end.
    if (this.streams.size === 0 && !this.socket.destroyed) this.watchIdle();
  }

  /** Not the session's own timeout: node:http2 never clears that of a destroyed session, and it keeps it alive. */
  private watchIdle(): void {
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => this.idle(), this.context.timeouts.clientIdleMs).unref();
  }
}

function sessionOptions(limits: Limits): http2.ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.concurrentStreams,
      // Somewhat more than what is served, so that a request just over the limit is told so with a 431.
      maxHeaderListSize: 2 * limits.fieldBytes + 64 * limits.fieldLines,
      enablePush: false,
    },
    maxHeaderListPairs: 2 * limits.fieldLines + 8,
    maxSessionMemory: SESSION_MEMORY_MB,
    streamResetBurst: RESET_BURST,
    streamResetRate: RESETS_A_SECOND,
    // What an upstream says twice is passed on twice.
    strictSingleValueFields: false,
  };
}
