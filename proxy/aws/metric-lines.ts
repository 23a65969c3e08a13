import type { LedgerReport } from '../../core/proxy/admin-api';
import { Counters, sumCounters, since } from '../../core/proxy/counters';
import { CaptureReport, NO_CAPTURE } from '../../core/capture/capture-report';
import {
  MetricLine,
  MetricTick,
  captureLine,
  drainLine,
  liveLines,
  nextTick,
  trafficLine,
} from '../../core/proxy/embedded-metrics';
import type { Clock } from '../process/clock';
import type { Integrations } from './snapshot';
import { Cumulative, durationsIn, latenciesSince } from './latencies';

export interface MetricLinesOptions {
  /** The value of the dimension `Service`. */
  readonly service: string;
  readonly integrations: Integrations;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly wallMs: () => number;
  readonly write: (line: MetricLine) => void;
}

/** What was counted when the last lines were written. */
export interface Written {
  readonly counters: Counters;
  readonly durations: Cumulative;
  /** Absent of one that records nothing, or is of a version that did not know it. */
  readonly captured?: CaptureCounts;
}

type CaptureCounts = Pick<CaptureReport, 'unrecorded' | 'refused' | 'lost'>;

/** Writes what a proxy does as lines that CloudWatch makes metrics of. */
export class MetricLines {
  private before: Counters = {};
  private durations: Cumulative = [];
  private captured: CaptureCounts = NO_CAPTURE;
  private turn: Promise<void> = Promise.resolve();
  private cancel: () => void = () => undefined;

  /** @param written by another generation, whose counters go on */
  constructor(
    private readonly options: MetricLinesOptions,
    written?: Written,
  ) {
    if (!written) return;
    this.before = written.counters;
    this.durations = written.durations;
    this.captured = written.captured ?? NO_CAPTURE;
  }

  /** Writes no more. Resolves with what was written. */
  async handOver(): Promise<Written> {
    this.stop();
    await this.turn;
    return { counters: this.before, durations: this.durations, captured: this.captured };
  }

  start(): void {
    const { clock, wallMs } = this.options;
    const { inMs, kind } = nextTick(wallMs());
    this.cancel = clock.after(inMs, () => {
      this.start();
      this.tick(kind);
    });
  }

  stop(): void {
    this.cancel();
  }

  /** Writes what was counted since the last lines; no live connections, which a sum over the minute would have twice. */
  flush(): Promise<void> {
    return this.inTurn(async () => this.writeTraffic(await this.options.integrations.report()));
  }

  private tick(kind: MetricTick): void {
    void this.inTurn(async () => {
      const { service, integrations, wallMs, write } = this.options;
      const report = await integrations.report();
      const { state, active } = report;
      if (kind === 'full') {
        for (const line of liveLines(service, active, wallMs())) write(line);
        await this.writeTraffic(report);
      }
      if (state !== 'serving') write(drainLine(service, active, wallMs()));
    });
  }

  private async writeTraffic(report: LedgerReport): Promise<void> {
    const { service, integrations, wallMs, write } = this.options;
    const now = sumCounters([report]);
    const durations = durationsIn(await integrations.samples());
    const { requests, errors } = since(this.before, now);
    const latencies = latenciesSince(this.durations, durations);
    this.before = now;
    this.durations = durations;
    write(trafficLine(service, { requests, errors, latencies }, wallMs()));
    if (report.capture) this.writeCapture(report.capture);
  }

  private writeCapture({ unrecorded, refused, lost, pendingMs }: CaptureReport): void {
    const { service, wallMs, write } = this.options;
    const known = this.captured;
    // Counters only grow: these have started again.
    const isAnew = unrecorded < known.unrecorded || refused < known.refused || lost < known.lost;
    const before = isAnew ? NO_CAPTURE : known;
    this.captured = { unrecorded, refused, lost };
    const captured = {
      unrecorded: unrecorded - before.unrecorded,
      refused: refused - before.refused,
      lost: lost - before.lost,
      pendingMs,
    };
    write(captureLine(service, captured, wallMs()));
  }

  /** Workers that do not respond have been logged; what they count comes with the next lines. */
  private inTurn(call: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(call).catch(() => undefined);
    return this.turn;
  }
}
