// Stands in for `proxy/data-plane/contract/ledger.ts` in one build of the proxy. Its shape is the ledger's; it counts nothing.
import { NO_ENDINGS, eachKind, type ConnectionKind, type Ending } from '../../core/proxy/connections';
import type { Ledger as RealLedger, LedgerEntry as RealEntry } from '../../proxy/data-plane/contract/ledger';

/** The fields stay: an exchange is the same object with and without a ledger, it is only not linked. */
export abstract class LedgerEntry implements Pick<RealEntry, keyof RealEntry> {
  kind: ConnectionKind = 'http';
  enteredMs = 0;
  serial = 0;
  bytesReceived = 0;
  bytesSent = 0;
  leftAs: Ending | undefined = undefined;
  previous: LedgerEntry | undefined = undefined;
  next: LedgerEntry | undefined = undefined;

  readonly path = '';
  readonly clientAddress = '';
  readonly phase = 'open';

  abstract close(): Promise<void>;

  get destination() {
    return undefined;
  }

  get isInTransit() {
    return false;
  }

  get movable() {
    return undefined;
  }

  measure(): void {
    return;
  }
}

export class Ledger implements Pick<RealLedger, keyof RealLedger> {
  readonly total = 0;

  enter(): void {
    return;
  }

  reclassify(entry: LedgerEntry, kind: ConnectionKind): void {
    entry.kind = kind;
  }

  replace(_entry: LedgerEntry, by: LedgerEntry, kind: ConnectionKind): void {
    by.kind = kind;
  }

  leave(): void {
    return;
  }

  takeOver(entry: LedgerEntry, kind: ConnectionKind): void {
    entry.kind = kind;
  }

  handOver(): void {
    return;
  }

  carry(): void {
    return;
  }

  carryFromBeginning(): void {
    return;
  }

  recall(): void {
    return;
  }

  isCarried(): boolean {
    return false;
  }

  includes(): boolean {
    return false;
  }

  list() {
    return [];
  }

  get active() {
    return eachKind(() => 0);
  }

  get ended() {
    return eachKind(() => ({ ...NO_ENDINGS }));
  }

  get whole() {
    return this;
  }

  get carried() {
    return eachKind(() => 0);
  }

  get carriedEnded() {
    return eachKind(() => ({ ...NO_ENDINGS }));
  }

  get bytes() {
    return eachKind(() => ({ received: 0, sent: 0 }));
  }

  oldestMs() {
    return eachKind(() => 0);
  }

  longestRequestMs() {
    return 0;
  }

  youngestMs() {
    return {};
  }

  *closables(): Generator<LedgerEntry, undefined> {
    yield* [];
  }

  *carriedClosables(): Generator<LedgerEntry, undefined> {
    yield* [];
  }
}
