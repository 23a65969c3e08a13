/** After so many copies in a row without a response the target is down. */
const MAX_FAILURES = 5;
/** Between two trials of one that is down: from, up to. */
const PAUSE_MS = { min: 1_000, max: 30_000 } as const;
/** A target that has responded so lately is not down: a copy without a response is its fault. */
const LATELY_MS = 1_000;

/**
 * Tells a target that is down from one that fails now and then. To one that is down a single copy is sent now and then, so that it costs
 * nothing; and what gets no response then says nothing about its responses. Times are milliseconds of one clock.
 */
export class TargetHealth {
  private failures = 0;
  private lastResponseMs = -Infinity;
  private pauseMs: number = PAUSE_MS.min;
  private nextTrialMs = 0;

  get isDown(): boolean {
    return this.failures >= MAX_FAILURES;
  }

  /** Whether a copy may be sent now. One that is down has its trial with that. */
  admits(nowMs: number): boolean {
    if (!this.isDown) return true;
    if (nowMs < this.nextTrialMs) return false;
    this.wait(nowMs);
    return true;
  }

  responded(nowMs: number): void {
    this.failures = 0;
    this.pauseMs = PAUSE_MS.min;
    this.lastResponseMs = nowMs;
  }

  /** @returns whether that is a difference: others got a response at the time */
  failed(startedMs: number, nowMs: number): boolean {
    this.failures += 1;
    if (this.failures === MAX_FAILURES) this.wait(nowMs);
    return this.lastResponseMs >= startedMs - LATELY_MS;
  }

  private wait(nowMs: number): void {
    this.nextTrialMs = nowMs + this.pauseMs;
    this.pauseMs = Math.min(PAUSE_MS.max, 2 * this.pauseMs);
  }
}
