import {
  Deciding,
  Hold,
  Holding,
  NEVER_HELD,
  Outcomes,
  afterLease,
  decided,
  findRetargetConflict,
  hold,
  holdReport,
  release,
} from '../proxy/hold';
import { HookState, MemberView, nextMove } from './coordinator';
import { Decision, Outcome } from './decision';
import {
  FIRST_REGIME,
  Regime,
  Switching,
  beginSwitch,
  findOutcomes,
  findServedSide,
  settleRegime,
  startUnder,
} from './regime';
import { SIDES, Side } from '../traffic/weights';

/**
 * The protocol of a switch with everything that can happen to it. Its transitions are those of the protocol's own code; what
 * is here is what surrounds it:
 *
 * - tasks that die, restart and join. One that hangs is one that takes no step for as long as it likes; one whose lease expired
 *   while it hung finds out when it wakes, and one that hung between reading a decision and following it follows at any time
 *   after, also when a later switch holds it. One that ends in order is one that is killed with nothing at work;
 * - calls that are lost, late, doubled and reordered: one that was sent once can arrive at any time, any number of times, as
 *   long as its process lives;
 * - a regime that was read long ago: a task that starts acts on it at any time after;
 * - leases that expire at any moment, and a store that responds at any time: one that is away is a step not taken, and a
 *   response of it that is lost is a decision written, and not yet read by who wrote it;
 * - coordinators that crash, are repeated, or act on what they saw long ago: a commit that was once justified can be written
 *   at any time after, and a regime that was read long ago can be written on. Two of them, of one execution or of two, are the
 *   same steps in another order;
 * - a person who aborts, holds a task by hand, and moves weights early or late;
 * - the switch back, and a next cutover that has the proxies of the target forward to the target again;
 * - a hook that freezes the side that is left and may show it by a write that is rejected: its calls are late, doubled and
 *   reordered, too, and a part of it that fails is a step not taken.
 *
 * It is not in here: workers of one task (the primary has them follow, or ends them: `test/proxy/workers/`), and time.
 */

/** What runs of a request at a backend: in flight, or given up by the proxy and still running. */
type Work = 0 | 'inFlight' | 'abandoned';

export interface Task {
  readonly home: Side;
  /** `absent`: ECS does not list it yet. `booting`: it has not read the regime. `starting`: it has, and does not listen. */
  readonly life: 'absent' | 'booting' | 'starting' | 'up' | 'dead';
  readonly side: Side;
  readonly hold: Hold;
  readonly work: Readonly<Record<Side, Work>>;
  /** What a process of it that is gone had sent, and still runs. */
  readonly orphans: Readonly<Record<Side, boolean>>;
  /** The epoch of the switch that it is a member of. */
  readonly memberOf: number;
  readonly isFirstProcess: boolean;
  readonly wasEmpty: boolean;
  /** The epoch with which this process was told to forward to its own backend; undefined where it was not. */
  readonly retargetedAt: number | undefined;
}

export interface ModelState extends Shared {
  readonly tasks: readonly Task[];
}

/** `unproved`: no write is tried after its freeze, which is no fence then. */
export type ModelHook = 'fences' | 'unproved';

/** A backend as the calls of a hook left it: that of the highest epoch counts. */
export interface Freeze {
  readonly epoch: number;
  readonly isFrozen: boolean;
}

export interface ModelHookState {
  readonly kind: ModelHook;
  readonly backends: Readonly<Record<Side, Freeze>>;
  /** By epoch: what a coordinator has once begun, or seen to its end. */
  readonly runs: readonly (undefined | 'started' | 'passed')[];
}

/** What does not belong to one task. */
export interface Shared {
  /** The regime before the first switch. */
  readonly first: Regime;
  readonly regime: Regime;
  /** By epoch; the first is of epoch 1. */
  readonly decisions: readonly (Outcome | undefined)[];
  /** A coordinator has once seen all that a commit needs. */
  readonly intents: readonly boolean[];
  /** A target task can get requests: the weights were moved once. */
  readonly isShifted: boolean;
  /** The epoch after which a preflight took the sides apart again; 0 where none has. */
  readonly apartAt: number;
  readonly crashes: number;
  readonly hands: number;
  /** A request went to a backend with another epoch than that of the last commit. */
  readonly hasStaleEpoch: boolean;
  /** Absent where the plan has no hook. */
  readonly hook?: ModelHookState;
}

export interface Setup {
  readonly sources: number;
  readonly targets: number;
  /** Source tasks that may start at any time. */
  readonly joiners: number;
  /** Processes of tasks that end by themselves. Each can be started again. */
  readonly crashes: number;
  readonly epochs: number;
  /** Holds that a person makes of one task. @default 0 */
  readonly hands?: number;
  /** @default - the plan has no hook */
  readonly hook?: ModelHook;
}

/** The rules that a mutant breaks. Each is what the protocol does. */
export interface Rules {
  readonly afterLease: typeof afterLease;
  readonly release: typeof release;
  readonly hold: typeof hold;
  readonly startUnder: typeof startUnder;
  readonly nextMove: typeof nextMove;
  /** What a proxy that asks gets. */
  readonly ask: (decision: Outcome | undefined) => Outcome;
  readonly beginSwitch: typeof beginSwitch;
  /** Whether a decision can be written. */
  readonly mayWrite: (present: Outcome | undefined) => boolean;
  readonly view: (task: Task, view: MemberView) => MemberView;
  /** Whether a task may start a request. */
  readonly maySend: (task: Task) => boolean;
  readonly settle: typeof settleRegime;
  readonly mayRelease: (decision: Outcome | undefined) => boolean;
  /** Whether the tasks of a side are members. */
  readonly enlists: (home: Side, regime: Regime) => boolean;
  readonly findRetargetConflict: typeof findRetargetConflict;
  /** What a task does with a decision that it has read. */
  readonly decided: typeof decided;
  /** Whether a regime can be written. @param isAsRead it is still the one that the writer has read */
  readonly mayOverwrite: (isAsRead: boolean) => boolean;
  /** Whether the write that is tried after a freeze lets the hook pass. */
  readonly mayPass: (isFrozen: boolean) => boolean;
  /** A backend after a call of the hook. */
  readonly followCall: (backend: Freeze, call: Freeze) => Freeze;
}

export const PROTOCOL: Rules = {
  afterLease,
  release,
  hold,
  startUnder,
  nextMove,
  ask: (decision) => decision ?? 'abort',
  beginSwitch,
  mayWrite: (present) => present === undefined,
  view: (_, view) => view,
  maySend: ({ hold: { state } }) => state === 'none',
  settle: settleRegime,
  mayRelease: (decision) => decision !== undefined,
  enlists: () => true,
  findRetargetConflict,
  decided,
  mayOverwrite: (isAsRead) => isAsRead,
  mayPass: (isFrozen) => isFrozen,
  followCall: (backend, call) => {
    const isLate = call.epoch < backend.epoch || (call.epoch === backend.epoch && call.isFrozen);
    return isLate ? backend : call;
  },
};

const other = (side: Side): Side => (side === 'source' ? 'target' : 'source');
/** By the clock of the model a lease has this long, and expires when the model says so. */
const LEASE = { ms: 1, now: 0, over: 1 };
const LIMITS = { maxWaiting: 1, maxWaitMs: 1, maxHoldMs: 1 };

export function newTask(home: Side, life: Task['life']): Task {
  return {
    home,
    life,
    side: home,
    hold: NEVER_HELD,
    work: { source: 0, target: 0 },
    orphans: { source: false, target: false },
    memberOf: 0,
    isFirstProcess: true,
    wasEmpty: false,
    retargetedAt: undefined,
  };
}

export function start(setup: Setup): ModelState {
  const many = (count: number, home: Side, life: Task['life']) =>
    Array.from({ length: count }, () => newTask(home, life));
  return {
    tasks: [
      ...many(setup.sources, 'source', 'up'),
      ...many(setup.targets, 'target', 'up'),
      ...many(setup.joiners, 'source', 'absent'),
    ],
    first: FIRST_REGIME,
    regime: FIRST_REGIME,
    decisions: Array.from({ length: setup.epochs }, () => undefined),
    intents: Array.from({ length: setup.epochs }, () => false),
    isShifted: false,
    apartAt: 0,
    crashes: setup.crashes,
    hands: setup.hands ?? 0,
    hasStaleEpoch: false,
    ...(setup.hook && { hook: startHook(setup.hook, setup.epochs) }),
  };
}

function startHook(kind: ModelHook, epochs: number): ModelHookState {
  const thawed = { epoch: 0, isFrozen: false };
  const runs = Array.from({ length: epochs }, () => undefined);
  return { kind, backends: { source: thawed, target: thawed }, runs };
}

/** Everything that can happen. Tasks have the names of their places. */
export function listSteps(state: ModelState, rules: Rules): ModelStep[] {
  const { tasks, ...shared } = state;
  const ofTasks = tasks.flatMap((task, at) =>
    listTaskSteps(task, shared, rules).map((step) => ({
      name: `${step.name} ${task.home}-${at + 1}`,
      state: { ...step.shared, tasks: tasks.with(at, step.task) },
    })),
  );
  return [...ofTasks, ...listCoordinatorSteps(state, rules)];
}

export interface TaskStep {
  readonly name: string;
  readonly task: Task;
  readonly shared: Shared;
}

export interface ModelStep {
  readonly name: string;
  readonly state: ModelState;
}

/** Everything that can happen to one task, whatever the others do. */
export function listTaskSteps(task: Task, shared: Shared, rules: Rules): TaskStep[] {
  const steps: TaskStep[] = [];
  const put: Put = (name, changed, rest = {}) =>
    steps.push({ name, task: { ...task, ...changed }, shared: { ...shared, ...rest } });
  stepBackends(task, put);
  stepLife(shared, task, rules, put);
  if (task.life === 'up') {
    stepProxy(shared, task, rules, put);
    stepCalls(shared, task, rules, put);
  }
  return steps;
}

type Put = (name: string, changed: Partial<Task>, rest?: Partial<Shared>) => void;

function stepBackends({ work, orphans }: Task, put: Put): void {
  for (const side of ['source', 'target'] as const) {
    if (work[side] === 'abandoned') put(`${side} backend ends abandoned of`, { work: { ...work, [side]: 0 } });
    if (orphans[side]) put(`${side} backend ends orphan of`, { orphans: { ...orphans, [side]: false } });
  }
}

function stepLife(state: Shared, task: Task, rules: Rules, put: Put): void {
  const { life, work, orphans, home } = task;
  if (life === 'absent') put('join', { life: 'booting' });
  if (life === 'booting') {
    const { hold: held, side } = rules.startUnder(state.regime, home, LEASE.now);
    put('read regime', { life: 'starting', hold: held, side });
  }
  if (life === 'starting') put('listen', { life: 'up' });
  if (life === 'dead') put('restart', { life: 'booting' });
  if (isProcess(life) && state.crashes > 0) {
    const left = { source: orphans.source || work.source !== 0, target: orphans.target || work.target !== 0 };
    const gone = { ...newTask(home, 'dead'), memberOf: task.memberOf, wasEmpty: task.wasEmpty, isFirstProcess: false };
    put('kill', { ...gone, orphans: left }, { crashes: state.crashes - 1 });
  }
}

function isProcess(life: Task['life']): boolean {
  return life === 'up' || life === 'starting' || life === 'booting';
}

function stepProxy(state: Shared, task: Task, rules: Rules, put: Put): void {
  const { hold: held, side, work, home } = task;
  const isReached = home === 'source' || state.isShifted;
  if (rules.maySend(task) && isReached && work[side] === 0) {
    const hasStaleEpoch = held.committed !== findCommitted(state);
    put(`begin at ${side} by`, { work: { ...work, [side]: 'inFlight' } }, { hasStaleEpoch });
  }
  for (const each of ['source', 'target'] as const) {
    if (work[each] !== 'inFlight') continue;
    put(`end at ${each} of`, { work: { ...work, [each]: 0 } });
    put(`client leaves ${each} at`, { work: { ...work, [each]: 'abandoned' } });
  }
  const expired = rules.afterLease(held, LEASE.over);
  if (held.state === 'holding' && expired !== held) put('lease expires at', { hold: expired, ...sideAfter(expired) });
  if (held.state !== 'none') stepAsk(state, held, rules, put);
}

/** What was read is followed at any time after: when that epoch's hold has ended, or a later one has begun, too. */
function stepAsk({ decisions }: Shared, held: Holding | Deciding, rules: Rules, put: Put): void {
  decisions.forEach((decision, at) => {
    const epoch = at + 1;
    const isAsked = decision !== undefined || (held.state === 'deciding' && held.epoch === epoch);
    if (!isAsked) return;
    const outcome = rules.ask(decision);
    const after = rules.decided(held, epoch, outcome, LEASE.now);
    if (after === held) return;
    const written = decisions.with(at, decision ?? outcome);
    put(`ask (${outcome}) by`, { hold: after, ...sideAfter(after) }, { decisions: written });
  });
}

function sideAfter(held: Hold): Partial<Task> {
  return held.state === 'none' && held.releasedTo ? { side: held.releasedTo } : {};
}

/**
 * The calls of coordinators. They arrive at any time after they could be sent, in any order, any number of times; one that
 * is lost never arrives.
 */
function stepCalls(state: Shared, task: Task, rules: Rules, put: Put): void {
  const { memberOf, home, hold: held } = task;
  const { decisions } = state;
  for (let epoch = 1; epoch <= memberOf; epoch += 1) {
    const { committed, outcomes } = regimeAt(state, home, epoch);
    const order = { epoch, committed, leaseMs: LEASE.ms, minIntervalMs: 0, endsStreams: true, dryRun: false };
    const heldBy = rules.hold(held, { ...order, ...LIMITS, outcomes }, LEASE.now);
    if ('next' in heldBy) put(`hold ${epoch} arrives at`, { hold: heldBy.next });
    if (!rules.mayRelease(decisions[epoch - 1])) continue;
    const outcome = decisions[epoch - 1] ?? 'commit';
    const released = rules.release(held, { epoch, outcome }, LEASE.now);
    if ('next' in released && released.next !== held) {
      put(`release ${epoch} (${outcome}) arrives at`, { hold: released.next, side: outcomes[outcome] });
    }
  }
  stepHands(state, task, rules, put);
  stepPreflight(state, task, rules, put);
  stepReport(state, task, put);
}

function stepReport({ regime }: Shared, { memberOf, hold: held, work, isFirstProcess, wasEmpty }: Task, put: Put) {
  const isOwn = held.state === 'holding' && held.epoch === memberOf && held.outcomes !== undefined;
  const isEmpty = isOwn && work.source === 0 && work.target === 0;
  const isUnderWay = regime.switching !== undefined && regime.epoch === memberOf;
  if (isUnderWay && isEmpty && isFirstProcess && !wasEmpty) put('report empty by', { wasEmpty: true });
}

/** What a person does. */
function stepHands({ hands, decisions }: Shared, { hold: held, side }: Task, rules: Rules, put: Put): void {
  if (hands > 0 && held.epoch < decisions.length) {
    const epoch = held.epoch + 1;
    const order = { epoch, committed: 0, leaseMs: LEASE.ms, minIntervalMs: 0, endsStreams: false, dryRun: false };
    const heldBy = rules.hold(held, { ...order, ...LIMITS }, LEASE.now);
    if ('next' in heldBy) put('hand holds', { hold: heldBy.next }, { hands: hands - 1 });
  }
  if (held.state === 'holding' && !held.outcomes) {
    const released = rules.release(held, { epoch: held.epoch, to: side }, LEASE.now);
    if ('next' in released) put('hand releases', { hold: released.next });
  }
}

/** The preflight of a next cutover. */
function stepPreflight({ regime }: Shared, task: Task, rules: Rules, put: Put): void {
  const { hold: held, home, side, retargetedAt } = task;
  const isApart = !regime.isJoined && !regime.switching && regime.epoch > 0 && home === 'target';
  if (isApart && side !== home && retargetedAt !== held.epoch) put('preflight tells', { retargetedAt: held.epoch });
  if (retargetedAt === undefined || side === home) return;
  const conflict = rules.findRetargetConflict(held, { to: home, epoch: retargetedAt }, true);
  if (conflict === undefined) put('retarget arrives at', { side: home });
}

/** The epoch of the last commit. */
function findCommitted({ decisions }: Shared): number {
  return decisions.lastIndexOf('commit') + 1;
}

function regimeAt(state: Shared, home: Side, epoch: number): { committed: number; outcomes: Outcomes } {
  const regime = regimeBefore(state, epoch);
  return { committed: regime.committed, outcomes: findOutcomes(home, regime, other(regime.side)) };
}

/** As the coordinator of that epoch found it when it began; in the model the regimes are replayed from the decisions. */
function regimeBefore(state: Shared, epoch: number): Regime {
  let regime = state.first;
  for (let each = 1; each < epoch; each += 1) {
    const to = other(regime.side);
    regime = settleRegime(
      { ...regime, epoch: each, switching: switching(to, false) },
      state.decisions[each - 1] ?? 'abort',
    );
    if (state.apartAt === each) regime = { ...regime, isJoined: false };
  }
  return regime;
}

/** As a member of the switch of this epoch; undefined for a task that ECS does not list yet. */
export function enlistTask(task: Task, epoch: number): Task | undefined {
  if (task.life === 'absent') return undefined;
  if (task.memberOf === epoch) return task;
  return { ...task, memberOf: epoch, isFirstProcess: isKnownWhole(task), wasEmpty: false };
}

/**
 * ECS lists what has stopped: a task whose process replaced another one, with requests that may still run, is not taken for
 * one that was there all along.
 */
function isKnownWhole({ life, orphans }: Task): boolean {
  return isProcess(life) && !orphans.source && !orphans.target;
}

export function switching(to: Side, isEnlisted: boolean): Switching {
  return { to, execution: 'model', leaseMs: LEASE.ms, limits: LIMITS, ...(isEnlisted && { members: [] }) };
}

export function listCoordinatorSteps(state: ModelState, rules: Rules): ModelStep[] {
  const steps: ModelStep[] = [];
  stepCoordinators(state, rules, (name, next) => steps.push({ name, state: next }));
  return steps;
}

function stepCoordinators(state: ModelState, rules: Rules, emit: Emit): void {
  const { regime, tasks, decisions, intents } = state;
  const { epoch } = regime;
  const enlisted = (of: number) =>
    tasks.map((task) => (rules.enlists(task.home, regime) ? (enlistTask(task, of) ?? task) : task));
  if (epoch < decisions.length) {
    const next = rules.beginSwitch(regime, epoch + 1, switching(other(regime.side), false));
    if (next) emit(`begin switch ${epoch + 1}`, { ...state, regime: next });
  }
  intents.forEach((isIntended, at) => {
    if (isIntended && rules.mayWrite(decisions[at])) emit(`write commit ${at + 1}`, withDecision(state, at, 'commit'));
  });
  stepSettle(state, rules, emit);
  if (state.hook) stepHook(state, state.hook, rules, emit);
  if (!regime.switching) {
    if (regime.isJoined && !state.isShifted) emit('weights go to target', { ...state, isShifted: true });
    if (!regime.isJoined || regime.side !== 'source') return;
    if (state.isShifted) emit('weights go to source', { ...state, isShifted: false });
    // Preflight finds the weights at the source, and confirms it, before it does this.
    else emit('preflight takes apart', { ...state, regime: { ...regime, isJoined: false }, apartAt: epoch });
    return;
  }
  const decision = decisions[epoch - 1];
  if (!decision) emit(`write abort ${epoch}`, withDecision(state, epoch - 1, 'abort'));
  const move = rules.nextMove(viewSwitch(state, rules));
  if (move.kind === 'enlist') {
    const listed: Regime = { ...regime, switching: { ...regime.switching, members: [] } };
    emit('enlist', { ...state, regime: listed, tasks: enlisted(epoch) });
  }
  if (move.kind === 'decide' && move.outcome === 'commit' && !intents[epoch - 1]) {
    emit(`justify commit ${epoch}`, { ...state, intents: intents.map((each, at) => each || at === epoch - 1) });
  }
}

type Emit = (name: string, state: ModelState) => void;

/** Also by one that has read the regime of an earlier switch. */
function stepSettle(state: ModelState, rules: Rules, emit: Emit): void {
  const { regime, decisions } = state;
  for (let epoch = 1; epoch <= regime.epoch; epoch += 1) {
    const decision = decisions[epoch - 1];
    const isAsRead = epoch === regime.epoch && regime.switching !== undefined;
    if (!decision || !rules.mayOverwrite(isAsRead)) continue;
    const before = regimeBefore(state, epoch);
    const read = isAsRead ? regime : { ...before, epoch, switching: switching(other(before.side), true) };
    emit(`settle ${epoch}`, { ...state, regime: rules.settle(read, decision) });
  }
}

/** Calls of the hook arrive as those to tasks do. One that has once passed has, for a coordinator that acts on it later. */
function stepHook(state: ModelState, hook: ModelHookState, rules: Rules, emit: Emit): void {
  const { regime, decisions } = state;
  const put = (name: string, changed: Partial<ModelHookState>) =>
    emit(name, { ...state, hook: { ...hook, ...changed } });
  const isUnderWay = regime.switching !== undefined && hook.runs[regime.epoch - 1] === undefined;
  if (isUnderWay && rules.nextMove(viewSwitch(state, rules)).kind === 'hook')
    put(`hook starts ${regime.epoch}`, { runs: hook.runs.with(regime.epoch - 1, 'started') });
  hook.runs.forEach((run, at) => {
    const epoch = at + 1;
    const decision = decisions[at];
    const { side } = regimeBefore(state, epoch);
    const call = (name: string, to: Side, isFrozen: boolean) => {
      const next = rules.followCall(hook.backends[to], { epoch, isFrozen });
      if (next.epoch === hook.backends[to].epoch && next.isFrozen === hook.backends[to].isFrozen) return;
      put(`${name} ${epoch} arrives at ${to} backend`, { backends: { ...hook.backends, [to]: next } });
    };
    if (run) call('freeze', side, true);
    if (decision) call('thaw', decision === 'commit' ? other(side) : side, false);
    const { isFrozen, epoch: of } = hook.backends[side];
    const isProved = hook.kind === 'unproved' || rules.mayPass(isFrozen && of === epoch);
    if (run === 'started' && isProved) put(`hook passes ${epoch}`, { runs: hook.runs.with(at, 'passed') });
  });
}

function withDecision(state: ModelState, at: number, outcome: Outcome): ModelState {
  return { ...state, decisions: state.decisions.map((each, index) => (index === at ? outcome : each)) };
}

function viewSwitch(state: ModelState, rules: Rules) {
  const { regime, tasks, decisions } = state;
  const outcome = decisions[regime.epoch - 1];
  const run = state.hook?.runs[regime.epoch - 1];
  const hookFences = state.hook?.kind === 'fences';
  const decision: Decision | undefined = outcome && { outcome, by: 'model' };
  const members = tasks
    .filter(({ memberOf }) => memberOf === regime.epoch)
    .map((task) => rules.view(task, viewMember(task, regime)));
  return {
    epoch: regime.epoch,
    isFenced: run === 'passed' && hookFences,
    waitsForAbandoned: true,
    leaseMarginMs: 0,
    regime,
    decision,
    members,
    hook: viewHook(state.hook, run),
    hookFences,
    stop: undefined,
    hasReleased: true,
  };
}

function viewHook(hook: ModelHookState | undefined, run: ModelHookState['runs'][number]): HookState {
  if (!hook) return 'none';
  return run === 'passed' ? 'passed' : 'pending';
}

/**
 * What was seen once of a member stays known, however late it is acted on: a process that held with nothing in flight is
 * taken for one that still does. All else is as it is now.
 */
function viewMember(task: Task, { side, epoch }: Regime): MemberView {
  const { life, work, orphans, hold: held, wasEmpty, isFirstProcess } = task;
  const instance = 'first';
  const view = {
    life: life === 'dead' ? ('stopped' as const) : ('running' as const),
    instance,
    wasEmpty,
    hasOutlastedRequests: !orphans[side] && work[side] === 0,
  };
  if (life === 'dead' || life === 'absent') return view;
  if (wasEmpty && isFirstProcess) {
    const report = { state: 'holding' as const, epoch, leaseRemainingMs: 0, isOfSwitch: true };
    return { ...view, report: { instance, hold: report, inFlight: 0, abandoned: 0, hasLost: false } };
  }
  if (life !== 'up') return view;
  const works = Object.values(work);
  return {
    ...view,
    report: {
      instance: isFirstProcess ? instance : 'later',
      hold: holdReport(held, 0, LEASE.now),
      inFlight: works.filter((each) => each === 'inFlight').length,
      abandoned: works.filter((each) => each === 'abandoned').length,
      hasLost: false,
    },
  };
}

/** The promise: never is something at work at both backends. What runs at one that is frozen cannot write. */
export function findViolation({ tasks, hasStaleEpoch, hook }: ModelState): string | undefined {
  if (hasStaleEpoch) return 'a request carries another epoch than that of the last commit';
  const isAtWork = (side: Side) =>
    !hook?.backends[side].isFrozen && tasks.some(({ work, orphans }) => work[side] !== 0 || orphans[side]);
  return isAtWork('source') && isAtWork('target') ? 'both backends are at work' : undefined;
}

/** Every task serves where the regime says, and that side is not frozen. */
export function isSettled({ tasks, regime, hook }: ModelState): boolean {
  const live = tasks.filter(({ life }) => life === 'up');
  return (
    !regime.switching &&
    !hook?.backends[regime.side].isFrozen &&
    live.every(({ hold: held, side, home }) => held.state === 'none' && side === findServedSide(home, regime))
  );
}

/** One name for what does not differ. */
export function describeShared(shared: Shared): string {
  const { regime, decisions, intents, isShifted, apartAt, crashes, hands, hasStaleEpoch } = shared;
  const { epoch, committed, side, isJoined, switching: under } = regime;
  const mode = under ? `${under.to}${under.members !== undefined}` : '';
  const rest = [isShifted, apartAt, crashes, hands, hasStaleEpoch, describeHook(shared.hook)].join();
  return `${epoch},${committed}${side}${isJoined}${mode}|${decisions.join()}|${intents.join()}|${rest}`;
}

function describeHook(hook: ModelHookState | undefined): string {
  if (!hook) return '';
  const backends = SIDES.map((side) => `${hook.backends[side].epoch}${hook.backends[side].isFrozen}`);
  return `${hook.kind}${backends.join()}${hook.runs.join()}`;
}

export function describeTask(task: Task): string {
  const { home, life, side, work, orphans, hold: held, memberOf, isFirstProcess, wasEmpty, retargetedAt } = task;
  const mode = held.state === 'none' ? [held.releasedTo, held.outcome] : [held.outcomes?.commit, held.outcomes?.abort];
  const flags = [orphans.source, orphans.target, isFirstProcess, wasEmpty].map(Number);
  const known = [held.state, held.epoch, held.committed, ...mode, memberOf, retargetedAt];
  return [home, life, side, work.source, work.target, ...known, ...flags].join();
}
