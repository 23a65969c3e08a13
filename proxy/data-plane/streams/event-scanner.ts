import type { PackedEventScanner } from '../contract/handover';

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const LETTER_I = 0x69;
const LETTER_D = 0x64;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;
/** A longer id is none that a request could carry as a field. */
const MAX_ID_BYTES = 4_096;

/** Of a line, how far it was read: a place of the byte order mark that a stream may begin with, or of a field's name. */
const MARK = -3;
const NAME = 0;
const NAME_I = 1;
const NAME_ID = 2;
const VALUE = 3;
const OTHER = 4;

/**
 * Follows the events of a stream: an event ends with a blank line, a line with LF, CR or both; and which id its reader would
 * ask to go on after.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class EventScanner {
  private isLineEmpty = true;
  /** Of the event that is under way there are only comments, which belong to none. */
  private isEventEmpty = true;
  private wasCr = false;
  /** See `MARK`. */
  private field = MARK;
  /** Of an id that began in an earlier read. */
  private started = '';
  /** What an id is while its event is not whole; undefined: the stream has given none yet. */
  private nextId: string | undefined = undefined;
  private hasId = false;
  private hasData = false;
  /** Whether all bytes so far make whole events. */
  atBoundary = true;
  /** The id of the last whole event, as latin1 text: '' when it was taken back; undefined where there was none. */
  id: string | undefined = undefined;
  /** How many whole events in a row have said that this is their id. */
  sameIds = 0;
  /** A whole event has passed before the stream gave any id. */
  hadEventWithoutId = false;
  /** Of the event that ended last. */
  lastHadId = false;

  /** Where it is, for another process. */
  pack(): PackedEventScanner {
    const { isLineEmpty, isEventEmpty, wasCr, field, nextId, hasId, hasData } = this;
    const { atBoundary, id, sameIds, hadEventWithoutId, lastHadId } = this;
    // All that is longer means the same, and so does all that has a NUL.
    const started = this.started.includes('\0') ? '\0' : this.started.slice(0, MAX_ID_BYTES + 2);
    const line = { isLineEmpty, isEventEmpty, wasCr, field, started, nextId, hasId, hasData };
    return { ...line, atBoundary, id, sameIds, hadEventWithoutId, lastHadId };
  }

  /** Goes on where another one was. */
  unpack(packed: PackedEventScanner): void {
    this.isLineEmpty = packed.isLineEmpty;
    this.isEventEmpty = packed.isEventEmpty;
    this.wasCr = packed.wasCr;
    this.field = packed.field;
    this.started = packed.started;
    this.nextId = packed.nextId;
    this.hasId = packed.hasId;
    this.hasData = packed.hasData;
    this.atBoundary = packed.atBoundary;
    this.id = packed.id;
    this.sameIds = packed.sameIds;
    this.hadEventWithoutId = packed.hadEventWithoutId;
    this.lastHadId = packed.lastHadId;
  }

  /** Follows `bytes`, with `stopAtBoundary` only up to the first end of an event. Returns the count of followed bytes. */
  scan(bytes: Buffer, stopAtBoundary: boolean): number {
    let valueAt = 0;
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index]!;
      // The LF of a CR LF belongs to the line end before it, and goes with it.
      const isSecondHalf = byte === LF && this.wasCr;
      if (stopAtBoundary && this.atBoundary && !isSecondHalf) return index;
      this.wasCr = byte === CR;
      if (isSecondHalf) continue;
      if (byte === LF || byte === CR) this.endLine(bytes, valueAt, index);
      else {
        if (this.takeByte(byte)) valueAt = index + 1;
        // The rest of the line says nothing but where it ends.
        if (this.field >= VALUE) index = findLineEnd(bytes, index + 1) - 1;
      }
    }
    if (this.field === VALUE) this.keep(bytes, valueAt);
    return bytes.length;
  }

  /** The end of the next event or comment in `bytes`, behind its last byte; -1 where it does not end there. */
  scanEvent(bytes: Buffer): number {
    // At the end of the one before it, it would stop at once.
    this.atBoundary = false;
    this.lastHadId = false;
    const length = this.scan(bytes, true);
    return this.atBoundary ? length : -1;
  }

  /** One more byte of a line. Returns whether the value of an id follows. */
  private takeByte(byte: number): boolean {
    if (this.isLineEmpty && byte !== COLON) this.isEventEmpty = false;
    this.isLineEmpty = false;
    this.atBoundary = false;
    return this.field < VALUE && this.readName(byte);
  }

  /** A line ends at `at`; the value of an id, where it has one, begins at `valueAt`. */
  private endLine(bytes: Buffer, valueAt: number, at: number): void {
    if (this.field === NAME_ID || this.field === VALUE) this.takeId(bytes, valueAt, at);
    this.field = NAME;
    if (this.isLineEmpty) this.endEvent();
    this.isLineEmpty = true;
    this.atBoundary = this.isEventEmpty;
  }

  private endEvent(): void {
    this.isEventEmpty = true;
    this.lastHadId = this.hasId;
    if (this.hasId) {
      this.sameIds = this.id === this.nextId ? this.sameIds + 1 : 1;
      this.id = this.nextId;
    } else if (this.hasData && this.id === undefined) this.hadEventWithoutId = true;
    this.hasId = false;
    this.hasData = false;
  }

  /** One more byte of a field's name. Returns whether the value of an id follows. */
  private readName(byte: number): boolean {
    if (this.field < NAME) {
      this.readMark(byte);
      if (this.field !== NAME || this.isLineEmpty) return false;
    }
    if (this.field === NAME_ID && byte === COLON) {
      this.field = VALUE;
      this.started = '';
      return true;
    }
    // A line of data begins with this letter, and so does none that a reader takes for another field.
    if (this.field === NAME && byte === LETTER_D) this.hasData = true;
    if (this.field === NAME && byte === LETTER_I) this.field = NAME_I;
    else if (this.field === NAME_I && byte === LETTER_D) this.field = NAME_ID;
    else this.field = OTHER;
    return false;
  }

  /** What begins like a byte order mark and is none is a line like any other. */
  private readMark(byte: number): void {
    const place = this.field - MARK;
    if (byte !== BYTE_ORDER_MARK[place]) {
      this.field = place === 0 ? NAME : OTHER;
      return;
    }
    this.field += 1;
    if (this.field !== NAME) return;
    this.isLineEmpty = true;
    this.isEventEmpty = true;
    this.atBoundary = true;
  }

  private takeId(bytes: Buffer, from: number, to: number): void {
    const value = this.field === VALUE ? this.started + bytes.toString('latin1', from, to) : '';
    this.started = '';
    if (value.includes('\0')) return;
    const id = value.startsWith(' ') ? value.slice(1) : value;
    this.hasId = true;
    this.nextId = id.length > MAX_ID_BYTES ? '' : id;
  }

  private keep(bytes: Buffer, from: number): void {
    if (this.started.length <= MAX_ID_BYTES) this.started += bytes.toString('latin1', from);
  }
}

/** Where the line ends that goes on at `from`: at its LF or CR, or behind the last byte. */
function findLineEnd(bytes: Buffer, from: number): number {
  let at = from;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === LF || byte === CR) break;
  }
  return at;
}
