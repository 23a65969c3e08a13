import type { DataPlane } from '../data-plane/contract/data-plane';
import type { Clock } from '../process/clock';

const LOOK_MS = 200;

export interface PumpEnd {
  /** By the clock: from then on they are asked to end. */
  readonly fromMs: number;
  /** How many of them at most. */
  readonly ratePerSecond: number;
  /** Behind the last one. */
  readonly lastMs: number;
  /** Whether none is to come. */
  readonly isLast: () => boolean;
  /** Told when the first one is asked. */
  readonly begins: (pumped: number) => void;
}

/**
 * Resolves when this process pumps no connection any more, or when those that were asked to end have not. The generation that serves
 * them closes them as a drain does.
 */
export async function endPumps(
  plane: Pick<DataPlane, 'pumped' | 'askPumpedToLeave'>,
  { fromMs, ratePerSecond, lastMs, isLast, begins }: PumpEnd,
  clock: Clock,
): Promise<void> {
  let asked = 0;
  let startedMs: number | undefined;
  let allAskedMs: number | undefined;
  while (plane.pumped > 0 || !isLast()) {
    const nowMs = clock.nowMs();
    if (nowMs >= fromMs && plane.pumped > 0) {
      if (startedMs === undefined) begins(plane.pumped);
      startedMs ??= nowMs;
      const due = 1 + Math.floor(((nowMs - startedMs) * ratePerSecond) / 1000);
      const left = plane.askPumpedToLeave(due - asked);
      asked = due;
      allAskedMs = left === 0 ? (allAskedMs ?? nowMs) : undefined;
      if (allAskedMs !== undefined && isLast() && nowMs - allAskedMs >= lastMs) return;
    }
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}
