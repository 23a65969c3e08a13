import type { Account } from './account.ts';
import type { Chance } from './chance.ts';

/** What a client of the soak works with. */
export interface ClientWorld {
  /** The proxy's. */
  readonly port: number;
  readonly account: Account;
  readonly chance: Chance;
  /** Whether the cycle goes on; a client that is asked to stop finishes what it has begun. */
  readonly goesOn: () => boolean;
  /** Another number each time. */
  readonly nextId: () => number;
}

/** One thing that a client does, from its connection to its end. */
export type Activity = (world: ClientWorld) => Promise<void>;
