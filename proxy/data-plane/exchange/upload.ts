import type { DownstreamStream, EngineHead, FieldBlock, UpstreamStream } from '../contract/streams';

/** A body longer than this is not kept for a second try. */
const KEPT_BYTES = 4 * 1024;

/** `withheld`: the client holds it back until the upstream asks for it. `over`: all of it came, or no more of it is wanted. */
export type UploadState = 'withheld' | 'open' | 'over';

/** The body of one request on its way: where it is stopped, and what of it can be sent again. */
export class Upload {
  private state: UploadState;
  private isPaused = false;
  /** All of it so far, while that is little; undefined when it is not. */
  private kept: Buffer[] | undefined;
  private keptBytes = 0;
  private trailers: FieldBlock | undefined;

  constructor(
    private readonly client: Pick<DownstreamStream, 'pauseUpload' | 'holdUpload' | 'resumeUpload'>,
    { bodyLength, expectsContinue }: Pick<EngineHead, 'bodyLength' | 'expectsContinue'>,
  ) {
    this.state = bodyLength === 0 ? 'over' : expectsContinue ? 'withheld' : 'open';
    if (!this.isOver) this.kept = [];
  }

  get isOver(): boolean {
    return this.state === 'over';
  }

  get isWithheld(): boolean {
    return this.state === 'withheld';
  }

  /** The client was asked for it. */
  letContinue(): void {
    if (this.state === 'withheld') this.state = 'open';
  }

  receive(bytes: Buffer, upstream: UpstreamStream): void {
    this.letContinue();
    this.keep(bytes);
    upstream.send(bytes);
    if (upstream.isBackedUp) this.pause();
  }

  end(trailers: FieldBlock, upstream: UpstreamStream | undefined): void {
    this.state = 'over';
    this.trailers = trailers;
    upstream?.finish(trailers);
  }

  /** Says its end to an upstream that came later. */
  repeatEnd(upstream: UpstreamStream | undefined): void {
    if (this.trailers !== undefined) upstream?.finish(this.trailers);
  }

  /** No more of it is read, or can be. */
  giveUp(): void {
    this.state = 'over';
  }

  pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.client.pauseUpload();
  }

  /** Its request waits for a decision. */
  hold(): void {
    this.isPaused = true;
    this.client.holdUpload();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.client.resumeUpload();
  }

  /** It is the client's turn to send more of it. */
  get isAwaited(): boolean {
    return this.state === 'open' && !this.isPaused;
  }

  /** Whether all of it will be kept, as far as its head says. */
  static isSmall({ bodyLength }: EngineHead): boolean {
    return bodyLength >= 0 && bodyLength <= KEPT_BYTES;
  }

  get isRepeatable(): boolean {
    return this.isOver ? this.keptBytes <= KEPT_BYTES : this.kept !== undefined;
  }

  /** Sends to another upstream connection what the first one had got. */
  repeat(upstream: UpstreamStream): void {
    for (const bytes of this.kept ?? []) upstream.send(bytes);
    this.repeatEnd(upstream);
    upstream.flush();
  }

  private keep(bytes: Buffer): void {
    this.keptBytes += bytes.length;
    if (this.keptBytes > KEPT_BYTES) this.kept = undefined;
    else this.kept?.push(Buffer.from(bytes));
  }
}

/** Of requests without a body: over from the first, and the same for all of them. */
class NoUpload extends Upload {
  override end(): void {
    return;
  }

  override pause(): void {
    return;
  }

  override hold(): void {
    return;
  }
}

const NO_USER = { pauseUpload: () => undefined, holdUpload: () => undefined, resumeUpload: () => undefined };
export const NO_UPLOAD: Upload = new NoUpload(NO_USER, { bodyLength: 0, expectsContinue: false });
