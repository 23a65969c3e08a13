import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const GOLDEN_RATIO = 0.618;

/**
 * Lets many users act at a common rate until it is stopped, whether or not their earlier acts have ended: what is asked
 * of a server does not become less because the server has become slow. What is left out of what was due, because this machine
 * cannot carry it, is counted.
 *
 * @see G. Tene, "How NOT to measure latency" (coordinated omission)
 */
export class Pace {
  private readonly stopped = new AbortController();
  private readonly users: Promise<void>[] = [];
  private readonly started = new Set<Promise<void>>();
  /** Of what is due, what is done (0–1). */
  share = 1;
  /** What was due and, by the share, not done. */
  leftOut = 0;

  constructor() {
    setMaxListeners(0, this.stopped.signal);
  }

  private isPaused = false;

  /** Nothing more is due, and nothing of that counts as left out. */
  pause(): void {
    this.isPaused = true;
  }

  /** Fires when nothing more is due. */
  get ended(): AbortSignal {
    return this.stopped.signal;
  }

  /** What was begun and has not ended. */
  get underWay(): number {
    return this.started.size;
  }

  /**
   * Adds users that arrive one after the other over `arrivalMs` and then act `perSecondEach` times a second each. What
   * became due while this process itself was held up follows at once.
   *
   * @param user Makes an act, which is told when it was due (`performance.now()`) and must not throw.
   */
  add(
    { count, perSecondEach, arrivalMs }: { count: number; perSecondEach: number; arrivalMs: number },
    user: (index: number) => (dueMs: number) => Promise<void>,
  ): void {
    for (let index = 0; index < count; index += 1) {
      this.users.push(
        this.live(user(index), { index, firstMs: (arrivalMs * index) / count, intervalMs: 1000 / perSecondEach }),
      );
    }
  }

  /** Resolves when what was begun has got its response. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.users);
    await Promise.all(this.started);
  }

  private async live(
    act: (dueMs: number) => Promise<void>,
    { index, firstMs, intervalMs }: { index: number; firstMs: number; intervalMs: number },
  ): Promise<void> {
    let dueMs = performance.now() + firstMs;
    // Users take their turns to leave something out.
    let credit = (index * GOLDEN_RATIO) % 1;
    while (await pause(dueMs - performance.now(), this.stopped.signal)) {
      dueMs += intervalMs;
      if (this.isPaused) continue;
      credit += this.share;
      if (credit >= 1) {
        credit -= 1;
        this.begin(act, dueMs - intervalMs);
      } else this.leftOut += 1;
    }
  }

  private begin(act: (dueMs: number) => Promise<void>, dueMs: number): void {
    const started = act(dueMs);
    this.started.add(started);
    void started.finally(() => this.started.delete(started));
  }
}

/** Waits at least one turn of the loop; returns false, at once, when it is told to stop. */
async function pause(ms: number, stopped: AbortSignal): Promise<boolean> {
  try {
    await delay(Math.max(0, ms), undefined, { signal: stopped });
    return true;
  } catch {
    return false;
  }
}
