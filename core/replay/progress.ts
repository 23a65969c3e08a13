/** What a replay has done so far. */
export interface ReplayProgress {
  readonly sent: number;
  readonly failed: number;
  readonly parked: number;
  readonly skipped: number;
  readonly finishedBefore: number;
  readonly reordered: number;
  readonly waiting: number;
  readonly elapsedMs: number;
  readonly lagMs: number;
  /** Of the store; undefined where it has no end. */
  readonly progress: { readonly doneBytes: number; readonly totalBytes: number } | undefined;
  /** In recorded time. */
  readonly reachedMs: number | undefined;
  readonly outageMs: number | undefined;
  readonly lastProblem: string | undefined;
}

/** One line for a person. */
export function formatProgress(progress: ReplayProgress): string {
  const { sent, failed, parked, waiting, elapsedMs, lagMs, reachedMs, outageMs, lastProblem } = progress;
  const at = reachedMs === undefined ? '' : `  at ${new Date(reachedMs).toISOString().slice(0, 19)}Z`;
  const rate = elapsedMs > 0 ? `  ${Math.round((sent * 1_000) / elapsedMs)}/s` : '';
  const eta = findEta(progress);
  const outage =
    outageMs === undefined || outageMs < 1_000
      ? ''
      : `  no response for ${formatSeconds(outageMs)}: ${lastProblem ?? 'unknown'}`;
  const figures = `${sent} sent, ${failed} failed, ${parked} parked, ${waiting} waiting`;
  const left = eta === undefined ? '' : `  about ${formatSeconds(eta)} left`;
  return `${formatSeconds(elapsedMs)}  ${figures}${rate}  lag ${formatSeconds(lagMs)}${at}${left}${outage}`;
}

/** @returns milliseconds; undefined where it cannot be known */
export function findEta({ progress, elapsedMs }: Pick<ReplayProgress, 'progress' | 'elapsedMs'>): number | undefined {
  if (!progress || progress.doneBytes === 0 || progress.totalBytes === 0) return undefined;
  return (elapsedMs * Math.max(0, progress.totalBytes - progress.doneBytes)) / progress.doneBytes;
}

export function formatSeconds(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}m${Math.floor(seconds % 60)}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}
