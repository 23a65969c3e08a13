import { oneLine } from '../text/one-line';

/** `unknown`: what was to be found out could not be, which is never the same as that it is in order. */
export type CheckVerdict = 'held' | 'broken' | 'unknown';

/** A rule that does not hold. */
export interface BrokenRule {
  readonly name: string;
  readonly rule: string;
  readonly got: string;
}

export interface Judgement {
  readonly verdict: CheckVerdict;
  readonly broken: readonly BrokenRule[];
  /** What could not be found out, a sentence each. */
  readonly unknown: readonly string[];
}

/** Collects what is wrong, and says what follows from it. What is broken counts before what is unknown. */
export class Findings {
  private readonly broken: BrokenRule[] = [];
  private readonly unknown: string[] = [];

  addBroken(name: string, rule: string, got: string | number): void {
    this.broken.push({ name, rule, got: oneLine(String(got), 200) });
  }

  addUnknown(what: string): void {
    this.unknown.push(oneLine(what));
  }

  /** @param max undefined: there is no limit */
  checkAtMost(name: string, got: number, max: number | undefined): void {
    if (max !== undefined && got > max) this.addBroken(name, `at most ${max}`, got);
  }

  /** @param got milliseconds; undefined where nothing was measured */
  checkAtMostMs(name: string, got: number | undefined, maxMs: number | undefined): void {
    if (maxMs === undefined) return;
    if (got === undefined) this.addUnknown(`'${name}' was not measured`);
    else if (got > maxMs) this.addBroken(name, `at most ${maxMs} ms`, `${formatMs(got)}`);
  }

  /** Where a check was stopped before its end, only what is broken is known for sure. */
  checkWhole(isStopped: boolean): void {
    if (isStopped) this.addUnknown('the check was stopped before its end');
  }

  judge(): Judgement {
    const { broken, unknown } = this;
    const verdict = broken.length > 0 ? 'broken' : unknown.length > 0 ? 'unknown' : 'held';
    return { verdict, broken, unknown };
  }
}

/** `'lost' must be at most 0, got 3` */
export function formatBroken({ name, rule, got }: BrokenRule): string {
  return `'${name}' must be ${rule}, got ${got}`;
}

/** One digit behind the point: what is less is the clock's own. */
export function formatMs(ms: number): string {
  return `${roundMs(ms)} ms`;
}

export function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** Why something failed, with how many it was so. */
export interface CountedProblem {
  readonly problem: string;
  readonly count: number;
}

const MAX_PROBLEMS = 20;

/** The most frequent first. */
export function countProblems(all: readonly string[]): CountedProblem[] {
  const counts = new Map<string, number>();
  for (const problem of all.map((each) => oneLine(each, 200))) counts.set(problem, (counts.get(problem) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, MAX_PROBLEMS);
  return sorted.map(([problem, count]) => ({ problem, count }));
}
