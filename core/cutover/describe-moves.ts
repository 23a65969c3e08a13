import { MOVE_REJECTIONS, MoveRejection } from '../moves/moves';
import { CONNECTION_KINDS, KIND_FACTS, StreamKind, total } from '../proxy/connections';
import type { Evidence } from './evidence';
import type { MovesSeen } from './moves-seen';

/** How many of a kind moved, in switches and in the drain; undefined where not all proxies said it. */
export function countMoved({ drain, switches = [] }: Pick<Evidence, 'drain' | 'switches'>, kind: StreamKind) {
  const ofDrain = drain.moved === 0 ? 0 : drain.byKind?.[kind].moved;
  if (ofDrain === undefined) return undefined;
  return switches.reduce((sum, { moves }) => sum + (moves?.moved[kind] ?? 0), ofDrain);
}

const milliseconds = (ms: number) => `${ms.toLocaleString('en-US')} ms`;

/** For people, one fact each. */
export function listMoves(moves: MovesSeen, from: string): [name: string, text: string][] {
  const { moved, stall, carried, carriedUnknownTasks: silent, carriedEnded } = moves;
  const kinds = CONNECTION_KINDS.flatMap((kind) =>
    carried[kind] > 0 ? [`${carried[kind]} ${KIND_FACTS[kind].short}`] : [],
  );
  const left = total(carried) === 0 ? 'none' : `${total(carried)} (${kinds.join(', ')})`;
  const ended = ENDED_WORDS.flatMap(([ending, word]) =>
    carriedEnded[ending] > 0 ? [`${carriedEnded[ending]} ${word}`] : [],
  );
  const rejected = Object.entries(moves.rejected).map(([code, count]) => `${count} ${code}`);
  return [
    ['moved', `${moved.toLocaleString('en-US')}`],
    ...(stall
      ? ([
          [
            'stall',
            `p50 ${milliseconds(stall.p50Ms)}, p99 ${milliseconds(stall.p99Ms)}, longest ${milliseconds(stall.longestMs)}`,
          ],
        ] as [string, string][])
      : []),
    [`carried by the ${from}`, silent > 0 ? `${left}, and what ${silent} silent tasks carry` : left],
    ...(ended.length > 0 ? ([['carried ones that ended', ended.join(', ')]] as [string, string][]) : []),
    ...(rejected.length > 0 ? ([['not moved', rejected.join(', ')]] as [string, string][]) : []),
  ];
}

/** A sentence for a code that this version does not know is none. */
export function explainRejection(code: string): string {
  return Object.hasOwn(MOVE_REJECTIONS, code) ? MOVE_REJECTIONS[code as MoveRejection] : '';
}

const ENDED_WORDS = [
  ['completed', 'by themselves'],
  ['movedBack', 'moved back'],
  ['closed', 'closed in order'],
  ['forced', 'forced'],
  ['lost', 'lost with their task'],
  ['unknown', 'unseen'],
] as const;
