/** How far a replay is, so that another one can go on. */
export interface ReplayPosition {
  /** What is recorded before it is finished; in milliseconds since 1970. */
  readonly fromMs: number;
  /** Requests after it that are finished, too, and their times. */
  readonly finished: readonly (readonly [id: string, timeMs: number])[];
}

/** A store may take a record so long after it was seen, whatever the window is: `capture_timeout_seconds` at most, and a write. */
const MIN_MARGIN_MS = 75_000;

/** How late a record may come. @param windowMs that of the replay */
export function findMargin(windowMs: number): number {
  return Math.max(2 * windowMs, MIN_MARGIN_MS);
}

/** More are not remembered: requests are sent twice then, under the same id. */
const MAX_FINISHED = 500_000;

/** Keeps what is finished, of requests that finish in any order. */
export class PositionTracker {
  /** By the order in which they were added, which is that of their time but for a few. */
  private readonly open = new Map<string, number>();
  private readonly finished = new Map<string, number>();
  private reachedMs: number;

  /**
   * @param start where it goes on
   * @param marginMs how late a record may come
   */
  constructor(
    start: ReplayPosition,
    private readonly marginMs: number,
  ) {
    this.reachedMs = start.fromMs;
    for (const [id, timeMs] of start.finished) this.finished.set(id, timeMs);
  }

  isFinished(id: string): boolean {
    return this.finished.has(id);
  }

  /** All that comes later is not before it, but for the margin. */
  reach(timeMs: number): void {
    this.reachedMs = Math.max(this.reachedMs, timeMs);
  }

  add(id: string, timeMs: number): void {
    this.reach(timeMs);
    this.open.set(id, timeMs);
  }

  finish(id: string): void {
    const timeMs = this.open.get(id);
    if (timeMs === undefined) return;
    this.open.delete(id);
    this.finished.set(id, timeMs);
    this.forget();
  }

  /** The time of the oldest request that is not finished; undefined without one. */
  get oldestMs(): number | undefined {
    return this.open.values().next().value;
  }

  private forget(): void {
    const untilMs = this.lowMs;
    for (const [id, timeMs] of this.finished) {
      if (timeMs >= untilMs && this.finished.size <= MAX_FINISHED) return;
      this.finished.delete(id);
    }
  }

  private get lowMs(): number {
    return Math.min(this.oldestMs ?? Infinity, this.reachedMs) - this.marginMs;
  }

  get position(): ReplayPosition {
    const fromMs = this.lowMs;
    return { fromMs, finished: [...this.finished].filter(([, timeMs]) => timeMs >= fromMs) };
  }
}
