import { findDirection } from '../plan/direction';
import { HookTime, PhaseHook, findOnFailure, isOfStages } from '../plan/phase-hooks';
import { oneLine } from '../text/one-line';
import type { Side, Weights } from '../traffic/weights';
import { ask, mayAsk } from './escalation';
import type { HookPoint, HookRecord, HookRecords } from './hook-records';
import { CutoverRun, Failure, Verdict, findFailure, note, rollBack } from './run';

/** The event of a function, and the body of a POST. */
export interface PhaseHookCall {
  readonly hook: string;
  readonly when: HookTime;
  /** The same in every repetition of this call, and in no other call. */
  readonly key: string;
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
export interface HookResult {
  readonly problem?: string;
  readonly seconds: number;
}

/** In the state of a cutover, which Step Functions bounds. */
const MAX_RECORDS = 40;
const MAX_WHY = 300;
/** Of what a hook responded. */
const MAX_SHOWN = 200;

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

/** All have been called: it goes on where it was. */
export function endHooks(run: CutoverRun): CutoverRun {
  return { ...run, verdict: run.hooking?.resume ?? 'rollBack', hooking: undefined };
}

export function buildCall(run: CutoverRun, { hook: { name, when }, point }: PendingHook): PhaseHookCall {
  const { execution, plan } = run;
  const { stage, attempt } = point;
  const weights = stage === undefined ? undefined : plan.stages[stage - 1]?.weights;
  const failure = /Rollback/.test(when) ? findFailure(run) : undefined;
  const key = [execution, when, ...(stage === undefined ? [] : [stage]), name, attempt].join('/');
  return {
    ...{ hook: name, when, key, execution, attempt },
    ...(stage !== undefined && { stage }),
    stages: plan.stages.length,
    ...(weights && { weights }),
    ...findDirection(plan),
    ...(failure && { failure }),
  };
}

/**
 * Reads what a hook responded: `{"ok": true, "key": "…"}` with the key of the call, or `{"ok": false, "why": "…"}`. Everything else
 * is no response of a hook: a page for all paths would be one otherwise.
 *
 * @returns why it did not pass; undefined where it did
 */
export function findHookProblem({ key }: Pick<PhaseHookCall, 'key'>, response: unknown): string | undefined {
  const { ok, key: of, why } = asRecord(response);
  if (ok === false && typeof why === 'string') return `it said no: ${oneLine(why, MAX_SHOWN)}`;
  if (ok === true && of === key) return undefined;
  const shown = typeof response === 'string' ? response : (JSON.stringify(response) ?? 'nothing');
  return `it must respond {"ok":true,"key":"${key}"}, got ${oneLine(shown, MAX_SHOWN)}`;
}

/** Whether it is a hook's own no: it counts whatever the status of its response. */
export function isOwnNo(response: unknown): boolean {
  const { ok, why } = asRecord(response);
  return ok === false && typeof why === 'string';
}

/** Written down; a failure stands in the timeline, too. */
export function recordHook(run: CutoverRun, pending: PendingHook, result: HookResult, nowMs: number): CutoverRun {
  const { hook, point } = pending;
  const { problem, seconds } = result;
  const record: HookRecord = {
    name: hook.name,
    ...point,
    at: new Date(nowMs).toISOString(),
    seconds: Math.round(seconds * 10) / 10,
    outcome: problem === undefined ? 'passed' : 'failed',
    ...(problem !== undefined && { why: oneLine(problem, MAX_WHY) }),
  };
  const recorded: CutoverRun = { ...run, hooks: keepRecord(run.hooks, record) };
  if (problem === undefined) return recorded;
  const { when, stage } = point;
  const detail = { name: hook.name, when, ...(stage !== undefined && { stage }), why: record.why };
  return note(recorded, nowMs, 'Hook', { ...detail, onFailure: findOnFailure(hook) });
}

/** The oldest that passed goes first. The later half says what is still to be called: no two phases have more hooks together. */
function keepRecord({ records, leftOut }: HookRecords = { records: [], leftOut: 0 }, record: HookRecord): HookRecords {
  const all = [...records, record];
  if (all.length <= MAX_RECORDS) return { records: all, leftOut };
  const early = all.slice(0, MAX_RECORDS / 2);
  const passed = early.findIndex(({ outcome }) => outcome === 'passed');
  return { records: all.toSpliced(Math.max(0, passed), 1), leftOut: leftOut + 1 };
}

/** The run behind a call between two steps: the next hook, or what its failure means. */
export function afterHook(run: CutoverRun, pending: PendingHook, result: HookResult, nowMs: number): CutoverRun {
  const recorded = recordHook(run, pending, result, nowMs);
  const onFailure = findOnFailure(pending.hook);
  if (result.problem === undefined || onFailure === 'continue') return goOn(recorded);
  const failure = { code: 'HookFailed' as const, message: describeFailure(pending, result.problem) };
  if (onFailure === 'rollBack' || !mayAsk(recorded)) return rollBack(recorded, failure.code, failure.message);
  // Before anything moves there is another place to ask: behind it preflight checks everything again, and calls the others.
  const isFirst = run.hooking?.resume === 'approved';
  const resume = isFirst ? 'approved' : goOn(recorded).verdict;
  const asked = ask(recorded, { failure, isFailing: false, resume });
  return isFirst ? { ...asked, verdict: 'approve', hooking: undefined } : asked;
}

function goOn(run: CutoverRun): CutoverRun {
  const isPending = listPending(run, run.hooking?.points ?? []).length > 0;
  return isPending ? { ...run, verdict: 'hook' } : endHooks(run);
}

function describeFailure({ hook: { name }, point: { when, stage } }: PendingHook, problem: string): string {
  const place = stage === undefined ? when : `${when}, stage ${stage}`;
  return `the hook '${name}' (${place}) must pass, got: ${problem}`;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
