import type { MoveFigures } from '../../core/moves/moves';
import { bucketEndMs, countLatencies, type LatencyCounts } from '../../core/proxy/latency-buckets';
import type { Side } from '../../core/traffic/weights';
import type { BackendReport, ClientsReport } from './messages';
import { noFaults, type SequenceFaults } from './sequence';

/** All connections, once, to one side. */
export interface Round {
  readonly to: Side;
  readonly seconds: number;
  /** As the proxies counted them. */
  readonly moved: number;
  /** How long the messages of a client that was moved had to wait, as the proxies measured it. */
  readonly stall: LatencyCounts;
  readonly longestStallMs: number;
  readonly rejected: MoveFigures['rejected'];
  /** The longest time for which each client waited for an acknowledgement, as it measured it; sorted, in milliseconds. */
  readonly waitsMs: readonly number[];
  /** Messages that went through the proxies meanwhile. */
  readonly messages: number;
  /** Processor time of the proxies. */
  readonly cpuSeconds: number;
}

export interface MoveResult {
  readonly connections: number;
  /** Of all clients; backends push half as many. */
  readonly messagesPerSecond: number;
  readonly proxies: number;
  readonly workers: number;
  /** Before the first move: sorted, in milliseconds. */
  readonly restWaitsMs: readonly number[];
  readonly rounds: readonly Round[];
  readonly totals: Totals;
}

/** Of the whole run, counted by the clients and the backends. */
export interface Totals extends SequenceFaults {
  readonly messages: number;
  readonly closed: number;
  readonly strays: number;
}

/** What clients and backends counted, and what one end said and the other never heard. */
export function addUp(clients: readonly ClientsReport[], backends: readonly BackendReport[]): Totals {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  const faults = [...clients, ...backends].reduce((all, report) => addFaults(all, report.faults), noFaults());
  const sent = sum(clients.map((each) => each.sent));
  const acknowledged = sum(clients.map((each) => each.acknowledged));
  const [pushed, seen] = [sum(backends.map((each) => each.pushed)), sum(clients.map((each) => each.pushed))];
  const received = sum(backends.map((each) => each.received));
  const closed = sum(clients.flatMap((each) => Object.values(each.closed)));
  const unheard = [sent - received, sent - acknowledged, pushed - seen].map((each) => Math.max(0, each));
  // What was passed over is among what did not arrive.
  const lost = Math.max(faults.lost, ...unheard, unheard[1]! + unheard[2]!);
  return { ...faults, lost, messages: sent + acknowledged + seen, closed, strays: sum(clients.map((c) => c.strays)) };
}

function addFaults(a: SequenceFaults, b: SequenceFaults): SequenceFaults {
  return { lost: a.lost + b.lost, doubled: a.doubled + b.doubled, outOfOrder: a.outOfOrder + b.outOfOrder };
}

/** The end of the bucket in which the given part of the moves had ended. Milliseconds; NaN without moves. */
export function findStallMs(stall: LatencyCounts, part: number): number {
  const wanted = part * countLatencies(stall);
  let sum = 0;
  for (const [bucket, count] of stall.entries()) {
    sum += count;
    if (sum >= wanted && sum > 0) return bucketEndMs(bucket);
  }
  return Number.NaN;
}

export function findPart(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
