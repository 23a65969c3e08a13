import type { DownstreamStream, FieldBlock, ResponseHead, UpstreamStream } from '../contract/streams';

/** From the head of a response until it counts as one that streams: as long as a gRPC call has to show what it is. */
const STREAMING_AFTER_MS = 1_000;

/** The response of one request on its way: where it is stopped, and whether it streams. */
export class Download {
  /** It may be without a byte for as long as `streamIdleMs`: an event stream. */
  mayBeSilent = false;
  /** The upstream is not read while the client does not read. */
  isPaused = false;
  /** Written and not read by the client, as of the last look. */
  pendingBytes = 0;
  private startedMs = Infinity;

  constructor(private readonly client: DownstreamStream) {}

  begin(head: ResponseHead, nowMs: number): void {
    this.startedMs = nowMs;
    // One with a stated length is a file like any other: it cannot be ended before that.
    this.mayBeSilent = head.isEventStream && head.bodyLength === -1;
    this.client.begin(head);
  }

  /** One of another process, which may be silent. */
  continue(): void {
    this.mayBeSilent = true;
  }

  /** Returns whether the client's turn begins with that: it has to read before more is sent. */
  pass(bytes: Buffer, upstream: UpstreamStream | undefined): boolean {
    this.client.write(bytes);
    if (!this.client.isBackedUp || this.isPaused) return false;
    this.isPaused = true;
    upstream?.pauseResponse();
    return true;
  }

  resume(upstream: UpstreamStream | undefined): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    upstream?.resumeResponse();
  }

  /** Another one may come, and is paused for itself. */
  upstreamLeft(): void {
    this.isPaused = false;
  }

  end(trailers: FieldBlock): void {
    this.client.end(trailers);
  }

  /** It is the client's turn to read more of it. */
  get isAwaited(): boolean {
    return this.client.isBackedUp;
  }

  /** Whether the client has read some of it since the last look: one that reads slowly is not one that does not read. */
  hasReader(): boolean {
    const before = this.pendingBytes;
    this.pendingBytes = this.client.isBackedUp ? this.client.pendingBytes : 0;
    return this.pendingBytes < before;
  }

  /** It is still under way: a long one, or one that comes as it is made. What it is, its bytes do not say. */
  isStreaming(nowMs: number): boolean {
    return nowMs - this.startedMs >= STREAMING_AFTER_MS;
  }
}
