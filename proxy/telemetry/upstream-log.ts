import { LogThrottle } from './log-throttle';
import type { Clock } from '../process/clock';
import type { FailureCause, Upstream, UpstreamFailure } from '../data-plane/contract/data-plane';
import { DEVIATIONS, Deviation } from '../data-plane/contract/deviations';

interface WarningLog {
  warn(figures: object, message: string): void;
}

type Counts<Kind extends string> = Partial<Record<Kind, number>>;

/** Warnings of one sort: of the first of a second at once, of the others by their number of each kind. */
class Warnings<Kind extends string> {
  private unsaid: Counts<Kind> = {};
  private readonly logThrottle: LogThrottle;

  constructor(
    private readonly log: WarningLog,
    clock: Clock,
    private readonly message: string,
    more: (count: number, unsaid: Counts<Kind>) => readonly [figures: object, message: string],
  ) {
    this.logThrottle = new LogThrottle(1, clock, (count) => {
      const { unsaid } = this;
      this.unsaid = {};
      log.warn(...more(count, unsaid));
    });
  }

  warn(kind: Kind, figures: object): void {
    if (this.logThrottle.admit()) this.log.warn(figures, this.message);
    else this.unsaid[kind] = (this.unsaid[kind] ?? 0) + 1;
  }

  end(): void {
    this.logThrottle.end();
  }
}

/**
 * What is wrong with upstreams, in the log: their failures, and their responses that are not as HTTP has them and pass all
 * the same.
 */
export class UpstreamLog {
  private readonly counts: Counts<Deviation> = {};
  private readonly failures: Warnings<UpstreamFailure>;
  private readonly deviations: Warnings<Deviation>;

  constructor(log: WarningLog, clock: Clock) {
    this.failures = new Warnings(log, clock, 'Upstream failed', (count, failures) => [
      { failures },
      `Upstream failed ${count} more times within a second`,
    ]);
    const deviated = 'Upstream response deviates from HTTP, and was accepted';
    this.deviations = new Warnings(log, clock, deviated, (count, deviations) => [
      { deviations },
      `Upstream sent ${count} more responses within a second that deviate from HTTP`,
    ]);
  }

  /** @param status what the client got; undefined when it had left */
  failed(failure: UpstreamFailure, status: number | undefined, upstream: Upstream, cause?: FailureCause): void {
    this.failures.warn(failure, { failure, ...cause, status, upstream: formatName(upstream) });
  }

  deviated(deviation: Deviation, upstream: Upstream): void {
    this.counts[deviation] = (this.counts[deviation] ?? 0) + 1;
    this.deviations.warn(deviation, { deviation, why: DEVIATIONS[deviation], upstream: formatName(upstream) });
  }

  /** Since the start. */
  get byDeviation(): Readonly<Counts<Deviation>> {
    return this.counts;
  }

  /** Says what is left to say. */
  stop(): void {
    this.failures.end();
    this.deviations.end();
  }
}

function formatName({ host, port }: Upstream): string {
  return `${host}:${port}`;
}
