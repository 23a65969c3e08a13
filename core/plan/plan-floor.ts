import { DEFAULT_TIMEOUT_SECONDS, findStageBehind, gateBefore, listGates } from '../approval/approval';
import { CONNECTION_KINDS } from '../proxy/connections';
import { DEFAULT_MOVES, Moves, narrowMoves } from '../moves/moves';
import { findDirection } from './direction';
import { Plan } from './plan';
import { reversePlan } from './reverse-plan';
import type { Stage } from './stages';
import { CAPACITIES, isPaced } from './rollback-pace';
import { areWithin, formatWindow } from './windows-plan';
import { findLooseStage } from './stickiness-plan';
import { Problems } from '../validation/problems';
import { formatWeights, sameQuotas } from '../traffic/weights';

/** The parts of a plan that the input of an execution may change, and then only tighten. */
export const PLAN_PARTS = [
  'stages',
  'pollSeconds',
  'minimumHealthyTargets',
  'smoke',
  'confirmTimeoutSeconds',
  'breaker',
  'judge',
  'drain',
  'stickiness',
  'windows',
  'rollbackPace',
  'approval',
  'capture',
  'switch',
] as const;

export type PlanPart = (typeof PLAN_PARTS)[number];

/**
 * Adds a problem for everything in which a plan is less careful than the one that was deployed, or changes what must not be
 * changed: who may start a cutover may not take its gates, its judge or its way down away.
 *
 * A plan of the other direction is compared with the deployed one whose sides are exchanged: each direction is as careful as
 * the other.
 *
 * @param changeable the parts that may differ at all
 */
export function checkFloor(plan: Plan, deployed: Plan, changeable: readonly PlanPart[], problems: Problems): void {
  const floor = plan.from === deployed.from ? deployed : reversePlan(deployed);
  if (!sameQuotas(plan.initialWeights, floor.initialWeights)) {
    problems.add('initialWeights', `${formatWeights(floor.initialWeights)}, as deployed`, plan.initialWeights);
  }
  if (JSON.stringify(plan.hooks) !== JSON.stringify(floor.hooks)) {
    const names = plan.hooks.map(({ name }) => name).join(', ');
    problems.add('hooks', 'as deployed: they are called with the rights of the cutover', names || 'none');
  }
  for (const part of PLAN_PARTS) {
    if (changeable.includes(part)) CHECKS[part](plan, floor, problems);
    else if (JSON.stringify(plan[part]) !== JSON.stringify(floor[part])) {
      problems.add(part, 'as deployed, because it may not be changed', plan[part]);
    }
  }
}

type Check = (plan: Plan, floor: Plan, problems: Problems) => void;

const CHECKS: Readonly<Record<PlanPart, Check>> = {
  stages: checkStages,
  pollSeconds: atMost('pollSeconds', ({ pollSeconds }) => pollSeconds),
  minimumHealthyTargets: atLeast('minimumHealthyTargets', ({ minimumHealthyTargets }) => minimumHealthyTargets),
  smoke: checkSmoke,
  confirmTimeoutSeconds: atMost('confirmTimeoutSeconds', ({ confirmTimeoutSeconds }) => confirmTimeoutSeconds),
  breaker: all(
    atMost('breaker.minimumErrors', ({ breaker }) => breaker.minimumErrors),
    atMost('breaker.maximumErrorRate', ({ breaker }) => breaker.maximumErrorRate),
  ),
  judge: all(
    atMost('judge.errorBudget', ({ judge }) => judge.errorBudget),
    atMost('judge.latencyTolerance', ({ judge }) => judge.latencyTolerance),
    atMost('judge.warmUpSeconds', ({ judge }) => judge.warmUpSeconds),
    rollsBackAs('inconclusive'),
    rollsBackAs('onFailure'),
    checkRoutes,
  ),
  drain: all(
    ...CONNECTION_KINDS.map((kind) =>
      atLeast(`drain.perKindSeconds.${kind}`, ({ drain }) => drain.perKindSeconds[kind]),
    ),
    atMost('drain.closeRatePerSecond', ({ drain }) => drain.closeRatePerSecond),
    atLeast('drain.jitter', ({ drain }) => drain.jitter),
    checkMoves,
  ),
  stickiness: checkStickiness,
  windows: checkWindows,
  rollbackPace: checkRollbackPace,
  approval: checkApproval,
  capture: checkCapture,
  switch: checkSwitch,
};

function all(...checks: readonly Check[]): Check {
  return (...given) => checks.forEach((check) => check(...given));
}

function atLeast(name: string, read: (plan: Plan) => number): Check {
  return (plan, floor, problems) => {
    if (read(plan) < read(floor)) problems.add(name, `at least ${read(floor)}, as deployed`, read(plan));
  };
}

function atMost(name: string, read: (plan: Plan) => number): Check {
  return (plan, floor, problems) => {
    if (read(plan) > read(floor)) problems.add(name, `at most ${read(floor)}, as deployed`, read(plan));
  };
}

/** Who starts a cutover may not ask a person where the deployed plan rolls back. */
function rollsBackAs(name: 'inconclusive' | 'onFailure'): Check {
  return ({ judge }, floor, problems) => {
    if (floor.judge[name] !== 'rollBack' || judge[name] === 'rollBack') return;
    problems.add(`judge.${name}`, 'rollBack, as deployed', judge[name]);
  };
}

/** What moves goes to a backend that has not proven that it can resume it. */
function checkMoves({ drain }: Plan, floor: Plan, problems: Problems): void {
  const [given, most] = [drain, floor.drain].map(({ moves = DEFAULT_MOVES }) => moves) as [Moves, Moves];
  if (narrowMoves(most, given) !== given) problems.add('drain.moves', `at most ${most}, as deployed`, given);
}

/** A route that is compared stays one. Where they are learned, a list would leave out what is learned. */
function checkRoutes({ judge }: Plan, floor: Plan, problems: Problems): void {
  const [given, needed] = [judge, floor.judge].map(({ routes }) => routes.map(({ path }) => path));
  if (needed!.length === 0 && given!.length > 0) {
    problems.add('judge.routes', 'an empty list, as deployed: the routes are learned', given);
  }
  if (needed!.some((path) => !given!.includes(path))) {
    problems.add('judge.routes', `a list with ${needed!.join(', ')}, as deployed`, given);
  }
}

/** Longer pauses, weaker fences and more attempts are for a deployment to say. */
function checkSwitch({ switch: given, strategy }: Plan, { switch: floor }: Plan, problems: Problems): void {
  if (!given || !floor) {
    if (given !== floor) problems.add('strategy', 'as deployed', strategy);
    return;
  }
  for (const name of ['maxPauseMs', 'maxWaiting', 'maxInFlight', 'attempts'] as const) {
    if (given[name] > floor[name]) problems.add(`switch.${name}`, `at most ${floor[name]}, as deployed`, given[name]);
  }
  if (given.longestRequestSeconds < floor.longestRequestSeconds) {
    const rule = `at least ${floor.longestRequestSeconds}, as deployed`;
    problems.add('switch.longestRequestSeconds', rule, given.longestRequestSeconds);
  }
  for (const name of ['fence', 'pointOfNoReturn', 'rollback'] as const) {
    if (given[name] !== floor[name]) problems.add(`switch.${name}`, `${floor[name]}, as deployed`, given[name]);
  }
  for (const name of ['hook', 'state', 'replay'] as const) {
    if (JSON.stringify(given[name]) === JSON.stringify(floor[name])) continue;
    problems.add(`switch.${name}`, 'as deployed: it is called with the rights of the cutover', given[name]);
  }
}

/** Clients that stay longer are moved later, and never to a target that has had less. */
function checkStickiness(plan: Plan, floor: Plan, problems: Problems): void {
  const { policy } = plan.stickiness;
  const { policy: deployed } = floor.stickiness;
  if (policy === 'keep' && deployed !== 'keep') return;
  if (policy !== deployed) {
    problems.add('stickiness.policy', `${deployed}${deployed === 'keep' ? '' : ' or keep'}, as deployed`, policy);
    return;
  }
  if (policy === 'keep')
    atLeast('stickiness.keepSeconds', (each) => each.stickiness.keepSeconds)(plan, floor, problems);
  if (policy === 'shorten') {
    atLeast('stickiness.shortenSeconds', (each) => each.stickiness.shortenSeconds)(plan, floor, problems);
  }
  const [given, needed] = [plan, floor].map((each) => measureShare(each)(each.stages[findLooseStage(each) ?? 0]!));
  if (policy === 'keep' || given! >= needed!) return;
  const { to } = findDirection(floor);
  const rule = `a stage that gives the ${to} at least ${Math.round(needed! * 1000) / 10} %, as deployed`;
  problems.add('stickiness.endAtStage', rule, plan.stickiness.endAtStage);
}

function checkWindows({ windows }: Plan, floor: Plan, problems: Problems): void {
  if (areWithin(windows, floor.windows)) return;
  const within = floor.windows.map(formatWindow).join('; ');
  problems.add('windows', `windows within those deployed (${within})`, windows.map(formatWindow).join('; '));
}

/** Steps may be added, and none left out. The rights to raise a desired count are those of the deployed plan. */
function checkRollbackPace({ rollbackPace: given }: Plan, { rollbackPace: floor }: Plan, problems: Problems): void {
  if (!given || !floor) return;
  const add = (name: string, rule: string, got: unknown) =>
    problems.add(`rollbackPace.${name}`, `${rule}, as deployed`, got);
  if (given.capacity === 'scaleOut' && floor.capacity !== 'scaleOut') add('capacity', 'ignore or wait', given.capacity);
  if (!isPaced(floor)) return;
  const left = floor.steps.filter((step) => !given.steps.includes(step));
  if (left.length > 0) add('steps', `a list with ${floor.steps.join(', ')}`, given.steps);
  if (given.lookSeconds < floor.lookSeconds && floor.steps.length > 0)
    add('lookSeconds', `at least ${floor.lookSeconds}`, given.lookSeconds);
  if (floor.capacity === 'ignore') return;
  if (CAPACITIES.indexOf(given.capacity) < CAPACITIES.indexOf(floor.capacity))
    add('capacity', floor.capacity, given.capacity);
  if (given.waitSeconds < floor.waitSeconds) add('waitSeconds', `at least ${floor.waitSeconds}`, given.waitSeconds);
  const [needed, asked] = [floor.minimumHealthyTargets, given.minimumHealthyTargets];
  // 0 is a number that is not known here.
  const isLess = needed === 0 ? asked !== 0 : asked < needed;
  if (isLess) add('minimumHealthyTargets', needed === 0 ? '0' : `at least ${needed}`, asked);
}

function checkCapture({ capture: given }: Plan, { capture: floor }: Plan, problems: Problems): void {
  if (!floor) return;
  if (!given) return problems.add('capture', 'there, as deployed', 'nothing');
  for (const name of ['maxUnrecorded', 'maxPendingSeconds'] as const)
    if (given[name] > floor[name]) problems.add(`capture.${name}`, `at most ${floor[name]}, as deployed`, given[name]);
}

function checkSmoke({ smoke }: Plan, floor: Plan, problems: Problems): void {
  for (const { path, expectedStatus } of floor.smoke) {
    const isThere = smoke.some((each) => each.path === path && each.expectedStatus === expectedStatus);
    if (!isThere) problems.add('smoke', `a list with ${path} → ${expectedStatus}, as deployed`, smoke);
  }
}

function checkApproval({ approval, stages }: Plan, floor: Plan, problems: Problems): void {
  const gates = listGates(approval, stages.length);
  for (const gate of listGates(floor.approval, floor.stages.length)) {
    if (gate !== 'firstShift' && gate !== 'lastStage') {
      checkGateBefore(findStageBehind(gate, floor.stages.length), { approval, stages }, floor, problems);
      continue;
    }
    // With a single stage both gates are the first one.
    const isKept = gates.includes(gate) || (stages.length === 1 && gates.includes('firstShift'));
    if (!isKept) problems.add('approval', `one that asks at '${gate}', as deployed`, approval);
  }
  checkShareBeforeLastGate(stages, floor, problems);
  // Also without a gate: the judge and the hooks ask a person, too.
  if (floor.approval.requireIdentity && !approval.requireIdentity) {
    problems.add('approval.requireIdentity', 'true, as deployed', false);
  }
  // A rehearsal shortens what is deployed, and no plan that is given to it: what no gate waits for may be the default.
  const longest = Math.max(floor.approval.timeoutSeconds, gates.length === 0 ? DEFAULT_TIMEOUT_SECONDS : 0);
  if (approval.timeoutSeconds > longest) {
    const rule = longest > floor.approval.timeoutSeconds ? `at most ${longest}` : `at most ${longest}, as deployed`;
    problems.add('approval.timeoutSeconds', rule, approval.timeoutSeconds);
  }
}

/**
 * Before a side gets more than a share of the traffic, it must have been watched at that share or less for as long as
 * the deployed plan watches it; and between any two shares of the deployed plan for as long as at the upper one.
 */
function checkStages({ stages }: Plan, floor: Plan, problems: Problems): void {
  const computeShare = measureShare(floor);
  let below = -1;
  for (const stage of floor.stages) {
    const share = computeShare(stage);
    const from = Math.min(below, share);
    const inBand = stages.filter((each) => computeShare(each) > from && computeShare(each) <= share);
    const watched = (some: readonly Stage[]) => watchedSeconds(some, computeShare, share);
    const given = Math.min(watched(stages) - watched(floor.stages), 0);
    const bandSeconds = inBand.reduce((sum, { bakeSeconds }) => sum + bakeSeconds, 0);
    const needed = share > below ? stage.bakeSeconds : 0;
    if (given < 0 || bandSeconds < needed) {
      const seconds = watched(floor.stages);
      const weights = formatWeights(stage.weights);
      const rule = `stages that watch for ${seconds} s at ${weights} or less, ${needed} s of them above the stage before, as deployed`;
      problems.add('stages', rule, stages);
      return;
    }
    below = Math.max(below, share);
  }
}

/** Wherever the stages are: a person is asked before the side gets more than what it had before the deployed gate. */
function checkGateBefore(
  index: number,
  { approval, stages }: Pick<Plan, 'approval' | 'stages'>,
  floor: Plan,
  problems: Problems,
): void {
  const computeShare = measureShare(floor);
  const max = Math.max(0, ...floor.stages.slice(0, index).map(computeShare));
  const first = stages.findIndex((stage) => computeShare(stage) > max);
  if (first < 0 || listGates(approval, stages.length).includes(gateBefore(first, stages.length))) return;
  const percent = Math.round(max * 1000) / 10;
  const rule = `one that asks before stage ${first + 1}, the first one that gives the ${findDirection(floor).to} more than ${percent} %, as deployed`;
  problems.add('approval', rule, approval);
}

/** What a person is asked about at the last gate must not have happened before it. */
function checkShareBeforeLastGate(stages: readonly Stage[], floor: Plan, problems: Problems): void {
  if (!listGates(floor.approval, floor.stages.length).includes('lastStage')) return;
  const computeShare = measureShare(floor);
  const max = Math.max(0, ...floor.stages.slice(0, -1).map(computeShare));
  const beyond = stages.slice(0, -1).find((stage) => computeShare(stage) > max);
  if (!beyond) return;
  const percent = Math.round(max * 1000) / 10;
  const rule = `stages of which only the last, after its gate, gives the ${findDirection(floor).to} more than ${percent} %, as deployed`;
  problems.add('stages', rule, formatWeights(beyond.weights));
}

type Share = (stage: Stage) => number;

/** The share of the side that gets the traffic. */
function measureShare(plan: Plan): Share {
  const { to } = findDirection(plan);
  return ({ weights }) => weights[to] / (weights.source + weights.target);
}

/** The bakes before the first stage that gives it more than this share. */
function watchedSeconds(stages: readonly Stage[], computeShare: Share, share: number): number {
  const beyond = stages.findIndex((stage) => computeShare(stage) > share);
  const before = beyond < 0 ? stages : stages.slice(0, beyond);
  return before.reduce((sum, { bakeSeconds }) => sum + bakeSeconds, 0);
}
