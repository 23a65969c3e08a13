import {
  SideCounts,
  SideTally,
  TaskReading,
  addReadings,
  beginTally,
  computeDifference,
  pendingRequests,
} from './tally';
import { Side } from '../traffic/weights';
import type { Comparison } from './comparison';
import { LiveConnections, countLive } from './live';
import type { Sessions } from './sessions';

/** What the cutover has seen of both sides since its first shift; it travels from step to step. */
export interface Watch {
  readonly tallies: Readonly<Record<Side, SideTally>>;
  /** The counts at earlier looks, oldest first; the older, the fewer. The first one is that of the stage's shift. */
  readonly samples: readonly Sample[];
  /** Of the side that is left: how long a request takes, and how many clients leave before they have a response; where it is known. */
  readonly habits?: Habits;
  /** Those at the shift of this stage. */
  readonly earlierHabits?: Habits;
  /** The side that gets the traffic against the one that is left; absent of a run that was begun without. */
  readonly comparison?: Comparison;
  /** Requests since the shift of this stage, by whether their clients had been there before; absent where no proxy says it. */
  readonly sessions?: Sessions | undefined;
  /** The live connections at the last look, for people; absent of a side whose tasks could not be listed. */
  readonly live?: Partial<Readonly<Record<Side, LiveConnections>>>;
  /** Since when something that a verdict needs could not be read, by what it is. */
  readonly blindSinceMs: Readonly<Partial<Record<Blindness, number>>>;
}

/** What a look could not read. */
export type Blindness = 'store' | 'loadBalancer' | 'alarms' | `${Side}Tasks`;

export interface Sample extends Readonly<Record<Side, SideCounts>> {
  readonly atMs: number;
  /** The cutover's own smoke requests, which the proxies of a side have counted among the others. */
  readonly smoked: Readonly<Record<Side, number>>;
  /** Requests in flight. */
  readonly pending: Readonly<Record<Side, number>>;
}

export interface Habits {
  /** Requests in flight for each request a second (Little's law). */
  readonly requestSeconds: number;
  /** 0–1: of the requests that have ended. */
  readonly abandonedShare: number;
}

/** Fewer requests in a stage say nothing of how long they take. */
const MIN_HABIT_REQUESTS = 50;
/** So many of them, in so many seconds, say it without the stages before. */
const [ENOUGH_HABIT_REQUESTS, ENOUGH_HABIT_SECONDS] = [200, 60];
/** Two samples that are closer than this part of their age say the same. */
const SAMPLE_SPACING = 0.08;

export type TaskReadings = Readonly<Record<Side, readonly TaskReading[]>>;

/** @param left of this side it is counted by kind how connections end */
export function beginWatch(readings: TaskReadings, nowMs: number, left?: Side): Watch {
  const begin = (side: Side) => beginTally(readings[side], nowMs, side === left);
  const tallies = { source: begin('source'), target: begin('target') };
  return { ...watchFrom(tallies, nowMs), live: countSides(readings) };
}

/** The watch from the first shift on, of what the tasks had at it. */
export function watchFrom(tallies: Watch['tallies'], nowMs: number): Watch {
  return { tallies, samples: [takeSample(tallies, { source: 0, target: 0 }, nowMs)], blindSinceMs: {} };
}

/** The watch when the next stage is shifted: what was counted since the last look belongs to the new stage. */
export function beginStage(watch: Watch, nowMs: number): Watch {
  const started = { ...watch, sessions: undefined, samples: [{ ...lastSample(watch), atMs: nowMs }] };
  return watch.habits ? { ...started, earlierHabits: watch.habits } : started;
}

/**
 * The watch after another look.
 *
 * @param readings absent of a side whose tasks could not be listed: nothing is added, and nothing taken for gone
 * @param smoked smoke requests that each side may have counted since the last look
 * @param serving the side that is left, while it has weight: what trickles in afterwards says nothing of how long requests take
 */
export function observe(
  watch: Watch,
  readings: Partial<TaskReadings>,
  smoked: Readonly<Record<Side, number>>,
  nowMs: number,
  serving: Side | undefined,
): Watch {
  const tallies = {
    source: readings.source ? addReadings(watch.tallies.source, readings.source, nowMs) : watch.tallies.source,
    target: readings.target ? addReadings(watch.tallies.target, readings.target, nowMs) : watch.tallies.target,
  };
  const before = lastSample(watch).smoked;
  const sum = { source: before.source + smoked.source, target: before.target + smoked.target };
  return { ...addSample(watch, tallies, sum, nowMs, serving), live: countSides(readings) };
}

function countSides({ source, target }: Partial<TaskReadings>): NonNullable<Watch['live']> {
  return { ...(source && { source: countLive(source) }), ...(target && { target: countLive(target) }) };
}

/**
 * The watch with what both sides have counted until now.
 *
 * @param smoked since the first shift
 */
export function addSample(
  watch: Watch,
  tallies: Watch['tallies'],
  smoked: Sample['smoked'],
  nowMs: number,
  serving: Side | undefined,
): Watch {
  const samples = thin([...watch.samples, takeSample(tallies, smoked, nowMs)], nowMs);
  const next = { ...watch, tallies, samples };
  const habits = serving ? findHabits(next, serving) : watch.habits;
  return habits ? { ...next, habits } : next;
}

/** Remembers since when each of these could not be read, and forgets those that can be again. */
export function noteBlindness(watch: Watch, blind: readonly Blindness[], nowMs: number): Watch {
  const since = blind.map((what) => [what, watch.blindSinceMs[what] ?? nowMs]);
  return { ...watch, blindSinceMs: Object.fromEntries(since) as Watch['blindSinceMs'] };
}

export function lastSample({ samples }: Watch): Sample {
  const last = samples.at(-1);
  if (!last) throw new RangeError('a watch must have a sample, got none');
  return last;
}

function takeSample({ source, target }: Watch['tallies'], smoked: Sample['smoked'], atMs: number): Sample {
  const pending = { source: pendingRequests(source), target: pendingRequests(target) };
  return { source: source.counts, target: target.counts, smoked, pending, atMs };
}

/** Keeps the first and the last, and of the others so many that each window has an edge close to its own. */
function thin(samples: readonly Sample[], nowMs: number): readonly Sample[] {
  const kept: Sample[] = [];
  for (const [index, sample] of samples.entries()) {
    const last = kept.at(-1);
    const isEdge = index === 0 || index >= samples.length - 2;
    const spacingMs = (nowMs - sample.atMs) * SAMPLE_SPACING;
    if (isEdge || !last || sample.atMs - last.atMs >= spacingMs) kept.push(sample);
  }
  return kept;
}

/**
 * What the side that is left showed in this stage, which is what the other one is held against. A stage that is young, or has little
 * traffic, says no less than those before it. What was once has ended: a stall must not excuse the other side for the rest of the night.
 */
function findHabits(watch: Watch, side: Side): Habits | undefined {
  const { samples, habits: known, earlierHabits: earlier } = watch;
  const first = samples[0];
  const last = lastSample(watch);
  if (!first || last.atMs <= first.atMs) return known;
  const seconds = (last.atMs - first.atMs) / 1000;
  const { requests, responded } = computeDifference(last[side], first[side]);
  const ofClients = requests - (last.smoked[side] - first.smoked[side]);
  if (ofClients < MIN_HABIT_REQUESTS) return known;
  const morePending = last.pending[side] - first.pending[side];
  // At the shift there was still the traffic of before it.
  const recent = samples.slice(1).filter(({ atMs }) => atMs >= last.atMs - ENOUGH_HABIT_SECONDS * 1000);
  const stage = {
    requestSeconds: Math.max(...recent.map(({ pending }) => pending[side])) / (ofClients / seconds),
    abandonedShare: Math.min(1, Math.max(0, (requests - responded - morePending) / ofClients)),
  };
  const isEnough = seconds >= ENOUGH_HABIT_SECONDS && ofClients >= ENOUGH_HABIT_REQUESTS;
  if (isEnough || !earlier) return stage;
  return {
    requestSeconds: Math.max(earlier.requestSeconds, stage.requestSeconds),
    abandonedShare: Math.max(earlier.abandonedShare, stage.abandonedShare),
  };
}
