import { SIDES, Side } from '../traffic/weights';
import type { TaskReading } from './tally';

/** Requests of clients that arrived at one side, by whether the weights decided on them. */
export interface Arrived {
  /** With a cookie of group stickiness: the client was there before. */
  readonly returning: number;
  /** Without one, the smoke requests of the cutover included. */
  readonly fresh: number;
}

export type Sessions = Readonly<Record<Side, Arrived>>;

const NONE: Arrived = { returning: 0, fresh: 0 };

/** Of one look; undefined when no task has said it. */
export function countArrived(readings: readonly TaskReading[]): Arrived | undefined {
  const windows = readings.flatMap(({ window }) => window ?? []);
  if (windows.length === 0) return undefined;
  return windows.reduce(
    (sum, { all: { requests, unbound } }) => ({
      returning: sum.returning + requests - unbound,
      fresh: sum.fresh + unbound,
    }),
    NONE,
  );
}

/** After another look. Undefined while no task of either side has said it. */
export function addSessions(
  sessions: Sessions | undefined,
  readings: Partial<Readonly<Record<Side, readonly TaskReading[]>>>,
): Sessions | undefined {
  const [source, target] = SIDES.map((side) => countArrived(readings[side] ?? []));
  if (!source && !target) return sessions;
  return { source: add(sessions?.source, source), target: add(sessions?.target, target) };
}

function add(before: Arrived = NONE, more: Arrived = NONE): Arrived {
  return { returning: before.returning + more.returning, fresh: before.fresh + more.fresh };
}
