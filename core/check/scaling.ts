import type { Latency } from './latency';
import type { StateFindings } from './state';
import { FINDING_NAMES } from './state';
import { CountedProblem, Findings, Judgement } from './verdict';

/** One change of the number of tasks. */
export interface ScalingEvent {
  readonly from: number;
  readonly to: number;
  /** Until the new ones served, or the old ones were gone. */
  readonly seconds: number;
  /** Connections that tasks which went have asked to connect again, and that did. */
  readonly moved: number;
  /** Connections of each task that serves, afterwards. After a scale-out one in two clients has come anew. */
  readonly tasks: Readonly<Record<string, number>>;
}

export const SCALING_PHASES = ['before', 'during', 'after'] as const;
export type ScalingPhase = (typeof SCALING_PHASES)[number];

export interface ScalingFigures {
  readonly connections: number;
  /** At the first try. */
  readonly opened: number;
  readonly events: readonly ScalingEvent[];
  /** Requests of clients beside their WebSocket, each on a connection of its own. */
  readonly requests: number;
  /** Of these, those that another task responded to, while the client's own one served. */
  readonly strayed: number;
  readonly failedRequests: number;
  /** Closed without the code for it, or by a task that stays. */
  readonly dropped: number;
  readonly sent: number;
  readonly acknowledged: number;
  /** That others of the room got. */
  readonly delivered: number;
  /** Not acknowledged in the end, or not delivered to one of the room. */
  readonly lost: number;
  readonly doubled: number;
  /** Responses with another state than the client's messages have made. */
  readonly wrongStates: number;
  /** Keys and live connections, after each event; the worst of them. */
  readonly state: StateFindings;
  /** Of acknowledgements, while nothing was scaled yet, while a scaling was under way, and behind one. */
  readonly latencyMs: Readonly<Partial<Record<ScalingPhase, Latency>>>;
  readonly problems: readonly CountedProblem[];
}

export interface ScalingRules {
  /** While a scaling is under way; undefined: no limit. */
  readonly maxP99Ms?: number;
}

/** Without a limit of its own each of them is 0. */
export function judgeScaling(figures: ScalingFigures, { maxP99Ms }: ScalingRules, isStopped: boolean): Judgement {
  const found = new Findings();
  found.checkAtMost('notOpened', figures.connections - figures.opened, 0);
  for (const name of ['strayed', 'failedRequests', 'dropped', 'lost', 'doubled', 'wrongStates'] as const)
    found.checkAtMost(name, figures[name], 0);
  for (const name of FINDING_NAMES) found.checkAtMost(`state.${name}`, figures.state[name]?.count ?? 0, 0);
  found.checkAtMostMs('latencyMs.during.p99', figures.latencyMs.during?.p99, maxP99Ms);
  if (figures.requests === 0) found.addUnknown('stickiness: no client made a request while its task served');
  const isIdle = figures.events.some(({ from, to, tasks }) => to > from && Object.values(tasks).includes(0));
  if (isIdle) found.addBroken('newTasks', 'used by those who come anew', 'one without a connection');
  if (figures.acknowledged === 0) found.addUnknown('messages: none was acknowledged');
  found.checkWhole(isStopped);
  return found.judge();
}
