/** How far back it looks. */
const SECONDS = 60;

/** The longest of what has ended in the last minute: one maximum for each second. Adding one allocates nothing. */
export class RecentLongest {
  private readonly maxima = new Float64Array(SECONDS);
  /** The second that each maximum is of. */
  private readonly seconds = new Float64Array(SECONDS).fill(Number.NEGATIVE_INFINITY);

  add(milliseconds: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const slot = second % SECONDS;
    if (this.seconds[slot] !== second) {
      this.seconds[slot] = second;
      this.maxima[slot] = milliseconds;
    } else if (milliseconds > this.maxima[slot]!) this.maxima[slot] = milliseconds;
  }

  /** Milliseconds; 0 when nothing has ended. */
  longestMs(nowMs: number): number {
    const oldest = Math.floor(nowMs / 1000) - SECONDS;
    return this.maxima.reduce(
      (longest, each, slot) => (this.seconds[slot]! > oldest ? Math.max(longest, each) : longest),
      0,
    );
  }
}
