import type { PackedEntry } from '../contract/handover';
import { LedgerEntry } from '../contract/ledger';

/**
 * Stands for a connection in the ledger while it is between two processes. Who asks for its end has to wait until it is known
 * where it is: there it is closed.
 */
export class InTransit extends LedgerEntry {
  constructor({ bytesReceived, bytesSent, path, clientAddress }: PackedEntry) {
    super();
    this.bytesReceived = bytesReceived;
    this.bytesSent = bytesSent;
    this.ownPath = path;
    this.ownClient = clientAddress;
  }

  private readonly ownPath: string;
  private readonly ownClient: string;
  /** Absent until it is known. */
  private found: { readonly entry: LedgerEntry | undefined } | undefined = undefined;
  private waiting: (() => void)[] | undefined = undefined;

  override get path(): string {
    return this.ownPath;
  }

  override get clientAddress(): string {
    return this.ownClient;
  }

  override get isInTransit(): boolean {
    return true;
  }

  async close(): Promise<void> {
    if (this.found === undefined) await new Promise<void>((resolve) => (this.waiting ??= []).push(resolve));
    await this.found?.entry?.close();
  }

  /** @param entry what stands for it from now on; undefined when it is in another process */
  arrived(entry: LedgerEntry | undefined): void {
    this.found = { entry };
    this.waiting?.forEach((resolve) => resolve());
  }
}
