import type { Account } from './account';
import type { Chance } from './chance';
import type { Door } from './door';
import type { Outcome } from './faults';

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
