import { sumCarriedLive } from './move-tally';
import { KindCounts, NO_CONNECTIONS, addKinds, total } from '../proxy/connections';
import { TaskReading, unknownTasks } from './tally';

/** What a side holds at a look: the ledgers of all tasks that responded. */
export interface LiveConnections {
  readonly kinds: KindCounts;
  /** Tasks that did not respond: what they hold is unknown, and never zero. */
  readonly unknownTasks: number;
  /** Connections of clients at these tasks that were moved to the other backend: they are in none of `kinds`. Absent where there is none. */
  readonly carried?: number;
}

export function countLive(readings: readonly TaskReading[]): LiveConnections {
  const reports = readings.flatMap(({ report }) => report ?? []);
  const kinds = reports.reduce<KindCounts>((sum, { active }) => addKinds(sum, active), NO_CONNECTIONS);
  const carried = total(sumCarriedLive(reports));
  return { kinds, unknownTasks: unknownTasks(readings).length, ...(carried > 0 && { carried }) };
}
