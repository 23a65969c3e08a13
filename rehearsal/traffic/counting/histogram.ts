const LOWEST_MS = 0.1;
const GROWTH = 1.05;

/** Latencies in buckets that grow by 5 %, which is how exact a quantile is. */
export class Histogram {
  private buckets: number[] = [];
  private count = 0;
  private longestMs = 0;

  add(ms: number): void {
    // A timer may fire a moment early, and a response come before its request was due: a logarithm of that is no number.
    const bucket = ms <= LOWEST_MS ? 0 : Math.ceil(Math.log(ms / LOWEST_MS) / Math.log(GROWTH));
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
    this.count += 1;
    this.longestMs = Math.max(this.longestMs, ms);
  }

  clear(): void {
    this.buckets = [];
    this.count = 0;
    this.longestMs = 0;
  }

  /** Milliseconds, as measured; 0 when there is no value. */
  get longest(): number {
    return Math.round(this.longestMs);
  }

  /** Milliseconds that `share` (0–1) of the values do not exceed; 0 when there is none. */
  quantile(share: number): number {
    let left = share * this.count;
    for (let bucket = 0; bucket < this.buckets.length; bucket += 1) {
      left -= this.buckets[bucket] ?? 0;
      if (left <= 0 && this.count > 0) return Number((LOWEST_MS * GROWTH ** bucket).toFixed(1));
    }
    return 0;
  }
}
