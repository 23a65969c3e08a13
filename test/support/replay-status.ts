import { ReplayStatus, createReplayStatus } from '../../core/replay/replay-status';

/** A replay that follows, and has lost nothing. */
export function replayStatus(nowMs: number, given: Partial<ReplayStatus> = {}): ReplayStatus {
  const at = new Date(nowMs).toISOString();
  const ends = { run: 'r', from: 's3://capture', to: 'http://backend/', startedAt: at, writtenAt: at };
  return {
    ...createReplayStatus({
      ...ends,
      sent: 9,
      parked: 0,
      reordered: 0,
      withdrawnLate: 0,
      late: 0,
      skippedWrites: 0,
      differingWrites: 0,
      damaged: 0,
      missing: 0,
      lagMs: 900,
      lags: [900],
    }),
    ...given,
  };
}
