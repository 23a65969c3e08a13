import { Direction, findDirection } from '../../../core/plan/direction';
import type { MovesSeen } from '../../../core/cutover/moves-seen';
import { CARRIED_ENDINGS } from '../../../core/judge/move-tally';
import { NO_COUNTS } from '../../../core/judge/tally';
import { MOVE_REJECTION_CODES } from '../../../core/moves/moves';
import { ByKind, CONNECTION_KINDS, KindCounts, eachKind } from '../../../core/proxy/connections';
import { SIDES, Side, Weights } from '../../../core/traffic/weights';
import { own } from '../../../core/validation/own';

/**
 * Evidence as the page needs it. It is read out of a file that another version may have written and anything may have damaged:
 * what cannot be read is absent, and never zero.
 */
export interface Cutover {
  readonly execution: string;
  readonly outcome: string;
  /** Milliseconds since the epoch; of all that is drawn. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly direction: Direction;
  readonly initialWeights: Weights | undefined;
  readonly plan: Readonly<Record<string, unknown>>;
  readonly stages: readonly StageSeen[];
  readonly drain: DrainSeen | undefined;
  readonly moves: MovesSeen | undefined;
  readonly polls: readonly Poll[];
  /** Of the first shift: the counts of the looks are since then. */
  readonly shiftedMs: number | undefined;
  /** Before the first shift: the route classes that are judged each by itself, and the requests that say what is slow. */
  readonly begin: { readonly atMs: number; readonly routes: readonly string[]; readonly responded: number } | undefined;
  /** When a person said that what was seen until then is good. */
  readonly restarts: readonly number[];
  readonly looksMissing: string | undefined;
  readonly failure: { readonly code: string; readonly message: string } | undefined;
  readonly rollbackError: string | undefined;
  readonly entries: readonly Entry[];
  readonly otherRulesChanged: readonly string[];
  readonly switches: readonly Attempt[];
  readonly hooks: readonly HookCalled[];
}

/** One call of a hook of the plan. */
export interface HookCalled {
  readonly atMs: number;
  readonly name: string;
  readonly when: string;
  readonly outcome: string;
  readonly why: string | undefined;
  /** Of one that said not yet. */
  readonly calls: number | undefined;
}

/** One attempt to switch. */
export interface Attempt {
  readonly epoch: number;
  readonly to: string;
  readonly outcome: string;
  readonly why: string | undefined;
  readonly by: string;
  readonly startedMs: number;
  /** The first call to hold, the decision, and the last release. */
  readonly heldMs: number | undefined;
  readonly decidedMs: number | undefined;
  readonly releasedMs: number | undefined;
}

export interface Entry {
  readonly atMs: number;
  readonly state: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface StageSeen {
  readonly weights: Weights | undefined;
  readonly confirmSeconds: number | undefined;
  readonly observed: BothSides;
  readonly errors: BothSides;
  readonly lost: BothSides;
  readonly verdict: string;
  readonly judge:
    | {
        readonly odds: number | undefined;
        readonly parts: readonly string[];
        readonly arrivals: string;
        readonly missing: string | undefined;
      }
    | undefined;
}

export type BothSides = Readonly<Record<Side, number | undefined>>;

export interface DrainSeen {
  readonly atStart: KindCounts;
  /** Of the side that is left, at the last look. */
  readonly left: KindCounts;
  readonly completed: number;
  readonly moved: number;
  readonly closed: number;
  readonly forced: number;
  readonly lost: number;
  readonly unknown: number;
  readonly unknownTasks: number;
  /** How those of each kind ended; what is absent is unknown. */
  readonly byKind: ByKind<Partial<Record<DrainEnding, number>>> | undefined;
}

export type DrainEnding = 'completed' | 'moved' | 'closed' | 'forced' | 'lost' | 'unknown';
const DRAIN_ENDINGS: readonly DrainEnding[] = ['completed', 'moved', 'closed', 'forced', 'lost', 'unknown'];

/** One look of the judge. */
export interface Poll {
  readonly atMs: number;
  /** What each side had counted since the first shift, without the cutover's own smoke requests; absent where a side could not be read. */
  readonly counts: Readonly<Record<Side, Counts>> | undefined;
  /** The seconds of its windows: after the first, until the last. Seconds since the epoch. */
  readonly after: number;
  readonly until: number;
  /** Absent of sides that could not both be read. */
  readonly windows: Readonly<Record<Side, Window>> | undefined;
  readonly routes: Readonly<Record<Side, Readonly<Record<string, Window>>>>;
  readonly odds: number | undefined;
  readonly said: string | undefined;
}

export interface Counts {
  readonly requests: number;
  readonly responded: number;
  readonly errors: number;
}

/** What came of the requests of some seconds. */
export interface Window extends Counts {
  /** By bucket of `core/proxy/latency-buckets.ts`. */
  readonly latencies: readonly number[];
}

type Reader<T> = (value: unknown) => T | undefined;

/** The end of time by ECMA-262; what is behind it is no time. */
const MAX_MS = 8.64e15;

/** Sums of larger ones are no numbers any more; nothing that is counted or timed comes near. */
const MAX = Number.MAX_SAFE_INTEGER;
const readNumber: Reader<number> = (value) => (typeof value === 'number' && Math.abs(value) <= MAX ? value : undefined);
const readText: Reader<string> = (value) => (typeof value === 'string' ? value : undefined);
const readCount: Reader<number> = (value) => {
  const count = readNumber(value);
  return count === undefined || count < 0 ? undefined : count;
};
/** However large: they are drawn by their logarithm, and never added. */
const readOdds: Reader<number> = (value) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
const readMs: Reader<number> = (value) => {
  const ms = readNumber(value);
  return ms === undefined || Math.abs(ms) > MAX_MS ? undefined : ms;
};
const readTime: Reader<number> = (value) => readMs(Date.parse(readText(value) ?? ''));

function readObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function readList<T>(value: unknown, read: Reader<T>): T[] {
  return Array.isArray(value) ? value.flatMap((item) => read(item) ?? []) : [];
}

const get = (value: unknown, name: string): unknown => own(readObject(value), name);

function readBoth<T>(value: unknown, read: Reader<T>): Record<Side, T | undefined> {
  return { source: read(get(value, 'source')), target: read(get(value, 'target')) };
}

export function readWeights(value: unknown): Weights | undefined {
  const { source, target } = readBoth(value, readCount);
  return source === undefined || target === undefined ? undefined : { source, target };
}

export function readCutover(evidence: unknown): Cutover {
  const plan = readObject(get(evidence, 'plan'));
  const looks = readList(get(evidence, 'looks'), (look) => (readMs(get(look, 'at')) === undefined ? undefined : look));
  const ofKind = (kind: string) => looks.filter((look) => get(look, 'kind') === kind);
  const polls = readList(ofKind('poll'), readPoll);
  const entries = readList(get(evidence, 'timeline'), readEntry);
  const direction = findDirection({ from: get(plan, 'from') === 'target' ? 'target' : 'source' });
  const isDrained = entries.some(({ state }) => state === 'Drain');
  return {
    execution: readText(get(evidence, 'execution')) ?? 'unknown',
    outcome: readText(get(evidence, 'outcome')) ?? 'unknown',
    ...findRange(evidence, [...entries.map(({ atMs }) => atMs), ...polls.map(({ atMs }) => atMs)]),
    direction,
    initialWeights: readWeights(get(plan, 'initialWeights')),
    plan,
    stages: readList(get(evidence, 'stages'), readStage),
    moves: readMoves(get(evidence, 'moves')),
    drain: isDrained ? readDrain(get(evidence, 'drain'), direction.from) : undefined,
    polls,
    shiftedMs: readMs(get(ofKind('shift')[0], 'at')),
    begin: ofKind('begin').map(readBegin)[0],
    restarts: ofKind('restart').flatMap((look) => readMs(get(look, 'at')) ?? []),
    looksMissing: readText(get(evidence, 'looksMissing')),
    failure: readFailure(get(evidence, 'failure')),
    rollbackError: readText(get(get(evidence, 'rollback'), 'error')),
    entries,
    otherRulesChanged: readList(get(evidence, 'otherRulesChanged'), readText),
    switches: readList(get(evidence, 'switches'), readAttempt),
    hooks: readList(get(evidence, 'hooks'), readHook),
  };
}

/** From the start to the end, by the evidence's own words; without them by what it has. */
function findRange(evidence: unknown, times: readonly number[]): Pick<Cutover, 'fromMs' | 'toMs'> {
  const first = times.reduce((min, ms) => Math.min(min, ms), MAX_MS);
  const last = times.reduce((max, ms) => Math.max(max, ms), -MAX_MS);
  const fromMs = readTime(get(evidence, 'startedAt')) ?? (times.length > 0 ? first : 0);
  const seconds = readCount(get(evidence, 'durationSeconds'));
  const toMs = seconds === undefined ? last : fromMs + seconds * 1000;
  return { fromMs, toMs: Math.min(MAX_MS, Math.max(fromMs, toMs)) };
}

function readEntry(value: unknown): Entry | undefined {
  const atMs = readTime(get(value, 'at'));
  const state = readText(get(value, 'state'));
  return atMs === undefined || state === undefined
    ? undefined
    : { atMs, state, detail: readObject(get(value, 'detail')) };
}

function readStage(value: unknown): StageSeen | undefined {
  const judge = get(value, 'judge');
  return {
    weights: readWeights(get(value, 'weights')),
    confirmSeconds: readNumber(get(value, 'confirmSeconds')),
    observed: readBoth(get(value, 'observed'), readCount),
    errors: readBoth(get(value, 'errors'), readCount),
    lost: readBoth(get(value, 'lost'), readCount),
    verdict: readText(get(value, 'verdict')) ?? 'unknown',
    judge:
      judge === undefined
        ? undefined
        : {
            odds: readOdds(get(judge, 'odds')),
            parts: readList(get(judge, 'parts'), readText),
            arrivals: readText(get(judge, 'arrivals')) ?? '',
            missing: readText(get(judge, 'missing')),
          },
  };
}

function readDrain(value: unknown, from: Side): DrainSeen {
  const readKinds = (kinds: unknown) => eachKind((kind) => readCount(get(kinds, kind)) ?? 0);
  const count = (name: string) => readCount(get(value, name)) ?? 0;
  return {
    atStart: readKinds(get(value, 'atStart')),
    left: readKinds(get(value, from)),
    completed: count('completed'),
    moved: count('moved'),
    closed: count('closed'),
    forced: count('forced'),
    lost: count('lost'),
    unknown: count('unknown'),
    unknownTasks: count('unknownTasks'),
    byKind: readEndings(get(value, 'byKind')),
  };
}

function readMoves(value: unknown): MovesSeen | undefined {
  const moved = readCount(get(value, 'moved'));
  if (moved === undefined) return undefined;
  const counts = (name: string, names: readonly string[]) =>
    Object.fromEntries(names.map((each) => [each, readCount(get(get(value, name), each)) ?? 0]));
  const stall = STALL.map((name) => readCount(get(get(value, 'stall'), name)));
  const [count, p50Ms, p99Ms, longestMs] = stall as [number, number, number, number];
  return {
    moved,
    rejected: Object.fromEntries(
      Object.entries(counts('rejected', MOVE_REJECTION_CODES)).filter(([, each]) => each > 0),
    ),
    ...(stall.every((each) => each !== undefined) && { stall: { count, p50Ms, p99Ms, longestMs } }),
    stallCounts: [],
    carried: eachKind((kind) => readCount(get(get(value, 'carried'), kind)) ?? 0),
    carriedUnknownTasks: readCount(get(value, 'carriedUnknownTasks')) ?? 0,
    carriedEnded: counts('carriedEnded', CARRIED_ENDINGS) as MovesSeen['carriedEnded'],
  };
}

const STALL = ['count', 'p50Ms', 'p99Ms', 'longestMs'] as const;

function readEndings(value: unknown): DrainSeen['byKind'] {
  if (typeof value !== 'object' || value === null) return undefined;
  return eachKind((kind) => {
    const counts = DRAIN_ENDINGS.map((name) => [name, readCount(get(get(value, kind), name))] as const);
    return Object.fromEntries(counts.filter(([, count]) => count !== undefined));
  });
}

function readPoll(value: unknown): Poll | undefined {
  const atMs = readMs(get(value, 'at'));
  const after = readMs(get(value, 'after'));
  const until = readMs(get(value, 'until'));
  if (atMs === undefined || after === undefined || until === undefined || until < after) return undefined;
  const windows = readBoth(get(value, 'windows'), readReport);
  const { source, target } = windows;
  const counts = readBoth(get(value, 'counts'), readCounts);
  return {
    atMs,
    counts: source && target && counts.source && counts.target && { source: counts.source, target: counts.target },
    after,
    until,
    windows: source && target && { source: source.all, target: target.all },
    routes: { source: source?.routes ?? {}, target: target?.routes ?? {} },
    odds: readOdds(get(value, 'odds')),
    said: readText(get(value, 'said')),
  };
}

/** As `packCounts` writes them. */
function readCounts(value: unknown): Counts | undefined {
  if (!Array.isArray(value) || value.length !== COUNT_NAMES.length + 2) return undefined;
  const counts = (value as unknown[]).map(readCount);
  const find = (name: keyof Counts) => counts[COUNT_NAMES.indexOf(name)];
  const [requests, responded, errors, smoked] = [find('requests'), find('responded'), find('errors'), counts.at(-2)];
  if (requests === undefined || responded === undefined || errors === undefined || smoked === undefined)
    return undefined;
  return { requests: Math.max(0, requests - smoked), responded: Math.max(0, responded - smoked), errors };
}

const COUNT_NAMES = Object.keys(NO_COUNTS);

function readReport(value: unknown): { all: Window; routes: Record<string, Window> } | undefined {
  const all = readWindow(get(value, 'all'));
  if (!all) return undefined;
  const routes = Object.entries(readObject(get(value, 'routes'))).flatMap(([name, packed]) => {
    const window = readWindow(packed);
    return window ? [[name, window] as const] : [];
  });
  return { all, routes: Object.fromEntries(routes) };
}

/** As `packWindow` writes it. */
function readWindow(value: unknown): Window | undefined {
  if (!Array.isArray(value) || value.some((count) => readCount(count) === undefined)) return undefined;
  const [requests, , responded, errors, , ...latencies] = value as number[];
  if (requests === undefined || responded === undefined || errors === undefined) return undefined;
  return { requests, responded, errors, latencies };
}

function readBegin(value: unknown): NonNullable<Cutover['begin']> {
  return {
    atMs: readMs(get(value, 'at')) ?? 0,
    routes: readList(get(value, 'routes'), readText),
    responded: readWindow(get(value, 'past'))?.responded ?? 0,
  };
}

function readHook(value: unknown): HookCalled | undefined {
  const atMs = readTime(get(value, 'at'));
  if (atMs === undefined) return undefined;
  const text = (name: string) => readText(get(value, name)) ?? 'unknown';
  const said = { outcome: text('outcome'), why: readText(get(value, 'why')), calls: readCount(get(value, 'calls')) };
  return { atMs, name: text('name'), when: text('when'), ...said };
}

function readAttempt(value: unknown): Attempt | undefined {
  const startedMs = readTime(get(value, 'startedAt'));
  if (startedMs === undefined) return undefined;
  const heldMs = readTime(get(value, 'heldAt'));
  const since = (name: string) => {
    const ms = readNumber(get(value, name));
    return heldMs === undefined || ms === undefined ? undefined : heldMs + ms;
  };
  return {
    epoch: readNumber(get(value, 'epoch')) ?? 0,
    to: readText(get(value, 'to')) ?? 'unknown',
    outcome: readText(get(value, 'outcome')) ?? 'unknown',
    why: readText(get(value, 'why')),
    by: readText(get(value, 'by')) ?? 'unknown',
    ...{ startedMs, heldMs, decidedMs: since('decidedMs'), releasedMs: since('releasedMs') },
  };
}

function readFailure(value: unknown): Cutover['failure'] {
  const [code, message] = [readText(get(value, 'code')), readText(get(value, 'message'))];
  return code === undefined || message === undefined ? undefined : { code, message };
}

/** What was live of each kind, all together. */
export function sumKinds(kinds: KindCounts): number {
  return CONNECTION_KINDS.reduce((sum, kind) => sum + kinds[kind], 0);
}

export function sumSides(both: BothSides): number {
  return SIDES.reduce((sum, side) => sum + (both[side] ?? 0), 0);
}
