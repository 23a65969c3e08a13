import { CLOSE_HANDSHAKE_SECONDS } from '../../../core/proxy/drain';
import { EventScanner } from './event-scanner';

/** How long an event may still take to end before its stream is ended inside of it. */
const BOUNDARY_MS = 2_000;
/** Clients that a drain sends away come back over this time, and not all at once. */
const RETRY_MS = { min: 1_000, max: 5_000 };

/** What an exchange does for its event stream. */
export interface StreamSink {
  write(bytes: Buffer): void;
  /** The stream ends between two events. */
  endStream(): void;
  /** The client did not take the rest in time. */
  overdue(): void;
}

/** Follows an event stream, and ends it between two events when it is asked to. */
export class EventStream {
  private readonly scanner = new EventScanner();
  private closing: { readonly done: Promise<void>; readonly settle: () => void } | undefined;
  private timers: NodeJS.Timeout[] = [];
  private isEnded = false;

  /** `isOpaque`: the bytes of an encoded stream say nothing about its events. */
  constructor(
    private readonly sink: StreamSink,
    private readonly isOpaque: boolean,
    /** From [0, 1). */
    private readonly random: () => number = Math.random,
  ) {}

  take(bytes: Buffer): void {
    if (this.isEnded) return;
    const isClosing = this.closing !== undefined;
    const length = this.isOpaque ? bytes.length : this.scanner.scan(bytes, isClosing);
    this.sink.write(length === bytes.length ? bytes : bytes.subarray(0, length));
    if (isClosing && this.isAtBoundary) this.end();
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

  /** The upstream has ended it: nothing may be written any more. */
  onEnd(): void {
    this.isEnded = true;
  }

  /** The exchange has ended, in whatever way. */
  onClose(): void {
    this.isEnded = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.closing?.settle();
  }

  private get isAtBoundary(): boolean {
    return this.isOpaque || this.scanner.atBoundary;
  }

  private end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    if (!this.isOpaque && this.scanner.atBoundary) this.sink.write(this.retry());
    this.sink.endStream();
  }

  /** @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
  private retry(): Buffer {
    const ms = RETRY_MS.min + Math.floor(this.random() * (RETRY_MS.max - RETRY_MS.min));
    return Buffer.from(`retry: ${ms}\n\n`);
  }
}
