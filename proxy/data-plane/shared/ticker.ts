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
  /**
   * Milliseconds; only differences mean something. As of the last tick, or of the last `read`. Of a time in which this process
   * stood still at most two ticks count: its peers' bytes waited unread meanwhile, and no peer was late.
   */
  nowMs = performance.now();
  /** `performance.now()` as of then, to compare with another clock. */
  clockMs = this.nowMs;
  /** `performance.now()` as of the last tick: all that peers had sent until then has been read. */
  lookedMs = this.nowMs;
  private readonly members = new Set<Ticking>();
  private readonly timer: NodeJS.Timeout;
  private afterReads: NodeJS.Immediate | undefined;

  /** `everyMs`: how late a deadline may be noticed. `faulted` is told of a member that throws. */
  constructor(
    private readonly everyMs: number,
    private readonly faulted: (error: unknown) => void = rethrow,
  ) {
    this.timer = setInterval(() => this.due(), everyMs).unref();
  }

  /** The time right now. */
  read(): number {
    const beforeMs = this.clockMs;
    this.clockMs = performance.now();
    this.nowMs += Math.min(this.clockMs - beforeMs, 2 * this.everyMs);
    return this.nowMs;
  }

  /**
   * Whether it is longer ago than this that the process last read what its peers had sent until then. It stood still, and a
   * connection that looks open may be closed.
   */
  isBehind(ms: number): boolean {
    return performance.now() - this.lookedMs > ms;
  }

  add(member: Ticking): void {
    this.members.add(member);
  }

  remove(member: Ticking): void {
    this.members.delete(member);
  }

  stop(): void {
    clearInterval(this.timer);
    clearImmediate(this.afterReads);
  }

  /**
   * Node.js runs timers before it reads sockets. A process that stood still (a paused machine, a busy processor) must read what
   * the kernel has meanwhile, before it says that a peer was late; an immediate runs behind the reads.
   */
  private due(): void {
    this.read();
    this.afterReads = setImmediate(() => this.tick());
  }

  protected tick(): void {
    const nowMs = this.read();
    this.lookedMs = this.clockMs;
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
