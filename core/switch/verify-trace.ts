import type { HoldReport } from '../proxy/hold';
import { oneLine } from '../text/one-line';
import { SIDES, Side } from '../traffic/weights';
import { LEASE_MARGIN_MS, MemberState, MemberView, SwitchView, assess, nextMove } from './coordinator';
import type { Outcome } from './decision';
import { Regime, beginSwitch, settleRegime } from './regime';
import { Shared, Task, switching } from './switch-model';
import type { SwitchRecord } from './switch-record';
import { Sighting, SwitchEvent, SwitchEventKind, SwitchTrace, parseTasks } from './switch-trace';
import { StateSet, Surroundings, TaskStates, sharedAt, surround } from './task-states';

/** The first event that no switch by the protocol can have. */
export interface TraceFault {
  /** Counted from 1; one more than there are events, where one is missing at the end. */
  readonly event: number;
  /** What happened. */
  readonly what: string;
  /** The rule that it breaks, and what was found. */
  readonly rule: string;
}

export interface TraceVerdict {
  readonly events: number;
  readonly fault?: TraceFault;
  /** What the trace does not show. */
  readonly notes: readonly string[];
}

export type TracedSwitch = Pick<SwitchRecord, 'epoch' | 'from' | 'to' | 'outcome' | 'by' | 'members' | 'fence'> & {
  readonly trace: SwitchTrace;
};

/**
 * Replays the trace of a switch: what the coordinator did through `nextMove`, with what it knew at that time, and what it saw of
 * each task through the steps of the model. It stops at the first event that is no behaviour of either.
 */
export function verifyTrace(traced: TracedSwitch): TraceVerdict {
  const { events } = traced.trace;
  const replay = new Replay(traced);
  for (const [at, event] of events.entries()) {
    const rule = replay.follow(event);
    if (rule !== undefined) {
      return {
        events: events.length,
        notes: [],
        fault: { event: at + 1, what: describeEvent(event, traced.trace), rule },
      };
    }
  }
  const rule = replay.findLack();
  const fault = rule === undefined ? {} : { fault: { event: events.length + 1, what: 'the end of the trace', rule } };
  return { events: events.length, notes: replay.notes, ...fault };
}

/** What the coordinator knows of a member, and the states of the model that it can be in. */
interface Seen {
  readonly home: Side;
  states: StateSet;
  view: MemberView;
  hasHeld: boolean;
  /** At the last look. */
  isHeld: boolean;
  /** There is a look at it after the decision. */
  wasSeenAfter: boolean;
}

const MAX_WHAT = 200;
const INSTANCE = 'first';
const UNSEEN: MemberView = { life: 'running', instance: INSTANCE, wasEmpty: false, hasOutlastedRequests: false };
/** They depend on nothing but the model, and are found once. */
const STATES = new TaskStates();

class Replay {
  readonly notes: string[] = [];
  private readonly first: Regime;
  private regime: Regime;
  private decision: Outcome | undefined;
  private asked: Outcome | undefined;
  private hook: SwitchView['hook'] = 'none';
  private hookFences = false;
  private isReady = false;
  private hasConfirmedTargets = false;
  private hasHeld = false;
  private isSettled = false;
  private tasks: Seen[] = [];
  /** What the trace says that the store held in the end. */
  private readonly last: Outcome | undefined;
  /** Another call of the same execution was at work on the same switch. */
  private readonly hasTwin: boolean;
  private readonly isReadDecision: boolean;

  constructor(private readonly traced: TracedSwitch) {
    const { before, events } = traced.trace;
    // Epochs are those of the model: what was committed before is 0, and this switch is 1.
    this.first = { epoch: 0, committed: 0, side: before.side, isJoined: before.isJoined };
    this.regime = this.first;
    const decision = events.find((event) => event.kind === 'decision');
    this.last = decision?.outcome;
    this.isReadDecision = decision?.isRead ?? false;
    this.hasTwin = events.some((event) => event.kind === 'resume' || ('isRead' in event && event.isRead === true));
  }

  /** @returns the rule that it breaks */
  follow(event: SwitchEvent): string | undefined {
    if (this.isSettled) return 'nothing comes after the regime is settled';
    const isStart = event.kind === 'begin' || event.kind === 'resume';
    if (!isStart && !this.regime.switching) return 'a call begins a switch, or goes on with one, before all else';
    const rules: {
      readonly [Kind in SwitchEventKind]: (event: Extract<SwitchEvent, { kind: Kind }>) => string | undefined;
    } = {
      begin: () => this.begin(),
      resume: () => this.resume(),
      enlist: ({ isRead }) => this.enlist(isRead === true),
      hold: () => this.hold(),
      task: (seen) => this.see(seen.tasks, seen),
      hook: ({ state, fences }) => this.runHook(state, fences === true),
      ready: ({ leaseMs }) => this.getReady(leaseMs),
      targets: ({ strangers }) => this.confirmTargets(strangers),
      decide: ({ outcome }) => this.decide(outcome),
      decision: (found) => this.learn(found),
      released: ({ tasks, to }) => this.release(tasks, to),
      settle: (regime) => this.settle(regime),
    };
    const rule = rules[event.kind] as ((given: SwitchEvent) => string | undefined) | undefined;
    return rule ? rule(event) : `an event must be one of ${Object.keys(rules).join(', ')}`;
  }

  /** What is missing at the end. */
  findLack(): string | undefined {
    const { outcome } = this.traced;
    if (!this.decision) return 'a switch that has a record has a decision, got none';
    if (this.decision !== outcome) return `the record must say ${this.decision}, as the decision does, got ${outcome}`;
    if (!this.isSettled) return 'a switch ends with a settled regime, got none';
    return undefined;
  }

  private begin(): string | undefined {
    const { before } = this.traced.trace;
    if (before.side !== this.traced.from)
      return `a switch leaves the side that serves (${before.side}), got ${this.traced.from}`;
    const next = beginSwitch(this.regime, 1, switching(this.traced.to, false));
    if (!next) return 'a switch begins once, to the side that does not serve, when the last one is decided';
    this.regime = next;
    return undefined;
  }

  private resume(): string | undefined {
    if (this.hasHeld) return 'a call goes on with the switch of another one before it holds anything';
    this.regime = { ...this.regime, epoch: 1, switching: this.regime.switching ?? switching(this.traced.to, false) };
    return undefined;
  }

  private enlist(isRead: boolean): string | undefined {
    const isNext = nextMove(this.view()).kind === 'enlist';
    if (!isRead && !isNext) return 'the members are listed once, before anything is decided';
    const count = SIDES.reduce((sum, side) => sum + this.traced.trace.members[side], 0);
    if (count !== this.traced.members)
      return `the record must have as many members as the trace (${count}), got ${this.traced.members}`;
    const before = { ...this.first, committed: this.traced.trace.before.committed };
    this.tasks = SIDES.flatMap((home) => {
      const started = STATES.start(home, before, surround([sharedAt(this.first, this.first, undefined)], false));
      const underWay = STATES.reach(started, this.around());
      const seen = { home, states: underWay, view: UNSEEN, hasHeld: false, isHeld: false, wasSeenAfter: false };
      return Array.from({ length: this.traced.trace.members[home] }, () => ({ ...seen }));
    });
    this.regime = { ...this.regime, switching: switching(this.traced.to, true) };
    this.change((states) => STATES.reach(STATES.enlist(states), this.around()));
    return undefined;
  }

  private hold(): string | undefined {
    const { kind } = nextMove(this.view());
    if (kind !== 'hold')
      return `tasks are held after they are listed, and before a decision, got a hold where the next move is '${kind}'`;
    this.hasHeld = true;
    return undefined;
  }

  private see(numbers: string, sighting: Sighting): string | undefined {
    const { is, isRestarted } = sighting;
    const isHeld = is === 'holding' || is === 'deciding';
    const rule = checkFigures(sighting);
    if (rule !== undefined) return rule;
    return this.each(numbers, this.explain(sighting), (task) => {
      task.view = viewSighting(task.view, sighting);
      const isEmpty = !isRestarted && assess(task.view, this.view([])) === 'empty';
      if (isEmpty) task.view = { ...task.view, wasEmpty: true };
      task.hasHeld ||= isHeld;
      task.isHeld = isHeld;
      task.wasSeenAfter = this.decision !== undefined;
      const { side } = this.first;
      return STATES.filter(task.states, (state) => isSeenAs(state, sighting, side));
    });
  }

  private runHook(state: 'started' | 'passed' | 'failed', fences: boolean): string | undefined {
    if (state !== 'started') {
      if (this.hook !== 'pending') return `a hook ends after it has started, got '${state}'`;
      this.hook = state;
      return undefined;
    }
    this.hook = 'pending';
    this.hookFences = fences;
    const { kind } = nextMove(this.view());
    return kind === 'hook'
      ? undefined
      : `the hook runs when every task holds with nothing in flight, got ${this.describeStates()}`;
  }

  private getReady(leaseMs: number | undefined): string | undefined {
    const move = nextMove(this.view());
    if (move.kind !== 'decide' || move.outcome !== 'commit') {
      if (this.decision) return 'a commit is for a switch that is not decided';
      return `a commit needs every task to hold with nothing in flight, or to have ended so, got ${this.describeStates()}`;
    }
    if (!this.hasHeld) return 'a commit is of a call that has held the tasks';
    if (this.traced.fence === 'frozen' && !(this.hook === 'passed' && this.hookFences))
      return 'a commit that a hook fences needs it to have frozen the side that is left';
    const holds = this.tasks.some(({ view }) => view.life === 'running');
    const isShort = holds && !(leaseMs !== undefined && leaseMs >= LEASE_MARGIN_MS);
    if (isShort) return `a commit needs at least ${LEASE_MARGIN_MS} ms of every lease, got ${leaseMs ?? 'nothing'}`;
    this.isReady = true;
    // From here on another call of the same execution may have written the commit, and released tasks.
    this.change((states) => STATES.reach(states, this.around()));
    return undefined;
  }

  private confirmTargets(strangers: number): string | undefined {
    if (!this.isReady) return 'the registered targets are compared when all else is there';
    this.hasConfirmedTargets = strangers === 0;
    return undefined;
  }

  private decide(outcome: Outcome): string | undefined {
    if (this.asked) return `a call asks for one decision, got a second one`;
    if (this.decision) return `the first decision stands (${this.decision})`;
    if (outcome === 'commit' && !this.isReady) {
      return `a commit needs every task to hold with nothing in flight, or to have ended so, got ${this.describeStates()}`;
    }
    if (outcome === 'commit' && !this.hasConfirmedTargets) {
      return 'a commit needs every registered target to be a member';
    }
    this.asked = outcome;
    this.change((states) => STATES.reach(states, this.around()));
    return undefined;
  }

  private learn({ outcome, by, isRead }: Extract<SwitchEvent, { kind: 'decision' }>): string | undefined {
    if (this.decision && this.decision !== outcome)
      return `the first decision stands (${this.decision}), got ${outcome}`;
    if (!isRead && this.asked !== outcome) {
      return `what a call writes is what it asked for (${this.asked ?? 'nothing'}), got ${outcome}`;
    }
    if (by !== this.traced.by) return `the record must name who decided (${by}), got ${this.traced.by}`;
    if (isRead && outcome === 'commit')
      this.notes.push('another call wrote the commit: what it rests on is not in this trace');
    this.decision = outcome;
    this.change((states) => STATES.reach(states, this.around()));
    return undefined;
  }

  private release(numbers: string, to: Side): string | undefined {
    const { decision } = this;
    if (!decision) return 'a task is released after the decision';
    return this.each(numbers, this.explain({ is: 'notHolding', endedTo: to }), (task) => {
      task.isHeld = false;
      task.wasSeenAfter = true;
      return STATES.filter(task.states, (state) => hasEnded(state, to));
    });
  }

  private settle({ committed, side, isJoined, isRead }: Extract<SwitchEvent, { kind: 'settle' }>): string | undefined {
    const { decision, traced } = this;
    if (!decision) return 'the regime is settled after the decision';
    const open = this.tasks.filter(({ hasHeld, wasSeenAfter }) => hasHeld && !wasSeenAfter).length;
    if (!isRead && open > 0) {
      return `every task that held is told of the decision before the regime is settled, got ${open} that were not`;
    }
    const before = { ...traced.trace.before, epoch: traced.epoch, switching: switching(traced.to, true) };
    const wanted = settleRegime(before, decision);
    if (wanted.committed !== committed || wanted.side !== side || wanted.isJoined !== isJoined) {
      return `after a ${decision} the regime is ${describeRegime(wanted)}, got ${describeRegime({ committed, side, isJoined })}`;
    }
    this.isSettled = true;
    const isOpen = ({ view, isHeld }: Seen) => isHeld || (view.life === 'running' && !view.report && isRead !== true);
    const left = this.tasks.filter(isOpen).length;
    if (left > 0) this.notes.push(`${left} had not followed yet: such a task asks the store before it forwards`);
    return undefined;
  }

  /** @param change to the states of each of them, which must leave one. @param rule that is broken otherwise */
  private each(numbers: string, rule: string, change: (task: Seen) => StateSet): string | undefined {
    let wanted: number[];
    try {
      wanted = parseTasks(numbers, this.tasks.length);
    } catch (error) {
      return (error as Error).message;
    }
    for (const number of wanted) {
      const task = this.tasks[number]!;
      const states = change(task);
      if (states.ids.length === 0) return rule;
      task.states = STATES.reach(states, this.around());
    }
    return undefined;
  }

  /** What a task that was seen so has not kept to. */
  private explain({ is, inFlight = 0, endedTo }: Sighting): string {
    const { last, decision = last } = this;
    if (is === 'stopped') return 'a task that has stopped with nothing at a backend has no process';
    if (is === 'holding' && inFlight > 0) return 'a task that holds begins no request';
    if (is !== 'notHolding') return 'an epoch belongs to one hold: a task that has ended it does not begin it again';
    if (!endedTo) return 'a task holds until the decision, and one that starts meanwhile holds, too';
    if (!decision) return `the hold of a switch ends by its decision alone, got a task that forwards to the ${endedTo}`;
    return `the hold of a switch ends by its decision alone (${decision}), got a task that forwards to the ${endedTo}`;
  }

  private change(next: (states: StateSet) => StateSet): void {
    for (const task of this.tasks) task.states = next(task.states);
  }

  /** Every regime and decision that a task could find in the store now. */
  private around(): Surroundings {
    const { first, regime, last, decision } = this;
    const mayBeWritten = last !== undefined && (this.isReadDecision || this.isReady || this.asked !== undefined);
    const decisions = decision ? [decision] : [undefined, ...(mayBeWritten ? [last] : [])];
    const shared: Shared[] = decisions.map((each) => sharedAt(first, regime, each));
    if (this.hasTwin && regime.switching && (decision ?? (mayBeWritten && last))) {
      const outcome = decision ?? last!;
      shared.push(sharedAt(first, settleRegime(regime, outcome), outcome));
    }
    return surround(shared, last === 'abort');
  }

  private view(members = this.tasks.map(({ view }) => view)): SwitchView {
    const { regime, hook, decision, traced } = this;
    return {
      epoch: 1,
      regime,
      hook,
      decision: decision && { outcome: decision, by: traced.by },
      members,
      hookFences: this.hookFences,
      isFenced: (hook === 'passed' && this.hookFences) || traced.fence === 'epoch',
      waitsForAbandoned: traced.fence === 'drainedAndAbandoned',
      leaseMarginMs: 0,
      stop: undefined,
      hasReleased: false,
    };
  }

  private describeStates(): string {
    const view = this.view();
    const counts = new Map<MemberState, number>();
    for (const member of view.members) {
      const state = assess(member, view);
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    return counts.size === 0 ? 'no task' : [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
  }
}

/** One of several tasks with the same; figures are of all of them. */
function viewSighting(view: MemberView, sighting: Sighting): MemberView {
  const { is, inFlight = 0, abandoned = 0, isRestarted, hasLost, hasOutlasted, endedTo } = sighting;
  const { instance, wasEmpty } = view;
  const life = is === 'stopped' ? 'stopped' : 'running';
  const known = { life, instance, wasEmpty, hasOutlastedRequests: hasOutlasted === true } as const;
  if (is === 'stopped' || is === 'silent') return known;
  const isHolding = is === 'holding';
  const epoch = isHolding || is === 'deciding' || endedTo ? 1 : 0;
  const state: HoldReport['state'] = is === 'notHolding' ? 'none' : is;
  const report = {
    instance: isRestarted ? 'later' : instance,
    // How long leases are is said where it counts: before the decision.
    hold: { state, epoch, leaseRemainingMs: 0, isOfSwitch: isHolding },
    ...{ inFlight, abandoned, hasLost: hasLost === true },
  };
  return { ...known, report };
}

/** Whether a look at a task in this state of the model can have found that. */
function isSeenAs(task: Task, sighting: Sighting, left: Side): boolean {
  const { is, isRestarted, hasOutlasted } = sighting;
  const { life, work, orphans } = task;
  if (is === 'silent') return true;
  // What a later process has in flight is in its report: only what the first had sent has ended.
  if (hasOutlasted && (orphans[left] || work[left] === 'abandoned')) return false;
  if (is === 'stopped') return life === 'dead';
  return life === 'up' && (isRestarted === true || task.isFirstProcess) && isHeldAs(task, sighting);
}

function isHeldAs(task: Task, { is, inFlight = 0, endedTo, isLater }: Sighting): boolean {
  const { hold, work } = task;
  const isOfEpoch = hold.epoch === 1;
  const isHolding = isOfEpoch && hold.state === 'holding' && hold.outcomes !== undefined;
  if (is === 'holding') return isHolding && inFlight > 0 === SIDES.some((side) => work[side] === 'inFlight');
  if (is === 'deciding') return isOfEpoch && hold.state === 'deciding';
  if (isLater) return !isOfEpoch || hold.state === 'none';
  return endedTo ? hasEnded(task, endedTo) : !isOfEpoch;
}

function hasEnded({ life, hold, side }: Task, to: Side): boolean {
  return life === 'up' && hold.state === 'none' && hold.epoch === 1 && side === to;
}

function checkFigures({ is, inFlight, abandoned }: Sighting): string | undefined {
  if (is !== 'holding' || (inFlight !== undefined && abandoned !== undefined)) return undefined;
  return `what is in flight and abandoned at a task that holds must be known, got ${JSON.stringify({ inFlight, abandoned })}`;
}

function describeRegime({ committed, side, isJoined }: Pick<Regime, 'committed' | 'side' | 'isJoined'>): string {
  return `${side}, ${isJoined ? 'joined' : 'apart'}, committed ${committed}`;
}

/** `released 0-1 (s0 s0/1, s1 s1/1) to=target` */
function describeEvent(event: SwitchEvent, { names }: SwitchTrace): string {
  const facts = Object.entries(event)
    .filter(([key]) => !['atMs', 'untilMs', 'kind', 'tasks'].includes(key))
    .map(([key, value]) =>
      value === true ? key : `${key}=${typeof value === 'object' ? JSON.stringify(value) : value}`,
    );
  const tasks = 'tasks' in event ? [event.tasks, `(${nameTasks(event.tasks, names)})`] : [];
  return oneLine([event.kind, ...tasks, ...facts].join(' '), MAX_WHAT);
}

function nameTasks(numbers: string, names: readonly string[]): string {
  const first = Number(/^\d+/.exec(numbers)?.[0]);
  return names[first] ?? 'no name';
}
