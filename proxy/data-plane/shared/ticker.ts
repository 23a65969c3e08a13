/** What wants to know that time passes. */
export interface Ticking {
  /** `nowMs` of the ticker's clock. It may remove itself. */
  tick(nowMs: number): void;
}

/**
 * One coarse clock for all that can be late. Thousands of connections each have several deadlines that move with every
 * byte: a timer for each would cost more than the bytes do, a number that one timer compares costs nothing.
 */
export class Ticker {
  /** Milliseconds; only differences mean something. As of the last tick, or of the last `read`. */
  nowMs = performance.now();
  private readonly members = new Set<Ticking>();
  private readonly timer: NodeJS.Timeout;

  /** `everyMs`: how late a deadline may be noticed. `faulted` is told of a member that throws. */
  constructor(
    everyMs: number,
    private readonly faulted: (error: unknown) => void = rethrow,
  ) {
    this.timer = setInterval(() => this.tick(), everyMs).unref();
  }

  /** The time right now. */
  read(): number {
    this.nowMs = performance.now();
    return this.nowMs;
  }

  add(member: Ticking): void {
    this.members.add(member);
  }

  remove(member: Ticking): void {
    this.members.delete(member);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  protected tick(): void {
    const nowMs = this.read();
    for (const member of this.members) {
      try {
        member.tick(nowMs);
      } catch (error) {
        this.faulted(error);
      }
    }
  }
}

function rethrow(error: unknown): never {
  throw error;
}
