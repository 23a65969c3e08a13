const LF = 0x0a;
const CR = 0x0d;

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
