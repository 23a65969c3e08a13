import type { Clock } from '../process/clock';

const WINDOW_MS = 1_000;

/** Lets so many lines a second into a log, and says afterwards how many it did not: an outage must not drown itself. */
export class LogThrottle {
  private admitted = 0;
  private leftOut = 0;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly perSecond: number,
    private readonly clock: Clock,
    /** Told at the end of a second in which some were left out. */
    private readonly summarize: (leftOut: number) => void,
  ) {}

  admit(): boolean {
    this.cancel ??= this.clock.after(WINDOW_MS, () => this.end());
    if (this.admitted < this.perSecond) {
      this.admitted += 1;
      return true;
    }
    this.leftOut += 1;
    return false;
  }

  /** Ends the second now. */
  end(): void {
    this.cancel?.();
    this.cancel = undefined;
    const { leftOut } = this;
    this.admitted = 0;
    this.leftOut = 0;
    if (leftOut > 0) this.summarize(leftOut);
  }
}
