const MINUTE_MS = 60_000;
const MAX_MINUTES = 60;

/** The largest lag of each minute of the last hour. */
export class LagHistory {
  private readonly minutes: { minute: number; lagMs: number }[] = [];

  add(lagMs: number, nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS);
    const [latest] = this.minutes;
    if (latest?.minute === minute) latest.lagMs = Math.max(latest.lagMs, lagMs);
    else this.minutes.unshift({ minute, lagMs });
    if (this.minutes.length > MAX_MINUTES) this.minutes.pop();
  }

  /** The minute that runs first. */
  get lags(): readonly number[] {
    return this.minutes.map(({ lagMs }) => Math.round(lagMs));
  }
}
