import { KindCounts, NO_CONNECTIONS, addKinds } from '../proxy/connections';
import { TaskReading, unknownTasks } from './tally';

/** What a side holds at a look: the ledgers of all tasks that responded. */
export interface LiveConnections {
  readonly kinds: KindCounts;
  /** Tasks that did not respond: what they hold is unknown, and never zero. */
  readonly unknownTasks: number;
}

export function countLive(readings: readonly TaskReading[]): LiveConnections {
  const reports = readings.flatMap(({ report }) => report ?? []);
  const kinds = reports.reduce<KindCounts>((sum, { active }) => addKinds(sum, active), NO_CONNECTIONS);
  return { kinds, unknownTasks: unknownTasks(readings).length };
}
