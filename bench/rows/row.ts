import type { Instances } from '../peers/instances';
import type { Peer } from '../peers/peer';
import type { Workplace } from '../processes/workplace';

/** One line of the results: the same work for every peer. */
export interface Row {
  /** For `--rows`. */
  readonly name: string;
  readonly title: string;
  readonly unit: 'requests/s' | 'messages/s' | 'ms' | 'bytes';
  readonly better: 'higher' | 'lower';
  /** The peer variants that are measured here too. */
  readonly variants?: readonly string[];
  /** Measured in the first round only: one measurement is steady enough, and long. */
  readonly isOnce?: boolean;
  readonly measure: (run: RowRun, peer: Peer) => Promise<Sample>;
}

/** What a row has to measure with. */
export interface RowRun {
  readonly place: Workplace;
  readonly instances: Instances;
  readonly seconds: number;
  /** Load before the first measurement of a peer in a row, so that its code is warm and its connections are open. */
  readonly warmupSeconds: number;
  readonly isFirstRound: boolean;
  readonly idleConnections: number;
  /** How long a proxy is left alone before its memory is read. */
  readonly settleSeconds: number;
  /** Requests per second of the latency row. */
  readonly fixedRate: () => Promise<number>;
}

/** One measurement of one peer. */
export interface Sample {
  /** In the row's unit. */
  readonly value: number;
  /** What one request (or message) costs the proxy, in microseconds of CPU time. */
  readonly cpuMicros?: number;
  /** How busy the proxy was, and how busy others were on its core; 1 is the whole core. */
  readonly busy?: number;
  readonly othersBusy?: number;
  readonly errors?: number;
  readonly note?: string;
}
