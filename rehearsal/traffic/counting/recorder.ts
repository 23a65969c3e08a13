import { RepeatedLines } from '../../../core/text/repeated-lines';
import { Side } from '../../../core/traffic/weights';
import { Histogram } from './histogram';
import {
  HttpTally,
  MachineTally,
  RightResponses,
  TriedRequests,
  ServerSentEventsTally,
  StreamingTally,
  TrafficSnapshot,
  TrafficTally,
  WebSocketTally,
} from './tally';
import { EntryRecorder } from './entries';
import type { WritesRecord } from './writes-record';

type Counters<Tally> = { -readonly [Name in keyof Tally]: number };

/** Where every generator writes what it saw. */
export class Recorder {
  readonly http: Counters<Omit<HttpTally, 'p50Ms' | 'p99Ms' | 'longestStallMs' | 'right' | 'tried'>> = {
    clients: 0,
    sent: 0,
    ok: 0,
    failed: 0,
    retried: 0,
    unsent: 0,
  };
  readonly right: Counters<RightResponses> = { reads: 0, uploads: 0, sessions: 0, writes: 0, expectedErrors: 0 };
  readonly tried: Counters<TriedRequests> = { reads: 0, uploads: 0, sessions: 0, writes: 0 };
  /** @default - nothing is written down one by one */
  record: WritesRecord | undefined;
  /** @default - the traffic is no scenario's */
  entries: EntryRecorder | undefined;
  readonly websocket: Counters<WebSocketTally> = {
    clients: 0,
    opened: 0,
    sent: 0,
    received: 0,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
    refused: 0,
    closedCleanly: 0,
    closedByServer: 0,
    dropped: 0,
    longestGapMs: 0,
    longestStallMs: 0,
  };
  readonly serverSentEvents: Counters<ServerSentEventsTally> = {
    clients: 0,
    opened: 0,
    events: 0,
    lost: 0,
    duplicated: 0,
    refused: 0,
    endedCleanly: 0,
    endedByServer: 0,
    dropped: 0,
    longestGapMs: 0,
  };
  readonly streaming: Counters<StreamingTally> = {
    clients: 0,
    asked: 0,
    whole: 0,
    cut: 0,
    truncated: 0,
    wrong: 0,
    refused: 0,
    events: 0,
    longestGapMs: 0,
  };
  readonly machine: Counters<MachineTally> = { minShare: 1, notTried: 0, standstillMs: 0 };
  /** Of the full rate, now (0–1). */
  share = 1;
  readonly live = { websocket: 0, serverSentEvents: 0 };
  readonly responsesBySide: Record<Side, number> = { source: 0, target: 0 };
  readonly latency = new Histogram();
  private readonly failures = new RepeatedLines();
  private firstBadResponseAt: string | undefined;

  /** Keeps a line on something that went wrong; counting it is the caller's. */
  note(generator: string, what: string): void {
    const at = new Date().toISOString();
    this.firstBadResponseAt ??= at;
    this.failures.add(at, generator, what);
  }

  /** A client of this kind was without a connection, or without a sign of life, since then (`performance.now()`). */
  gap(kind: 'websocket' | 'serverSentEvents' | 'streaming', sinceMs: number): void {
    const ms = Math.round(performance.now() - sinceMs);
    this[kind].longestGapMs = Math.max(this[kind].longestGapMs, ms);
  }

  /** A response came, or was given up, to a message that was due then (`performance.now()`). */
  waited(sinceMs: number): void {
    const ms = Math.round(performance.now() - sinceMs);
    this.websocket.longestStallMs = Math.max(this.websocket.longestStallMs, ms);
  }

  /** Forgets the latencies so far, which are those of the arrival; all counts stay. */
  mark(): void {
    this.latency.clear();
    this.websocket.longestStallMs = 0;
  }

  tally(): TrafficTally {
    return {
      http: {
        ...this.http,
        right: { ...this.right },
        tried: { ...this.tried },
        p50Ms: this.latency.quantile(0.5),
        p99Ms: this.latency.quantile(0.99),
        longestStallMs: this.latency.longest,
      },
      websocket: { ...this.websocket },
      serverSentEvents: { ...this.serverSentEvents },
      streaming: { ...this.streaming },
      machine: { ...this.machine },
      ...(this.entries && { entries: this.entries.tally() }),
      failures: this.failures.list(),
      firstBadResponseAt: this.firstBadResponseAt,
    };
  }

  snapshot(): TrafficSnapshot {
    return {
      ...this.tally(),
      at: new Date().toISOString(),
      responsesBySide: { ...this.responsesBySide },
      live: { ...this.live },
      share: this.share,
    };
  }
}
