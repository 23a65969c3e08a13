import type { Side } from '../../core/traffic/weights';
import type { LoggedWrite, SentWrite } from './write-log';

/** What the logs of both sides and the counts of the clients prove. */
export interface WritesTally {
  readonly sent: number;
  /** With a good response. */
  readonly responded: number;
  readonly bySide: Readonly<Record<Side, number>>;
  /** Responded to, and not in the log that the response named. */
  readonly lost: number;
  /** In the logs more than once. */
  readonly doubled: number;
  /** Writes that began at a side before all writes of the other side had ended that had begun before. */
  readonly overlaps: number;
  /** Writes that a side got with an epoch lower than one that had been seen. */
  readonly staleEpochs: number;
  /** The first ten, one line each. */
  readonly faults: readonly string[];
}

const MAX_FAULTS = 10;
const OTHER: Readonly<Record<Side, Side>> = { source: 'target', target: 'source' };

/**
 * Compares what both sides did with what the clients were told.
 *
 * @param log of both sides, in any order
 */
export function judgeWrites(log: readonly LoggedWrite[], sent: readonly SentWrite[]): WritesTally {
  const ordered = [...log].sort((a, b) => a.beganMs - b.beganMs);
  const overlaps = findOverlaps(ordered);
  const stale = findStaleEpochs(ordered);
  const doubled = findDoubled(ordered);
  const lost = findLost(ordered, sent);
  return {
    sent: sent.length,
    responded: sent.filter(({ response }) => response).length,
    bySide: { source: countSide(log, 'source'), target: countSide(log, 'target') },
    lost: lost.length,
    doubled: doubled.length,
    overlaps: overlaps.length,
    staleEpochs: stale.length,
    faults: [...overlaps, ...stale, ...doubled, ...lost].slice(0, MAX_FAULTS),
  };
}

function countSide(log: readonly LoggedWrite[], wanted: Side): number {
  return log.filter(({ side }) => side === wanted).length;
}

/** Of two writes that overlap, the one that began later is found. */
function findOverlaps(ordered: readonly LoggedWrite[]): string[] {
  const lastEnded: Record<Side, LoggedWrite | undefined> = { source: undefined, target: undefined };
  return ordered.flatMap((write) => {
    const other = lastEnded[OTHER[write.side]];
    const own = lastEnded[write.side];
    if (!own || own.endedMs < write.endedMs) lastEnded[write.side] = write;
    if (!other || other.endedMs <= write.beganMs) return [];
    const ms = (other.endedMs - write.beganMs).toFixed(3);
    return [`${format(write)} must begin after ${format(other)} had ended, got ${ms} ms before`];
  });
}

function findStaleEpochs(ordered: readonly LoggedWrite[]): string[] {
  let highest: LoggedWrite | undefined;
  return ordered.flatMap((write) => {
    const { epoch = 0 } = write;
    const before = highest;
    if (!before || epoch > (before.epoch ?? 0)) highest = write;
    if (!before || epoch >= (before.epoch ?? 0)) return [];
    return [`${format(write)} must have at least epoch ${before.epoch}, that of ${format(before)}, got ${epoch}`];
  });
}

const nameOf = ({ client, n }: Pick<SentWrite, 'client' | 'n'>) => `${client} ${n}`;

function findDoubled(ordered: readonly LoggedWrite[]): string[] {
  const seen = new Map<string, LoggedWrite>();
  return ordered.flatMap((write) => {
    const first = seen.get(nameOf(write));
    if (!first) seen.set(nameOf(write), write);
    return first ? [`${format(write)} must be done once, got ${format(first)}, too`] : [];
  });
}

function findLost(ordered: readonly LoggedWrite[], sent: readonly SentWrite[]): string[] {
  const done = new Set(ordered.map((write) => `${nameOf(write)} ${write.side} ${write.number}`));
  return sent.flatMap(({ response, ...write }) => {
    if (!response || done.has(`${nameOf(write)} ${response.side} ${response.number}`)) return [];
    return [
      `write ${nameOf(write)} must be in the log of the ${response.side}, which had responded ${response.number}`,
    ];
  });
}

function format(write: LoggedWrite): string {
  return `write ${nameOf(write)} of the ${write.side}`;
}
