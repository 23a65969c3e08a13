import { addCaptures } from '../capture/capture-report';
import { addMirrors } from '../mirror/mirror-counts';
import { MoveFigures, NO_MOVES, addMoves, movesSince } from '../moves/moves';
import type { Side } from '../traffic/weights';
import { KindBytes, LedgerReport, NO_BYTES, slowestPath } from './admin-api';
import {
  ByKind,
  CONNECTION_KINDS,
  EndingCounts,
  KindCounts,
  NO_CONNECTIONS,
  NOTHING_ENDED,
  addEndings,
  addKinds,
  eachKind,
  total,
} from './connections';
import { HoldReport, NO_HOLD_FIGURES, combineHoldFigures } from './hold';

/** The counters of a report: they only grow while its instance is the same. */
export interface ReportCounters extends Pick<LedgerReport, 'ended' | 'requests' | 'bytes'> {
  readonly carriedEnded: ByKind<EndingCounts>;
  readonly moves: MoveFigures;
}

export const NO_COUNTERS: ReportCounters = {
  ended: NOTHING_ENDED,
  carriedEnded: NOTHING_ENDED,
  moves: NO_MOVES,
  requests: { total: 0, responded: 0, errors: 0 },
  bytes: NO_BYTES,
};

/**
 * One report for the workers that share a port. Counts are sums; the oldest is the oldest of all. It says `drained` or
 * `holding` only when every worker says so, and `draining` as soon as one does.
 *
 * @param from what the sums of the counters were when the instance was drawn; see `countersAfterLoss`
 * @throws RangeError without a report: what was not reported is unknown
 */
export function mergeReports(
  names: Pick<LedgerReport, 'identity' | 'instance'>,
  reports: readonly LedgerReport[],
  from: ReportCounters = NO_COUNTERS,
): LedgerReport {
  const [first] = reports;
  if (!first) throw new RangeError('There must be a report of at least one worker, got none');
  const sum = sumCounters(reports);
  return {
    ...names,
    state: findState(reports),
    drainRemainingSeconds: Math.max(...reports.map(({ drainRemainingSeconds }) => drainRemainingSeconds)),
    drainForced: reports.reduce((sum, { drainForced }) => sum + drainForced, 0),
    ...mergeForcedKinds(reports),
    active: activeSum(reports),
    ...sumOfTesters(reports),
    ended: eachKind((kind) => minus(sum.ended[kind], from.ended[kind])),
    carried: carriedSum(reports),
    carriedEnded: eachKind((kind) => minus(sum.carriedEnded[kind], from.carriedEnded[kind])),
    moves: movesSince(from.moves, sum.moves),
    ...(first.movable && { movable: first.movable }),
    requests: minus(sum.requests, from.requests),
    abandoned: mergeAbandoned(reports),
    oldestSeconds: eachKind((kind) => Math.max(...reports.map(({ oldestSeconds }) => oldestSeconds[kind]))),
    longestRequestMs: Math.max(...reports.map(({ longestRequestMs }) => longestRequestMs)),
    bytes: eachKind((kind) => minus(sum.bytes[kind], from.bytes[kind])),
    hold: mergeHold(reports),
    ...mergeDryRun(reports),
    holds: reports.reduce((sum, { holds }) => combineHoldFigures(sum, holds, (a, b) => a + b), NO_HOLD_FIGURES),
    upstream: first.upstream,
    fastPath: slowestPath(reports.map(({ fastPath }) => fastPath)),
    ...mergePumped(reports),
    ...mergeCapture(reports),
    ...mergeMirror(reports),
  };
}

/**
 * From where the counters of the remaining workers go on under a new instance, when one is lost: from zero, but for its
 * live connections, which have ended as `forced`. What it counted since its last report is lost with it, so that the
 * figures may be too low and are never too high.
 */
export function countersAfterLoss(remaining: readonly LedgerReport[], lost: LedgerReport | undefined): ReportCounters {
  const sum = sumCounters(remaining);
  return {
    ...sum,
    ended: withoutCut(sum.ended, lost?.active),
    carriedEnded: withoutCut(sum.carriedEnded, lost?.carried),
  };
}

function withoutCut(ended: ByKind<EndingCounts>, cut = NO_CONNECTIONS): ByKind<EndingCounts> {
  return eachKind((kind) => ({ ...ended[kind], forced: ended[kind].forced - cut[kind] }));
}

/** What is left of processes that have ended in order: their counters go on in the sum. */
export type Past = Counted & Pick<LedgerReport, 'abandoned' | 'holds' | 'capture' | 'mirror'>;

/** What the counters are read from; an older proxy says less. */
type Counted = Pick<LedgerReport, 'ended' | 'requests' | 'bytes' | 'carriedEnded' | 'moves'>;

export const NO_PAST: Past = { ...NO_COUNTERS, abandoned: { total: 0 }, holds: NO_HOLD_FIGURES };

/** With the last report of one more. */
export function addToPast(past: Past, last: Past): Past {
  const both = [past, last];
  return {
    ...sumCounters(both),
    abandoned: mergeAbandoned(both),
    ...mergeCapture(both),
    ...mergeMirror(both),
    holds: combineHoldFigures(past.holds, last.holds, (a, b) => a + b),
  };
}

/** The past as one more report to merge with those of the living. @param like one of them: it changes nothing but counters */
export function pastReport(past: Past, like: LedgerReport): LedgerReport {
  const { identity, instance, state, drainRemainingSeconds, upstream, fastPath, dryRun } = like;
  return {
    ...{ identity, instance, state, drainRemainingSeconds, upstream, fastPath },
    ...{ abandoned: past.abandoned, holds: past.holds },
    // What it did not write is counted as lost.
    ...(past.capture && { capture: { ...past.capture, pendingBytes: 0, pendingMs: 0, isFailing: false } }),
    ...(past.mirror && { mirror: { ...past.mirror, underWay: 0 } }),
    ...countedIn(past),
    active: NO_CONNECTIONS,
    carried: NO_CONNECTIONS,
    drainForced: 0,
    drainForcedByKind: NO_CONNECTIONS,
    oldestSeconds: NO_CONNECTIONS,
    longestRequestMs: 0,
    hold: { ...like.hold, waiting: 0 },
    ...(dryRun && { dryRun: { ...dryRun, waiting: 0, full: 0 } }),
  };
}

/** What is under way in a process ends with it. */
function countedIn(past: Past): ReportCounters {
  const sum = sumCounters([past]);
  return { ...sum, moves: { ...sum.moves, underWay: 0 } };
}

/** Of a group whose workers have all ended: what to merge the past with. */
export function nothingLive(names: Pick<LedgerReport, 'identity' | 'instance'>, upstream: Side): LedgerReport {
  return {
    ...names,
    state: 'drained',
    drainRemainingSeconds: 0,
    drainForced: 0,
    drainForcedByKind: NO_CONNECTIONS,
    active: NO_CONNECTIONS,
    ...NO_PAST,
    oldestSeconds: NO_CONNECTIONS,
    longestRequestMs: 0,
    hold: { state: 'none', epoch: 0, waiting: 0, leaseRemainingMs: 0, isOfSwitch: false },
    upstream,
    fastPath: 'on',
  };
}

/**
 * What a report of an elder generation says in the sum: its own end is no drain that anybody ordered, so that the state is that of the
 * generation that serves.
 */
export function elderReport(
  elder: LedgerReport,
  own: Pick<LedgerReport, 'state' | 'upstream' | 'fastPath'>,
): LedgerReport {
  const { upstream, fastPath } = own;
  const { hold } = elder;
  if (own.state !== 'serving') {
    const state = total(elder.active) === 0 ? ('drained' as const) : ('draining' as const);
    return { ...elder, state, upstream, fastPath };
  }
  return {
    ...elder,
    ...{ upstream, fastPath, hold },
    state: 'serving',
    drainRemainingSeconds: 0,
    drainForced: 0,
    drainForcedByKind: NO_CONNECTIONS,
  };
}

/**
 * Whether a zero is one. Workers are asked one by one: between two responses a connection may end at one and another start at
 * a second. When both rounds of responses are zero and nothing ended in between, there was a moment at which all were zero.
 */
export function isSameZero(before: readonly LedgerReport[], after: readonly LedgerReport[]): boolean {
  return total(activeSum(before)) === 0 && total(activeSum(after)) === 0 && endedCount(before) === endedCount(after);
}

export function activeSum(reports: readonly LedgerReport[]): KindCounts {
  return reports.reduce((sum, { active }) => addKinds(sum, active), NO_CONNECTIONS);
}

/** One that does not say it is of a version that moves none. */
export function carriedSum(reports: readonly LedgerReport[]): KindCounts {
  return reports.reduce((sum, { carried = NO_CONNECTIONS }) => addKinds(sum, carried), NO_CONNECTIONS);
}

/** What one of them does not say is unknown of all. */
function mergeForcedKinds(reports: readonly LedgerReport[]): Pick<LedgerReport, 'drainForcedByKind'> {
  const said = reports.flatMap(({ drainForcedByKind }) => drainForcedByKind ?? []);
  return said.length < reports.length ? {} : { drainForcedByKind: said.reduce(addKinds, NO_CONNECTIONS) };
}

function findState(reports: readonly LedgerReport[]): LedgerReport['state'] {
  if (reports.every(({ state }) => state === 'drained')) return 'drained';
  return reports.every(({ state }) => state === 'serving') ? 'serving' : 'draining';
}

function sumOfTesters(reports: readonly LedgerReport[]): Pick<LedgerReport, 'ofTesters'> {
  const ofTesters = reports.reduce((sum, report) => sum + (report.ofTesters ?? 0), 0);
  return ofTesters > 0 ? { ofTesters } : {};
}

function mergePumped(reports: readonly LedgerReport[]): Pick<LedgerReport, 'pumped'> {
  const sum = reports.reduce((all, { pumped = 0 }) => all + pumped, 0);
  return sum > 0 ? { pumped: sum } : {};
}

function mergeCapture(reports: readonly Pick<LedgerReport, 'capture'>[]): Pick<LedgerReport, 'capture'> {
  const captures = reports.flatMap(({ capture }) => capture ?? []);
  return captures.length === 0 ? {} : { capture: captures.reduce(addCaptures) };
}

function mergeMirror(reports: readonly Pick<LedgerReport, 'mirror'>[]): Pick<LedgerReport, 'mirror'> {
  const mirrors = reports.flatMap(({ mirror }) => mirror ?? []);
  return mirrors.length === 0 ? {} : { mirror: mirrors.reduce(addMirrors) };
}

function mergeAbandoned(reports: readonly Pick<LedgerReport, 'abandoned'>[]): LedgerReport['abandoned'] {
  const since = reports.flatMap(({ abandoned }) => abandoned.sinceLastMs ?? []);
  const total = reports.reduce((sum, { abandoned }) => sum + abandoned.total, 0);
  return { total, ...(since.length > 0 && { sinceLastMs: Math.min(...since) }) };
}

function mergeHold(reports: readonly LedgerReport[]): HoldReport {
  const holds = reports.map(({ hold }) => hold);
  const isHeld = holds.every(({ state }) => state === 'holding');
  return {
    state: isHeld ? 'holding' : 'none',
    epoch: Math.max(...holds.map(({ epoch }) => epoch)),
    waiting: holds.reduce((sum, { waiting }) => sum + waiting, 0),
    leaseRemainingMs: isHeld ? Math.min(...holds.map(({ leaseRemainingMs }) => leaseRemainingMs)) : 0,
    isOfSwitch: isHeld && holds.every(({ isOfSwitch }) => isOfSwitch),
  };
}

/** A worker that has not seen it has counted nothing, which is not zero. */
function mergeDryRun(reports: readonly LedgerReport[]): Pick<LedgerReport, 'dryRun'> {
  const seen = reports.flatMap(({ dryRun }) => dryRun ?? []);
  const epoch = seen[0]?.epoch;
  if (epoch === undefined || seen.length < reports.length || seen.some((each) => each.epoch !== epoch)) return {};
  const sum = (name: 'waiting' | 'full') => seen.reduce((count, each) => count + each[name], 0);
  return { dryRun: { epoch, waiting: sum('waiting'), full: sum('full'), isOver: seen.every(({ isOver }) => isOver) } };
}

export function sumCounters(reports: readonly Counted[]): ReportCounters {
  return reports.reduce<ReportCounters>(
    (sum, { ended, requests, bytes, carriedEnded = NOTHING_ENDED, moves = NO_MOVES }) => ({
      ended: eachKind((kind) => addEndings(sum.ended[kind], ended[kind])),
      carriedEnded: eachKind((kind) => addEndings(sum.carriedEnded[kind], carriedEnded[kind])),
      moves: addMoves(sum.moves, moves),
      requests: plus(sum.requests, requests),
      bytes: eachKind((kind) => plus(sum.bytes[kind], bytes[kind])) satisfies KindBytes,
    }),
    NO_COUNTERS,
  );
}

function endedCount(reports: readonly LedgerReport[]): number {
  const { ended } = sumCounters(reports);
  const of = ({ completed, moved, closed, forced }: EndingCounts) => completed + moved + closed + forced;
  return CONNECTION_KINDS.reduce((count, kind) => count + of(ended[kind]), 0);
}

type Figures<T> = { readonly [Name in keyof T]: number };

function plus<T extends Figures<T>>(a: T, b: T): T {
  return combine(a, b, (x, y) => x + y);
}

function minus<T extends Figures<T>>(a: T, b: T): T {
  return combine(a, b, (x, y) => x - y);
}

function combine<T extends Figures<T>>(a: T, b: T, of: (x: number, y: number) => number): T {
  const names = Object.keys(a) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, of(a[name], b[name])])) as T;
}
