import type { RequestsReport, SocketsReport, Times } from './messages';

/** What a peer holds when it has nothing to end. */
export interface Settled {
  readonly processes: number;
  readonly files: number;
  readonly residentBytes: number;
  /** Temporary files and sockets. */
  readonly temporary: number;
  /** Live generations, as ours counts them. */
  readonly generations?: number;
}

/** One restart. */
export interface RestartFigures {
  /** From the order until no process of the generation before is left; absent: some were, at the end of the wait. */
  readonly replacedMs?: number | undefined;
  /** From the order until the peer said that it serves: only of ours. */
  readonly servingMs?: number;
  /** Processor time from the order until then, with what the load took: of the processes before, and of those behind them. */
  readonly cpuSeconds: { readonly old: number; readonly new: number };
  readonly stall: Times;
  readonly latency: Times;
  readonly timeline: SocketsReport['timeline'];
  /** WebSockets that were closed. */
  readonly closed: number;
  readonly requestErrors: number;
  readonly after: Settled;
}

/** What was lost is of the whole run. */
export interface PeerFigures {
  readonly peer: string;
  readonly how: string;
  readonly isOurs: boolean;
  readonly connections: number;
  /** A second, of all connections together. */
  readonly messagesPerSecond: number;
  readonly requestsPerSecond: number;
  /** Of messages that were due before the first restart. */
  readonly quiet: Times;
  /** Of all processors, in that time: what a restart can have (0–1). */
  readonly idleShare: number;
  readonly before: Settled;
  readonly restarts: readonly RestartFigures[];
  readonly sockets: SocketsReport;
  readonly requests: RequestsReport;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
