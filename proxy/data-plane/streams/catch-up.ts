import type { PackedCatchUp } from '../contract/handover';
import { EventScanner } from './event-scanner';

/** An event that is longer is not looked at as a whole. */
const MAX_EVENT_BYTES = 256 * 1024;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const NO_BYTES = Buffer.alloc(0);
/** Fields that a reader obeys whatever event they stand in. */
const RETRY_LINES = /(?<=^|[\r\n])retry:[^\r\n]*(?=[\r\n])/g;

/**
 * The beginning of the stream of a backend that goes on where another one has ended. Some backends begin with the event that
 * they are asked to go on after: that one the client has. From the first event with another id on all of it is new.
 */
export class CatchUp {
  private readonly scanner = new EventScanner();
  /** Of the event that is not whole. */
  private held: Buffer[] = [];
  private heldBytes = 0;
  isOver = false;

  /**
   * @param lastId of the last event that the client has
   * @param left how many events in a row had it
   */
  constructor(
    private readonly lastId: string,
    private left: number,
  ) {}

  /** Goes on where one of another process was. @param held of an event that is not whole */
  static unpack({ lastId, left, scanner }: PackedCatchUp, held: Buffer): CatchUp {
    const catchUp = new CatchUp(lastId, left);
    catchUp.scanner.unpack(scanner);
    if (held.length > 0) catchUp.hold(held);
    return catchUp;
  }

  /** Where it is, for another process, and what it holds of an event that is not whole. */
  pack(): { readonly packed: PackedCatchUp; readonly held: Buffer } {
    const { lastId, left, scanner } = this;
    return { packed: { lastId, left, scanner: scanner.pack() }, held: Buffer.concat(this.held) };
  }

  /** What of these bytes, and of those that were held, goes to the client. */
  take(bytes: Buffer): Buffer {
    const passed: Buffer[] = [];
    let rest = bytes;
    while (!this.isOver && rest.length > 0) {
      const end = this.scanner.scanEvent(rest);
      this.hold(rest.subarray(0, end < 0 ? rest.length : end));
      rest = end < 0 ? NO_BYTES : rest.subarray(end);
      if (end >= 0) passed.push(this.takeEvent());
      else if (this.heldBytes > MAX_EVENT_BYTES) passed.push(this.giveUp());
    }
    passed.push(rest);
    return passed.length === 1 ? passed[0]! : Buffer.concat(passed);
  }

  private hold(bytes: Buffer): void {
    // They are borrowed, and this event may end in a later read.
    this.held.push(Buffer.from(bytes));
    this.heldBytes += bytes.length;
  }

  private takeEvent(): Buffer {
    const event = this.takeHeld();
    // In the middle of a stream it would be a part of the first line.
    if (event.equals(BYTE_ORDER_MARK)) return NO_BYTES;
    const { lastHadId, id } = this.scanner;
    if (!lastHadId) return event;
    if (id === this.lastId && this.left > 0) {
      this.left -= 1;
      return keepRetry(event);
    }
    this.isOver = true;
    return event;
  }

  private giveUp(): Buffer {
    this.isOver = true;
    return this.takeHeld();
  }

  private takeHeld(): Buffer {
    const held = Buffer.concat(this.held);
    this.held = [];
    this.heldBytes = 0;
    return held;
  }
}

/** Of an event that the client does not get a second time. */
function keepRetry(event: Buffer): Buffer {
  const lines = event.toString('latin1').match(RETRY_LINES) ?? [];
  return lines.length === 0 ? NO_BYTES : Buffer.from(`${lines.join('\n')}\n\n`, 'latin1');
}
