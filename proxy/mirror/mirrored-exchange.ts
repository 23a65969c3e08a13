import type { ComparedResponse } from '../../core/compare/response';
import type { MirrorDrop } from '../../core/mirror/mirror-counts';
import type { RecordedResponse, Recording } from '../data-plane/contract/data-plane';
import type { FieldBlock } from '../data-plane/contract/streams';
import type { Copy, CopyEnd } from './copy-sender';

/** Sends a copy, and returns what gives it up. */
export type SendCopy = (copy: Copy, room: (bytes: number) => boolean, ended: (end: CopyEnd) => void) => () => void;

/** What a mirrored exchange needs of the mirror of its process. */
export interface MirrorHome {
  readonly bodyBytes: number;
  readonly timeoutMs: number;
  /** Calls once, after `ms`. Returns how to call it off. */
  after(ms: number, call: () => void): () => void;
  /** Room for bytes; false where there is none. */
  hold(bytes: number): boolean;
  free(bytes: number): void;
  sendToTarget: SendCopy;
  /** Undefined where it is not repeated. */
  repeatOnSource(copy: Copy): SendCopy | undefined;
  /** Everything is there, or it is dropped: the mirror is free to forget it. */
  ended(exchange: MirroredExchange): void;
  dropped(why: MirrorDrop, error?: unknown): void;
}

/** The responses to one request. */
export interface Responses {
  readonly source: ComparedResponse;
  readonly target: CopyEnd;
  /** Of the source, to the same request sent once more. */
  readonly repeat: CopyEnd | undefined;
}

/** `request`: it is received. `sent`: its copy is on its way, or will be at once. `over`: all responses are there, or it was given up. */
type MirrorState = 'request' | 'sent' | 'over';

/** What of a copy is known before its body. */
export type CopyHead = Omit<Copy, 'body'>;

/**
 * Copies one request when it is whole, and collects the responses to it. Nothing that fails here reaches the exchange that it belongs
 * to, and nothing there waits for it.
 */
export class MirroredExchange implements Recording {
  readonly isAwaited = false;
  private state: MirrorState = 'request';
  private readonly body: Buffer[] = [];
  private bodyBytes = 0;
  private isWhole: boolean;
  private head: RecordedResponse | undefined;
  private readonly pieces: Buffer[] = [];
  private pieceBytes = 0;
  private source: ComparedResponse | undefined;
  private target: CopyEnd | undefined;
  private repeat: CopyEnd | undefined;
  /** Undefined: it is not repeated. */
  private cancelRepeat: (() => void) | undefined;
  private readonly cancels: (() => void)[] = [];
  private heldBytes = 0;

  /** @param isForwarded whether the request is on its way to the source; else `forwarded` says so */
  constructor(
    private readonly home: MirrorHome,
    readonly copy: CopyHead,
    bodyLength: number,
    private isForwarded: boolean,
  ) {
    this.isWhole = bodyLength === 0;
  }

  /** All three of them; undefined of what was given up. */
  get responses(): Responses | undefined {
    const { source, target, repeat } = this;
    return source && target && { source, target, repeat };
  }

  begin(): void {
    this.safely(() => this.maybeSend());
  }

  /** It has its record, where it had to have one, and goes to the source. */
  forwarded(): void {
    this.isForwarded = true;
    this.begin();
  }

  requestReceived(bytes: Buffer): boolean {
    if (this.state === 'request') this.safely(() => this.keepRequest(bytes));
    return true;
  }

  requestEnded(): void {
    this.isWhole = true;
    this.begin();
  }

  commit(done: (rejection: undefined) => void): void {
    queueMicrotask(() => done(undefined));
  }

  takeBody(): readonly Buffer[] {
    return [];
  }

  responseStarted(head: RecordedResponse): void {
    this.head = head;
    // It may have no end, and what comes when in it says nothing.
    if (head.isEventStream) this.leave();
  }

  responseReceived(bytes: Buffer): void {
    if (this.isSourceAwaited) this.safely(() => this.keepResponse(bytes));
  }

  responseEnded(): void {
    if (this.isSourceAwaited) this.safely(() => this.takeSource(false));
  }

  responded(): void {
    this.leave();
  }

  ended(): void {
    this.leave();
  }

  private leave(): void {
    if (this.isSourceAwaited) this.safely(() => this.drop('noResponse'));
  }

  private get isSourceAwaited(): boolean {
    return this.state !== 'over' && this.source === undefined;
  }

  private keepRequest(bytes: Buffer): void {
    this.bodyBytes += bytes.length;
    if (this.bodyBytes > this.home.bodyBytes) return this.drop('tooLong');
    if (!this.hold(bytes.length)) return this.drop('memory');
    this.body.push(Buffer.from(bytes));
  }

  private maybeSend(): void {
    if (this.state !== 'request' || !this.isWhole || !this.isForwarded) return;
    this.state = 'sent';
    // Behind the request itself, which leaves in this turn.
    setImmediate(() => this.safely(() => this.send()));
  }

  private send(): void {
    if (this.state !== 'sent') return;
    const { home } = this;
    const copy = { ...this.copy, body: this.body };
    const room = (bytes: number) => this.hold(bytes);
    const settle = (take: (end: CopyEnd) => void) => (end: CopyEnd) =>
      this.safely(() => {
        take(end);
        this.finish();
      });
    this.cancels.push(home.after(home.timeoutMs, () => this.leave()));
    const target = settle((end) => (this.target = end));
    this.cancels.push(home.sendToTarget(copy, room, target));
    this.cancelRepeat = home.repeatOnSource(copy)?.(
      copy,
      room,
      settle((end) => (this.repeat = end)),
    );
  }

  private keepResponse(bytes: Buffer): void {
    const room = Math.min(bytes.length, this.home.bodyBytes - this.pieceBytes);
    if (!this.hold(room)) return this.drop('memory');
    this.pieceBytes += room;
    this.pieces.push(Buffer.from(bytes.subarray(0, room)));
    // Its end is not waited for: it may be far away.
    if (room < bytes.length) this.takeSource(true);
  }

  private takeSource(isCut: boolean): void {
    const { head } = this;
    if (head === undefined) return;
    const said = { status: head.status, fields: parseFields(head.fields), body: Buffer.concat(this.pieces) };
    this.source = isCut ? { ...said, isBodyCut: true } : said;
    this.finish();
  }

  private hold(bytes: number): boolean {
    if (this.state === 'over' || !this.home.hold(bytes)) return false;
    this.heldBytes += bytes;
    return true;
  }

  private finish(): void {
    if (this.state !== 'sent' || !this.responses) return;
    if (this.cancelRepeat && this.repeat === undefined) return;
    this.state = 'over';
    for (const cancel of this.cancels) cancel();
    this.home.ended(this);
  }

  /** It is not compared. */
  drop(why: MirrorDrop, error?: unknown): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.source = undefined;
    for (const cancel of this.cancels) cancel();
    this.cancelRepeat?.();
    this.home.dropped(why, error);
    this.home.ended(this);
  }

  /** Its bytes are of no use any more. */
  release(): void {
    this.home.free(this.heldBytes);
    this.heldBytes = 0;
    this.body.length = 0;
    this.pieces.length = 0;
  }

  /** The client's exchange is never to notice. */
  private safely(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.drop('faulted', error);
    }
  }
}

/** The lines of a block as pairs. */
export function parseFields(block: FieldBlock): (readonly [string, string])[] {
  return block.split('\r\n').flatMap((line) => {
    const colon = line.indexOf(':');
    return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1).trim()] as const] : [];
  });
}
