import { MetricLine, formatLine } from '../proxy/embedded-metrics';

/** The metrics of a replay, by the dimension `Service`. */
export const REPLAY_METRICS = {
  /** Seconds. */
  lag: 'ReplayLag',
  sent: 'ReplaySent',
  failed: 'ReplayFailed',
  parked: 'ReplayParked',
  reordered: 'ReplayReordered',
} as const;

/** What a replay has done since its start. */
export interface ReplayFigures {
  readonly lagMs: number;
  readonly sent: number;
  readonly failed: number;
  readonly parked: number;
  readonly reordered: number;
}

/** What came since the line before. @param wallMs milliseconds since 1970 */
export function formatReplayLine(
  service: string,
  now: ReplayFigures,
  before: Omit<ReplayFigures, 'lagMs'>,
  wallMs: number,
): MetricLine {
  const { lag, sent, failed, parked, reordered } = REPLAY_METRICS;
  return formatLine(service, wallMs, {
    [lag]: Math.round(now.lagMs) / 1_000,
    [sent]: now.sent - before.sent,
    [failed]: now.failed - before.failed,
    [parked]: now.parked - before.parked,
    [reordered]: now.reordered - before.reordered,
  });
}
