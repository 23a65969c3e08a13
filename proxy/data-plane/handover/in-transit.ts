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
  private settle: (entry: LedgerEntry | undefined) => void = () => undefined;
  private readonly settled = new Promise<LedgerEntry | undefined>((resolve) => (this.settle = resolve));

  override get path(): string {
    return this.ownPath;
  }

  override get clientAddress(): string {
    return this.ownClient;
  }

  async close(): Promise<void> {
    await (await this.settled)?.close();
  }

  /** @param entry what stands for it from now on; undefined when it is in another process */
  arrived(entry: LedgerEntry | undefined): void {
    this.settle(entry);
  }
}
