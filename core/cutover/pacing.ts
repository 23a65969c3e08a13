import { findDirection } from '../plan/direction';
import { RollbackPace, findPercent, isPaced, paceWeights } from '../plan/rollback-pace';
import { SideState, describeSide } from '../judge/side-state';
import type { Weights } from '../traffic/weights';
import type { CutoverRun, PaceCapacity, PaceRecord } from './run';

type Run = Pick<CutoverRun, 'plan' | 'stage' | 'initial' | 'rollback'>;

/** What a rollback sees before it sets weights. */
export interface PaceSeen {
  /** Whether the side that was left must not be given more, as it is now. */
  readonly mustStay: boolean;
  /** The side that the traffic leaves; undefined when it was not looked at. */
  readonly other: SideState | undefined;
  /** Of the side that was left; undefined when the load balancer did not say. */
  readonly healthyTargets: number | undefined;
  /** Those in force; undefined when the rule forwards elsewhere. */
  readonly weights: Weights | undefined;
  /** Why the plan's pace is not kept. */
  readonly atOnce?: string | undefined;
}

/** What a rollback does now. `pace` is what is on record from then on, once it is done. */
export type PaceDecision = { readonly pace?: PaceRecord } & (
  | { readonly kind: 'all' }
  | { readonly kind: 'step'; readonly percent: number; readonly weights: Weights }
  | { readonly kind: 'wait'; readonly scaleOutTo?: number }
  | { readonly kind: 'stop' }
);

const NOTHING: PaceRecord = { steps: [] };

/**
 * How much the side that was left is given now: all that it had, a step, or nothing yet. A side that serves nothing is never kept
 * for the sake of the pace; one that fails behind a step gets no more.
 */
export function decidePace(run: Run, seen: PaceSeen, nowMs: number): PaceDecision {
  const { plan, rollback } = run;
  const record = rollback?.pace;
  if (seen.mustStay) return stop(record, nowMs);
  if (!mayPace(run)) return { kind: 'all', ...(record && { pace: record }) };
  const because = seen.atOnce ?? findNoPace(run, seen);
  if (because !== undefined) return giveAll(run, { ...(record ?? NOTHING), atOnce: because }, nowMs);
  const pace = plan.rollbackPace!;
  if (record && record.steps.length > 0) return goOn(run, pace, record, seen, nowMs);
  const left = listSteps(run, pace, seen);
  // A side that has as much as the last step is not cold.
  if (pace.steps.length > 0 && left.length === 0) {
    return giveAll(run, { ...NOTHING, atOnce: `it has ${Math.round(findWarmPercent(run))} % already` }, nowMs);
  }
  return begin(run, pace, seen, nowMs);
}

/** Whether the plan's pace has a word in what a rollback sets next: not where nothing was shifted, nor once all is set. */
export function mayPace({ plan, stage, rollback }: Run): boolean {
  return isPaced(plan.rollbackPace) && stage !== undefined && rollback?.hasSet !== true;
}

function stop(record: PaceRecord | undefined, nowMs: number): PaceDecision {
  if (!record || record.steps.length === 0) return { kind: 'stop', ...(record && { pace: record }) };
  return { kind: 'stop', pace: { ...record, failedAt: iso(nowMs) } };
}

/** Unknown is never healthy. */
function findNoPace({ plan }: Run, { other }: PaceSeen): string | undefined {
  const { to } = findDirection(plan);
  if (!other) return `the ${to} was not looked at`;
  return other.serves === true ? undefined : describeSide(to, other);
}

function begin(run: Run, pace: RollbackPace, seen: PaceSeen, nowMs: number): PaceDecision {
  const capacity = findCapacity(run, pace, seen, nowMs);
  const record: PaceRecord = { steps: [], ...(capacity && { capacity }) };
  if (capacity && hasTooFew(capacity) && !capacity.isLacking) {
    const mayScaleOut = pace.capacity === 'scaleOut' && capacity.healthy !== undefined;
    const isDue = mayScaleOut && capacity.scaledOutTo === undefined;
    return { kind: 'wait', pace: record, ...(isDue && { scaleOutTo: capacity.needed }) };
  }
  return setNext(run, pace, record, seen, nowMs);
}

function findCapacity({ initial, rollback }: Run, pace: RollbackPace, seen: PaceSeen, nowMs: number) {
  if (pace.capacity === 'ignore') return undefined;
  const before = rollback?.pace?.capacity;
  const since = before?.since ?? iso(nowMs);
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(since)) / 1000));
  const { healthyTargets } = seen;
  const now: PaceCapacity = {
    needed: pace.minimumHealthyTargets || (initial?.healthyTargets ?? 1),
    ...(healthyTargets !== undefined && { healthy: healthyTargets }),
    since,
    seconds,
    ...(before?.scaledOutTo !== undefined && { scaledOutTo: before.scaledOutTo }),
  };
  return hasTooFew(now) && seconds >= pace.waitSeconds ? { ...now, isLacking: true as const } : now;
}

function hasTooFew({ healthy, needed }: PaceCapacity): boolean {
  return healthy === undefined || healthy < needed;
}

function goOn(run: Run, pace: RollbackPace, record: PaceRecord, seen: PaceSeen, nowMs: number): PaceDecision {
  // A person may have set them meanwhile.
  if (isAllInForce(run, seen)) return giveAll(run, record, nowMs);
  return nowMs < findDueMs(pace, record) ? { kind: 'wait', pace: record } : setNext(run, pace, record, seen, nowMs);
}

function isAllInForce({ plan }: Run, { weights }: PaceSeen): boolean {
  const { from } = findDirection(plan);
  return weights !== undefined && findPercent(weights, from) >= findPercent(plan.initialWeights, from);
}

/** The side must have served for so long since the step, and since it last failed. */
function findDueMs({ lookSeconds }: RollbackPace, { steps, failedAt }: PaceRecord): number {
  const sinceMs = Math.max(...[steps.at(-1)?.at, failedAt].map((at) => (at === undefined ? 0 : Date.parse(at))));
  return sinceMs + lookSeconds * 1000;
}

function setNext(run: Run, pace: RollbackPace, record: PaceRecord, seen: PaceSeen, nowMs: number): PaceDecision {
  const last = record.steps.at(-1)?.percent ?? 0;
  const next = listSteps(run, pace, seen).find((percent) => percent > last);
  if (next === undefined) return giveAll(run, record, nowMs);
  const weights = paceWeights(next, findDirection(run.plan).from);
  return { kind: 'step', percent: next, weights, pace: withStep(record, next, nowMs) };
}

function giveAll(run: Run, record: PaceRecord, nowMs: number): PaceDecision {
  const percent = findPercent(run.plan.initialWeights, findDirection(run.plan).from);
  return { kind: 'all', pace: withStep(record, Math.round(percent * 10) / 10, nowMs) };
}

function withStep(record: PaceRecord, percent: number, nowMs: number): PaceRecord {
  return { ...record, steps: [...record.steps, { percent, at: iso(nowMs) }] };
}

/**
 * The steps that give the side more than what it is used to. One that is in force may be one that this rollback has set and that is on
 * no record, because the call that did was cut short: it is set again.
 */
function listSteps(run: Run, { steps }: RollbackPace, { weights }: PaceSeen): readonly number[] {
  const warm = findWarmPercent(run);
  const inForce = weights ? findPercent(weights, findDirection(run.plan).from) : 0;
  return steps.filter((percent) => percent > warm && percent >= inForce);
}

/** What the side had of new clients before the rollback, at the most. A stage that was not confirmed may not be in force everywhere. */
function findWarmPercent({ plan, stage }: Run): number {
  if (!stage) return 100;
  const { from } = findDirection(plan);
  const before = plan.stages[stage.index - 1]?.weights ?? plan.initialWeights;
  const now = plan.stages[stage.index]?.weights ?? before;
  const maybe = stage.confirmedAtMs === undefined ? [before, now] : [now];
  return Math.max(...maybe.map((weights) => findPercent(weights, from)));
}

/** The weights that the last step has set; undefined before the first one, and once all is set. */
export function findStepWeights(run: Run): Weights | undefined {
  const last = run.rollback?.pace?.steps.at(-1);
  if (!last || run.rollback?.hasSet === true) return undefined;
  return paceWeights(last.percent, findDirection(run.plan).from);
}

/** When the weights were set last, or the wait for targets began; undefined before. */
export function findPaceMs(record: PaceRecord | undefined): number | undefined {
  const at = record?.steps.at(-1)?.at ?? record?.capacity?.since;
  return at === undefined ? undefined : Date.parse(at);
}

/** What comes next of a rollback by steps, and when: for a person who waits. */
export function findNextStep(run: Run): { readonly what: string; readonly atMs: number } | undefined {
  const { plan, rollback } = run;
  const record = rollback?.pace;
  const pace = plan.rollbackPace;
  if (!record || !pace || !mayPace(run)) return undefined;
  const { from } = findDirection(plan);
  const last = record.steps.at(-1);
  if (!last) {
    if (!record.capacity) return undefined;
    const atMs = Date.parse(record.capacity.since) + pace.waitSeconds * 1000;
    return { what: `the rollback goes on without more targets of the ${from}`, atMs };
  }
  const next = pace.steps.find((percent) => percent > last.percent);
  const share = next === undefined ? 'all of its traffic' : `${next} %`;
  return { what: `the rollback gives the ${from} ${share}`, atMs: findDueMs(pace, record) };
}

/** For people: one line for each thing that the pace did. */
export function describePace({ steps, capacity, failedAt, atOnce }: PaceRecord): string[] {
  return [
    ...(capacity ? [describeCapacity(capacity)] : []),
    ...(steps.length > 0 ? [steps.map(({ percent, at }) => `${percent} % at ${at.slice(11, 19)}`).join(', ')] : []),
    ...(failedAt === undefined ? [] : [`it failed at ${failedAt.slice(11, 19)}`]),
    ...(atOnce === undefined ? [] : [`the rest at once: ${atOnce}`]),
  ];
}

function describeCapacity({ needed, healthy, seconds, scaledOutTo, isLacking }: PaceCapacity): string {
  const waited = seconds === 0 ? '' : `, waited ${seconds} s`;
  const scaled = scaledOutTo === undefined ? '' : `, desired count ${scaledOutTo}`;
  const lacking = isLacking ? ', went on all the same' : '';
  return `${healthy ?? 'an unknown number'} of ${needed} healthy targets${scaled}${waited}${lacking}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
