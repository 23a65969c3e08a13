import type { Side } from '../../core/traffic/weights';
import type { SeenResponse } from './pause';
import type { LoggedWrite } from './write-log';

/** Where the two sides of a switch meet. */
export interface Handover {
  readonly epoch: number;
  /** As clients saw them, all requests of theirs: milliseconds from the first call to hold. */
  readonly lastResponseMs?: number;
  readonly firstResponseMs?: number;
  /** By the logs of the two sides: the end of the last write, and the start of the first one of the other side. */
  readonly lastWriteMs?: number;
  readonly firstWriteMs?: number;
}

/** A switch that was committed, as far as it is needed here. `heldMs` is the first call to hold, since the epoch. */
export interface Committed {
  readonly epoch: number;
  readonly from: Side;
  readonly to: Side;
  readonly heldMs: number;
}

interface Seen {
  readonly responses: readonly SeenResponse[];
  /** Of both sides, in milliseconds since the epoch. */
  readonly log: readonly LoggedWrite[];
}

/**
 * Of each switch the end of what the side that was left did, and the start of what the other one did.
 *
 * @param switches in their order
 */
export function findHandovers({ responses, log }: Seen, switches: readonly Committed[]): Handover[] {
  return switches.map(({ epoch, from, to, heldMs }, at) => {
    // The side that is left served before the one before this switch, too, and may serve again after the next one.
    const nextMs = switches[at + 1]?.heldMs ?? Number.POSITIVE_INFINITY;
    const isBefore = (ms: number) => ms < nextMs;
    const isAfter = (ms: number) => ms >= heldMs;
    const findEnd = ({ dueAtMs, ms }: SeenResponse) => dueAtMs + ms;
    const listResponses = (side: Side) => responses.filter((each) => each.side === side).map(findEnd);
    const listWrites = (side: Side) => log.filter((each) => each.side === side);
    return {
      epoch,
      ...since('lastResponseMs', heldMs, findMax(listResponses(from).filter(isBefore))),
      ...since('firstResponseMs', heldMs, findMin(listResponses(to).filter(isAfter))),
      ...since(
        'lastWriteMs',
        heldMs,
        findMax(
          listWrites(from)
            .map(({ endedMs }) => endedMs)
            .filter(isBefore),
        ),
      ),
      ...since(
        'firstWriteMs',
        heldMs,
        findMin(
          listWrites(to)
            .map(({ beganMs }) => beganMs)
            .filter(isAfter),
        ),
      ),
    };
  });
}

const findMax = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
const findMin = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);

function since<Name extends keyof Handover>(name: Name, heldMs: number, ms: number): { readonly [K in Name]?: number } {
  const value = { [name]: Number((ms - heldMs).toFixed(1)) } as Record<Name, number>;
  return Number.isFinite(ms) ? value : {};
}
