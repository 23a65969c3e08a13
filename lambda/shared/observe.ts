import { checkAlarms } from '../../core/judge/alarm-check';
import { keepLook } from '../../core/cutover/looks';
import { ask, mayAsk } from '../../core/cutover/escalation';
import { CutoverRun, InitialReading, Verdict, note, rollBack } from '../../core/cutover/run';
import { ErrorCode } from '../../core/errors/errors';
import { isAsSet, settleLeft } from '../../core/cutover/returning';
import { Forward } from '../../core/traffic/forward';
import type { SideState } from '../../core/judge/side-state';
import { addSessions } from '../../core/judge/sessions';
import {
  SideWindows,
  addToComparison,
  findOddsAgainst,
  findShift,
  orderWindow,
  sumSides,
} from '../../core/judge/comparison';
import { Late, countLate, findLate, noteSilent } from '../../core/judge/late-windows';
import { Judgement, judgeFigures } from '../../core/judge/figures';
import { PollRecord, packCounts, packReport } from '../../core/judge/look-record';
import { RuleReading, changedRules, otherRules } from '../../core/traffic/listener-rules';
import { isTooLarge, tooManyTasks, withWhatFits, withoutTasks } from '../../core/cutover/state-size';
import { TaskReading, withUnlisted } from '../../core/judge/tally';
import type { Plan } from '../../core/plan/plan';
import type { WindowOrder } from '../../core/proxy/window';
import { Blindness, TaskReadings, Watch, noteBlindness, observe } from '../../core/judge/watch';
import { findDirection } from '../../core/plan/direction';
import { SIDES, Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { Settled, settle, settleWithin } from '../contract/settle';
import { SeenSide, readSide } from './sides';
import { Act, holdsLock } from './step';

/** What one poll has read of both sides. What could not be read is not there, and is never taken for good. */
export interface Look {
  readonly watch: Watch;
  readonly tasks: Partial<TaskReadings>;
  readonly rules?: readonly RuleReading[];
  readonly sides: Readonly<Record<Side, SideState>>;
  /** What a verdict needs and could not be read. */
  readonly blind: readonly Blindness[];
}

export type JudgedAct = (run: CutoverRun, ports: Ports, nowMs: number, look: Look) => Promise<CutoverRun>;

interface JudgeOptions {
  /** Whether the weighted rule must already read back as intended: not while a shift is being confirmed. */
  readonly isConfirmed: boolean;
  /** The verdict that leads to this step again, once a person has said so. */
  readonly resume: Verdict;
}

/**
 * How long a poll may go on without what it could not read, before the cutover rolls back. The store and the figures of the
 * side that is left say nothing of the other: without them nothing is promoted, and that is all.
 */
function maxBlindSeconds(what: Blindness, to: Side): number | undefined {
  if (what === 'alarms') return 300;
  return what === 'loadBalancer' || what === `${to}Tasks` ? 60 : undefined;
}

/** What a verdict on the side that gets the traffic does not need. */
export function isOfSideThatIsLeft(what: Blindness, plan: Plan): boolean {
  return what === `${findDirection(plan).from}Tasks`;
}

const MAX_OTHER_RULES = 50;
/** A step has 30 s in all. */
const TASKS_MS = 12_000;
const BRIEF_MS = 2_000;
/** A store that is away must not make the looks rarer: the next one asks it again. */
export const STORE_MS = 1_500;

/**
 * A step that first judges both sides, as every poll from the first shift to `Complete` does: the lock and the abort, the
 * alarms, the rules, the health and the smoke requests of both sides, and what the proxies count. Each is read by itself, in
 * bounded time: a store that is away, or one proxy that hangs, hides nothing of the rest.
 */
export function judged(act: JudgedAct, options: JudgeOptions): Act<CutoverRun, CutoverRun> {
  const decide = judgeBoth(act, options);
  return async (run, ports, nowMs) => {
    const next = await decide(run, ports, nowMs);
    return next.verdict === 'rollBack' ? { ...next, rollBackAtMs: ports.now() } : next;
  };
}

function judgeBoth(act: JudgedAct, options: JudgeOptions): Act<CutoverRun, CutoverRun> {
  const { isConfirmed } = options;
  return async (run, ports, nowMs) => {
    const { watch: before, initial } = run;
    if (!before || !initial) throw new Error("a judged step must follow a shift, got a run without 'watch'");
    const seen = await readSurroundings(run, ports, isConfirmed);
    const back = findings(run, ports, seen, isConfirmed, nowMs)[0];
    // Also before a rollback, and briefly then: the evidence tells what the target did until now.
    const asked = orderTasks(before, run, ports.now());
    const { order, late } = asked;
    const tasks = await readTasks(before, asked, ports, back ? BRIEF_MS : TASKS_MS);
    const smoked = { source: seen.sides.source.smoked, target: seen.sides.target.smoked };
    const { from, to } = findDirection(run.plan);
    const blind = [...listBlindness(seen, to), ...blindTasks(tasks)];
    const seenMs = ports.now();
    const isServing = hasWeight(run, from);
    const observed = observe(before, tasks, smoked, seenMs, isServing ? from : undefined);
    const windows = tasks.source && tasks.target && sumSides(tasks, late);
    const compared = compare(run, observed, { windows, silent: noteSilent(late, tasks, order) }, order);
    const watch = noteBlindness({ ...compared, sessions: addSessions(before.sessions, tasks) }, blind, nowMs);
    const said = judgeFigures(watch, run.plan, isConfirmed);
    const record = buildPoll({ watch, windows, order, said, found: back, isServing, isConfirmed }, seenMs);
    const kept = keepLook({ ...run, watch }, record);
    const settled = settleLeft(kept, ownForward(seen.rules, ports));
    const noted = withWhatFits(noteOtherRules(settled, initial, seen.rules, ports, nowMs));
    const bounded = isTooLarge(noted) ? withoutTasks(noted) : noted;
    if (back) return rollBack(withDeadSide(bounded, to, seen.sides[to]), back.code, back.message);
    // While a person is asked about just that, it goes on waiting.
    if (said && !run.escalation?.isFailing) return respondTo(bounded, said, options);
    if (bounded !== noted) return rollBack(bounded, 'TooManyTasks', tooManyTasks(noted));
    const overdue = blindForTooLong(watch, to, nowMs);
    if (overdue) return rollBack(noted, overdue.code, overdue.message);
    const sides = { source: seen.sides.source.state, target: seen.sides.target.state };
    const rules = 'value' in seen.rules && { rules: seen.rules.value };
    return act(noted, ports, nowMs, { watch, tasks, sides, blind, ...rules });
  };
}

/** A side that is worse is left, unless the plan asks a person. Weights that are not in force are no matter of opinion. */
function respondTo(run: CutoverRun, said: Judgement, { resume }: JudgeOptions): CutoverRun {
  const failure = { code: said.code, message: said.message };
  const isAsked = run.plan.judge.onFailure === 'pause' && said.code !== 'ShiftNotConfirmed' && mayAsk(run);
  return isAsked ? ask(run, { failure, isFailing: true, resume }) : rollBack(run, failure.code, failure.message);
}

interface Surroundings {
  readonly lock: Settled<boolean>;
  readonly abort: Settled<boolean>;
  readonly alarms: Settled<Awaited<ReturnType<Ports['alarms']['read']>>>;
  readonly rules: Settled<readonly RuleReading[]>;
  readonly sides: Readonly<Record<Side, SeenSide>>;
}

async function readSurroundings(run: CutoverRun, ports: Ports, isConfirmed: boolean): Promise<Surroundings> {
  const { plan, execution } = run;
  const isExpected = (forward: Forward) =>
    !isConfirmed || isAsSet(run, forward, ports.loadBalancer.groupArns, ports.now());
  const [lock, abort, alarms, rules, source, target] = await Promise.all([
    settleWithin(STORE_MS, 'reading the lock', () => holdsLock(run, ports)),
    settleWithin(STORE_MS, 'reading the abort request', () => ports.store.abortRequested(execution)),
    settle(() => ports.alarms.read(run.alarms)),
    settle(() => readRules(ports, isExpected)),
    readSide('source', plan, ports, findMinimum('source', plan)),
    readSide('target', plan, ports, findMinimum('target', plan)),
  ]);
  return { lock, abort, alarms, rules, sides: { source, target } };
}

/** A side that is left serves for as long as anything of it does. */
function findMinimum(side: Side, plan: Plan): number {
  return side === findDirection(plan).to ? plan.minimumHealthyTargets : 1;
}

const READ_PAUSE_MS = 1_000;
const SETTLED_MS = 2_000;

/**
 * The rules. An API that is eventually consistent may return once more what was before: only what is still there two seconds
 * after it was first seen was changed by another caller. Of a slow API that is the second read.
 */
export async function readRules(
  { loadBalancer, pause, now }: Pick<Ports, 'loadBalancer' | 'pause' | 'now'>,
  isExpected: (forward: Forward) => boolean,
): Promise<RuleReading[]> {
  let firstSeenMs: number | undefined;
  for (;;) {
    const rules = await loadBalancer.rules();
    const forward = rules.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
    if (forward && isExpected(forward)) return rules;
    firstSeenMs ??= now();
    if (now() - firstSeenMs >= SETTLED_MS) return rules;
    await pause(READ_PAUSE_MS);
  }
}

interface Finding {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Why the cutover has to go back now, the most certain reason first. */
function findings(run: CutoverRun, ports: Ports, seen: Surroundings, isConfirmed: boolean, nowMs: number): Finding[] {
  const { execution } = run;
  const { from, to } = findDirection(run.plan);
  const found: (Finding | undefined)[] = [
    isFalse(seen.lock) && {
      code: 'LockLost' as const,
      message: `the lock must be held by '${execution}', got another or none`,
    },
    isTrue(seen.abort) && { code: 'Aborted' as const, message: `an operator asked '${execution}' to stop` },
    sideFinding(run, to, seen.sides[to]),
    'value' in seen.alarms && checkAlarms(run.alarms, seen.alarms.value, to),
    'value' in seen.rules && ruleFinding(run, ports, seen.rules.value, isConfirmed, nowMs),
    sideFinding(run, from, seen.sides[from]),
  ].map((finding) => finding || undefined);
  return found.filter((finding) => finding !== undefined);
}

const isFalse = (settled: Settled<boolean>) => 'value' in settled && !settled.value;
const isTrue = (settled: Settled<boolean>) => 'value' in settled && settled.value;

/** A side that is left, and has no weight any more, may be gone: the other serves, and going back is what it forbids. */
function sideFinding(run: CutoverRun, side: Side, { state }: SeenSide): Finding | undefined {
  const counts = side === findDirection(run.plan).to || hasWeight(run, side);
  return counts && state.serves === false ? { code: state.code, message: state.reason } : undefined;
}

/** Fewer healthy targets than the plan wants may still serve. */
function withDeadSide(run: CutoverRun, side: Side, { state, healthyTargets }: SeenSide): CutoverRun {
  const isDead = state.serves === false && (state.code !== 'TargetsUnhealthy' || healthyTargets === 0);
  return isDead ? { ...run, deadSide: side } : run;
}

function hasWeight({ stage, plan }: CutoverRun, side: Side): boolean {
  const weights = stage && plan.stages[stage.index]?.weights;
  return (weights?.[side] ?? 0) > 0;
}

function ownForward(rules: Settled<readonly RuleReading[]>, { loadBalancer }: Ports): Forward | undefined {
  return 'value' in rules ? rules.value.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward : undefined;
}

function ruleFinding(
  run: CutoverRun,
  { loadBalancer }: Ports,
  rules: readonly RuleReading[],
  isConfirmed: boolean,
  nowMs: number,
): Finding | undefined {
  const own = rules.find(({ arn }) => arn === loadBalancer.ruleArn);
  const { initial } = run;
  const isAsShifted = own?.forward && isAsSet(run, own.forward, loadBalancer.groupArns, nowMs);
  if (isConfirmed && !isAsShifted) {
    const got = JSON.stringify(own?.forward);
    return { code: 'RulesChanged', message: `the weighted rule must be as shifted, got ${got}` };
  }
  if (own && initial && own.matchDigest !== initial.ownDigest) {
    const message =
      'the priority and the conditions of the weighted rule must stay as they were at preflight, got others';
    return { code: 'RulesChanged', message };
  }
  const { ours } = changedRules(initial?.others ?? {}, otherRules(rules, loadBalancer.ruleArn));
  if (ours.length === 0) return undefined;
  const rule = 'rules that can catch the same requests must stay as they were at preflight';
  return { code: 'RulesChanged', message: `${rule}, got changes in ${ours.join(', ')}` };
}

/** Rules of others are their business: it is written down once that they changed. */
function noteOtherRules(
  run: CutoverRun,
  initial: InitialReading,
  rules: Settled<readonly RuleReading[]>,
  { loadBalancer }: Ports,
  nowMs: number,
): CutoverRun {
  if (!('value' in rules)) return run;
  const others = otherRules(rules.value, loadBalancer.ruleArn);
  const { foreign } = changedRules(initial.others, others);
  if (foreign.length === 0) return run;
  const known = run.otherRulesChanged ?? [];
  const changed = [...new Set([...known, ...foreign])].slice(0, MAX_OTHER_RULES);
  const next = { ...run, initial: { ...initial, others }, otherRulesChanged: changed };
  return changed.length === known.length ? next : note(next, nowMs, 'OtherRulesChanged', { rules: foreign });
}

interface Asked {
  readonly order: WindowOrder;
  readonly late: Late;
}

function orderTasks({ comparison }: Watch, { execution, plan }: CutoverRun, nowMs: number): Asked {
  const order = orderWindow(comparison, execution, plan, nowMs);
  return { order, late: comparison ? findLate(comparison, order) : {} };
}

/** Of both sides in bounded time, with those that are missing in the list. */
async function readTasks(
  { tallies }: Watch,
  { order, late }: Asked,
  ports: Ports,
  milliseconds: number,
): Promise<Partial<TaskReadings>> {
  const read = SIDES.map(async (side) => {
    const settled = await settleWithin(milliseconds, `reading the tasks of the ${side}`, () =>
      ports.proxies.tasks(side, order, late[side]),
    );
    return [side, settled] as const;
  });
  const tasks: Partial<Record<Side, readonly TaskReading[]>> = {};
  for (const [side, settled] of await Promise.all(read)) {
    if ('value' in settled) tasks[side] = withUnlisted(tallies[side], settled.value, ports.now());
  }
  return tasks;
}

/** A side whose tasks could not be listed did nothing that is known: then nothing is compared. */
function compare(
  { plan, stage }: CutoverRun,
  watch: Watch,
  { windows, silent }: { readonly windows: SideWindows | undefined; readonly silent: Late },
  order: WindowOrder,
): Watch {
  if (!watch.comparison || !stage || !windows) return watch;
  const compared = addToComparison(watch.comparison, windows, order, plan, findShift(plan, stage.index));
  return { ...watch, comparison: { ...compared, late: silent } };
}

interface Judged {
  readonly watch: Watch;
  readonly windows: SideWindows | undefined;
  readonly order: WindowOrder;
  readonly said: Judgement | undefined;
  readonly found: Finding | undefined;
  readonly isServing: boolean;
  readonly isConfirmed: boolean;
}

/** What the judge was given and said, so that it can be computed again from the evidence. */
function buildPoll({ watch, windows, order, said, found, isServing, isConfirmed }: Judged, atMs: number): PollRecord {
  const { after, until } = order;
  const packed = windows && { source: packReport(windows.source), target: packReport(windows.target) };
  return {
    ...{ kind: 'poll', at: atMs, after, until },
    ...(packed && { windows: packed }),
    ...{ counts: packCounts(watch), isServing, isConfirmed },
    ...(countLate(watch.comparison?.late) > 0 && { isSilent: true }),
    ...(watch.comparison && { odds: findOddsAgainst(watch.comparison) }),
    ...(said && { said: said.code }),
    ...(found && { found: found.code }),
  };
}

function listBlindness({ lock, abort, alarms, rules, sides }: Surroundings, to: Side): Blindness[] {
  const isStoreAway = 'problem' in lock || 'problem' in abort;
  const isLoadBalancerAway = 'problem' in rules || sides[to].state.serves === 'unknown';
  return [
    ...(isStoreAway ? (['store'] as const) : []),
    ...(isLoadBalancerAway ? (['loadBalancer'] as const) : []),
    ...('problem' in alarms ? (['alarms'] as const) : []),
  ];
}

/** A side is blind when none of its tasks that are to stay has responded, or when they could not be listed. */
function blindTasks(tasks: Partial<TaskReadings>): Blindness[] {
  const isBlind = (side: Side) => {
    const staying = tasks[side]?.filter(({ life }) => life === 'running');
    return !staying || (staying.length > 0 && staying.every(({ report }) => !report));
  };
  return SIDES.filter(isBlind).map((side) => `${side}Tasks` as const);
}

const BLIND_CODES: Readonly<Record<Blindness, ErrorCode>> = {
  store: 'AwsUnavailable',
  loadBalancer: 'AwsUnavailable',
  alarms: 'AwsUnavailable',
  sourceTasks: 'AdminUnreachable',
  targetTasks: 'AdminUnreachable',
};
const BLIND_NAMES: Readonly<Record<Blindness, string>> = {
  store: 'the store',
  loadBalancer: "the load balancer's API",
  alarms: 'the alarms',
  sourceTasks: 'the proxies of the source',
  targetTasks: 'the proxies of the target',
};

function blindForTooLong({ blindSinceMs }: Watch, to: Side, nowMs: number): Finding | undefined {
  for (const [what, sinceMs] of Object.entries(blindSinceMs) as [Blindness, number][]) {
    const limit = maxBlindSeconds(what, to);
    const seconds = Math.round((nowMs - sinceMs) / 1000);
    if (limit === undefined || seconds < limit) continue;
    const message = `${BLIND_NAMES[what]} must be readable within ${limit} s, got no response for ${seconds} s`;
    return { code: BLIND_CODES[what], message };
  }
  return undefined;
}
