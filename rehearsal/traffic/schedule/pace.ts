import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Lets many users act at a common rate until it is stopped, whether or not their earlier acts have ended: what is asked
 * of a server does not become less because the server has become slow, and nothing that was due is left out.
 *
 * @see G. Tene, "How NOT to measure latency" (coordinated omission)
 */
export class Pace {
  private readonly stopped = new AbortController();
  private readonly users: Promise<void>[] = [];
  private readonly started = new Set<Promise<void>>();

  constructor() {
    setMaxListeners(0, this.stopped.signal);
  }

  /** Fires when nothing more is due. */
  get ended(): AbortSignal {
    return this.stopped.signal;
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
      this.users.push(this.live(user(index), (arrivalMs * index) / count, 1000 / perSecondEach));
    }
  }

  /** Resolves when what was begun has got its response. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.users);
    await Promise.all(this.started);
  }

  private async live(act: (dueMs: number) => Promise<void>, firstMs: number, intervalMs: number): Promise<void> {
    let dueMs = performance.now() + firstMs;
    while (await pause(dueMs - performance.now(), this.stopped.signal)) {
      const started = act(dueMs);
      this.started.add(started);
      void started.finally(() => this.started.delete(started));
      dueMs += intervalMs;
    }
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
