import type { Side } from '../traffic/weights';
import type { Outcome } from './decision';
import type { Regime } from './regime';

/** What one call of the coordinator of a switch did and saw, in its order: enough to check that it kept to the protocol. */
export interface SwitchTrace {
  /** The regime before this switch. */
  readonly before: Pick<Regime, 'committed' | 'side' | 'isJoined'>;
  /** How many tasks of each side are members. Those of the source have the numbers from 0 on, those of the target follow. */
  readonly members: Readonly<Record<Side, number>>;
  /** The first members in the order of their numbers: the name of the task, and the process that it was at the start. */
  readonly names: readonly string[];
  readonly events: readonly SwitchEvent[];
  /** Looks at tasks that would have made it too long. What they had found last is there again before the decision. */
  readonly leftOut?: number;
}

/** Of up to so many members each has events of its own. Of more, those that were found alike share one. */
export const MAX_SINGLE_MEMBERS = 8;

/** Numbers of members: `0-3,7`. */
export type TaskNumbers = string;

export const SIGHTINGS = ['holding', 'deciding', 'notHolding', 'silent', 'stopped'] as const;

/** What was found of a task; of several with the same, it is one event. */
export interface Sighting {
  /**
   * `holding`: under the epoch of this switch. `deciding`: its lease has expired, and it waits for the decision. `notHolding`:
   * not, or no more. `silent`: it did not respond. `stopped`: ECS says that it has no process any more.
   */
  readonly is: (typeof SIGHTINGS)[number];
  /** Of `holding`: requests, connections and streams of all of these tasks. */
  readonly inFlight?: number;
  /** Of `holding`: tasks that have given up requests, which may still run at the backend. */
  readonly abandoned?: number;
  /** Another process than the one that the switch began with. */
  readonly isRestarted?: true;
  /** A part of the task was lost, and what it had sent may still run. */
  readonly hasLost?: true;
  /** The longest request time has passed since it could last have sent something. */
  readonly hasOutlasted?: true;
  /** Of `notHolding`: where it forwards to after the hold of this epoch has ended. */
  readonly endedTo?: Side;
  /** Of `notHolding`: it has seen a later epoch. */
  readonly isLater?: true;
}

/** Times are milliseconds from the first call to hold, or from the start of the switch where nothing was held. */
export type SwitchEvent = { readonly atMs: number } & (
  | { readonly kind: 'begin' }
  /** Another call of the same execution had begun it. */
  | { readonly kind: 'resume' }
  /** The members are in the regime; `isRead`: from another call. */
  | { readonly kind: 'enlist'; readonly isRead?: true }
  /** The first call to hold. */
  | { readonly kind: 'hold'; readonly leaseMs: number }
  | ({ readonly kind: 'task'; readonly tasks: TaskNumbers; readonly untilMs?: number } & Sighting)
  /** `fences`: what it freezes cannot write, whatever still runs there. */
  | { readonly kind: 'hook'; readonly state: 'started' | 'passed' | 'failed'; readonly fences?: true }
  /** All that a commit needs was seen. `leaseMs`: what the shortest lease had left; absent where no task has one. */
  | { readonly kind: 'ready'; readonly leaseMs?: number }
  /** Targets that are registered with the load balancer, and are no members. */
  | { readonly kind: 'targets'; readonly strangers: number }
  /** What the coordinator asks the store for. */
  | { readonly kind: 'decide'; readonly outcome: Outcome }
  /** What the store holds from here on; `isRead`: this call has not written it. */
  | { readonly kind: 'decision'; readonly outcome: Outcome; readonly by: string; readonly isRead?: true }
  /** They were told, and forward to this side. Of others there is what was found of them after it. */
  | { readonly kind: 'released'; readonly tasks: TaskNumbers; readonly to: Side; readonly untilMs?: number }
  /** The regime that the decision led to; `isRead`: another call has written it. */
  | ({ readonly kind: 'settle'; readonly isRead?: true } & Pick<Regime, 'committed' | 'side' | 'isJoined'>)
);

export type SwitchEventKind = SwitchEvent['kind'];

/** As `0-3,7`. */
export function formatTasks(numbers: Iterable<number>): TaskNumbers {
  const ranges: [from: number, to: number][] = [];
  for (const each of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && each <= last[1] + 1) last[1] = each;
    else ranges.push([each, each]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** @throws Error where the text is none, or names a task that is not below `count` */
export function parseTasks(text: unknown, count: number): number[] {
  if (typeof text !== 'string' || !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) {
    throw new Error(`'tasks' must be numbers as in 0-3,7, got ${JSON.stringify(text)}`);
  }
  const ranges = text.split(',').map((range) => range.split('-').map(Number) as [number, number?]);
  const wrong = ranges.find(([from, to = from]) => to < from || to >= count);
  if (wrong) throw new Error(`'tasks' must be from 0 to ${count - 1}, got ${wrong.join('-')}`);
  return ranges.flatMap(([from, to = from]) => Array.from({ length: to - from + 1 }, (_, at) => from + at));
}
