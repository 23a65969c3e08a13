import type { ConnectionKind, Ending } from '../../../core/proxy/connections';
import { LedgerEntry } from '../contract/ledger';
import type { PlaneContext } from '../shared/context';
import type { Response, FailureCause, Forward, UpstreamFailure } from '../contract/data-plane';
import type { EventStream } from '../streams/event-stream';
import type { DownstreamStream, EngineHead, UpstreamStream } from '../contract/streams';
import { GRPC_UNAVAILABLE, GrpcWatch } from '../streams/grpc';
import type { Ticking } from '../shared/ticker';
import { NO_UPLOAD, Upload } from './upload';

/**
 * How an exchange ends, from whichever side: the client, the upstream, a drain, the route's signal or an error. It leaves the
 * ledger once, and frees what it held.
 */
export abstract class ExchangeEnd extends LedgerEntry implements Ticking {
  isOver = false;
  protected forward: Forward | undefined = undefined;
  protected upstream: UpstreamStream | undefined = undefined;
  protected status: number | undefined = undefined;
  protected failure: UpstreamFailure | undefined = undefined;
  protected cause: FailureCause | undefined = undefined;
  /** The response has begun: no other can take its place. */
  protected hasStarted = false;
  protected isResponseEnded = false;
  protected readonly upload: Upload;
  protected stream: EventStream | undefined = undefined;
  protected grpc: GrpcWatch | undefined = undefined;
  /** Gives up the place among the held. */
  protected unpark: (() => void) | undefined = undefined;
  /** Stops listening to the route's signal. */
  protected forget: (() => void) | undefined = undefined;
  /** How it counts out when the response ends well. */
  private ending: Ending = 'completed';
  private isTicking = false;

  constructor(
    protected readonly context: PlaneContext,
    protected readonly client: DownstreamStream,
    protected readonly head: EngineHead,
  ) {
    super();
    this.upload = head.bodyLength === 0 ? NO_UPLOAD : new Upload(client, head);
  }

  abstract tick(nowMs: number): void;

  /** A drain has no time left for it. A stream ends in order; anything else is cut. */
  close(): Promise<void> {
    if (this.stream) return this.stream.close();
    const { client, grpc } = this;
    if (grpc && client.endGrpc && (grpc.isAtBoundary || !this.hasStarted)) {
      this.endInOrder(() => client.endGrpc!(GRPC_UNAVAILABLE, 'The server is being replaced'));
      return Promise.resolve();
    }
    this.force();
    return Promise.resolve();
  }

  /** An error of our own costs this client its response, and no other client anything. */
  fault(error: unknown): void {
    this.context.faulted(error);
    if (this.isOver) return;
    if (this.hasStarted) this.force();
    else this.respond({ status: 500, body: 'Internal error\n' });
  }

  responseSent(): void {
    this.finish(this.ending);
  }

  clientGone(): void {
    this.finish('forced');
  }

  protected reject(response: Response): void {
    const why = (response.body ?? '').trimEnd();
    const notified = { status: response.status, address: this.head.client.address, why };
    const { refused, rejectionResponse } = this.context.options;
    refused?.(notified);
    const own = rejectionResponse?.(notified);
    this.respond(own ? { ...own, headers: { ...response.headers, ...own.headers } } : response);
  }

  protected become(kind: ConnectionKind): void {
    this.context.options.ledger.reclassify(this, kind);
    this.forward!.opened?.(this.status ?? 200, kind);
  }

  /** A drain ends the response, in the words of its protocol. */
  protected endInOrder(end: () => void): void {
    if (this.isOver || this.isResponseEnded) return;
    this.isResponseEnded = true;
    this.ending = 'closed';
    this.hasStarted = true;
    // As any other call that got no response of its upstream.
    this.status ??= 503;
    this.upstream?.destroy();
    this.upstream = undefined;
    this.upload.resume();
    end();
    this.client.flush();
  }

  /** Responds by the proxy itself. Nothing of the upstream's response has gone out. */
  protected respond(response: Response): void {
    if (this.isOver || this.hasStarted) return;
    this.hasStarted = true;
    this.isResponseEnded = true;
    this.status = response.status;
    this.upstream?.destroy();
    this.upstream = undefined;
    this.upload.resume();
    this.client.respond(response);
  }

  /** For a client whose connection does not tick it. */
  tickByItself(): void {
    if (this.isOver) return;
    this.isTicking = true;
    this.context.ticker.add(this);
  }

  protected get nowMs(): number {
    return this.context.ticker.nowMs;
  }

  protected force(): void {
    if (this.isOver) return;
    this.client.reset();
    this.finish('forced');
  }

  private finish(ending: Ending): void {
    if (this.isOver) return;
    this.isOver = true;
    this.unpark?.();
    if (this.isTicking) this.context.ticker.remove(this);
    this.stream?.onClose();
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
