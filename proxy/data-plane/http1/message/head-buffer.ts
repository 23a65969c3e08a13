const LF = 10;
const CR = 13;
const FIRST_BYTES = 1_024;
/** RFC 9112 section 2.2: empty lines before a message are ignored, some. */
export const MAX_EMPTY_LINES = 8;

/** How lines end: with CR LF; with that or a bare LF; the same, and empty lines may stand before the first. */
export type Lines = 'strict' | 'loose' | 'looseHead';

/**
 * The beginning of a head, or of trailers, whose end is still to come. Each byte is copied and looked at a few times and no
 * more, however small the reads are that bring it: a peer that sends a byte at a time must not cost more than its bytes.
 */
export class HeadBuffer {
  length = 0;
  /** Where its first line ends; -1 while that is still to come. */
  lineEnd = -1;
  private bytes: Buffer | undefined;
  private hasLine = false;
  private emptyLines = 0;

  constructor(private readonly lines: Lines = 'strict') {}

  get text(): string {
    return this.slice(this.length);
  }

  /** Its first bytes up to `end`, as text. */
  slice(end: number): string {
    return this.bytes?.toString('latin1', 0, end) ?? '';
  }

  /** Begins anew with a text that has no end of a head in it. */
  begin(text: string): void {
    this.clear();
    if (text === '') return;
    this.lineEnd = text.indexOf('\r\n');
    this.room(text.length).write(text, 'latin1');
    this.length = text.length;
  }

  clear(): void {
    this.length = 0;
    this.lineEnd = -1;
    this.bytes = undefined;
    this.hasLine = false;
    this.emptyLines = 0;
  }

  /** Takes bytes in, up to the end of the head; the end, or why there is none, as `endOfHead` has it for all of them. */
  add(bytes: Buffer, from: number, to: number): number {
    const before = this.length;
    let [second, last] = [this.byteAt(before - 2), this.byteAt(before - 1)];
    for (let at = from; at < to; at += 1) {
      const byte = bytes[at]!;
      if (byte === LF) {
        const what = this.lines === 'strict' ? lineEnds(second, last) : this.looseLineEnds(second, last);
        if (what === 'malformed') return -2;
        const end = before + at + 1 - from;
        if (what === 'last') {
          this.keep(bytes, from, at + 1);
          return end;
        }
        if (this.lineEnd < 0) this.lineEnd = end - 2;
      }
      second = last;
      last = byte;
    }
    this.keep(bytes, from, to);
    return -1;
  }

  private looseLineEnds(second: number | undefined, last: number | undefined): 'next' | 'last' | 'malformed' {
    const isEmpty = last === undefined || last === LF || (last === CR && (second === undefined || second === LF));
    if (!isEmpty) {
      this.hasLine = true;
      return 'next';
    }
    if (this.hasLine || this.lines === 'loose') return 'last';
    this.emptyLines += 1;
    return this.emptyLines > MAX_EMPTY_LINES ? 'malformed' : 'next';
  }

  private byteAt(index: number): number | undefined {
    return index < 0 ? undefined : this.bytes?.[index];
  }

  private keep(bytes: Buffer, from: number, to: number): void {
    bytes.copy(this.room(to - from), this.length, from, to);
    this.length += to - from;
  }

  /** Twice of what it needs at each growth, so that all copies together are no more than that again. */
  private room(more: number): Buffer {
    const needed = this.length + more;
    const { bytes } = this;
    if (bytes !== undefined && needed <= bytes.length) return bytes;
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 * needed));
    bytes?.copy(grown, 0, 0, this.length);
    this.bytes = grown;
    return grown;
  }
}

/** What an LF behind these two bytes is. */
function lineEnds(second: number | undefined, last: number | undefined): 'next' | 'last' | 'malformed' {
  if (last !== CR) return 'malformed';
  return second === undefined || second === LF ? 'last' : 'next';
}
