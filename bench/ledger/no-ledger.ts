// Stands in for `proxy/data-plane/contract/ledger.ts` in one build of the proxy. Its shape is the ledger's; it counts nothing.

const KINDS = ['http', 'websocket', 'grpcStream', 'serverSentEvents', 'streaming'] as const;
type Kind = (typeof KINDS)[number];

function eachKind<T>(make: () => T): Record<Kind, T> {
  return Object.fromEntries(KINDS.map((kind) => [kind, make()])) as Record<Kind, T>;
}

/** The fields stay: an exchange is the same object with and without a ledger, it is only not linked. */
export abstract class LedgerEntry {
  kind: Kind = 'http';
  enteredMs = 0;
  bytesReceived = 0;
  bytesSent = 0;
  leftAs: string | undefined = undefined;
  previous: LedgerEntry | undefined = undefined;
  next: LedgerEntry | undefined = undefined;

  abstract close(): Promise<void>;

  measure(): void {}
}

export class Ledger {
  readonly total = 0;

  enter(): void {}

  reclassify(entry: LedgerEntry, kind: Kind): void {
    entry.kind = kind;
  }

  leave(): void {}

  get active(): Record<Kind, number> {
    return eachKind(() => 0);
  }

  get ended(): Record<Kind, Record<string, number>> {
    return eachKind(() => ({ completed: 0, moved: 0, closed: 0, forced: 0 }));
  }

  get bytes(): Record<Kind, { received: number; sent: number }> {
    return eachKind(() => ({ received: 0, sent: 0 }));
  }

  oldestMs(): Record<Kind, number> {
    return eachKind(() => 0);
  }

  *closables(): Generator<LedgerEntry> {}
}
