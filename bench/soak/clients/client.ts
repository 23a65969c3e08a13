import type { Account } from '../account/account';
import type { Chance } from '../account/chance';
import type { Door } from '../proxy/door';
import type { Outcome } from '../account/faults';

/** What a client of the soak works with. */
export interface ClientSetup {
  /** The proxy's. */
  readonly door: Door;
  readonly account: Account;
  readonly chance: Chance;
  /** Whether the cycle goes on; a client that is asked to stop finishes what it has begun. */
  readonly goesOn: () => boolean;
  /** Another number each time. */
  readonly nextId: () => number;
  /** How else a request may end, because its proxy is being ended. */
  readonly goaway: readonly Outcome[];
}

/** One thing that a client does, from its connection to its end. */
export type Activity = (cloud: ClientSetup) => Promise<void>;
