import type { IncomingMessage } from 'node:http';
import { CLOSE_HANDSHAKE_SECONDS } from '../../core/drain';
import type { Closable } from '../ledger';
import type { ClientResponse } from './head';
import type { Safely } from './safely';

/** How long an event may still take to end before its stream is ended inside of it. */
const BOUNDARY_MS = 2_000;

const LF = 0x0a;
const CR = 0x0d;

export function isEventStream(response: IncomingMessage): boolean {
  return /^text\/event-stream\s*(;|$)/i.test(response.headers['content-type'] ?? '');
}

/**
 * Follows the events of a stream: an event ends with a blank line, a line with LF, CR or both.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class EventScanner {
  private isLineEmpty = true;
  private wasCr = false;
  /** Whether all bytes so far make whole events. */
  atBoundary = true;

  /** Follows `bytes`, with `stopAtBoundary` only up to the first end of an event. Returns the count of followed bytes. */
  scan(bytes: Buffer, stopAtBoundary: boolean): number {
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index]!;
      // The LF of a CR LF belongs to the line end before it, and goes with it.
      const isSecondHalf = byte === LF && this.wasCr;
      if (stopAtBoundary && this.atBoundary && !isSecondHalf) return index;
      this.wasCr = byte === CR;
      if (isSecondHalf) continue;
      if (byte === LF || byte === CR) {
        this.atBoundary = this.isLineEmpty;
        this.isLineEmpty = true;
      } else {
        this.isLineEmpty = false;
        this.atBoundary = false;
      }
    }
    return bytes.length;
  }
}

/** What an exchange hears of its stream's end by a drain. */
export interface EventStreamEnd {
  /** Around every handler of an event. */
  readonly safely: Safely;
  /** The stream is being ended between two events. */
  readonly ending: () => void;
  /** The client did not take the rest in time, or nothing was to be had for the idle time. */
  readonly overdue: () => void;
}

/** Relays an event stream, and ends it between two events when it is asked to. */
export class EventStreamRelay implements Closable {
  private readonly scanner = new EventScanner();
  /** The bytes of an encoded stream say nothing about its events. */
  private readonly isOpaque: boolean;
  private closing: Promise<void> | undefined;
  private isEnded = false;
  private idle: NodeJS.Timeout | undefined;

  /** `idleMs`: how long it may be silent; 0 is for ever. */
  constructor(
    private readonly from: IncomingMessage,
    private readonly to: ClientResponse,
    idleMs: number,
    private readonly end: EventStreamEnd,
  ) {
    const encoding = from.headers['content-encoding'] ?? 'identity';
    this.isOpaque = encoding.toLowerCase() !== 'identity';
    const { safely } = end;
    from.on(
      'data',
      safely((bytes: Buffer) => this.take(bytes)),
    );
    from.on(
      'end',
      safely(() => {
        if (!this.isEnded) this.to.end();
      }),
    );
    to.on('drain', () => {
      this.idle?.refresh();
      from.resume();
    });
    if (idleMs > 0) this.watchIdle(idleMs);
  }

  close(): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      const timers = [
        setTimeout(
          this.end.safely(() => this.endStream()),
          BOUNDARY_MS,
        ),
        setTimeout(
          this.end.safely(() => this.end.overdue()),
          CLOSE_HANDSHAKE_SECONDS * 1000,
        ),
      ];
      this.to.once('close', () => {
        for (const timer of timers) clearTimeout(timer);
        resolve();
      });
      if (this.isAtBoundary) this.endStream();
    });
    return this.closing;
  }

  private watchIdle(idleMs: number): void {
    const idle = setTimeout(
      this.end.safely(() => this.end.overdue()),
      idleMs,
    );
    this.idle = idle;
    this.to.once('close', () => clearTimeout(idle));
  }

  private get isAtBoundary(): boolean {
    return this.isOpaque || this.scanner.atBoundary;
  }

  private take(bytes: Buffer): void {
    if (this.isEnded) return;
    this.idle?.refresh();
    const isClosing = this.closing !== undefined;
    const length = this.isOpaque ? bytes.length : this.scanner.scan(bytes, isClosing);
    const isRoom = this.to.write(length === bytes.length ? bytes : bytes.subarray(0, length));
    if (!isRoom) this.from.pause();
    if (isClosing && this.isAtBoundary) this.endStream();
  }

  private endStream(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.end.ending();
    this.to.end();
    this.from.resume();
  }
}
