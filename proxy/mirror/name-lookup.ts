import { LookupAddress, type LookupOptions } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { heldMs } from '../data-plane/shared/addresses';

type Callback = (error: NodeJS.ErrnoException | null, addresses: string | LookupAddress[], family?: number) => void;

interface Found {
  readonly addresses: Promise<LookupAddress[]>;
  readonly untilMs: number;
}

/** One lookup of a name at a time: those of the system share a few threads with all others of the process. */
export class NameLookup {
  private found: Found | undefined;

  constructor(
    private readonly nowMs: () => number,
    private readonly ask: (host: string) => Promise<LookupAddress[]> = (host) => lookup(host, { all: true }),
  ) {}

  /** In the form that Node.js calls it. */
  readonly lookup = (host: string, options: LookupOptions, callback: Callback): void => {
    this.find(host).then(
      (addresses) => {
        const [first] = addresses;
        if (options.all === true || first === undefined) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };

  private find(host: string): Promise<LookupAddress[]> {
    if (this.found && this.nowMs() < this.found.untilMs) return this.found.addresses;
    const addresses = this.ask(host);
    const hold = (forMs: number) => (this.found = { addresses, untilMs: this.nowMs() + forMs });
    this.found = { addresses, untilMs: Infinity };
    addresses.then(
      () => hold(heldMs({ addresses: [], ttlMs: undefined })),
      () => hold(heldMs(undefined)),
    );
    return addresses;
  }
}
