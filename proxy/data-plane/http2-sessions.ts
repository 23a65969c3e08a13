import type { Http2ServerRequest, ServerHttp2Session } from 'node:http2';

const NO_ERROR = 0;
/** RFC 9113 section 6.8: the highest stream id says "no more, please" without refusing what is on its way. */
const ANY_STREAM = 2 ** 31 - 1;

/** The HTTP/2 sessions of a server, and how a drain lets them go. */
export class Http2Sessions {
  private readonly live = new Set<ServerHttp2Session>();
  private readonly leaving = new WeakSet<ServerHttp2Session>();

  constructor(private readonly idleMs: number) {}

  add(session: ServerHttp2Session): void {
    this.live.add(session);
    session.on('error', () => undefined);
    session.once('close', () => this.live.delete(session));
    session.setTimeout(this.idleMs, () => session.close());
  }

  retireAll(): void {
    for (const session of this.live) this.retire(session);
  }

  /** GOAWAY in two steps: a warning at once, and the last stream's number when the client must have read it. */
  retire(session: ServerHttp2Session): void {
    if (this.leaving.has(session) || session.closed || session.destroyed) return;
    this.leaving.add(session);
    session.goaway(NO_ERROR, ANY_STREAM);
    if (!session.ping(() => session.close())) session.close();
  }

  destroy(): void {
    for (const session of this.live) session.destroy();
  }
}

/** Without a body, an answer ends with its head. */
const BODILESS = new Set([204, 205, 304]);

/** RFC 9113 section 8.1: a client whose whole answer is there may stop sending, and is told so without an error. */
export function endUploadAfterAnswer({ stream, method }: Http2ServerRequest): void {
  if (stream.endAfterHeaders) return;
  // What was written last is to go out first.
  const close = () =>
    setImmediate(() => {
      if (!stream.readableEnded && !stream.closed) stream.close(NO_ERROR);
    });
  // Node ends a body with its trailers, or with an empty frame in their place.
  stream.once('wantTrailers', close);
  stream.once('finish', () => {
    if (method === 'HEAD' || BODILESS.has(Number(stream.sentHeaders?.[':status']))) close();
  });
}
