import { withoutLooks } from './looks';
import { CutoverRun } from './run';
import { SeenTask, SideTally, withoutTaskKinds, withoutTaskMoves } from '../judge/tally';

/**
 * What the state of a cutover may take, in bytes of UTF-8. Step Functions and the response of Lambda take 262,144; the
 * rest is for what a step adds to its input, and for what Step Functions puts around it.
 *
 * @see https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
 */
export const MAX_STATE_BYTES = 220_000;
/** Further lines of the same kind tell a person nothing. */
const MAX_LINES = 20;

export function isTooLarge(run: CutoverRun): boolean {
  return Buffer.byteLength(JSON.stringify(run)) > MAX_STATE_BYTES;
}

/** The same run without what it knows of each single task; what was counted stays. For a rollback, which needs no more. */
export function withoutTasks(run: CutoverRun): CutoverRun {
  if (!run.watch) return run;
  const { source, target } = run.watch.tallies;
  const bare = ({ counts }: SideTally): SideTally => ({ counts, tasks: {} });
  return { ...run, watch: { ...run.watch, tallies: { source: bare(source), target: bare(target) } } };
}

/** By kind it is not counted any more how connections end: that is unknown then. */
function withoutKinds(run: CutoverRun): CutoverRun {
  const { watch, drain, judgedCounts } = run;
  if (!watch) return run;
  const bare = ({ counts, beganMs, tasks }: SideTally): SideTally => ({
    counts,
    ...(beganMs !== undefined && { beganMs }),
    tasks: changeTasks(tasks, withoutTaskKinds),
  });
  const { source, target } = watch.tallies;
  return {
    ...run,
    watch: { ...watch, tallies: { source: bare(source), target: bare(target) } },
    ...(drain && { drain: { ...drain, kinds: undefined } }),
    ...(judgedCounts && { judgedCounts: { lost: judgedCounts.lost, unknown: judgedCounts.unknown } }),
  };
}

/** What its tasks move is not counted any more: that is unknown then. */
function withoutMoves(run: CutoverRun): CutoverRun {
  const { watch, drain } = run;
  if (!watch) return run;
  const bare = (tally: SideTally): SideTally => ({
    ...tally,
    tasks: changeTasks(tally.tasks, withoutTaskMoves),
    moves: undefined,
  });
  const { source, target } = watch.tallies;
  return {
    ...run,
    watch: { ...watch, tallies: { source: bare(source), target: bare(target) } },
    ...(drain && { drain: { ...drain, moves: undefined } }),
  };
}

function changeTasks(tasks: SideTally['tasks'], change: (seen: SeenTask) => SeenTask): SideTally['tasks'] {
  return Object.fromEntries(Object.entries(tasks).map(([id, seen]) => [id, seen && change(seen)]));
}

/**
 * A state that is too large goes on without what decides nothing: what moves came to, how connections end by kind, then the records of its polls, then the
 * traces of its switches.
 */
export function withWhatFits(run: CutoverRun): CutoverRun {
  if (!isTooLarge(run)) return run;
  const still = withoutMoves(run);
  if (!isTooLarge(still)) return still;
  const bare = withoutKinds(still);
  if (!isTooLarge(bare)) return bare;
  const next = withoutLooks(bare);
  if (!next.switches || !isTooLarge(next)) return next;
  return { ...next, switches: next.switches.map((record) => ({ ...record, trace: undefined })) };
}

/** For a message: how many tasks are too many. */
export function tooManyTasks({ watch }: CutoverRun): string {
  const count = (tally?: SideTally) => Object.keys(tally?.tasks ?? {}).length;
  const tasks = count(watch?.tallies.source) + count(watch?.tallies.target);
  return `the state of a cutover must have at most ${MAX_STATE_BYTES} bytes, got more with ${tasks} proxy tasks`;
}

/** The first of what may be a line for each of a thousand tasks. */
export function firstLines(lines: readonly string[]): string[] {
  if (lines.length <= MAX_LINES) return [...lines];
  return [...lines.slice(0, MAX_LINES), `and ${lines.length - MAX_LINES} more`];
}
