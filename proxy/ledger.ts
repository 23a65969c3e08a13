import { CONNECTION_KINDS, ConnectionKind, Ending, EndingCounts, KindCounts, NO_ENDINGS } from '../core/connections';

/** A live connection that a drain may ask to end. */
export interface Closable {
  /**
   * Ends the connection in its protocol's own way: Close 1012 at a message boundary, end of stream at an event boundary.
   * Resolves when it has left the ledger, as `closed`, or as `forced` when its peer did not answer in time.
   * Asking twice is the same as asking once.
   */
  close(): Promise<void>;
}

export interface Guard {
  /** The connection has turned out to be of another kind (a stream instead of a plain answer). */
  reclassify(kind: ConnectionKind, closable: Closable): void;
  /** Counts out; the first call counts, later ones do nothing. */
  end(how: Ending): void;
}

interface Entry {
  kind: ConnectionKind;
  closable: Closable | undefined;
}

/**
 * The live connections by kind, and how each one ended. It is written in the data path itself: what it does not count
 * does not exist, so zero means zero.
 */
export class Ledger {
  private readonly live = new Set<Entry>();
  private readonly counts: Record<ConnectionKind, number> = {
    http: 0,
    websocket: 0,
    grpcStream: 0,
    serverSentEvents: 0,
  };
  private readonly endings = Object.fromEntries(CONNECTION_KINDS.map((kind) => [kind, { ...NO_ENDINGS }])) as Record<
    ConnectionKind,
    Record<Ending, number>
  >;

  open(kind: ConnectionKind, closable?: Closable): Guard {
    const entry: Entry = { kind, closable };
    this.live.add(entry);
    this.counts[kind] += 1;
    return {
      reclassify: (next, nextClosable) => {
        if (!this.live.has(entry)) return;
        this.counts[entry.kind] -= 1;
        entry.kind = next;
        entry.closable = nextClosable;
        this.counts[next] += 1;
      },
      end: (how) => {
        if (!this.live.delete(entry)) return;
        this.counts[entry.kind] -= 1;
        this.endings[entry.kind][how] += 1;
      },
    };
  }

  get active(): KindCounts {
    return { ...this.counts };
  }

  get ended(): Record<ConnectionKind, EndingCounts> {
    return Object.fromEntries(CONNECTION_KINDS.map((kind) => [kind, { ...this.endings[kind] }])) as Record<
      ConnectionKind,
      EndingCounts
    >;
  }

  /** The connections of these kinds that know how to be closed, oldest first. */
  *closables(kinds: readonly ConnectionKind[]): Generator<Closable> {
    for (const entry of this.live) if (entry.closable && kinds.includes(entry.kind)) yield entry.closable;
  }
}
