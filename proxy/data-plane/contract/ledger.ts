import {
  CONNECTION_KINDS,
  ConnectionKind,
  Ending,
  EndingCounts,
  KindCounts,
  NO_ENDINGS,
  addKinds,
  eachKind,
  total,
} from '../../../core/proxy/connections';
import type { MoveRejection, Moves } from '../../../core/moves/moves';
import type { ConnectionState } from '../../../core/proxy/connection-list';
import { RecentLongest } from './recent-longest';
import type { Upstream } from './upstream';

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

/**
 * A live connection whose client stays while it is moved to another upstream, in two steps: it leaves one, and joins
 * another, or the same one again.
 */
export interface Movable {
  /** Why it cannot be moved as it is now; nothing of it was touched. */
  rejection(moves: Moves): MoveRejection | undefined;
  /** Moves of this name happen at most so many at once in one process. */
  readonly pace: { readonly name: string; readonly concurrency: number } | undefined;
  /** It has left its upstream, and waits for another one. */
  readonly isAway: boolean;
  /**
   * Stops both directions between two messages, and reads the upstream to its end.
   *
   * @returns why not, when it comes to nothing. Of a rejection of `isBefore` it goes on as it was; of any other it is closed.
   */
  leave(): Promise<MoveRejection | undefined>;
  /**
   * Goes on at this upstream. It must be away.
   *
   * @param epoch of the switch that was committed last; undefined where there are no switches
   * @returns how long the messages of its client had to wait; or why not, when it comes to nothing: then it is closed
   */
  join(upstream: Upstream, epoch: number | undefined): Promise<{ readonly stallMs: number } | MoveRejection>;
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
  /** The place among all that ever came in; a move does not change it. */
  serial = 0;
  bytesReceived = 0;
  bytesSent = 0;
  /** How it left the ledger; undefined while it is in it, and `moved` of one that is carried, whether it has moved or not. */
  leftAs: Ending | undefined = undefined;
  /** Neighbours in the ledger's ring; undefined while it is in none. */
  previous: LedgerEntry | undefined = undefined;
  next: LedgerEntry | undefined = undefined;

  abstract close(): Promise<void>;

  /** Of the request that it is, or that it began with, without a query. */
  get path(): string {
    return '';
  }

  /** The address of its client; see `findClient`. */
  get clientAddress(): string {
    return '';
  }

  get phase(): ConnectionState {
    return 'open';
  }

  /** Where it is connected to; undefined where that is not known (yet). */
  get destination(): Upstream | undefined {
    return undefined;
  }

  /** It is between two processes: nothing can be asked of it until it is known which of them has it. */
  get isInTransit(): boolean {
    return false;
  }

  /** Undefined where its kind cannot be moved. */
  get movable(): Movable | undefined {
    return undefined;
  }

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
  private readonly live = new Ring();
  /** Of the clients here, those whose backend is the other side's: see `carry`. */
  private readonly away = new Ring();
  private readonly pastBytes = eachKind(() => ({ received: 0, sent: 0 }));

  private readonly recent = new RecentLongest();
  /** Since the start. */
  private entered = 0;

  /**
   * @param nowMs the clock that `enter` and `oldestMs` are called with
   * @param isElsewhere whether the backend of a connection is the other side's: one that begins so is carried from the beginning
   */
  constructor(
    private readonly nowMs: () => number = () => performance.now(),
    private readonly isElsewhere: (entry: LedgerEntry) => boolean = () => false,
  ) {}

  /** Counts in, as the youngest. `nowMs` of the clock that `oldestMs` is asked with; it never decreases. */
  enter(entry: LedgerEntry, kind: ConnectionKind, nowMs: number): void {
    entry.kind = kind;
    entry.enteredMs = nowMs;
    this.entered += 1;
    entry.serial = this.entered;
    this.live.add(entry);
  }

  /** The connection has turned out to be of another kind (a stream instead of a plain response). */
  reclassify(entry: LedgerEntry, kind: ConnectionKind): void {
    if (entry.next === undefined) return;
    this.findRing(entry).reclassify(entry, kind);
    this.carryFromBeginning(entry);
  }

  /** Another object stands for the connection from now on, as another kind and of the same age. */
  replace(entry: LedgerEntry, by: LedgerEntry, kind: ConnectionKind): void {
    const { previous, next } = entry;
    if (previous === undefined || next === undefined) return;
    this.findRing(entry).reclassify(entry, kind);
    by.kind = kind;
    by.enteredMs = entry.enteredMs;
    by.leftAs = entry.leftAs;
    by.serial = entry.serial;
    by.previous = previous;
    by.next = next;
    previous.next = by;
    next.previous = by;
    entry.previous = undefined;
    entry.next = undefined;
    this.carryFromBeginning(by);
  }

  /**
   * A stream whose backend is the other side's, though it has never moved: it is no traffic of this side, and holds up no one. What has
   * an end of its own stays live, since a switch waits for it.
   */
  carryFromBeginning(entry: LedgerEntry): void {
    if (!this.includes(entry) || isRequest(entry.kind) || !this.isElsewhere(entry)) return;
    this.live.take(entry);
    entry.leftAs = 'moved';
    this.away.insert(entry);
  }

  /** Counts out; the first call counts, later ones do nothing. */
  leave(entry: LedgerEntry, how: Ending): void {
    if (entry.next === undefined) return;
    const { kind } = entry;
    this.findRing(entry).remove(entry, how);
    entry.leftAs = how;
    if (isRequest(kind)) {
      const nowMs = this.nowMs();
      this.recent.add(nowMs - entry.enteredMs, nowMs);
    }
    const bytes = this.pastBytes[kind];
    bytes.received += entry.bytesReceived;
    bytes.sent += entry.bytesSent;
  }

  /**
   * Its backend is the other side's from now on, and its client is still here: it has left as `moved`, holds up no one who
   * waits for what is live, and counts as carried until it ends.
   */
  carry(entry: LedgerEntry): void {
    if (entry.next === undefined || entry.leftAs !== undefined) return;
    this.live.remove(entry, 'moved');
    entry.leftAs = 'moved';
    // They stand by the time at which they came.
    entry.enteredMs = this.nowMs();
    this.away.add(entry);
  }

  /** Its backend is its own side's again: it is live as any other, as the youngest. `nowMs` as for `enter`. */
  recall(entry: LedgerEntry, nowMs: number): void {
    if (!this.isCarried(entry)) return;
    const { serial } = entry;
    this.away.remove(entry, 'moved');
    entry.leftAs = undefined;
    this.enter(entry, entry.kind, nowMs);
    entry.serial = serial;
  }

  /**
   * Counts in a connection that another process of this proxy has counted in before, by its age. Its bytes until now are that
   * process's. @param enteredMs of the clock of this ledger; before the start of the process, most likely
   */
  takeOver(entry: LedgerEntry, kind: ConnectionKind, enteredMs: number, isCarried: boolean): void {
    entry.kind = kind;
    entry.enteredMs = enteredMs;
    this.entered += 1;
    entry.serial = this.entered;
    const bytes = this.pastBytes[kind];
    bytes.received -= entry.bytesReceived;
    bytes.sent -= entry.bytesSent;
    if (isCarried) entry.leftAs = 'moved';
    (isCarried ? this.away : this.live).insert(entry);
  }

  /** It is in the ledger of another process of this proxy from now on: it has not ended. */
  handOver(entry: LedgerEntry): void {
    if (entry.next === undefined) return;
    this.findRing(entry).take(entry);
    const bytes = this.pastBytes[entry.kind];
    bytes.received += entry.bytesReceived;
    bytes.sent += entry.bytesSent;
  }

  isCarried(entry: LedgerEntry): boolean {
    return entry.next !== undefined && entry.leftAs === 'moved';
  }

  get active(): KindCounts {
    return { ...this.live.counts };
  }

  /** All live connections, without those that are carried. */
  get total(): number {
    return total(this.live.counts);
  }

  get ended(): Record<ConnectionKind, EndingCounts> {
    return copyEndings(this.live);
  }

  get carried(): KindCounts {
    return { ...this.away.counts };
  }

  get carriedEnded(): Record<ConnectionKind, EndingCounts> {
    return copyEndings(this.away);
  }

  /** Body bytes by kind since the start, those of live and carried connections too. */
  get bytes(): Record<ConnectionKind, ByteCounts> {
    const bytes = eachKind((kind) => ({ ...this.pastBytes[kind] }));
    for (const ring of [this.live, this.away]) {
      for (const entry of ring) {
        entry.measure();
        bytes[entry.kind].received += entry.bytesReceived;
        bytes[entry.kind].sent += entry.bytesSent;
      }
    }
    return bytes;
  }

  /** Milliseconds since the oldest live connection of each kind came in; 0 where there is none. */
  oldestMs(nowMs: number): Record<ConnectionKind, number> {
    const oldest = eachKind(() => 0);
    for (const { kind, enteredMs } of this.live) oldest[kind] = Math.max(oldest[kind], nowMs - enteredMs);
    return oldest;
  }

  /**
   * Milliseconds of the longest request that was live in the last minute. One that streams counts; a connection that can be
   * closed in order at any time does not.
   */
  longestRequestMs(nowMs: number): number {
    let longest = this.recent.longestMs(nowMs);
    for (const { kind, enteredMs } of this.live) {
      if (!isRequest(kind)) continue;
      longest = Math.max(longest, nowMs - enteredMs);
      // They stand by age.
      break;
    }
    return longest;
  }

  /** When the youngest live connection of each kind came in; kinds without one are absent. */
  youngestMs(): Partial<Record<ConnectionKind, number>> {
    return this.live.youngestMs();
  }

  /** The connections of a kind, oldest first: those that came in until `enteredMs`. Those that end meanwhile are left out. */
  closables(kind: ConnectionKind, enteredMs = Infinity): Generator<LedgerEntry, undefined> {
    return this.live.closables(kind, enteredMs);
  }

  /** Whether it is live, and not carried. */
  includes(entry: LedgerEntry): boolean {
    return entry.next !== undefined && entry.leftAs === undefined;
  }

  /** The carried ones of a kind; those that end meanwhile are left out. */
  carriedClosables(kind: ConnectionKind): Generator<LedgerEntry, undefined> {
    return this.away.closables(kind, Infinity);
  }

  /** Live and carried connections alike: what ends with the process. */
  get whole(): LiveConnections {
    const { live, away } = this;
    const active = () => addKinds(live.counts, away.counts);
    return {
      get active() {
        return active();
      },
      get total() {
        return total(active());
      },
      get ended() {
        return copyEndings(live);
      },
      includes: (entry) => entry.next !== undefined,
      youngestMs: () => ({ ...away.youngestMs(), ...live.youngestMs() }),
      *closables(kind, enteredMs = Infinity) {
        yield* live.closables(kind, enteredMs);
        yield* away.closables(kind, enteredMs);
        return undefined;
      },
    };
  }

  /** Those that came in behind this one, of some kinds, the oldest first; carried ones, too. */
  list(after: number, kinds: readonly ConnectionKind[]): LedgerEntry[] {
    const found: LedgerEntry[] = [];
    for (const ring of [this.live, this.away]) {
      for (const entry of ring) if (entry.serial > after && kinds.includes(entry.kind)) found.push(entry);
    }
    return found.sort((a, b) => a.serial - b.serial);
  }

  private findRing(entry: LedgerEntry): Ring {
    return this.isCarried(entry) ? this.away : this.live;
  }
}

/** What a drain waits for, and closes. */
export type LiveConnections = Pick<Ledger, 'active' | 'total' | 'ended' | 'youngestMs' | 'closables' | 'includes'>;

/** The entries of one sort by age, and how they ended. */
class Ring {
  readonly counts: Record<ConnectionKind, number> = eachKind(() => 0);
  readonly endings = eachKind((): Record<Ending, number> => ({ ...NO_ENDINGS }));
  private readonly anchor: LedgerEntry = new Anchor();
  /** The last that was inserted, while it is here. */
  private inserted: LedgerEntry | undefined;

  constructor() {
    this.anchor.previous = this.anchor;
    this.anchor.next = this.anchor;
  }

  /** As the youngest. */
  add(entry: LedgerEntry): void {
    this.addBehind(this.anchor.previous!, entry);
  }

  /** By its age. They come by age, too: where the last one is, or behind it, is the place of the next. */
  insert(entry: LedgerEntry): void {
    const { anchor, inserted } = this;
    let before = inserted?.next === undefined ? anchor.previous! : inserted;
    while (before !== anchor && before.enteredMs > entry.enteredMs) before = before.previous!;
    while (before.next !== anchor && before.next!.enteredMs <= entry.enteredMs) before = before.next!;
    this.addBehind(before, entry);
    this.inserted = entry;
  }

  /** It must be in this ring. */
  remove(entry: LedgerEntry, how: Ending): void {
    this.take(entry);
    this.endings[entry.kind][how] += 1;
  }

  /** Out of it, without an end. */
  take(entry: LedgerEntry): void {
    if (entry === this.inserted) this.inserted = undefined;
    entry.previous!.next = entry.next;
    entry.next!.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    this.counts[entry.kind] -= 1;
  }

  private addBehind(before: LedgerEntry, entry: LedgerEntry): void {
    entry.previous = before;
    entry.next = before.next;
    before.next!.previous = entry;
    before.next = entry;
    this.counts[entry.kind] += 1;
  }

  reclassify(entry: LedgerEntry, kind: ConnectionKind): void {
    this.counts[entry.kind] -= 1;
    entry.kind = kind;
    this.counts[kind] += 1;
  }

  youngestMs(): Partial<Record<ConnectionKind, number>> {
    const youngest: Partial<Record<ConnectionKind, number>> = {};
    let missing = CONNECTION_KINDS.filter((kind) => this.counts[kind] > 0).length;
    for (let entry = this.anchor.previous!; missing > 0 && entry !== this.anchor; entry = entry.previous!) {
      if (youngest[entry.kind] !== undefined) continue;
      youngest[entry.kind] = entry.enteredMs;
      missing -= 1;
    }
    return youngest;
  }

  *closables(kind: ConnectionKind, enteredMs: number): Generator<LedgerEntry, undefined> {
    if (this.counts[kind] === 0) return;
    const found: LedgerEntry[] = [];
    for (const entry of this) {
      if (entry.enteredMs > enteredMs) break;
      if (entry.kind === kind) found.push(entry);
    }
    // Closing one may end it at once, and take it out of the ring in the middle of the walk.
    for (const entry of found) if (entry.next !== undefined && entry.kind === kind) yield entry;
  }

  *[Symbol.iterator](): Generator<LedgerEntry> {
    for (let entry = this.anchor.next!; entry !== this.anchor; entry = entry.next!) yield entry;
  }
}

function copyEndings({ endings }: Ring): Record<ConnectionKind, EndingCounts> {
  return eachKind((kind) => ({ ...endings[kind] }));
}

/** Its end is its own: a switch has to wait for it. */
function isRequest(kind: ConnectionKind): boolean {
  return kind === 'http' || kind === 'streaming';
}
