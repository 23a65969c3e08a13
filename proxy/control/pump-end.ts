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
  /** Told when the first one is asked. */
  readonly begins: (pumped: number) => void;
}

/**
 * Resolves when this process pumps no connection any more, or when those that were asked to end have not. The generation that serves
 * them closes them as a drain does.
 */
export async function endPumps(
  plane: Pick<DataPlane, 'pumped' | 'askPumpedToLeave'>,
  { fromMs, ratePerSecond, lastMs, begins }: PumpEnd,
  clock: Clock,
): Promise<void> {
  let asked = 0;
  let allAskedMs: number | undefined;
  while (plane.pumped > 0) {
    const overMs = clock.nowMs() - fromMs;
    if (overMs >= 0) {
      if (asked === 0) begins(plane.pumped);
      const due = 1 + Math.floor((overMs * ratePerSecond) / 1000);
      const left = plane.askPumpedToLeave(due - asked);
      asked = due;
      if (left === 0) allAskedMs ??= clock.nowMs();
      if (allAskedMs !== undefined && clock.nowMs() - allAskedMs >= lastMs) return;
    }
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}
