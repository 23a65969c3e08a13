/**
 * Which live connections move to another backend while their client stays: `none`; `resumable` those whose application can
 * resume them (it gave a token, its protocol has an adapter, its events have ids); `all` whatever can be moved at all.
 */
export const MOVES = ['none', 'resumable', 'all'] as const;
export type Moves = (typeof MOVES)[number];

/** Of the setting and of a plan. */
export const DEFAULT_MOVES: Moves = 'resumable';

/** An order may move less than the setting allows, and never more. @param asked absent: as the setting says */
export function narrowMoves(setting: Moves, asked: Moves | undefined): Moves {
  if (asked === undefined) return setting;
  return MOVES.indexOf(asked) < MOVES.indexOf(setting) ? asked : setting;
}

/** Why a connection stays where it is, found out before anything of it was touched: it is served on as it was. */
const BEFORE = {
  off: 'Nothing is moved: the setting or the order says so',
  noToken: 'Its application gave no resume token, and only those that did are moved',
  neverMoved: 'Its request has what the setting moves_never names',
  kind: 'Connections of its kind are not moved',
  opaque: 'It has switched to a protocol whose messages are not known here',
  extension: 'It uses an extension that is not known here',
  contextTakeover: 'It compresses with a context that spans messages, which a new backend does not have',
  closing: 'One of its ends is closing it',
  noEventId: 'No event of its stream had an id to go on after',
  encoded: 'Its stream is encoded, so that its events are not known here',
  cannotResume: 'Its protocol cannot be resumed as it is now',
} as const satisfies Record<string, string>;

/** Why a move that had begun came to nothing: the client is told to connect anew, with Close 1012. */
const AFTER = {
  midMessage: 'Its client did not end the message that was under way in time',
  unsettled: 'What was under way in its protocol did not end in time',
  noEnd: 'The old backend did not end in time',
  brokenOff: 'The old backend broke off, so that it is unknown what it has done',
  unreachable: 'No connection to the new backend could be made',
  rejected: 'The new backend did not switch protocols',
  otherSubprotocol: 'The new backend chose another subprotocol',
  otherExtensions: 'The new backend chose other extensions, or other parameters of them',
  otherResponse: 'The new backend responded with something else than the stream that was asked for',
  late: 'The new backend did not respond in time',
  notResumed: 'The new backend did not prove that it goes on where the old one ended',
  stopped: 'The proxy shut down, or its target changed, in the middle of it',
} as const satisfies Record<string, string>;

/** A sentence for each reason why a connection was not moved. */
export const MOVE_REJECTIONS = { ...BEFORE, ...AFTER } as const;
export type MoveRejection = keyof typeof MOVE_REJECTIONS;
/** The client and its backend were not touched. */
export type RejectionBefore = keyof typeof BEFORE;
/** The old backend was told to end. */
export type RejectionAfter = keyof typeof AFTER;

export const MOVE_REJECTION_CODES = Object.keys(MOVE_REJECTIONS) as readonly MoveRejection[];

/** Whether the connection goes on as it was. */
export function isBefore(rejection: MoveRejection): rejection is RejectionBefore {
  return Object.hasOwn(BEFORE, rejection);
}

/** What moves came to, since the start. */
export interface MoveFigures {
  /** Moves that were rejected, by why; those that never occurred are absent. */
  readonly rejected: Readonly<Partial<Record<MoveRejection, number>>>;
  /** How long the messages of a client that was moved had to wait: `LatencyCounts` of `core/proxy/latency-buckets.ts`. */
  readonly stall: readonly number[];
  readonly longestStallMs: number;
  /** Connections that have left one backend, or are about to, and have not joined another. */
  readonly underWay: number;
}

export const NO_MOVES: MoveFigures = { rejected: {}, stall: [], longestStallMs: 0, underWay: 0 };

/** Of two processes. */
export function addMoves(a: MoveFigures, b: MoveFigures): MoveFigures {
  return {
    rejected: combineRejections(a.rejected, b.rejected, 1),
    stall: combineBuckets(a.stall, b.stall, 1),
    longestStallMs: Math.max(a.longestStallMs, b.longestStallMs),
    underWay: a.underWay + b.underWay,
  };
}

/** What was counted since `from`. The longest stall and what is under way are of now. */
export function movesSince(from: MoveFigures, now: MoveFigures): MoveFigures {
  return {
    ...now,
    rejected: combineRejections(now.rejected, from.rejected, -1),
    stall: combineBuckets(now.stall, from.stall, -1),
  };
}

function combineRejections(
  a: MoveFigures['rejected'],
  b: MoveFigures['rejected'],
  sign: 1 | -1,
): MoveFigures['rejected'] {
  const sums = MOVE_REJECTION_CODES.map((code) => [code, (a[code] ?? 0) + sign * (b[code] ?? 0)] as const);
  return Object.fromEntries(sums.filter(([, count]) => count !== 0));
}

/** Buckets at the end that are empty may be left out. */
function combineBuckets(a: readonly number[], b: readonly number[], sign: 1 | -1): readonly number[] {
  const length = Math.max(a.length, b.length);
  return Array.from({ length }, (_, bucket) => (a[bucket] ?? 0) + sign * (b[bucket] ?? 0));
}

/** The codes with their sentences, in Markdown. */
export function formatMoveRejections(): string {
  const rows = MOVE_REJECTION_CODES.map((code) => `| \`${code}\` | ${MOVE_REJECTIONS[code]} |`);
  return ['| code | why |', '|---|---|', ...rows].join('\n');
}
