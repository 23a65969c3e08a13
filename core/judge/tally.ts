import {
  KindEndings,
  MutableKindEndings,
  NO_KIND_ENDINGS,
  copyKindEndings,
  countHeld,
  countHeldByWorker,
  countKinds,
  packKinds,
  withoutHeld,
} from './kind-tally';
import {
  MoveTally,
  MutableMoveTally,
  NO_MOVE_TALLY,
  copyMoveTally,
  countCarried,
  countMoves,
  packMoves,
  withoutCarried,
} from './move-tally';
import { own } from '../validation/own';
import { LedgerReport } from '../proxy/admin-api';
import { total } from '../proxy/connections';
import type { WindowReport } from '../proxy/window';

/** One proxy task, as ECS lists it and as its admin port reports. */
export interface TaskReading {
  /** A short part of the task's id, unique within a side. */
  readonly id: string;
  /** The task's IP address. */
  readonly address: string;
  /** `running`: it is to stay. `leaving`: ECS is stopping it. `stopped`: ECS says that it has no process any more. */
  readonly life: 'running' | 'leaving' | 'stopped';
  /** Of a stopped task, where ECS knows it. A proxy that ended in order exits with 0. */
  readonly exitCode?: number;
  /** Absent of a stopped task, and of one that did not respond: what that one holds is unknown, and never zero. */
  readonly report?: LedgerReport;
  /** What it did in the seconds that it was asked for. */
  readonly window?: WindowReport;
  /** Why there is no report. */
  readonly problem?: string;
  /** When ECS started it, where it says so. */
  readonly startedAtMs?: number;
  /** Added by `withUnlisted`. */
  readonly isUnlisted?: boolean;
}

/** What one side did since the first shift. Every count only grows. */
export interface SideCounts {
  /** Requests taken, responded to (or failed), and failed. */
  readonly requests: number;
  readonly responded: number;
  readonly errors: number;
  /** Connections of the side that a drain moved, closed in order, or cut. A client that vanished is none of them. */
  readonly moved: number;
  readonly closed: number;
  readonly forced: number;
  /** Connections that a task held when it was last seen, and that died with it. */
  readonly lost: number;
  /** The same of a task that ended in order: by themselves, or closed or cut by its own drain; which is unknown. */
  readonly unknown: number;
  /** Tasks that ended without ECS having asked them to. */
  readonly tasksLost: number;
}

export const NO_COUNTS: SideCounts = {
  requests: 0,
  responded: 0,
  errors: 0,
  moved: 0,
  closed: 0,
  forced: 0,
  lost: 0,
  unknown: 0,
  tasksLost: 0,
};

/**
 * What a task reported last. A tuple, because the state of a cutover holds one for each of up to two thousand tasks, and
 * Step Functions takes 256 KiB of state.
 */
export type SeenTask = readonly [
  instance: string,
  requests: number,
  responded: number,
  errors: number,
  moved: number,
  closed: number,
  forced: number,
  active: number,
  pending: number,
  isLeaving: 0 | 1,
  /** Since when ECS has not listed it, in seconds; 0 of one that is listed, -1 of one that counts as gone. */
  unlisted: number,
  /** Of the process: another one in the same task has lost what the first one held. */
  identity: string,
  /** What it held and how connections ended, by kind (`packKinds`); absent of a side whose kinds are not counted. */
  kinds?: string,
  /** What it carried and what its moves came to (`packMoves`); absent of a task that has moved nothing, too. */
  moves?: string,
];

export interface SideTally {
  readonly counts: SideCounts;
  /** By `TaskReading.id`; null for a task that has not responded yet. */
  readonly tasks: Readonly<Record<string, SeenTask | null>>;
  /** When counting began. */
  readonly beganMs?: number;
  /** Of the side that is left: how connections ended, by kind. Absent of the other one, and of an older state. */
  readonly kinds?: KindEndings | undefined;
  /** Of the same side: what its moves came to. */
  readonly moves?: MoveTally | undefined;
}

/** Enough of a random name to tell it from the one before it. */
const NAME_CHARACTERS = 6;

/**
 * The tally before anything was counted: what the tasks report now is where counting begins.
 *
 * @param hasKinds whether it is to say by kind how connections end
 */
export function beginTally(readings: readonly TaskReading[], nowMs: number, hasKinds = false): SideTally {
  const live = readings.filter(({ life }) => life !== 'stopped');
  const tasks = Object.fromEntries(live.map((reading) => [reading.id, seenFrom(reading, hasKinds, hasKinds)]));
  return {
    counts: NO_COUNTS,
    tasks,
    beganMs: nowMs,
    ...(hasKinds && { kinds: NO_KIND_ENDINGS, moves: NO_MOVE_TALLY }),
  };
}

/** A list that is eventually consistent may lack a task for a while: ECS lists one that has stopped for an hour. */
const MAX_UNLISTED_SECONDS = 60;
const GONE = -1;

/** The readings, and those tasks that were there before and are not listed now: unknown, until they were missing for long. */
export function withUnlisted(
  { tasks }: SideTally,
  readings: readonly TaskReading[],
  nowMs: number,
): readonly TaskReading[] {
  const listed = new Set(readings.map(({ id }) => id));
  const missing = Object.keys(tasks).filter((id) => !listed.has(id) && tasks[id]?.[10] !== GONE);
  const unlisted = missing.map((id): TaskReading => {
    const since = tasks[id]?.[10];
    const isGone = since === undefined || (since > 0 && nowMs / 1000 - since >= MAX_UNLISTED_SECONDS);
    if (isGone) return { id, address: id, life: 'stopped', isUnlisted: true };
    return { id, address: id, life: 'running', problem: 'ECS does not list it', isUnlisted: true };
  });
  return [...readings, ...unlisted];
}

/**
 * The tally after another look. A task that is new counts from zero, and one that only the first list lacked from what it says. What a task had counted when it was last seen stays
 * counted when it is gone; the connections that it held then are `lost`, or `unknown` when it ended in order.
 */
export function addReadings(before: SideTally, readings: readonly TaskReading[], nowMs: number): SideTally {
  const tasks: Record<string, SeenTask | null> = {};
  const added = beginAdded(before);
  const listed = new Set<string>();
  for (const reading of readings) {
    listed.add(reading.id);
    const isKnown = Object.hasOwn(before.tasks, reading.id);
    const seen = own(before.tasks, reading.id) ?? null;
    if (reading.life === 'stopped') {
      if (isKnown) countEnd(added, seen, reading.exitCode);
      if (seen && reading.isUnlisted === true) tasks[reading.id] = withoutLife(seen);
      continue;
    }
    tasks[reading.id] =
      seenFrom(reading, before.kinds !== undefined, before.moves !== undefined) ?? withLife(seen, reading, nowMs);
    if (reading.report && (seen || isNew(before, reading))) countReport(added, seen, reading.report);
  }
  for (const [id, seen] of Object.entries(before.tasks)) {
    if (listed.has(id)) continue;
    if (seen?.[10] === GONE) tasks[id] = seen;
    // ECS lists a stopped task for an hour, and then no more.
    else countEnd(added, seen, undefined);
  }
  return { ...before, counts: sum(before.counts, added), tasks, kinds: added.kinds, moves: added.moves };
}

/** What one did that was there before counting began is none of it. */
function isNew({ tasks, beganMs = 0 }: SideTally, { id, startedAtMs }: TaskReading): boolean {
  if (Object.hasOwn(tasks, id)) return false;
  return startedAtMs === undefined || startedAtMs >= beganMs;
}

/** Requests that have no response yet, at the last look. */
export function pendingRequests({ tasks }: SideTally): number {
  return Object.values(tasks).reduce((count, seen) => count + (seen?.[8] ?? 0), 0);
}

/** The tasks that are to stay and did not respond at this look. */
export function unknownTasks(readings: readonly TaskReading[]): readonly TaskReading[] {
  return readings.filter(({ life, report }) => life !== 'stopped' && !report);
}

export function computeDifference(now: SideCounts, before: SideCounts): SideCounts {
  return combine(now, before, (a, b) => a - b);
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
/** Beside what is new of all kinds the whole of each kind, where that is counted. */
type Added = Mutable<SideCounts> & {
  readonly kinds: MutableKindEndings | undefined;
  readonly moves: MutableMoveTally | undefined;
};

function beginAdded({ kinds, moves }: SideTally): Added {
  return { ...NO_COUNTS, kinds: kinds && copyKindEndings(kinds), moves: moves && copyMoveTally(moves) };
}

function countReport(added: Added, seen: SeenTask | null, report: LedgerReport): void {
  // Another process in the same task: it was restarted, and took its connections with it.
  if (seen && seen[11] !== shortName(report.identity)) countEnd(added, seen, undefined);
  else if (seen && seen[0] !== shortName(report.instance)) countLostWorker(added, report);
  countSince(added, seen, report);
}

function countSince(added: Added, seen: SeenTask | null, report: LedgerReport): void {
  const now = countsFrom(report);
  // The counters of another instance began at zero.
  const base = seen && seen[0] === shortName(report.instance) ? seen : null;
  const names = ['requests', 'responded', 'errors', 'moved', 'closed'] as const;
  names.forEach((name, index) => (added[name] += now[index]! - Number(base?.[index + 1] ?? 0)));
  // Of the drain in force: it does not begin at zero when a worker is lost, and lacks that worker's from then on.
  const isSameProcess = seen?.[11] === shortName(report.identity);
  if (!isSameProcess) added.forced += report.drainForced;
  else if (base) added.forced += Math.max(0, report.drainForced - base[6]);
  const news = { isOtherInstance: !base, isOtherProcess: !isSameProcess };
  if (added.kinds) countKinds(added.kinds, seen?.[12], report, news);
  const hasLostWorker = isSameProcess && !base;
  if (added.moves) countMoves(added.moves, seen?.[13], report, { isOtherInstance: !base, hasLostWorker });
}

function countEnd(added: Added, seen: SeenTask | null, exitCode: number | undefined): void {
  // No client waits for their responses any more: they are lost, or were sent in the end.
  added.responded += seen?.[8] ?? 0;
  const ending = exitCode === 0 ? 'unknown' : 'lost';
  if (added.kinds) countHeld(added.kinds, seen?.[12], ending);
  if (added.moves) countCarried(added.moves, seen?.[13], ending);
  if (exitCode === 0) {
    added.unknown += seen?.[7] ?? 0;
    return;
  }
  added.lost += seen?.[7] ?? 0;
  const wasLeaving = seen?.[9] === 1;
  if (!wasLeaving) added.tasksLost += 1;
}

/** A worker of the task died: the report counts from zero again, but for what that worker held, which is `forced`. */
function countLostWorker(added: Added, report: LedgerReport): void {
  const { ended } = report;
  if (added.kinds) countHeldByWorker(added.kinds, report);
  added.tasksLost += 1;
  added.lost += Object.values(ended).reduce((count, { forced }) => count + forced, 0);
}

function seenFrom({ report, life }: TaskReading, hasKinds: boolean, hasMoves: boolean): SeenTask | null {
  if (!report) return null;
  const [requests, responded, errors, moved, closed, forced] = countsFrom(report);
  const isLeaving = life === 'leaving' ? 1 : 0;
  // A stream has its response: it counted as responded to when it began.
  const pending = Math.max(0, report.active.http - (report.ofTesters ?? 0));
  const seen = [
    shortName(report.instance),
    requests,
    responded,
    errors,
    moved,
    closed,
    forced,
    total(report.active),
    pending,
    isLeaving,
    0,
    shortName(report.identity),
  ] as const;
  if (!hasKinds) return seen;
  const moves = hasMoves ? packMoves(report) : '';
  return moves === '' ? [...seen, packKinds(report)] : [...seen, packKinds(report), moves];
}

/** A task that does not respond keeps what it reported last. */
function withLife(seen: SeenTask | null, { life, isUnlisted }: TaskReading, nowMs: number): SeenTask | null {
  if (!seen) return null;
  const [, , , , , , , , , wasLeaving, since] = seen;
  const isLeaving = life === 'leaving' ? 1 : wasLeaving;
  const unlisted = isUnlisted !== true ? 0 : since > 0 ? since : Math.floor(nowMs / 1000);
  return seen.with(9, isLeaving).with(10, unlisted) as unknown as SeenTask;
}

/** Without what it says of moves. */
export function withoutTaskMoves(seen: SeenTask): SeenTask {
  return seen.slice(0, 13) as unknown as SeenTask;
}

/** Without what it says of each kind. */
export function withoutTaskKinds(seen: SeenTask): SeenTask {
  return seen.slice(0, 12) as unknown as SeenTask;
}

/** One that counts as gone may be listed again: what it did until then counts once. What it held is lost. */
function withoutLife(seen: SeenTask): SeenTask {
  const [instance, requests, responded, errors, moved, closed, forced, , , , , identity, kinds, moves] = seen;
  const gone = [
    instance,
    requests,
    responded + seen[8],
    errors,
    moved,
    closed,
    forced,
    0,
    0,
    1,
    GONE,
    identity,
  ] as const;
  if (kinds === undefined) return gone;
  const known = moves === undefined ? [] : [withoutCarried(moves)];
  return [...gone, withoutHeld(kinds), ...known] as unknown as SeenTask;
}

type Counted = readonly [number, number, number, number, number, number];

/** Not `ended.….forced`: clients that vanished are among those. */
function countsFrom({ requests, ended, drainForced }: LedgerReport): Counted {
  const sum = (how: 'moved' | 'closed') => Object.values(ended).reduce((count, kind) => count + kind[how], 0);
  return [requests.total, requests.responded, requests.errors, sum('moved'), sum('closed'), drainForced];
}

function shortName(name: string): string {
  return name.slice(-NAME_CHARACTERS);
}

function sum(a: SideCounts, b: SideCounts): SideCounts {
  return combine(a, b, (x, y) => x + y);
}

function combine(a: SideCounts, b: SideCounts, of: (x: number, y: number) => number): SideCounts {
  const names = Object.keys(NO_COUNTS) as (keyof SideCounts)[];
  return Object.fromEntries(names.map((name) => [name, of(a[name], b[name])])) as unknown as SideCounts;
}
