import { readRecordLength } from './records';

/**
 * Finds the records in what comes in. It keeps nothing while each read ends with a record, and one record at most otherwise,
 * unless its user stops between two.
 */
export class RecordSplitter {
  /** Borrowed, but for what `park` has kept. */
  private bytes: Buffer | undefined = undefined;
  private at = 0;
  private end = 0;
  private isParked = false;

  /**
   * These come next. `park` follows before they are gone.
   *
   * @throws {TlsFault} where no record can begin like that
   */
  add(bytes: Buffer, length: number): void {
    if (this.bytes === undefined) {
      this.bytes = bytes;
      this.at = 0;
      this.end = length;
    } else this.append(bytes, length);
  }

  /**
   * @returns the next whole record, as borrowed as its bytes
   * @throws {TlsFault} where no record can begin like that
   */
  next(): Buffer | undefined {
    const { bytes, at, end } = this;
    if (bytes === undefined) return undefined;
    const length = readRecordLength(bytes, at, end);
    if (length === undefined || end - at < length) return undefined;
    this.at += length;
    return bytes.subarray(at, at + length);
  }

  /** Keeps what is left, in as much memory as its first record takes, or all of it. */
  park(): void {
    const { bytes, at, end } = this;
    if (bytes === undefined) return;
    if (at === end) this.clear();
    else if (!this.isParked || at > 0) this.keep(bytes.subarray(at, end), 0);
  }

  /** Copies what is left. */
  takeRest(): Buffer {
    const rest = Buffer.from(this.bytes?.subarray(this.at, this.end) ?? []);
    this.clear();
    return rest;
  }

  /** Nothing was left by the last call of `park`. */
  get isEmpty(): boolean {
    return this.bytes === undefined;
  }

  clear(): void {
    this.bytes = undefined;
    this.at = 0;
    this.end = 0;
    this.isParked = false;
  }

  private append(bytes: Buffer, length: number): void {
    // The room for a whole record is made once, however many pieces it comes in.
    if (length > this.bytes!.length - this.end) this.keep(this.bytes!.subarray(this.at, this.end), length);
    this.end += bytes.copy(this.bytes!, this.end, 0, length);
  }

  private keep(rest: Buffer, room: number): void {
    const needed = rest.length + room;
    const kept = Buffer.allocUnsafeSlow(Math.max(needed, readRecordLength(rest, 0, rest.length) ?? 0));
    this.end = rest.copy(kept, 0);
    this.at = 0;
    this.bytes = kept;
    this.isParked = true;
  }
}
