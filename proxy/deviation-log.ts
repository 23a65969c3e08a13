import { Burst } from './burst';
import type { Clock } from './clock';
import type { Upstream } from './data-plane/data-plane';
import { DEVIATIONS, Deviation } from './data-plane/deviations';
import type { WarningLog } from './failure-log';

/**
 * Counts the answers of upstreams that are not as HTTP has them and are passed on all the same, and warns of them: of the
 * first of a second at once, of the others by their number.
 */
export class DeviationLog {
  private readonly counts: Partial<Record<Deviation, number>> = {};
  private unsaid: Partial<Record<Deviation, number>> = {};
  private readonly burst: Burst;

  constructor(
    private readonly log: WarningLog,
    clock: Clock,
  ) {
    this.burst = new Burst(1, clock, (count) => {
      const { unsaid } = this;
      this.unsaid = {};
      log.warn({ deviations: unsaid }, `Upstream sent ${count} more responses within a second that deviate from HTTP`);
    });
  }

  deviated(deviation: Deviation, { host, port }: Upstream): void {
    this.counts[deviation] = (this.counts[deviation] ?? 0) + 1;
    const figures = { deviation, why: DEVIATIONS[deviation], upstream: `${host}:${port}` };
    if (this.burst.admit()) this.log.warn(figures, 'Upstream response deviates from HTTP, and was accepted');
    else this.unsaid[deviation] = (this.unsaid[deviation] ?? 0) + 1;
  }

  /** Since the start. */
  get byDeviation(): Readonly<Partial<Record<Deviation, number>>> {
    return this.counts;
  }

  /** Says what is left to say. */
  stop(): void {
    this.burst.end();
  }
}
