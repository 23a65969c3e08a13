import type { Clock } from './clock';

/** A request that was sent before its client knew of the end is here in this time. */
const QUIET_MS = 1_000;
const LOOK_MS = 50;

/** What a shutdown watches before it closes the connections that are left. */
export interface Stillness {
  /** When a request came last, by the clock. */
  lastRequestMs(): number;
  /** Live connections, idle ones aside. */
  active(): number;
}

/** Resolves when nothing was live and no request came for a short while, at `deadlineMs` at the latest. */
export async function quiet(still: Stillness, deadlineMs: number, clock: Clock): Promise<void> {
  const beganMs = clock.nowMs();
  for (;;) {
    const nowMs = clock.nowMs();
    const sinceMs = Math.max(beganMs, still.lastRequestMs());
    if (nowMs >= deadlineMs || (still.active() === 0 && nowMs - sinceMs >= QUIET_MS)) return;
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}
