import { Burst } from './burst';
import type { Clock } from './clock';
import type { FailureCause, Upstream, UpstreamFailure } from './data-plane/data-plane';

export interface WarningLog {
  warn(figures: object, message: string): void;
}

/** Warns of failures of an upstream: of the first of a second at once, of the others by their number. */
export class FailureLog {
  private unsaid: Partial<Record<UpstreamFailure, number>> = {};
  private readonly burst: Burst;

  constructor(
    private readonly log: WarningLog,
    clock: Clock,
  ) {
    this.burst = new Burst(1, clock, (count) => {
      const { unsaid } = this;
      this.unsaid = {};
      log.warn({ failures: unsaid }, `Upstream failed ${count} more times within a second`);
    });
  }

  /** @param status what the client got; undefined when it had left */
  failed(failure: UpstreamFailure, status: number | undefined, { host, port }: Upstream, cause?: FailureCause): void {
    const upstream = `${host}:${port}`;
    if (this.burst.admit()) this.log.warn({ failure, ...cause, status, upstream }, 'Upstream failed');
    else this.unsaid[failure] = (this.unsaid[failure] ?? 0) + 1;
  }

  /** Says what is left to say. */
  stop(): void {
    this.burst.end();
  }
}
