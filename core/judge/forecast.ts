import { findDirection } from '../plan/direction';
import { requestsToProve } from '../plan/judge-plan';
import type { Plan } from '../plan/plan';
import { MAX_BAKE_SECONDS, Stage, findMaximumBake } from '../plan/stages';
import type { WindowOrder } from '../proxy/window';
import type { TaskReading } from './tally';

/** In less time a rate says little. */
const MIN_SECONDS = 60;

/** What arrived at both sides together, without the smoke requests of cutovers. */
export interface MeasuredTraffic {
  readonly perSecond: number;
  /** In which it was measured. */
  readonly seconds: number;
}

/**
 * The rate of the window that the tasks of both sides were asked for. A task that was started in it has its own, shorter time.
 *
 * @returns undefined where a task that may have had requests did not say how many, and where none has run for a minute
 */
export function measureTraffic(
  readings: readonly TaskReading[],
  { after, until }: Pick<WindowOrder, 'after' | 'until'>,
): MeasuredTraffic | undefined {
  const living = readings.filter(({ life }) => life !== 'stopped');
  const tasks = living.flatMap(({ window, startedAtMs = 0 }) => {
    const seconds = Math.min(until - after, until - startedAtMs / 1000);
    return window ? [{ requests: window.all.requests, seconds: Math.max(1, seconds) }] : [];
  });
  const seconds = tasks.reduce((longest, each) => Math.max(longest, each.seconds), 0);
  if (tasks.length < living.length || seconds < MIN_SECONDS) return undefined;
  return { perSecond: tasks.reduce((sum, each) => sum + each.requests / each.seconds, 0), seconds };
}

/** A stage that cannot be proven at the rate of now. */
export interface Shortfall {
  /** From 0. */
  readonly stage: number;
  /** Requests that the side that gets the traffic would have in the longest bake, at the most. */
  readonly expected: number;
  /** Requests without an error that prove it. */
  readonly needed: number;
  readonly maximumBakeSeconds: number;
  /** 0–1, of the traffic. */
  readonly share: number;
}

/**
 * The stages that end inconclusive if the rate stays as it is: even if each request may go by the weights, too few come to prove them.
 * Where stickiness keeps clients on the other side still fewer do, which is not counted. Neither are those that come before its bake, while
 * weights are confirmed and hooks say not yet.
 */
export function findShortfalls(plan: Plan, { perSecond }: MeasuredTraffic): Shortfall[] {
  if (plan.strategy === 'drainThenShift') return [];
  const needed = requestsToProve(plan.judge.errorBudget);
  return plan.stages.flatMap((stage, index): Shortfall[] => {
    const maximumBakeSeconds = findMaximumBake(stage);
    const share = findShare(stage, plan);
    const expected = perSecond * maximumBakeSeconds * share;
    return share === 0 || expected >= needed ? [] : [{ stage: index, expected, needed, maximumBakeSeconds, share }];
  });
}

function findShare({ weights }: Stage, plan: Plan): number {
  const total = weights.source + weights.target;
  return total === 0 ? 0 : weights[findDirection(plan).to] / total;
}

const THEN: Readonly<Record<Plan['judge']['inconclusive'], string>> = {
  pause: 'a person is asked',
  rollBack: 'the cutover rolls back',
};

/**
 * In numbers, one line for each stage that falls short: what comes, what proof takes, what then happens, and what helps.
 */
export function describeShortfalls(plan: Plan, measured: MeasuredTraffic): string[] {
  return findShortfalls(plan, measured).map(({ stage, expected, needed, maximumBakeSeconds, share }) => {
    const percent = `${Number((100 * share).toPrecision(3))} %`;
    const about = expected < 10 ? Number(expected.toPrecision(1)) : Math.floor(expected);
    const rate = Number((measured.perSecond * 60).toPrecision(2));
    const enough = (maximumBakeSeconds * needed) / expected;
    const many = enough > MAX_BAKE_SECONDS ? '' : `, ${formatMinutes(enough)} would do`;
    return (
      `stage ${stage + 1} (${percent}) gets about ${about} requests in its maximum of ${formatMinutes(maximumBakeSeconds)}, ` +
      `at the ${rate} a minute of the last ${formatMinutes(measured.seconds)}; proof needs ${needed}: ` +
      `it will end inconclusive, and ${THEN[plan.judge.inconclusive]} ('judge.inconclusive'). ` +
      `Make its maximum bake longer${many}, give the stage a larger weight, or raise 'judge.errorBudget'`
    );
  });
}

/** In the largest unit of which it is at least two. */
function formatMinutes(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  if (seconds < 7_200) return `${Math.ceil(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.ceil(seconds / 3_600)} h` : `${Math.ceil(seconds / 86_400)} d`;
}
