import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/** Lets many users act at a common rate until it is stopped. */
export class Pace {
  private readonly stopped = new AbortController();
  private readonly users: Promise<void>[] = [];

  constructor() {
    setMaxListeners(0, this.stopped.signal);
  }

  /**
   * Adds users that act in turn, each `perSecondEach` times a second at the most: one that waits for an answer is late,
   * it does not catch up.
   *
   * @param act Must not throw.
   */
  add(count: number, perSecondEach: number, user: (index: number) => () => Promise<void>): void {
    const intervalMs = 1000 / perSecondEach;
    for (let index = 0; index < count; index += 1) {
      this.users.push(this.live(user(index), (intervalMs * index) / count, intervalMs));
    }
  }

  /** Resolves when what was begun has got its answer. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.users);
  }

  private async live(act: () => Promise<void>, firstMs: number, intervalMs: number): Promise<void> {
    let dueMs = performance.now() + firstMs;
    while (await pause(dueMs - performance.now(), this.stopped.signal)) {
      await act();
      dueMs = Math.max(dueMs + intervalMs, performance.now());
    }
  }
}

/** Waits at least one turn of the loop; answers false, at once, when it is told to stop. */
async function pause(ms: number, stopped: AbortSignal): Promise<boolean> {
  try {
    await delay(Math.max(0, ms), undefined, { signal: stopped });
    return true;
  } catch {
    return false;
  }
}
