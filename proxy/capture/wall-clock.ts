/** The clock of the machine may be set: what was seen later has no earlier time, and what it says is looked up this often. */
const LOOK_MS = 10_000;

/** Nanoseconds since 1970, which never decrease: the order of a process is in them, and about that of several machines. */
export class WallClock {
  private offsetMs = performance.timeOrigin;
  private nextLookMs = 0;
  private lastUs = 0;

  get nowNs(): bigint {
    const nowMs = performance.now();
    if (nowMs >= this.nextLookMs) {
      this.offsetMs = Date.now() - nowMs;
      this.nextLookMs = nowMs + LOOK_MS;
    }
    // Each one is later than the one before: what ended and what began then are in order.
    this.lastUs = Math.max(Math.round((this.offsetMs + nowMs) * 1000), this.lastUs + 1);
    return BigInt(this.lastUs) * 1000n;
  }
}
