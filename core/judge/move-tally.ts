import { MOVE_REJECTION_CODES, MoveFigures, NO_MOVES, addMoves, movesSince } from '../moves/moves';
import type { LedgerReport } from '../proxy/admin-api';
import {
  ByKind,
  CONNECTION_KINDS,
  ENDINGS,
  KindCounts,
  NOTHING_ENDED,
  NO_CONNECTIONS,
  eachKind,
} from '../proxy/connections';

/** How connections ended that tasks of a side carried to the other backend. `lost`: died with their task; `unknown`: ended behind the last look at it. */
export const CARRIED_ENDINGS = ['completed', 'movedBack', 'closed', 'forced', 'lost', 'unknown'] as const;
export type CarriedEnding = (typeof CARRIED_ENDINGS)[number];
type Mutable = Record<CarriedEnding, number>;
export type CarriedEndings = ByKind<Readonly<Mutable>>;

/** What moves of a side came to since counting began. */
export interface MoveTally extends Pick<MoveFigures, 'rejected' | 'stall' | 'longestStallMs'> {
  readonly ended: CarriedEndings;
}

export type MutableMoveTally = { -readonly [Name in keyof MoveTally]: MoveTally[Name] } & {
  ended: ByKind<Mutable>;
};

export const NO_MOVE_TALLY: MoveTally = {
  rejected: {},
  stall: [],
  longestStallMs: 0,
  ended: eachKind(() => newEndings()),
};

function newEndings(): Mutable {
  return { completed: 0, movedBack: 0, closed: 0, forced: 0, lost: 0, unknown: 0 };
}

export function copyMoveTally(from: MoveTally): MutableMoveTally {
  return { ...from, ended: eachKind((kind) => ({ ...from.ended[kind] })) };
}

/** What was counted since `before`. The longest stall is that of all. */
export function subtractMoveTally(now: MoveTally, before: MoveTally): MoveTally {
  const subtract = (a: Readonly<Mutable>, b: Readonly<Mutable>) => {
    const less = newEndings();
    for (const ending of CARRIED_ENDINGS) less[ending] = a[ending] - b[ending];
    return less;
  };
  const { rejected, stall } = movesSince(asFigures(before), asFigures(now));
  return {
    rejected,
    stall,
    longestStallMs: now.longestStallMs,
    ended: eachKind((kind) => subtract(now.ended[kind], before.ended[kind])),
  };
}

/** How many of all kinds were moved back to the backend of their own side. */
export function sumCarried(ended: CarriedEndings, ending: CarriedEnding): number {
  return CONNECTION_KINDS.reduce((sum, kind) => sum + ended[kind][ending], 0);
}

function asFigures({ rejected, stall, longestStallMs }: Omit<MoveTally, 'ended'>): MoveFigures {
  return { rejected, stall, longestStallMs, underWay: 0 };
}

/** What a report says of moves, as lists of numbers: what is carried, how it ended, rejections, stalls. */
type Lists = readonly [
  carried: readonly number[],
  ended: readonly number[],
  rejected: readonly number[],
  stall: readonly number[],
];

const RADIX = 36;

/**
 * What a task reported last of its moves, in a few bytes; nothing of a task that has moved none. Of each list the numbers that are not
 * zero, behind their places.
 */
export function packMoves(report: LedgerReport): string {
  const packed = listNumbers(report).map((numbers) =>
    numbers.flatMap((count, at) => (count === 0 ? [] : [`${at.toString(RADIX)}.${count.toString(RADIX)}`])).join(),
  );
  return packed.join(';').replace(/;+$/, '');
}

function unpackMoves(packed: string): Lists {
  const lists = packed.split(';').map((list) => {
    const numbers: number[] = [];
    for (const pair of list.split(',').filter((each) => each !== '')) {
      const [at, count] = pair.split('.').map((text) => Number.parseInt(text, RADIX));
      numbers[at!] = count!;
    }
    return Array.from(numbers, (count) => count ?? 0);
  });
  return [0, 1, 2, 3].map((at) => lists[at] ?? []) as unknown as Lists;
}

function listNumbers(report: LedgerReport): Lists {
  const { carried = NO_CONNECTIONS, carriedEnded = NOTHING_ENDED, moves = NO_MOVES } = report;
  return [
    CONNECTION_KINDS.map((kind) => carried[kind]),
    CONNECTION_KINDS.flatMap((kind) => ENDINGS.map((how) => carriedEnded[kind][how])),
    MOVE_REJECTION_CODES.map((code) => moves.rejected[code] ?? 0),
    moves.stall,
  ];
}

/** Of a ledger, in the order of `ENDINGS`; what it calls moved was moved back. */
const ENDED_AS: Readonly<Record<(typeof ENDINGS)[number], CarriedEnding>> = {
  completed: 'completed',
  moved: 'movedBack',
  closed: 'closed',
  forced: 'forced',
};

interface MoveNews {
  /** Whether the counters of the report began at zero since the look before. */
  readonly isOtherInstance: boolean;
  /** Of the same process: one of its workers was lost, and what that carried counts as forced. */
  readonly hasLostWorker: boolean;
}

/** @param packed of the look before; absent of a task that was not seen yet, or had moved nothing */
export function countMoves(
  added: MutableMoveTally,
  packed: string | undefined,
  report: LedgerReport,
  { isOtherInstance, hasLostWorker }: MoveNews,
): void {
  const [, endedBefore, rejectedBefore, stallBefore] = unpackMoves(isOtherInstance ? '' : (packed ?? ''));
  const [, ended, rejected, stall] = listNumbers(report);
  CONNECTION_KINDS.forEach((kind, kindAt) => {
    ENDINGS.forEach((how, howAt) => {
      const at = kindAt * ENDINGS.length + howAt;
      const count = ended[at]! - (endedBefore[at] ?? 0);
      const counted = how === 'forced' && hasLostWorker ? 'lost' : ENDED_AS[how];
      added.ended[kind][counted] += count;
    });
  });
  const since = (now: readonly number[], before: readonly number[]) =>
    now.map((count, at) => count - (before[at] ?? 0));
  const named = since(rejected, rejectedBefore).map((count, at) => [MOVE_REJECTION_CODES[at]!, count] as const);
  const moved = since(stall, stallBefore);
  // Of one that has moved nothing since it is that of moves before.
  const longestStallMs = moved.some((count) => count > 0) ? (report.moves?.longestStallMs ?? 0) : 0;
  const news = { rejected: Object.fromEntries(named), stall: moved, longestStallMs };
  const sum = addMoves(asFigures(added), asFigures(news));
  Object.assign(added, { rejected: sum.rejected, stall: sum.stall, longestStallMs: sum.longestStallMs });
}

/** What a task carried when it was last seen, and that ended with it. */
export function countCarried(added: MutableMoveTally, packed: string | undefined, ending: 'lost' | 'unknown'): void {
  const [carried] = unpackMoves(packed ?? '');
  CONNECTION_KINDS.forEach((kind, at) => (added.ended[kind][ending] += carried[at] ?? 0));
}

/** One that counts as gone carries nothing any more. */
export function withoutCarried(packed: string): string {
  return packed.replace(/^[^;]*/, '').replace(/;+$/, '');
}

/** What the tasks carry that responded: live connections of clients at them whose backend is the other side's. */
export function sumCarriedLive(reports: readonly LedgerReport[]): KindCounts {
  return eachKind((kind) => reports.reduce((sum, { carried = NO_CONNECTIONS }) => sum + carried[kind], 0));
}
