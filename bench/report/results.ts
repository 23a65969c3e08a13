import type { Machine } from '../processes/machine';
import { quantile } from '../load/inside';
import type { Row, Sample } from '../rows/row';
import { BUSY_ENOUGH } from '../rows/throughput';

/** What a run found: the JSON file. */
export interface Results {
  readonly machine: Machine;
  readonly options: object;
  readonly warnings: readonly string[];
  /** Peers that were not installed, and how to get them. */
  readonly missing: Readonly<Record<string, string>>;
  readonly rows: readonly RowResult[];
  readonly ledger?: LedgerCost;
}

export interface RowResult extends Pick<Row, 'name' | 'title' | 'unit' | 'better'> {
  readonly peers: readonly PeerResult[];
}

export interface PeerResult {
  readonly peer: string;
  /** One a round. */
  readonly samples: readonly Sample[];
  /** Why there is no measurement. */
  readonly failure?: string;
  readonly summary?: Summary;
}

/** Medians over the rounds. */
export interface Summary {
  readonly value: number;
  readonly lowest: number;
  readonly highest: number;
  readonly cpuMicros?: number;
  readonly busy?: number;
  readonly othersBusy?: number;
  readonly errors: number;
  readonly note?: string;
  /**
   * What the throughput was limited by. Only `proxy` makes it the proxy's own: with `load` it waited for the load or the
   * upstream, with `others` something else ran on its core. The CPU time per request is its own in all cases.
   */
  readonly limit: 'proxy' | 'load' | 'others';
}

/** What counting every connection costs. */
export interface LedgerCost {
  /** One count in and out, measured alone. */
  readonly nanoseconds?: number;
  readonly problem?: string;
  /** Of the CPU time of a small GET, by `nanoseconds`. */
  readonly shareOfRequest?: number;
  /** CPU time of a small GET in microseconds, by build. */
  readonly withLedgerMicros?: number;
  readonly withoutLedgerMicros?: number;
}

export function summarize(row: Pick<Row, 'unit'>, samples: readonly Sample[]): Summary | undefined {
  if (samples.length === 0) return undefined;
  const values = samples.map(({ value }) => value);
  const busy = computeMedian(samples, 'busy');
  const othersBusy = computeMedian(samples, 'othersBusy');
  return {
    value: median(values),
    lowest: Math.min(...values),
    highest: Math.max(...values),
    ...defined('cpuMicros', computeMedian(samples, 'cpuMicros')),
    ...defined('busy', busy),
    ...defined('othersBusy', othersBusy),
    errors: samples.reduce((sum, { errors = 0 }) => sum + errors, 0),
    ...defined('note', samples.at(-1)?.note),
    limit: isThroughput(row) ? computeLimit(busy ?? 1, othersBusy ?? 0) : 'proxy',
  };
}

function isThroughput({ unit }: Pick<Row, 'unit'>): boolean {
  return unit === 'requests/s' || unit === 'messages/s';
}

function computeLimit(busy: number, othersBusy: number): Summary['limit'] {
  if (busy >= BUSY_ENOUGH) return 'proxy';
  return busy + othersBusy >= BUSY_ENOUGH ? 'others' : 'load';
}

export interface Ratio {
  /** Above 1 is better than the other, whatever the row's unit. */
  readonly ratio: number;
  /** By CPU time per request, because the throughput of one of the two was not its own limit. */
  readonly isByCpu: boolean;
}

/** How much better a peer is than another one; undefined where one of them has no figure. */
export function ratioTo(row: RowResult, peer: string, other: string): Ratio | undefined {
  const [own, theirs] = [peer, other].map((name) => row.peers.find((entry) => entry.peer === name)?.summary);
  if (own === undefined || theirs === undefined) return undefined;
  const isByCpu = own.limit !== 'proxy' || theirs.limit !== 'proxy';
  if (isByCpu && own.cpuMicros !== undefined && theirs.cpuMicros !== undefined) {
    return { ratio: theirs.cpuMicros / own.cpuMicros, isByCpu };
  }
  return { ratio: row.better === 'higher' ? own.value / theirs.value : theirs.value / own.value, isByCpu: false };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return Number.isInteger(half) ? (sorted[half - 1]! + sorted[half]!) / 2 : quantile(sorted, 0.5);
}

function computeMedian(samples: readonly Sample[], name: 'cpuMicros' | 'busy' | 'othersBusy'): number | undefined {
  const values = samples.map((sample) => sample[name]).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : median(values);
}

function defined<Name extends string, T>(name: Name, value: T | undefined): Partial<Record<Name, T>> {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, T>);
}
