import { CLOSE_HANDSHAKE_SECONDS } from '../../../core/proxy/drain';
import type { PackedEvents } from '../contract/handover';
import { CatchUp } from './catch-up';
import { EventScanner } from './event-scanner';

const NO_BYTES = Buffer.alloc(0);
/** How long an event may still take to end before its stream is ended inside of it. */
const BOUNDARY_MS = 2_000;
/** Clients that a drain sends away come back over this time, and not all at once. */
const RETRY_MS = { min: 1_000, max: 5_000 };
/** What a field of a request can say, and its reader does not change (RFC 9110 section 5.5). */
const FIELD_VALUE = /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;

/** What an exchange does for its event stream. */
export interface StreamSink {
  write(bytes: Buffer): void;
  /** The stream ends between two events. */
  endStream(): void;
  /** It wants nothing more of its upstream, and goes on at another one. */
  leaveUpstream(): void;
  /** The client did not take the rest in time. */
  overdue(): void;
}

/**
 * `open`: what the upstream sends goes to the client. `leaving`: the same up to the end of the event that is under way. `away`:
 * it has no upstream. `ended`: nothing goes to the client any more.
 */
export type EventStreamState = 'open' | 'leaving' | 'away' | 'ended';

/** Follows an event stream, and ends it between two events when it is asked to, or changes its upstream there. */
export class EventStream {
  private state: EventStreamState = 'open';
  private readonly scanner = new EventScanner();
  private closing: { readonly done: Promise<void>; readonly settle: () => void } | undefined;
  private timers: NodeJS.Timeout[] = [];
  /** Told how a leaving ends: whether the stream is away. */
  private left: ((isAway: boolean) => void) | undefined;
  /** Of an upstream that it has just joined. */
  private catchUp: CatchUp | undefined;

  /**
   * @param isOpaque the bytes of an encoded stream say nothing about its events
   * @param clientId the id that the client itself asked to go on after
   */
  constructor(
    private readonly sink: StreamSink,
    readonly isOpaque: boolean,
    private readonly clientId: string | undefined = undefined,
    /** From [0, 1). */
    private readonly random: () => number = Math.random,
  ) {}

  /** Goes on where one of another process was. @param held what it had held back of an event */
  static unpack({ isOpaque, clientId, scanner, catchUp }: PackedEvents, held: Buffer, sink: StreamSink): EventStream {
    const stream = new EventStream(sink, isOpaque, clientId);
    stream.scanner.unpack(scanner);
    if (catchUp !== undefined) stream.catchUp = CatchUp.unpack(catchUp, held);
    return stream;
  }

  /** Where it is, for another process, and what it holds back of an event. It must be open. */
  pack(): { readonly packed: PackedEvents; readonly held: Buffer } {
    const { isOpaque, clientId, scanner } = this;
    const { packed: catchUp, held = NO_BYTES } = this.catchUp?.pack() ?? {};
    return { packed: { isOpaque, clientId, scanner: scanner.pack(), catchUp }, held };
  }

  /** It is between two upstreams, or about to be. */
  get isMoving(): boolean {
    return this.state === 'leaving' || this.state === 'away';
  }

  take(bytes: Buffer): void {
    if (this.state === 'ended' || this.state === 'away') return;
    const news = this.catchUp === undefined ? bytes : this.takeNews(this.catchUp, bytes);
    const stops = this.closing !== undefined || this.state === 'leaving';
    const length = this.isOpaque ? news.length : this.scanner.scan(news, stops);
    if (length > 0) this.sink.write(length === news.length ? news : news.subarray(0, length));
    if (stops && this.isAtBoundary) this.stop();
  }

  /** Resolves when the exchange has ended; see `onClose`. */
  close(): Promise<void> {
    if (this.closing) return this.closing.done;
    let settle = () => undefined as void;
    const done = new Promise<void>((resolve) => (settle = resolve));
    this.closing = { done, settle };
    this.timers = [
      setTimeout(() => this.end(), BOUNDARY_MS),
      setTimeout(() => this.sink.overdue(), CLOSE_HANDSHAKE_SECONDS * 1000),
    ];
    if (this.isAtBoundary) this.end();
    return done;
  }

  get isClosing(): boolean {
    return this.closing !== undefined || this.state === 'ended';
  }

  get isAway(): boolean {
    return this.state === 'away';
  }

  /** The id to go on after, as its reader would say it (latin1); undefined where there is none. */
  get resumeId(): string | undefined {
    const { id, hadEventWithoutId } = this.scanner;
    const asked = id ?? (hadEventWithoutId ? undefined : this.clientId);
    return asked !== undefined && FIELD_VALUE.test(asked) ? asked : undefined;
  }

  /**
   * Stops at the end of the event that is under way; what its upstream sends behind that does not count.
   *
   * @returns whether it has; not when the stream ended before, or was told to `stay`
   */
  leave(): Promise<boolean> {
    if (this.isClosing) return Promise.resolve(false);
    this.state = 'leaving';
    const left = new Promise<boolean>((resolve) => (this.left = resolve));
    if (this.isAtBoundary) this.stop();
    return left;
  }

  /** It goes on where it is. */
  stay(): void {
    if (this.state !== 'leaving') return;
    this.state = 'open';
    this.settleLeaving(false);
  }

  /** Another upstream goes on where the one before has ended. */
  join(): void {
    if (this.state !== 'away') return;
    this.state = 'open';
    const { id, sameIds } = this.scanner;
    this.catchUp = new CatchUp(this.resumeId ?? '', id === undefined ? 1 : sameIds);
  }

  /** The upstream has ended it: nothing may be written any more. */
  onEnd(): void {
    this.state = 'ended';
    this.settleLeaving(false);
  }

  /** The exchange has ended, in whatever way. */
  onClose(): void {
    this.onEnd();
    for (const timer of this.timers) clearTimeout(timer);
    this.closing?.settle();
  }

  private get isAtBoundary(): boolean {
    return this.isOpaque || this.scanner.atBoundary;
  }

  private takeNews(catchUp: CatchUp, bytes: Buffer): Buffer {
    const news = catchUp.take(bytes);
    if (catchUp.isOver) this.catchUp = undefined;
    return news;
  }

  private stop(): void {
    if (this.closing !== undefined) return this.end();
    this.state = 'away';
    // What it held back of an event the next upstream sends whole.
    this.catchUp = undefined;
    this.sink.leaveUpstream();
    this.settleLeaving(true);
  }

  private settleLeaving(isAway: boolean): void {
    const { left } = this;
    this.left = undefined;
    left?.(isAway);
  }

  private end(): void {
    if (this.state === 'ended') return;
    this.onEnd();
    if (!this.isOpaque && this.scanner.atBoundary) this.sink.write(this.retry());
    this.sink.endStream();
  }

  /** @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
  private retry(): Buffer {
    const ms = RETRY_MS.min + Math.floor(this.random() * (RETRY_MS.max - RETRY_MS.min));
    return Buffer.from(`retry: ${ms}\n\n`);
  }
}
