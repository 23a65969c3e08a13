import {
  Approval,
  ApprovalGate,
  MAX_HURRIED_LOOKS,
  approvalLooks,
  approvalPollSeconds,
  listGates,
  readApproval,
} from '../approval/approval';
import { DrainOrder, readDrainOrder } from '../proxy/admin-api';
import { CONNECTION_KINDS, eachKind } from '../proxy/connections';
import { CLOSE_HANDSHAKE_SECONDS } from '../proxy/drain';
import { Problems } from '../validation/problems';
import { Weights, readWeights } from '../traffic/weights';

/** One step of a plan: set these weights, then watch for this long. */
export interface Stage {
  readonly weights: Weights;
  readonly bakeSeconds: number;
}

/**
 * A request that both smoke-test listeners must answer with this status before anything moves: a GET, or of a group of gRPC a
 * call with an empty message, whose good end is 200.
 */
export interface SmokeRequest {
  readonly path: string;
  readonly expectedStatus: number;
}

/** Ends a bake early when the target answers with errors. */
export interface Breaker {
  /** Fewer errors than this never trip it. */
  readonly minimumErrors: number;
  /** 0–1; trips when the error rate is over this with 95 % confidence. */
  readonly maximumErrorRate: number;
  /** A stage whose target saw fewer requests is not promoted: no alarm is not a pass. */
  readonly minimumRequests: number;
}

/** What one cutover is asked to do. All times are whole seconds. */
export interface Plan {
  readonly strategy: 'gradual';
  /** What must be in force at the start, and what a rollback restores. */
  readonly initialWeights: Weights;
  readonly stages: readonly Stage[];
  /** Between two looks at a bake, a confirm or a drain. */
  readonly pollSeconds: number;
  readonly minimumHealthyTargets: number;
  readonly smoke: readonly SmokeRequest[];
  readonly confirmTimeoutSeconds: number;
  readonly breaker: Breaker;
  readonly drain: DrainOrder;
  /** Where a person has to agree before it goes on. */
  readonly approval: Approval;
}

export const DEFAULT_STAGES: readonly Stage[] = [
  { weights: { source: 90, target: 10 }, bakeSeconds: 300 },
  { weights: { source: 50, target: 50 }, bakeSeconds: 300 },
  { weights: { source: 10, target: 90 }, bakeSeconds: 300 },
  { weights: { source: 0, target: 100 }, bakeSeconds: 300 },
];

export const DEFAULT_SMOKE: readonly SmokeRequest[] = [{ path: '/', expectedStatus: 200 }];

/** A bake that saw too few requests goes on, at the most to this many times its length. */
export const MAX_BAKE = 2;

/** Step Functions ends a standard execution at 25,000 events; the rest is kept for retries and the rollback. */
export const EVENT_BUDGET = 20_000;
/** Wait (2), Lambda task (5) and Choice (2). */
const EVENTS_PER_POLL = 9;
const WEEK = 604_800;
/** Between two looks of a confirm: a read-back is quick where it works at all. */
export const CONFIRM_POLL_SECONDS = 2;
/** A drain whose paced closes take long is looked at less often, so that it has at the most about this many looks. */
export const MAX_DRAIN_LOOKS = 500;
/** The state machine's own limit is a day longer. */
export const MAX_PLAN_SECONDS = 29 * 86_400;

/**
 * Reads a plan out of JSON; every absent part has a default.
 *
 * @throws CutoverError `PlanInvalid` with one line a problem.
 */
export function parsePlan(value: unknown): Plan {
  const problems = new Problems();
  const raw = problems.object('plan', value, [
    'strategy',
    'initialWeights',
    'stages',
    'pollSeconds',
    'minimumHealthyTargets',
    'smoke',
    'confirmTimeoutSeconds',
    'breaker',
    'drain',
    'approval',
  ]);
  if (raw.strategy !== undefined && raw.strategy !== 'gradual') problems.add('strategy', "'gradual'", raw.strategy);
  const plan: Plan = {
    strategy: 'gradual',
    initialWeights: readWeights(problems, 'initialWeights', raw.initialWeights ?? { source: 100, target: 0 }),
    stages: readStages(raw.stages, problems),
    pollSeconds: problems.integer('pollSeconds', raw.pollSeconds, { min: 1, max: 3600, default: 15 }),
    minimumHealthyTargets: problems.integer('minimumHealthyTargets', raw.minimumHealthyTargets, {
      min: 1,
      max: 1000,
      default: 1,
    }),
    smoke: readSmoke(raw.smoke, problems),
    confirmTimeoutSeconds: problems.integer('confirmTimeoutSeconds', raw.confirmTimeoutSeconds, {
      min: 1,
      max: 3600,
      default: 120,
    }),
    breaker: readBreaker(raw.breaker, problems),
    drain: readDrainOrder('drain', raw.drain, problems),
    approval: readApproval(raw.approval, problems),
  };
  if (problems.all.length === 0) checkEventBudget(plan, problems);
  problems.throwIfAny('PlanInvalid');
  return plan;
}

function readStages(value: unknown, problems: Problems): readonly Stage[] {
  if (value === undefined) return DEFAULT_STAGES;
  if (!Array.isArray(value) || value.length === 0 || value.length > 50) {
    problems.add('stages', 'a list of 1 to 50 stages', value);
    return DEFAULT_STAGES;
  }
  const stages = value.map((item, index) => {
    const name = `stages[${index}]`;
    const raw = problems.object(name, item, ['weights', 'bakeSeconds']);
    return {
      weights: readWeights(problems, `${name}.weights`, raw.weights),
      bakeSeconds: problems.integer(`${name}.bakeSeconds`, raw.bakeSeconds, { min: 1, max: WEEK, default: 300 }),
    };
  });
  const last = stages[stages.length - 1];
  if (last && last.weights.source !== 0) {
    problems.add(
      `stages[${stages.length - 1}].weights.source`,
      '0, because a cutover ends on the target',
      last.weights.source,
    );
  }
  return stages;
}

/** Of all smoke requests: they travel in the state of an execution. */
const MAX_PATHS = 16_384;

function readSmoke(value: unknown, problems: Problems): readonly SmokeRequest[] {
  if (value === undefined) return DEFAULT_SMOKE;
  if (!Array.isArray(value) || value.length > 50) {
    problems.add('smoke', 'a list of at most 50 requests', value);
    return [];
  }
  const requests = value.map((item, index) => {
    const name = `smoke[${index}]`;
    const raw = problems.object(name, item, ['path', 'expectedStatus']);
    // Visible ASCII only: what follows the authority in a request line (RFC 9112 section 3.2.1).
    const path = typeof raw.path === 'string' && /^\/[\x21-\x7e]*$/.test(raw.path) ? raw.path : undefined;
    if (path === undefined) problems.add(`${name}.path`, "a path that starts with '/' and has no space", raw.path);
    return {
      path: path ?? '/',
      expectedStatus: problems.integer(`${name}.expectedStatus`, raw.expectedStatus, {
        min: 200,
        max: 499,
        default: 200,
      }),
    };
  });
  const characters = requests.reduce((sum, { path }) => sum + path.length, 0);
  if (characters > MAX_PATHS)
    problems.add('smoke', `a list whose paths have at most ${MAX_PATHS} characters`, characters);
  return requests;
}

function readBreaker(value: unknown, problems: Problems): Breaker {
  const raw = problems.object('breaker', value, ['minimumErrors', 'maximumErrorRate', 'minimumRequests']);
  return {
    minimumErrors: problems.integer('breaker.minimumErrors', raw.minimumErrors, {
      min: 1,
      max: 1_000_000,
      default: 10,
    }),
    maximumErrorRate: problems.number('breaker.maximumErrorRate', raw.maximumErrorRate, {
      min: 0,
      max: 1,
      default: 0.05,
    }),
    minimumRequests: problems.integer('breaker.minimumRequests', raw.minimumRequests, {
      min: 0,
      max: 1_000_000_000,
      default: 10,
    }),
  };
}

/**
 * How long a plan takes when nothing goes wrong and approvals come at once, and at the most; both without the drain's
 * paced closes.
 */
export function estimateSeconds(plan: Plan): { typical: number; longest: number } {
  const bakes = plan.stages.reduce((sum, stage) => sum + stage.bakeSeconds, 0);
  const drain = Math.max(...CONNECTION_KINDS.map((kind) => plan.drain.perKindSeconds[kind])) + CLOSE_HANDSHAKE_SECONDS;
  const approvals = listGates(plan.approval, plan.stages.length).length * plan.approval.timeoutSeconds;
  return {
    typical: bakes + plan.stages.length * plan.pollSeconds + drain,
    longest: bakes * MAX_BAKE + plan.stages.length * plan.confirmTimeoutSeconds + approvals + drain,
  };
}

function checkEventBudget(plan: Plan, problems: Problems): void {
  const seconds = estimateSeconds(plan).longest;
  if (seconds > MAX_PLAN_SECONDS) {
    problems.add('stages', `done within ${MAX_PLAN_SECONDS} s, bakes at twice their length`, seconds);
  }
  const approvals = approvalLooks(plan.approval, plan.stages.length, plan.pollSeconds);
  const looks = findBakeLooks(plan);
  if (looks <= 0 && looks + approvals > 0) {
    const gates = listGates(plan.approval, plan.stages.length).length;
    const rule = `short enough for ${gates} ${gates === 1 ? 'gate' : 'gates'}, looked at at least every 10 minutes, in one history`;
    problems.add('approval.timeoutSeconds', rule, plan.approval.timeoutSeconds);
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
  const baking = findLongestBakes(plan);
  const needed = Math.ceil(baking / looks);
  if (plan.pollSeconds < needed) {
    const waits = approvals === 0 ? '' : ` beside approvals of up to ${plan.approval.timeoutSeconds} s`;
    problems.add(
      'pollSeconds',
      `at least ${needed} for bakes of up to ${baking} s${waits}, or its history outgrows Step Functions' 25,000 events`,
      plan.pollSeconds,
    );
  }
}

/** What the history has left for bakes, beside everything else at its slowest pace. */
function findBakeLooks(plan: Plan): number {
  const confirms = plan.stages.length * Math.ceil(plan.confirmTimeoutSeconds / CONFIRM_POLL_SECONDS);
  const approvals = approvalLooks(plan.approval, plan.stages.length, plan.pollSeconds);
  return Math.floor(EVENT_BUDGET / EVENTS_PER_POLL) - confirms - approvals - MAX_DRAIN_LOOKS;
}

function findLongestBakes({ stages }: Plan): number {
  return stages.reduce((sum, stage) => sum + stage.bakeSeconds * MAX_BAKE, 0);
}

/**
 * Between two looks at a gate. Before the first shift nothing is on the target, and a look is for the answer alone. Before the
 * last stage the target serves, and a look judges it: as often as `pollSeconds`, or as often as the history allows when the wait
 * is long. A target that dies then has taken requests for so long, and a look, at the most.
 */
export function gatePollSeconds(plan: Plan, gate: ApprovalGate): number {
  const { approval, stages, pollSeconds } = plan;
  const slowest = approvalPollSeconds(approval, pollSeconds);
  if (gate === 'firstShift') return slowest;
  const bakes = Math.ceil(findLongestBakes(plan) / pollSeconds) + stages.length;
  const spare = Math.max(0, findBakeLooks(plan) - bakes - MAX_HURRIED_LOOKS);
  const looks = Math.ceil(approval.timeoutSeconds / slowest) + spare;
  return Math.min(slowest, Math.max(pollSeconds, Math.ceil(approval.timeoutSeconds / looks)));
}

/**
 * The same plan with its bakes, polls, waits for approvals and drain deadlines divided by `speed`, each at least one second. Weights,
 * thresholds and close rates stay: a rehearsal shortens the waiting and nothing else.
 */
export function scaleDurations(plan: Plan, speed: number): Plan {
  const shorter = (seconds: number) => (seconds === 0 ? 0 : Math.max(1, Math.round(seconds / speed)));
  return {
    ...plan,
    pollSeconds: shorter(plan.pollSeconds),
    approval: { ...plan.approval, timeoutSeconds: shorter(plan.approval.timeoutSeconds) },
    stages: plan.stages.map((stage) => ({ ...stage, bakeSeconds: shorter(stage.bakeSeconds) })),
    drain: {
      ...plan.drain,
      perKindSeconds: eachKind((kind) => shorter(plan.drain.perKindSeconds[kind])),
    },
  };
}
