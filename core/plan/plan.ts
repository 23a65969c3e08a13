import {
  Approval,
  ApprovalGate,
  MAX_HURRIED_LOOKS,
  approvalLooks,
  approvalPollSeconds,
  gateBefore,
  listGates,
  APPROVAL_FIELD,
} from '../approval/approval';
import { exchangeWeights, findDirection } from './direction';
import { JUDGE_FIELD, JudgePlan } from './judge-plan';
import { MAX_LOOKING_SECONDS, PREPARE_LOOK_SECONDS } from './looking';
import { DEFAULT_STAGES, STAGES_FIELD, Stage, expandStages, findMaximumBake } from './stages';
import { WINDOWS_FIELD, Window, WindowWaits, measureWaits } from './windows-plan';
import { PACE_FIELD, RollbackPace, checkPace } from './rollback-pace';
import { STICKINESS_FIELD, StickinessPlan, checkStickiness, keepLooks } from './stickiness-plan';
import { CAPTURE_FIELD, CapturePlan } from './capture-plan';
import { checkHook } from './hook-plan';
import { HOOKS_FIELD, PhaseHook, countHookCalls, sumHookSeconds } from './phase-hooks';
import { checkReplay } from './replay-plan';
import { checkState } from './state-plan';
import { SWITCH_FIELD, SwitchPlan } from './switch-plan';
import { DRAIN_FIELD, DrainOrder, HEALTH_PATH } from '../proxy/admin-api';
import { CONNECTION_KINDS, eachKind } from '../proxy/connections';
import { CLOSE_HANDSHAKE_SECONDS } from '../proxy/drain';
import { Problems } from '../validation/problems';
import { SIDES, Side, WEIGHTS_FIELD, Weights, formatWeights } from '../traffic/weights';
import { FieldValues, Fields, ListField, ObjectField, readField, readFields } from '../validation/fields';
import { requestPath } from '../validation/request-path';

/**
 * A request that both smoke-test listeners must respond to with this status before anything moves: a GET, or of a group of
 * gRPC a
 * call with an empty message, whose good end is 200.
 */
export interface SmokeRequest {
  readonly path: string;
  readonly expectedStatus: number;
}

/** Ends a bake early when the side that gets the traffic responds with errors. */
export interface Breaker {
  /** Fewer errors than this never trip it. */
  readonly minimumErrors: number;
  /** 0–1; trips when the error rate is above this with 95 % confidence. */
  readonly maximumErrorRate: number;
}

/** What one cutover is asked to do. All times are whole seconds. */
export interface Plan {
  readonly strategy: 'gradual' | 'drainThenShift';
  /** The side that is left; the other one gets the traffic. */
  readonly from: Side;
  /** How `drainThenShift` switches; absent of any other strategy. */
  readonly switch?: SwitchPlan;
  /** What must be in force at the start, and what a rollback restores. */
  readonly initialWeights: Weights;
  readonly stages: readonly Stage[];
  /** Between two looks at a bake, a confirm or a drain. */
  readonly pollSeconds: number;
  readonly minimumHealthyTargets: number;
  readonly smoke: readonly SmokeRequest[];
  readonly confirmTimeoutSeconds: number;
  readonly breaker: Breaker;
  readonly judge: JudgePlan;
  readonly drain: DrainOrder;
  readonly stickiness: StickinessPlan;
  /** When a shift may begin; without any at any time. */
  readonly windows: readonly Window[];
  /** How a rollback gives traffic back; absent in a plan that an older version has written. */
  readonly rollbackPace?: RollbackPace;
  /** What the capture of the side that is left must be like; absent where it is not asked for. */
  readonly capture?: CapturePlan;
  /** Where a person has to agree before it goes on. */
  readonly approval: Approval;
  /** What is called before and after its phases. */
  readonly hooks: readonly PhaseHook[];
}

const INITIAL_WEIGHTS: Weights = { source: 100, target: 0 };

export const DEFAULT_SMOKE: readonly SmokeRequest[] = [{ path: '/', expectedStatus: 200 }];

/** Step Functions ends a standard execution at 25,000 events; the rest is kept for retries, the rollback and escalations of the judge. */
export const EVENT_BUDGET = 20_000;
export const MAX_EVENTS = 25_000;
/** Wait (2), Lambda task (5) and Choice (2). */
export const EVENTS_PER_POLL = 9;
/** Between two looks of a confirm: a read-back is quick where it works at all. */
export const CONFIRM_POLL_SECONDS = 2;
/** A drain whose paced closes take long is looked at less often, so that it has at the most about this many looks. */
export const MAX_DRAIN_LOOKS = 200;
/** The wait before the first shift has so many polls, at the least. It is also what waits that no plan foresees have. */
export const FIRST_WINDOW_LOOKS = 100;
/** All waits for a window between two shifts, at the least; more where the history has room. */
const MIN_WINDOW_LOOKS = 500;
/** All waits for hooks that say not yet, at the most. */
const MAX_HOOK_LOOKS = 200;
/** The state machine's own limit is a day longer. */
export const MAX_PLAN_SECONDS = 29 * 86_400;

/** Of all smoke requests: they travel in the state of an execution. */
const MAX_PATHS = 16_384;

const SMOKE_FIELD = {
  kind: 'list',
  min: 0,
  max: 50,
  rule: 'a list of at most 50 requests',
  default: DEFAULT_SMOKE,
  sentence: `The requests that both sides must respond to as expected, at every poll. Their paths have at most ${MAX_PATHS} characters together.`,
  item: {
    kind: 'object',
    sentence: 'One smoke request: a GET, or of a group of gRPC a call with an empty message.',
    fields: {
      path: {
        kind: 'text',
        ...requestPath(),
        sentence: 'The path, with a query if need be.',
      },
      expectedStatus: {
        kind: 'integer',
        min: 200,
        max: 499,
        default: 200,
        sentence: 'The status that the response must have.',
      },
    },
  },
  check: (problems, name, requests: readonly SmokeRequest[]) => {
    requests.forEach(({ path }, index) => {
      if (path.split('?')[0] !== HEALTH_PATH) return;
      const rule = 'a path of the backend, and not the one that the proxy itself responds to';
      problems.add(`${name}[${index}].path`, rule, path);
    });
    const characters = requests.reduce((sum, { path }) => sum + path.length, 0);
    if (characters <= MAX_PATHS) return;
    problems.add(name, `a list whose paths have at most ${MAX_PATHS} characters`, characters);
  },
} as const satisfies ListField;

const BREAKER_FIELD = {
  kind: 'object',
  sentence: 'When errors of the side that gets the traffic end the cutover, whatever the other side does.',
  fields: {
    minimumErrors: {
      kind: 'integer',
      min: 1,
      max: 1_000_000,
      default: 10,
      unit: 'responses',
      sentence: 'Fewer errors of the side that gets the traffic than this never roll back.',
    },
    maximumErrorRate: {
      kind: 'number',
      min: 0,
      max: 1,
      default: 0.05,
      sentence:
        'The cutover rolls back when the error rate of the side that gets the traffic is above this with 95 % confidence.',
    },
  },
} as const satisfies ObjectField;

/** Every field of a plan: what reads it, its JSON Schema, its table in the docs and `plan init` come from here. */
export const PLAN_FIELDS = {
  strategy: {
    kind: 'choice',
    values: ['gradual', 'drainThenShift'],
    default: 'gradual',
    sentence:
      'How traffic moves: stage by stage (`gradual`), or all at once with a single writer at every moment (`drainThenShift`).',
  },
  from: {
    kind: 'choice',
    values: SIDES,
    default: 'source',
    sentence:
      'The side that the cutover leaves; the other one gets the traffic. `target` rolls back a completed cutover.',
  },
  initialWeights: {
    ...WEIGHTS_FIELD,
    default: INITIAL_WEIGHTS,
    sentence:
      'The weights that must be in force at the start, and that a rollback restores. With `from: target` the default is 0/100.',
  },
  stages: STAGES_FIELD,
  pollSeconds: {
    kind: 'seconds',
    min: 1,
    max: MAX_LOOKING_SECONDS,
    default: 15,
    unit: 's',
    sentence:
      'How often the state machine has both sides checked. Each time they are looked at every 2 s for this long: a longer one saves events of the history, and no look.',
  },
  minimumHealthyTargets: {
    kind: 'integer',
    min: 1,
    max: 1000,
    default: 1,
    unit: 'targets',
    sentence:
      'How many healthy targets the side that gets the traffic must have at every poll, and both sides at the start.',
  },
  smoke: SMOKE_FIELD,
  confirmTimeoutSeconds: {
    kind: 'seconds',
    // Two more looks than the one that is right behind the shift.
    min: 2 * CONFIRM_POLL_SECONDS,
    max: 3600,
    default: 120,
    unit: 's',
    sentence: 'How long new weights may take until the load balancer reports them.',
  },
  breaker: BREAKER_FIELD,
  judge: JUDGE_FIELD,
  drain: DRAIN_FIELD,
  stickiness: STICKINESS_FIELD,
  windows: WINDOWS_FIELD,
  rollbackPace: PACE_FIELD,
  switch: SWITCH_FIELD,
  capture: CAPTURE_FIELD,
  approval: APPROVAL_FIELD,
  hooks: HOOKS_FIELD,
} as const satisfies Fields;

/**
 * Reads a plan out of JSON; every absent part has a default.
 *
 * @throws CutoverError `PlanInvalid` with one line a problem.
 */
export function parsePlan(value: unknown): Plan {
  const problems = new Problems();
  const read: FieldValues<typeof PLAN_FIELDS> = readFields(
    problems,
    'plan',
    withDefaults(value, problems),
    PLAN_FIELDS,
    '',
  );
  checkLastStage(read, problems);
  // What is wrong with a weight says nothing of those beside it.
  if (!problems.isAbout('stages') && !problems.isAbout('initialWeights')) checkWeights(read, problems);
  const plan = forStrategy(read, value, problems);
  checkStickiness(plan, problems);
  checkPace({ ...plan, rollbackPace: read.rollbackPace }, problems);
  checkGates(plan, problems);
  if (problems.all.length === 0) checkEventBudget(plan, problems);
  problems.throwIfAny('PlanInvalid');
  return plan;
}

/** What depends on the strategy and on the direction. A switch has one stage: behind it one side has everything. */
function withDefaults(value: unknown, problems: Problems): unknown {
  const { strategy, from, stages, initialWeights } = asRecord(value);
  const isSwitch = strategy === 'drainThenShift';
  const expanded = expandStages('stages', stages, problems);
  const isOwn = expanded === stages && stages !== undefined;
  if (!isSwitch && from !== 'target' && expanded === stages) return value;
  const turned = (weights: Weights) => (from === 'target' ? exchangeWeights(weights) : weights);
  const ofStrategy = isSwitch ? DEFAULT_STAGES.slice(-1) : DEFAULT_STAGES;
  const forward = (expanded as readonly Stage[] | undefined) ?? ofStrategy;
  return {
    ...asRecord(value),
    stages: isOwn ? stages : forward.map((stage) => ({ ...stage, weights: turned(stage.weights) })),
    initialWeights: initialWeights ?? turned(INITIAL_WEIGHTS),
  };
}

function checkLastStage({ from, stages }: Pick<Plan, 'from' | 'stages'>, problems: Problems): void {
  const last = stages.at(-1)?.weights[from];
  if (last === 0 || last === undefined || problems.isAbout('from')) return;
  const { to } = findDirection({ from });
  problems.add(`stages[${stages.length - 1}].weights.${from}`, `0, because a cutover ends on the ${to}`, last);
}

/** From weights that leave a side something to lose, more and more to the other one. */
function checkWeights(plan: Pick<Plan, 'from' | 'initialWeights' | 'stages'>, problems: Problems): void {
  const { from, initialWeights, stages } = plan;
  const { to } = findDirection(plan);
  if (initialWeights[from] === 0) {
    problems.add(`initialWeights.${from}`, `at least 1, because the cutover leaves the ${from}`, 0);
  }
  stages.forEach(({ weights }, index) => {
    const before = stages[index - 1]?.weights ?? initialWeights;
    const name = `stages[${index}].weights`;
    if (weights[to] === 0) {
      problems.add(`${name}.${to}`, `at least 1, because each stage gives the ${to} traffic`, 0);
    } else if (share(weights, to) < share(before, to)) {
      const rule = `at least the share of the ${to} before (${formatWeights(before)}), because a stage takes nothing back`;
      problems.add(name, rule, formatWeights(weights));
    }
  });
}

function share(weights: Weights, side: Side): number {
  return weights[side] / (weights.source + weights.target);
}

function forStrategy(read: FieldValues<typeof PLAN_FIELDS>, value: unknown, problems: Problems): Plan {
  const { switch: switching, ...plan } = read;
  if (plan.strategy === 'gradual') {
    // A file that lists everything has the defaults; other values are of someone who forgot the strategy.
    const defaults = readField(new Problems(), 'switch', undefined, SWITCH_FIELD);
    if (problems.isAbout('strategy') || JSON.stringify(switching) === JSON.stringify(defaults)) return plan;
    problems.add('switch', "absent unless 'strategy' is drainThenShift", asRecord(value).switch);
    return plan;
  }
  if (plan.stages.length !== 1 && !problems.isAbout('stages'))
    problems.add('stages', 'one stage, because a switch moves all at once', plan.stages.length);
  const { to } = findDirection(plan);
  const weight = plan.initialWeights[to];
  if (weight !== 0 && !problems.isAbout('initialWeights'))
    problems.add(`initialWeights.${to}`, '0, because a switch has one side that serves', weight);
  checkSwitch(switching, to, asRecord(asRecord(value).switch).pointOfNoReturn, problems);
  return { ...plan, switch: switching };
}

/** Adds a problem for each rule between the parts of a switch. @param given as what becomes of the writes was given */
function checkSwitch(switching: SwitchPlan, to: Side, given: unknown, problems: Problems): void {
  if (switching.hook && !problems.isAbout('switch.hook'))
    checkHook('switch.hook', switching.hook, switching.maxPauseMs, problems);
  if (switching.state && !problems.isAbout('switch.state')) {
    checkState('switch.state', switching.state, switching.maxPauseMs, problems);
    if (switching.hook) problems.add('switch.state', "absent where there is a 'switch.hook'", 'both');
  }
  checkWrites(switching, to, given, problems);
}

function checkWrites(switching: SwitchPlan, to: Side, given: unknown, problems: Problems): void {
  if (switching.pointOfNoReturn === 'undecided' && !problems.isAbout('switch.pointOfNoReturn')) {
    const rule = `'shared', 'replay' or 'acceptLoss': what becomes of the ${to}'s writes when the cutover rolls back`;
    problems.add('switch.pointOfNoReturn', rule, given);
  }
  const { replay, pointOfNoReturn } = switching;
  if (replay && pointOfNoReturn !== 'replay' && !problems.isAbout('switch.pointOfNoReturn'))
    problems.add('switch.replay', "absent without 'pointOfNoReturn: replay'", pointOfNoReturn);
  if (!replay && pointOfNoReturn === 'replay' && !problems.isAbout('switch.replay'))
    problems.add('switch.replay', "given with 'pointOfNoReturn: replay'", undefined);
  if (replay && !problems.isAbout('switch.replay')) checkReplay('switch.replay', replay, switching, problems);
}

function checkGates({ approval, stages }: Plan, problems: Problems): void {
  if (problems.isAbout('stages')) return;
  const beyond = approval.beforeStages.filter((stage) => stage > stages.length);
  if (beyond.length > 0) problems.add('approval.beforeStages', `stages of ${stages.length}`, approval.beforeStages);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/**
 * How long a plan takes when nothing goes wrong and approvals come at once, and at the most; both without the drain's
 * paced closes.
 */
export function estimateSeconds(plan: Plan): { typical: number; longest: number } {
  const bakes = plan.stages.reduce((sum, { bakeSeconds }) => sum + bakeSeconds, 0);
  const hooks = sumHookSeconds(plan);
  const drain = Math.max(...CONNECTION_KINDS.map((kind) => plan.drain.perKindSeconds[kind])) + CLOSE_HANDSHAKE_SECONDS;
  const approvals = listGates(plan.approval, plan.stages.length).length * plan.approval.timeoutSeconds;
  return {
    typical: bakes + plan.stages.length * plan.pollSeconds + drain,
    longest:
      attemptSeconds(plan) +
      findLongestBakes(plan) +
      plan.stages.length * plan.confirmTimeoutSeconds +
      approvals +
      hooks.calls +
      hooks.waits +
      (plan.stickiness.policy === 'keep' ? plan.stickiness.keepSeconds : 0) +
      sumWaits(findWaits(plan)) +
      drain,
  };
}

function sumWaits({ first, between }: WindowWaits): number {
  return first + between;
}

/** The longest waits for windows of a plan whose every step takes its longest time. */
export function findWaits(plan: Plan): WindowWaits {
  const { stages, windows, approval, confirmTimeoutSeconds } = plan;
  const gates = listGates(approval, stages.length);
  const seconds = stages.slice(0, -1).map((stage, index) => {
    const isAsked = gates.includes(gateBefore(index + 1, stages.length));
    return findMaximumBake(stage) + confirmTimeoutSeconds + (isAsked ? approval.timeoutSeconds : 0);
  });
  return measureWaits(windows, seconds);
}

/** Of a switch whose every attempt is aborted at the last moment but the last one. */
function attemptSeconds({ switch: switching }: Plan): number {
  if (!switching) return 0;
  const { attempts, attemptSeconds: apart, maxPauseMs } = switching;
  return (attempts - 1) * apart + Math.ceil((attempts * maxPauseMs) / 1000);
}

function checkEventBudget(plan: Plan, problems: Problems): void {
  const seconds = estimateSeconds(plan).longest;
  if (seconds > MAX_PLAN_SECONDS) {
    problems.add('stages', `done within ${MAX_PLAN_SECONDS} s, bakes at their maximum`, seconds);
  }
  const approvals = approvalLooks(plan.approval, plan.stages.length, plan.pollSeconds);
  const looks = findBakeLooks(plan);
  if (looks <= 0 && looks + approvals > 0) {
    const gates = listGates(plan.approval, plan.stages.length).length;
    const rule = `short enough for ${gates} ${gates === 1 ? 'gate' : 'gates'}, looked at at least every 10 minutes, in one history`;
    problems.add('approval.timeoutSeconds', rule, plan.approval.timeoutSeconds);
    return;
  }
  if (looks <= 0 && findBakeLooks(withoutHookWaits(plan)) > 0) {
    problems.add(
      'hooks',
      `of a 'waitSeconds' so short that polls of them fit into one history`,
      describeHookWaits(plan),
    );
    return;
  }
  if (looks <= 0) {
    problems.add(
      'confirmTimeoutSeconds',
      `short enough for ${plan.stages.length} stages in one history`,
      plan.confirmTimeoutSeconds,
    );
    return;
  }
  checkWaits(plan, problems);
  checkHookWaits(plan, problems);
  const baking = findLongestBakes(plan);
  const needed = Math.ceil(baking / looks);
  if (needed > MAX_LOOKING_SECONDS) {
    problems.add('stages', `bakes of up to ${looks * MAX_LOOKING_SECONDS} s together, at their maximum`, baking);
  } else if (plan.pollSeconds < needed) {
    const besides = [
      ...(approvals === 0 ? [] : [`approvals of up to ${plan.approval.timeoutSeconds} s`]),
      ...(sumHookSeconds(plan).waits === 0 ? [] : [`hooks that may say not yet for ${describeHookWaits(plan)}`]),
    ];
    const waits = besides.length === 0 ? '' : ` beside ${besides.join(' and ')}`;
    problems.add(
      'pollSeconds',
      `at least ${needed} for bakes of up to ${baking} s${waits}, or its history outgrows Step Functions' 25,000 events`,
      plan.pollSeconds,
    );
  }
}

function withoutHookWaits(plan: Plan): Plan {
  return { ...plan, hooks: plan.hooks.map((hook) => ({ ...hook, waitSeconds: 0 })) };
}

/** `6000 s in 10 calls` */
function describeHookWaits(plan: Plan): string {
  return `${sumHookSeconds(plan).waits} s in ${countHookCalls(plan)} calls`;
}

/** While it waits the target has traffic: it must be looked at often enough. */
function checkWaits(plan: Plan, problems: Problems): void {
  const pace = windowPollSeconds(plan);
  if (plan.windows.length === 0 || pace <= MAX_LOOKING_SECONDS) return;
  const { between } = findWaits(plan);
  const rule = `windows so close, or stages so few, that both sides are looked at all the time, in polls of at most ${MAX_LOOKING_SECONDS} s, in all waits between shifts together (up to ${between} s)`;
  problems.add('windows', rule, `every ${pace} s`);
}

/** While a hook says not yet both sides go on being judged. */
function checkHookWaits(plan: Plan, problems: Problems): void {
  const pace = hookPollSeconds(plan);
  if (pace <= MAX_LOOKING_SECONDS) return;
  const rule = `hooks that may say not yet for at most ${MAX_HOOK_LOOKS * MAX_LOOKING_SECONDS} s together ('waitSeconds', of a shift and a bake at each stage), so that both sides are looked at all the time`;
  problems.add('hooks', rule, `${sumHookSeconds(plan).waits} s`);
}

/** Between two invocations of the step that waits for a hook that says not yet. */
export function hookPollSeconds(plan: Plan): number {
  return Math.max(plan.pollSeconds, Math.ceil(sumHookSeconds(plan).waits / MAX_HOOK_LOOKS));
}

/** Each call ends an invocation, and so may the wait before it. */
function countHookLooks(plan: Plan): number {
  const { waits } = sumHookSeconds(plan);
  return countHookCalls(plan) * (waits > 0 ? 2 : 1) + Math.ceil(waits / hookPollSeconds(plan));
}

/** Between two looks at a wait for a window between two shifts. */
export function windowPollSeconds(plan: Plan): number {
  return Math.max(plan.pollSeconds, Math.ceil(findWaits(plan).between / windowLooks(plan)));
}

/** How often all waits between shifts together are looked at: with what nothing else needs, or half of it beside gates that are watched. */
export function windowLooks(plan: Plan): number {
  const { approval, stages } = plan;
  const looks = countLooks({ ...plan, windows: [] });
  const used = Object.values(looks).reduce((sum, each) => sum + each, 0) + firstWindowLooks(plan) + MIN_WINDOW_LOOKS;
  const spare = Math.floor(EVENT_BUDGET / EVENTS_PER_POLL) - used - MAX_HURRIED_LOOKS - stages.length;
  const isShared = listGates(approval, stages.length).some((gate) => gate !== 'firstShift');
  return MIN_WINDOW_LOOKS + Math.max(0, Math.floor(isShared ? spare / 2 : spare));
}

/** How often the wait before the first shift is polled: often enough that one invocation looks from each poll to the next. */
export function firstWindowLooks(plan: Plan): number {
  return Math.max(FIRST_WINDOW_LOOKS, Math.ceil(findWaits(plan).first / MAX_LOOKING_SECONDS));
}

/** What the history has left for bakes, beside everything else at its slowest pace. */
function findBakeLooks(plan: Plan): number {
  const looks = countLooks(plan);
  const all = Object.values(looks).reduce((sum, each) => sum + each, 0);
  return Math.floor(EVENT_BUDGET / EVENTS_PER_POLL) - (all - looks.bakes);
}

type LookedFor = 'switches' | 'confirms' | 'bakes' | 'approvals' | 'returns' | 'windows' | 'hooks' | 'drain';

/** How often a cutover checks both sides at the most, by what it waits for. Each check takes `EVENTS_PER_POLL` events. */
export function countLooks(plan: Plan): Record<LookedFor, number> {
  const { stages, pollSeconds, confirmTimeoutSeconds, approval } = plan;
  return {
    switches: plan.switch ? plan.switch.attempts * (1 + preparationLooks(plan.switch)) : 0,
    confirms: stages.length * Math.ceil(confirmTimeoutSeconds / CONFIRM_POLL_SECONDS),
    bakes: Math.ceil(findLongestBakes(plan) / pollSeconds),
    approvals: approvalLooks(approval, stages.length, pollSeconds),
    returns: keepLooks(plan),
    windows: plan.windows.length === 0 ? 0 : firstWindowLooks(plan) + windowLooks(plan),
    hooks: countHookLooks(plan),
    drain: MAX_DRAIN_LOOKS,
  };
}

/** The copy of an application's state before the hold is looked at so often. */
function preparationLooks({ state }: SwitchPlan): number {
  return state ? Math.ceil(state.prepareSeconds / PREPARE_LOOK_SECONDS) : 0;
}

/** The judge asks a person at the most so often. Each escalation takes some 550 events of what is kept for retries and the rollback. */
export const MAX_ESCALATIONS = 3;
/** An escalation is looked at less often when it may wait for long. */
const ESCALATION_LOOKS = 60;

/** Between two polls of an escalation of the judge. */
export function escalationPollSeconds({ approval, pollSeconds }: Plan): number {
  return Math.max(pollSeconds, Math.ceil(approval.timeoutSeconds / ESCALATION_LOOKS));
}

function findLongestBakes({ stages }: Plan): number {
  return stages.reduce((sum, stage) => sum + findMaximumBake(stage), 0);
}

/**
 * Between two looks at a gate. Before the first shift nothing is on the target, and a poll is for the approval alone. At a later
 * one the target serves, and a look judges it: as often as `pollSeconds`, or as often as the history allows when the wait
 * is long. A target that dies then has taken requests for so long, and a look, at the most.
 */
export function gatePollSeconds(plan: Plan, gate: ApprovalGate): number {
  const { approval, stages, pollSeconds } = plan;
  const slowest = approvalPollSeconds(approval, pollSeconds);
  if (gate === 'firstShift') return slowest;
  const bakes = Math.ceil(findLongestBakes(plan) / pollSeconds) + stages.length;
  const spare = Math.max(0, findBakeLooks(plan) - bakes - MAX_HURRIED_LOOKS);
  const watched = listGates(approval, stages.length).filter((each) => each !== 'firstShift').length;
  const looks = Math.ceil(approval.timeoutSeconds / slowest) + Math.floor(spare / Math.max(1, watched));
  return Math.min(slowest, Math.max(pollSeconds, Math.ceil(approval.timeoutSeconds / looks)));
}

/** Of a bake that goes on because the target is not proven, however fast a rehearsal is. */
const GRACE_SECONDS = 60;

/**
 * The same plan with its bakes, polls, waits for approvals and drain deadlines divided by `speed`, each at least one second. Weights,
 * thresholds, close rates and what a bake may take beyond its time stay: a rehearsal shortens the waiting and nothing else.
 */
export function scaleDurations(plan: Plan, speed: number): Plan {
  const shorter = (seconds: number) => (seconds === 0 ? 0 : Math.max(1, Math.round(seconds / speed)));
  return {
    ...plan,
    pollSeconds: shorter(plan.pollSeconds),
    approval: { ...plan.approval, timeoutSeconds: shorter(plan.approval.timeoutSeconds) },
    ...(plan.switch && { switch: { ...plan.switch, attemptSeconds: shorter(plan.switch.attemptSeconds) } }),
    stages: plan.stages.map((stage) => scaleStage(stage, shorter)),
    stickiness: { ...plan.stickiness, keepSeconds: shorter(plan.stickiness.keepSeconds) },
    ...(plan.rollbackPace && { rollbackPace: scalePace(plan.rollbackPace, shorter) }),
    drain: {
      ...plan.drain,
      perKindSeconds: eachKind((kind) => shorter(plan.drain.perKindSeconds[kind])),
    },
  };
}

function scalePace(pace: RollbackPace, shorter: (seconds: number) => number): RollbackPace {
  return { ...pace, lookSeconds: shorter(pace.lookSeconds), waitSeconds: shorter(pace.waitSeconds) };
}

/** A maximum is a limit, and not a wait: what a plan grants beyond a bake is hardly for a look of a slow machine, divided. */
function scaleStage(stage: Stage, shorter: (seconds: number) => number): Stage {
  const beyond = findMaximumBake(stage) - stage.bakeSeconds;
  const bakeSeconds = shorter(stage.bakeSeconds);
  const maximumBakeSeconds = bakeSeconds + Math.max(shorter(beyond), Math.min(beyond, GRACE_SECONDS));
  return { ...stage, bakeSeconds, maximumBakeSeconds };
}
