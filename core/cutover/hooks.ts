import { findDirection } from '../plan/direction';
import { HookTime, PhaseHook, findOnFailure, findWaitSeconds, isOfStages, isUnstoppable } from '../plan/phase-hooks';
import { hookPollSeconds } from '../plan/plan';
import { oneLine } from '../text/one-line';
import type { Side, Weights } from '../traffic/weights';
import { ask, bakeFromNow, mayAsk } from './escalation';
import type { HookPoint, HookRecord, HookRecords, HookWait } from './hook-records';
import type { HookWord } from './hook-word';
import { CutoverRun, Failure, HookProgress, Verdict, findFailure, note, rollBack } from './run';

/** The event of a function, and the body of a POST. */
export interface PhaseHookCall {
  readonly hook: string;
  readonly when: HookTime;
  /** The same in every repetition of this call, also after a not yet, and at no other point. */
  readonly key: string;
  /** From 1: one more after each not yet. */
  readonly call: number;
  readonly execution: string;
  readonly attempt: number;
  /** From 1. */
  readonly stage?: number;
  readonly stages: number;
  /** Of the stage: as they are to be set before a shift, and as they were set after it. */
  readonly weights?: Weights;
  readonly from: Side;
  readonly to: Side;
  /** Why the cutover rolls back. */
  readonly failure?: Failure;
}

export interface PendingHook {
  readonly hook: PhaseHook;
  readonly point: HookPoint;
}

/** How a call ended. */
export interface HookResult extends HookWord {
  readonly seconds: number;
}

/** In the state of a cutover, which Step Functions bounds. */
const MAX_RECORDS = 40;
const MAX_WHY = 300;
/** Of the times at which one has said not yet. */
const MAX_TIMES = 10;

/** The points that a cutover passes between a step that has this verdict and the next one. */
export function listPoints({ stage }: CutoverRun, verdict: Verdict): readonly HookPoint[] {
  if (!stage) return [];
  const of = (when: HookTime): HookPoint => ({
    when,
    ...(isOfStages(when) && { stage: stage.index + 1 }),
    attempt: 1,
  });
  const points: Partial<Record<Verdict, readonly HookTime[]>> = {
    confirmed: ['afterShift', 'beforeBake'],
    nextStage: ['afterBake'],
    approve: ['afterBake'],
    drain: ['afterBake', 'beforeDrain'],
    drained: ['afterDrain', 'beforeVerify'],
  };
  return (points[verdict] ?? []).map(of);
}

/** The run that calls hooks before it goes on with its verdict; the same where none is left to call. */
export function callHooksFirst(run: CutoverRun, points = listPoints(run, run.verdict), resume = run.verdict) {
  const isPending = listPending(run, points).length > 0;
  return isPending ? { ...run, verdict: 'hook' as const, hooking: { points, resume } } : run;
}

/** The hooks of these points that have not been called, in the order of the points and of the plan. */
export function listPending({ plan, hooks }: CutoverRun, points: readonly HookPoint[]): PendingHook[] {
  return points.flatMap((point) =>
    // A plan that an older version has written has none.
    (plan.hooks ?? [])
      .filter(
        ({ when, name }) => when === point.when && !hooks?.records.some((each) => isRecordFrom(each, name, point)),
      )
      .map((hook) => ({ hook, point })),
  );
}

function isRecordFrom(record: HookRecord, name: string, { when, stage, attempt }: HookPoint): boolean {
  return record.name === name && record.when === when && record.stage === stage && record.attempt === attempt;
}

/** All have been called: it goes on where it was. What they took is no time of the bake that they are before. */
export function endHooks(run: CutoverRun, nowMs: number): CutoverRun {
  const verdict = run.hooking?.resume ?? 'rollBack';
  return { ...bakeFromNow(run, verdict, nowMs), verdict, hooking: undefined };
}

export function buildCall(run: CutoverRun, { hook: { name, when }, point }: PendingHook): PhaseHookCall {
  const { execution, plan } = run;
  const { stage, attempt } = point;
  const weights = stage === undefined ? undefined : plan.stages[stage - 1]?.weights;
  const failure = /Rollback/.test(when) ? findFailure(run) : undefined;
  const key = [execution, when, ...(stage === undefined ? [] : [stage]), name, attempt].join('/');
  const call = 1 + (findWait(run, name)?.calls ?? 0);
  return {
    ...{ hook: name, when, key, call, execution, attempt },
    ...(stage !== undefined && { stage }),
    stages: plan.stages.length,
    ...(weights && { weights }),
    ...findDirection(plan),
    ...(failure && { failure }),
  };
}

/** When a hook that has said not yet is called again; undefined of one that has not. */
export function findWait({ hooking }: CutoverRun, name: string): HookWait | undefined {
  return hooking?.waiting?.name === name ? hooking.waiting : undefined;
}

/** Of a hook that has said not yet: when it must have passed, in milliseconds since the epoch. */
export function findWaitEnd({ plan }: CutoverRun, { name, sinceMs }: HookWait): number {
  const hook = plan.hooks.find((each) => each.name === name);
  return sinceMs + (hook ? findWaitSeconds(hook) : 0) * 1000;
}

/** For people: `'self-test' says not yet, 3 calls, next at 19:31:05 UTC`. */
export function describeWait({ name, calls, nextAtMs }: HookWait): string {
  const count = `${calls} ${calls === 1 ? 'call' : 'calls'}`;
  return `'${name}' says not yet, ${count}, next at ${new Date(nextAtMs).toISOString().slice(11, 19)} UTC`;
}

/** Written down; a failure stands in the timeline, too. */
export function recordHook(run: CutoverRun, pending: PendingHook, result: HookResult, nowMs: number): CutoverRun {
  const { hook, point } = pending;
  const problem = findProblem(pending, result);
  const waited = findWait(run, hook.name);
  const record: HookRecord = {
    name: hook.name,
    ...point,
    at: new Date(nowMs).toISOString(),
    seconds: roundSeconds(waited ? (nowMs - waited.sinceMs) / 1000 : result.seconds),
    outcome: problem === undefined ? 'passed' : 'failed',
    ...(problem !== undefined && { why: oneLine(problem, MAX_WHY) }),
    ...(waited && { calls: waited.calls + 1, notYetAt: waited.notYetAt }),
  };
  const recorded: CutoverRun = {
    ...run,
    ...(waited && run.hooking && { hooking: { ...run.hooking, waiting: undefined } }),
    hooks: keepRecord(run.hooks, record),
  };
  if (problem === undefined) return recorded;
  const { when, stage } = point;
  const detail = { name: hook.name, when, ...(stage !== undefined && { stage }), why: record.why };
  return note(recorded, nowMs, 'Hook', { ...detail, onFailure: findOnFailure(hook) });
}

/** A not yet where nothing waits any more is a failure. */
function findProblem({ hook }: PendingHook, result: HookResult): string | undefined {
  if (result.delaySeconds === undefined) return result.problem;
  const wait = isUnstoppable(hook.when) ? `, because ${hook.when} waits for nothing` : '';
  return `it must pass within ${findWaitSeconds(hook)} s${wait}, got IN_PROGRESS`;
}

function roundSeconds(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}

/** What a cutover waited for when it ended. */
export function recordWait({ waiting }: Pick<HookProgress, 'waiting'>, nowMs: number): HookRecord[] {
  if (!waiting) return [];
  const { name, when, stage, attempt, calls, notYetAt, sinceMs } = waiting;
  const point = { when, ...(stage !== undefined && { stage }), attempt };
  const at = notYetAt.at(-1) ?? new Date(nowMs).toISOString();
  const seconds = roundSeconds((nowMs - sinceMs) / 1000);
  return [{ name, ...point, at, seconds, outcome: 'notYet', calls, notYetAt }];
}

/** The oldest that passed goes first. The later half says what is still to be called: no two phases have more hooks together. */
function keepRecord({ records, leftOut }: HookRecords = { records: [], leftOut: 0 }, record: HookRecord): HookRecords {
  const all = [...records, record];
  if (all.length <= MAX_RECORDS) return { records: all, leftOut };
  const early = all.slice(0, MAX_RECORDS / 2);
  const passed = early.findIndex(({ outcome }) => outcome === 'passed');
  return { records: all.toSpliced(Math.max(0, passed), 1), leftOut: leftOut + 1 };
}

/** The run behind a call between two steps: it is called again, the next one is, or what its failure means. */
export function afterHook(run: CutoverRun, pending: PendingHook, result: HookResult, nowMs: number): CutoverRun {
  const again = callAgain(run, pending, result, nowMs);
  if (again) return again;
  const recorded = recordHook(run, pending, result, nowMs);
  const onFailure = findOnFailure(pending.hook);
  const problem = findProblem(pending, result);
  if (problem === undefined || onFailure === 'continue') return goOn(recorded, nowMs);
  const failure = { code: 'HookFailed' as const, message: describeFailure(pending, problem) };
  if (onFailure === 'rollBack' || !mayAsk(recorded)) return rollBack(recorded, failure.code, failure.message);
  // Before anything moves there is another place to ask: behind it preflight checks everything again, and calls the others.
  const isFirst = run.hooking?.resume === 'approved';
  const resume = isFirst ? 'approved' : goOn(recorded, nowMs).verdict;
  const asked = ask(recorded, { failure, isFailing: false, resume });
  return isFirst ? { ...asked, verdict: 'approve', hooking: undefined } : asked;
}

/** Undefined where it did not say not yet, or its time has passed. The last call is at its end. */
function callAgain(
  run: CutoverRun,
  { hook: { name }, point }: PendingHook,
  { delaySeconds, seconds }: HookResult,
  nowMs: number,
): CutoverRun | undefined {
  if (delaySeconds === undefined) return undefined;
  const { calls = 0, notYetAt = [], sinceMs = nowMs - Math.round(seconds * 1000) } = findWait(run, name) ?? {};
  const said = {
    name,
    ...point,
    calls: calls + 1,
    notYetAt: [...notYetAt, new Date(nowMs).toISOString()].slice(-MAX_TIMES),
    sinceMs,
    nextAtMs: nowMs,
  };
  const endMs = findWaitEnd(run, said);
  if (nowMs >= endMs) return undefined;
  const waiting = { ...said, nextAtMs: Math.min(nowMs + delaySeconds * 1000, endMs) };
  return waitForHook({ ...run, hooking: { points: [point], resume: run.verdict, ...run.hooking, waiting } });
}

/** Until it has responded, or is called again. */
export function waitForHook(run: CutoverRun): CutoverRun {
  return { ...run, verdict: 'wait', waitSeconds: hookPollSeconds(run.plan) };
}

/** Between two invocations of its step no hook is called. */
export function delayHook(run: CutoverRun, nowMs: number): CutoverRun {
  const { hooking, verdict, waitSeconds } = run;
  if (verdict !== 'wait' || !hooking?.waiting) return run;
  const nextAtMs = Math.max(hooking.waiting.nextAtMs, nowMs + waitSeconds * 1000);
  return { ...run, hooking: { ...hooking, waiting: { ...hooking.waiting, nextAtMs } } };
}

function goOn(run: CutoverRun, nowMs: number): CutoverRun {
  const isPending = listPending(run, run.hooking?.points ?? []).length > 0;
  return isPending ? { ...run, verdict: 'hook' } : endHooks(run, nowMs);
}

function describeFailure({ hook: { name }, point: { when, stage } }: PendingHook, problem: string): string {
  const place = stage === undefined ? when : `${when}, stage ${stage}`;
  return `the hook '${name}' (${place}) must pass, got: ${problem}`;
}
