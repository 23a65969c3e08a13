import { HealthPoll, HealthRules, judgePoll } from '../core/check/health';
import { BrokenRule } from '../core/check/verdict';
import type { Progress } from './progress';
import { get } from './request';
import { CheckTarget, pause } from './target';

export interface HealthPlan {
  readonly intervalMs: number;
  /** Undefined: once. */
  readonly durationMs?: number;
  readonly rules: HealthRules;
}

export interface HealthReport {
  readonly polls: number;
  readonly bad: number;
  /** The last ones. */
  readonly lastPolls: readonly HealthPoll[];
  /** The first bad ones. */
  readonly badPolls: readonly HealthPoll[];
  /** The rules that were broken, each with its first value. */
  readonly broken: readonly BrokenRule[];
}

const MAX_KEPT = 100;

/** @param onPoll is given each as it was made */
export async function checkHealth(
  target: CheckTarget,
  { intervalMs, durationMs = 0, rules }: HealthPlan,
  signal: AbortSignal,
  progress: Progress,
  onPoll: (poll: HealthPoll) => void,
): Promise<HealthReport> {
  const lastPolls: HealthPoll[] = [];
  const badPolls: HealthPoll[] = [];
  const broken = new Map<string, BrokenRule>();
  let [polls, bad] = [0, 0];
  progress.describe = () => `${polls} polls, ${bad} bad`;
  const startedMs = performance.now();
  // A poll that is missed because a response was late is not made up for: the server has enough to do.
  const findNext = (dueMs: number) =>
    dueMs + intervalMs * Math.max(1, Math.ceil((performance.now() - dueMs) / intervalMs));
  for (let dueMs = startedMs; !signal.aborted; dueMs = findNext(dueMs)) {
    await pause(Math.max(0, dueMs - performance.now()), signal);
    const response = signal.aborted ? undefined : await get(target, undefined, signal);
    if (!response || signal.aborted) break;
    const poll = judgePoll(new Date().toISOString(), response, rules);
    polls += 1;
    lastPolls.push(poll);
    if (lastPolls.length > MAX_KEPT) lastPolls.shift();
    if (poll.broken.length > 0) {
      bad += 1;
      if (badPolls.length < MAX_KEPT) badPolls.push(poll);
      for (const rule of poll.broken) {
        const key = `${rule.name} ${rule.rule}`;
        if (!broken.has(key)) broken.set(key, rule);
      }
    }
    onPoll(poll);
    if (findNext(dueMs) - startedMs > durationMs) break;
  }
  return { polls, bad, lastPolls, badPolls, broken: [...broken.values()] };
}
