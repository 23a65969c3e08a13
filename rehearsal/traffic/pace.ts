import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/** A user that is late catches up on this much; what is older is left out. */
const CATCH_UP_MS = 1_000;

/** Lets many users act at a common rate until it is stopped. */
export class Pace {
  private readonly stopped = new AbortController();
  private readonly users: Promise<void>[] = [];

  constructor() {
    setMaxListeners(0, this.stopped.signal);
  }

  /**
   * Adds users that arrive one after the other over `arrivalMs` and then act `perSecondEach` times a second each. What
   * became due while one waited for an answer follows at once.
   *
   * @param user Makes an act, which is told when it was due (`performance.now()`) and must not throw.
   */
  add(
    { count, perSecondEach, arrivalMs }: { count: number; perSecondEach: number; arrivalMs: number },
    user: (index: number) => (dueMs: number) => Promise<void>,
  ): void {
    for (let index = 0; index < count; index += 1) {
      this.users.push(this.live(user(index), (arrivalMs * index) / count, 1000 / perSecondEach));
    }
  }

  /** Resolves when what was begun has got its answer. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.users);
  }

  private async live(act: (dueMs: number) => Promise<void>, firstMs: number, intervalMs: number): Promise<void> {
    let dueMs = performance.now() + firstMs;
    while (await pause(dueMs - performance.now(), this.stopped.signal)) {
      await act(dueMs);
      dueMs = Math.max(dueMs + intervalMs, performance.now() - CATCH_UP_MS);
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
