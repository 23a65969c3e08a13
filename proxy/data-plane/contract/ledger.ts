import {
  CONNECTION_KINDS,
  ConnectionKind,
  Ending,
  EndingCounts,
  KindCounts,
  NO_ENDINGS,
  eachKind,
  total,
} from '../../../core/proxy/connections';
import { RecentLongest } from './recent-longest';

/** A live connection that a drain may ask to end. */
export interface Closable {
  /** How it left the ledger; undefined while it is in it. */
  readonly leftAs: Ending | undefined;
  /**
   * Ends the connection in its protocol's own way: Close 1012 at a message boundary, end of stream at an event boundary.
   * Resolves when it has left the ledger, as `closed`, or as `forced` when its peer did not respond in time.
   * Asking twice is the same as asking once.
   */
  close(): Promise<void>;
}

export interface ByteCounts {
  /** Body bytes that clients sent; of an upgraded connection everything after the handshake. */
  readonly received: number;
  /** Body bytes that went to clients. */
  readonly sent: number;
}

/**
 * What the ledger knows of one connection. An exchange is its own entry: counting it in and out then allocates nothing,
 * and costs some nanoseconds.
 */
export abstract class LedgerEntry implements Closable {
  kind: ConnectionKind = 'http';
  enteredMs = 0;
  bytesReceived = 0;
  bytesSent = 0;
  /** How it left the ledger; undefined while it is in it. */
  leftAs: Ending | undefined = undefined;
  /** Neighbours in the ledger's ring; undefined while it is in none. */
  previous: LedgerEntry | undefined = undefined;
  next: LedgerEntry | undefined = undefined;

  abstract close(): Promise<void>;

  /** Brings the byte counts up to date, where another component counts. */
  measure(): void {
    return;
  }
}

/** The fixed point of a ring: before the oldest, behind the youngest. */
class Anchor extends LedgerEntry {
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * The live connections by kind, and how each one ended. It is written in the data path itself: what it does not count
 * does not exist, so zero means zero.
 */
export class Ledger {
  private readonly ring: LedgerEntry = new Anchor();
  private readonly counts: Record<ConnectionKind, number> = eachKind(() => 0);
  private readonly endings = eachKind((): Record<Ending, number> => ({ ...NO_ENDINGS }));
  private readonly pastBytes = eachKind(() => ({ received: 0, sent: 0 }));

  private readonly recent = new RecentLongest();

  /** @param nowMs the clock that `enter` and `oldestMs` are called with */
  constructor(private readonly nowMs: () => number = () => performance.now()) {
    this.ring.previous = this.ring;
    this.ring.next = this.ring;
  }

  /** Counts in, as the youngest. `nowMs` of the clock that `oldestMs` is asked with; it never decreases. */
  enter(entry: LedgerEntry, kind: ConnectionKind, nowMs: number): void {
    const last = this.ring.previous!;
    entry.kind = kind;
    entry.enteredMs = nowMs;
    entry.previous = last;
    entry.next = this.ring;
    last.next = entry;
    this.ring.previous = entry;
    this.counts[kind] += 1;
  }

  /** The connection has turned out to be of another kind (a stream instead of a plain response). */
  reclassify(entry: LedgerEntry, kind: ConnectionKind): void {
    if (entry.next === undefined) return;
    this.counts[entry.kind] -= 1;
    entry.kind = kind;
    this.counts[kind] += 1;
  }

  /** Another object stands for the connection from now on, as another kind and of the same age. */
  replace(entry: LedgerEntry, by: LedgerEntry, kind: ConnectionKind): void {
    const { previous, next } = entry;
    if (previous === undefined || next === undefined) return;
    this.reclassify(entry, kind);
    by.kind = kind;
    by.enteredMs = entry.enteredMs;
    by.previous = previous;
    by.next = next;
    previous.next = by;
    next.previous = by;
    entry.previous = undefined;
    entry.next = undefined;
  }

  /** Counts out; the first call counts, later ones do nothing. */
  leave(entry: LedgerEntry, how: Ending): void {
    const { previous, next, kind } = entry;
    if (previous === undefined || next === undefined) return;
    previous.next = next;
    next.previous = previous;
    entry.previous = undefined;
    entry.next = undefined;
    this.counts[kind] -= 1;
    this.endings[kind][how] += 1;
    entry.leftAs = how;
    if (isRequest(kind)) {
      const nowMs = this.nowMs();
      this.recent.add(nowMs - entry.enteredMs, nowMs);
    }
    const bytes = this.pastBytes[kind];
    bytes.received += entry.bytesReceived;
    bytes.sent += entry.bytesSent;
  }

  get active(): KindCounts {
    return { ...this.counts };
  }

  /** All live connections. */
  get total(): number {
    return total(this.counts);
  }

  get ended(): Record<ConnectionKind, EndingCounts> {
    return eachKind((kind) => ({ ...this.endings[kind] }));
  }

  /** Body bytes by kind since the start, those of live connections too. */
  get bytes(): Record<ConnectionKind, ByteCounts> {
    const bytes = eachKind((kind) => ({ ...this.pastBytes[kind] }));
    for (const entry of this.entries()) {
      entry.measure();
      bytes[entry.kind].received += entry.bytesReceived;
      bytes[entry.kind].sent += entry.bytesSent;
    }
    return bytes;
  }

  /** Milliseconds since the oldest live connection of each kind came in; 0 where there is none. */
  oldestMs(nowMs: number): Record<ConnectionKind, number> {
    const oldest = eachKind(() => 0);
    for (const { kind, enteredMs } of this.entries()) oldest[kind] = Math.max(oldest[kind], nowMs - enteredMs);
    return oldest;
  }

  /**
   * Milliseconds of the longest request that was live in the last minute. One that streams counts; a connection that can be
   * closed in order at any time does not.
   */
  longestRequestMs(nowMs: number): number {
    let longest = this.recent.longestMs(nowMs);
    for (const { kind, enteredMs } of this.entries()) {
      if (!isRequest(kind)) continue;
      longest = Math.max(longest, nowMs - enteredMs);
      // They stand by age.
      break;
    }
    return longest;
  }

  /** When the youngest live connection of each kind came in; kinds without one are absent. */
  youngestMs(): Partial<Record<ConnectionKind, number>> {
    const youngest: Partial<Record<ConnectionKind, number>> = {};
    let missing = CONNECTION_KINDS.filter((kind) => this.counts[kind] > 0).length;
    for (let entry = this.ring.previous!; missing > 0 && entry !== this.ring; entry = entry.previous!) {
      if (youngest[entry.kind] !== undefined) continue;
      youngest[entry.kind] = entry.enteredMs;
      missing -= 1;
    }
    return youngest;
  }

  /** The connections of a kind, oldest first: those that came in until `enteredMs`. Those that end meanwhile are left out. */
  *closables(kind: ConnectionKind, enteredMs = Infinity): Generator<Closable> {
    if (this.counts[kind] === 0) return;
    const found: LedgerEntry[] = [];
    for (const entry of this.entries()) {
      if (entry.enteredMs > enteredMs) break;
      if (entry.kind === kind) found.push(entry);
    }
    // Closing one may end it at once, and take it out of the ring in the middle of the walk.
    for (const entry of found) if (entry.next !== undefined && entry.kind === kind) yield entry;
  }

  private *entries(): Generator<LedgerEntry> {
    for (let entry = this.ring.next!; entry !== this.ring; entry = entry.next!) yield entry;
  }
}

/** Its end is its own: a switch has to wait for it. */
function isRequest(kind: ConnectionKind): boolean {
  return kind === 'http' || kind === 'streaming';
}
