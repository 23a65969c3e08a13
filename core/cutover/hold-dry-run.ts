import type { SwitchPlan } from '../plan/switch-plan';
import { SIDES, Side } from '../traffic/weights';

/** How long the requests of a dry run are counted, in whole seconds. The longest pause of a plan is as long. */
export const DRY_RUN_SECONDS = { min: 1, max: 25, default: 1 } as const;

/** What the deployed plan says of a hold. */
export type HoldRules = Pick<SwitchPlan, 'maxPauseMs' | 'maxWaiting'>;

/** What a proxy task counted. */
export interface CountedTask {
  readonly id: string;
  readonly side: Side;
  /** Requests that would have waited, and those of them over `maxWaiting`. */
  readonly waiting: number;
  readonly full: number;
  /** `LedgerReport.longestRequestMs`. */
  readonly longestRequestMs: number;
}

/** A task whose count is not known, which is no zero. */
export interface UnknownTask {
  readonly id: string;
  readonly side: Side;
  readonly problem: string;
}

export type TaskDryRun = CountedTask | UnknownTask;

/** A dry run of a hold at every proxy task. */
export interface HoldDryRun {
  readonly seconds: number;
  readonly rules: HoldRules;
  /** Whether the rules are the deployed plan's, which switches; else they are the defaults of a plan that does. */
  readonly isPlanned: boolean;
  readonly tasks: readonly TaskDryRun[];
}

/** What it comes to. */
export interface DryRunSummary {
  /** Of the tasks that are known. */
  readonly waiting: number;
  readonly full: number;
  readonly longestRequestMs: number;
  readonly unknown: number;
  /** Whether a hold by these rules would have kept to them; undefined where a task is unknown and the others kept to them. */
  readonly isWithinPlan: boolean | undefined;
  /** In words, a sentence a line. */
  readonly meaning: readonly string[];
}

export function isCounted(task: TaskDryRun): task is CountedTask {
  return !('problem' in task);
}

/**
 * What a dry run means for `switch.maxPauseMs` and `switch.maxWaiting`. Requests of clients that wait for a response before they
 * send the next one are counted more often than they would wait: the figures are never too low for them.
 */
export function summarizeDryRun(dryRun: HoldDryRun): DryRunSummary {
  const { tasks } = dryRun;
  const counted = tasks.filter(isCounted);
  const unknown = tasks.length - counted.length;
  const longestRequestMs = Math.max(0, ...counted.map((task) => task.longestRequestMs));
  const findings = counted.length === 0 ? [] : [explainPause(longestRequestMs, dryRun), explainRoom(counted, dryRun)];
  const isKept = findings.every(({ isKept }) => isKept);
  return {
    waiting: sum(counted, 'waiting'),
    full: sum(counted, 'full'),
    longestRequestMs,
    unknown,
    isWithinPlan: isKept && unknown > 0 ? undefined : isKept,
    meaning: [
      ...(dryRun.isPlanned ? [] : ['The deployed plan does not switch: its rules are the defaults of drainThenShift.']),
      ...findings.map(({ sentence }) => sentence),
      ...(unknown > 0 ? [`${unknown} of ${tasks.length} tasks are unknown, and in none of these figures.`] : []),
    ],
  };
}

/** The figures of each side that has tasks, the source first. */
export function listBySide(tasks: readonly TaskDryRun[]): TaskDryRun[] {
  return SIDES.flatMap((side) => tasks.filter((task) => task.side === side));
}

interface Finding {
  readonly isKept: boolean;
  readonly sentence: string;
}

function explainPause(longestMs: number, { rules: { maxPauseMs } }: HoldDryRun): Finding {
  const rule = `switch.maxPauseMs (${maxPauseMs} ms)`;
  if (longestMs > maxPauseMs) {
    const sentence = `The longest request of the last minute took ${longestMs} ms, longer than ${rule}: a switch with such a request in flight is aborted, and the side that serves goes on.`;
    return { isKept: false, sentence };
  }
  return {
    isKept: true,
    sentence: `The longest request of the last minute took ${longestMs} ms, within ${rule}: a switch waits about so long for it.`,
  };
}

function explainRoom(counted: readonly CountedTask[], { rules, seconds }: HoldDryRun): Finding {
  const { maxPauseMs, maxWaiting } = rules;
  const rule = `switch.maxWaiting (${maxWaiting})`;
  const full = sum(counted, 'full');
  if (full > 0) {
    const sentence = `${full} requests in ${seconds} s did not fit into ${rule} of their task: a hold of this length rejects them with 503.`;
    return { isKept: false, sentence };
  }
  const busiest = counted.reduce((a, b) => (b.waiting > a.waiting ? b : a));
  const inPause = Math.ceil((busiest.waiting * maxPauseMs) / (seconds * 1000));
  const expected = `In the longest pause (${maxPauseMs} ms) about ${inPause} requests wait at the busiest task (${busiest.id})`;
  const isKept = inPause <= maxWaiting;
  const sentence = isKept ? `${expected}, within ${rule}.` : `${expected}, more than ${rule}: the rest gets 503.`;
  return { isKept, sentence };
}

function sum(counted: readonly CountedTask[], name: 'waiting' | 'full'): number {
  return counted.reduce((total, task) => total + task[name], 0);
}
