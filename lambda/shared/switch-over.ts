import type { LedgerReport } from '../../core/proxy/admin-api';
import { total } from '../../core/proxy/connections';
import type { HoldOrder } from '../../core/proxy/hold';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import {
  HookState,
  MemberReport,
  MemberState,
  MemberView,
  SwitchView,
  assess,
  nextMove,
} from '../../core/switch/coordinator';
import type { Decision, Outcome } from '../../core/switch/decision';
import { Member, Regime, beginSwitch, findOutcomes, isMember, settleRegime } from '../../core/switch/regime';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Side } from '../../core/traffic/weights';
import { CALLS_AT_ONCE, pooled } from '../contract/concurrently';
import { settleWithin } from '../contract/settle';
import type { StoredRegime, SwitchPorts, SwitchTask } from '../contract/switch-ports';

/** The freeze hook of a switch. */
export interface SwitchHook {
  /** Resolves when the side that is left is frozen, and what had to go along has gone. @throws Error when it failed */
  run(epoch: number): Promise<void>;
  /** After an abort; it may never have been frozen. */
  undo(epoch: number): Promise<void>;
}

export interface SwitchRequest {
  readonly to: Side;
  readonly execution: string;
  readonly plan: SwitchPlan;
  readonly hook?: SwitchHook;
  /** Why it must be given up: an operator, a lock that is lost. Asked now and then. */
  readonly findStop: () => Promise<string | undefined>;
}

/** Of a lease; renewed at half of it. A coordinator that dies costs its clients as much. */
const LEASE_MS = 2_000;
const LEASE_MARGIN_MS = 500;
/** A task that does not respond by then is unknown in this look. */
const CALL_MS = 1_500;
/** Between two looks while something is still in flight. */
const LOOK_MS = 5;
const STOP_LOOK_MS = 1_000;
/** Between two lists of the tasks while one of them does not respond. */
const LIST_MS = 500;

/**
 * Makes one attempt to switch, or goes on with the one of the same execution that is under way. Whatever it does can be
 * done twice, and by two at a time: what counts is in the store.
 *
 * @returns undefined where another execution's switch is under way, or the regime was changed by another one just now
 */
export async function switchOver(request: SwitchRequest, ports: SwitchPorts): Promise<SwitchRecord | undefined> {
  const stored = await claim(request, ports);
  if (!stored) return undefined;
  const coordinator = new Coordinator(request, ports, stored);
  try {
    return await coordinator.run();
  } finally {
    coordinator.close();
  }
}

/** Writes the regime of a new switch, unless the one of this execution is there. */
async function claim({ to, execution, plan }: SwitchRequest, ports: SwitchPorts): Promise<StoredRegime | undefined> {
  const stored = await ports.store.readRegime();
  const { regime } = stored;
  if (regime.switching) return regime.switching.execution === execution ? stored : undefined;
  const epoch = await findNextEpoch(regime, ports);
  const limits = holdLimits(plan);
  const next = beginSwitch(regime, epoch, { to, execution, leaseMs: limits.maxHoldMs, limits });
  return next && ports.store.writeRegime(next, stored.etag);
}

/** Over all that a task has seen: a hold by hand may have had a higher one. */
async function findNextEpoch(regime: Regime, ports: SwitchPorts): Promise<number> {
  const tasks = await ports.listTasks();
  const epochs = await pooled(tasks, CALLS_AT_ONCE, async ({ session }) => {
    const seen = session && (await settleWithin(CALL_MS, 'reading a task', () => session.report()));
    session?.close();
    return seen && 'value' in seen ? seen.value.hold.epoch : 0;
  });
  return Math.max(regime.epoch, ...epochs) + 1;
}

function holdLimits({ maxPauseMs, maxWaiting }: SwitchPlan) {
  // What a store that is away may cost a request, beyond the pause.
  const maxMs = 2 * maxPauseMs + 10_000;
  return { maxWaiting, maxWaitMs: maxMs, maxHoldMs: maxMs };
}

/** What is known of a member. */
interface Known {
  readonly member: Member;
  task: SwitchTask | undefined;
  report: LedgerReport | undefined;
  wasEmpty: boolean;
}

class Coordinator {
  private regime: Regime;
  private etag: string | undefined;
  private decision: Decision | undefined;
  private known: readonly Known[] = [];
  private hook: HookState;
  private hasReleased = false;
  private stop: string | undefined;
  private stopLookMs = Number.NEGATIVE_INFINITY;
  private listedMs = Number.NEGATIVE_INFINITY;
  private firstHoldMs: number | undefined;
  private readonly startedAt: string;
  private maxWaiting = 0;
  private abandoned = 0;
  private readonly marks: { heldMs?: number; emptyMs?: number; decidedMs?: number; releasedMs?: number } = {};

  constructor(
    private readonly request: SwitchRequest,
    private readonly ports: SwitchPorts,
    stored: StoredRegime,
  ) {
    this.regime = stored.regime;
    this.etag = stored.etag;
    this.hook = request.hook ? 'pending' : 'none';
    this.startedAt = new Date(ports.now()).toISOString();
  }

  async run(): Promise<SwitchRecord | undefined> {
    const { epoch } = this.regime;
    this.decision = await this.ports.store.readDecision(epoch);
    if (this.regime.switching?.members) await this.meet(this.regime.switching.members);
    for (;;) {
      const move = nextMove(this.view());
      switch (move.kind) {
        case 'enlist':
          if (!(await this.enlist())) return undefined;
          break;
        case 'hold':
          await this.hold();
          break;
        case 'hook':
          await this.runHook();
          break;
        case 'decide':
          await this.decide(move.outcome, move.outcome === 'abort' ? move.why : undefined);
          break;
        case 'release':
          await this.release();
          break;
        case 'settle':
          await this.settle();
          break;
        case 'done':
          return this.record();
      }
    }
  }

  close(): void {
    for (const { task } of this.known) task?.session?.close();
  }

  private get epoch(): number {
    return this.regime.epoch;
  }

  private view(): SwitchView {
    const { regime, decision, hook, hasReleased } = this;
    const members = this.known.map((known) => this.viewMember(known));
    const rules = this.rules();
    const stop = this.stop ?? this.findOverdue(members);
    return { ...rules, regime, decision, members, hook, hasReleased, stop };
  }

  private rules() {
    const { fence } = this.request.plan;
    return {
      epoch: this.epoch,
      isFenced: fence === 'epoch' || this.hook === 'passed',
      waitsForAbandoned: fence === 'drainedAndAbandoned',
      leaseMarginMs: LEASE_MARGIN_MS,
    };
  }

  private viewMember({ member, task, report, wasEmpty }: Known): MemberView {
    const { instance } = member;
    const longestMs = this.request.plan.longestRequestSeconds * 1000;
    const sinceMs = task?.session ? report?.abandoned.sinceLastMs : this.sinceStopped(task);
    return {
      life: task?.session ? 'running' : 'stopped',
      instance,
      wasEmpty,
      hasOutlastedRequests: sinceMs !== undefined && sinceMs >= longestMs,
      ...(report && { report: summarize(report, longestMs) }),
    };
  }

  /** A task that ECS does not even list has stopped, and when is unknown. */
  private sinceStopped(task: SwitchTask | undefined): number | undefined {
    return task?.stoppedAtMs === undefined ? undefined : this.ports.now() - task.stoppedAtMs;
  }

  private findOverdue(members: readonly MemberView[]): string | undefined {
    const { maxPauseMs } = this.request.plan;
    if (this.decision || this.firstHoldMs === undefined) return undefined;
    const sinceMs = this.ports.now() - this.firstHoldMs;
    if (sinceMs < maxPauseMs) return undefined;
    return `the switch must be decided within ${maxPauseMs} ms, got ${countStates(members, this.rules())}`;
  }

  /** @returns false when another coordinator has written the regime */
  private async enlist(): Promise<boolean> {
    const { regime, ports } = this;
    const before: Regime = { ...regime, switching: undefined };
    const tasks = (await ports.listTasks()).filter(({ home, session }) => {
      if (isMember(home, before)) return true;
      session?.close();
      return false;
    });
    const reports = await pooled(tasks, CALLS_AT_ONCE, ({ session }) => readReport(session));
    const members = tasks.map(({ id, home }, at) => ({ id, home, instance: reports[at]?.instance ?? '' }));
    const next: Regime = { ...regime, switching: { ...regime.switching!, members } };
    this.known = tasks.map((task, at) => ({
      member: members[at]!,
      task,
      report: reports[at],
      wasEmpty: false,
    }));
    return this.write(next);
  }

  /** The members of a switch that another call has begun. */
  private async meet(members: readonly Member[]): Promise<void> {
    const tasks = new Map((await this.ports.listTasks()).map((task) => [task.id, task]));
    this.known = members.map((member) => ({
      member,
      task: tasks.get(member.id),
      report: undefined,
      wasEmpty: false,
    }));
    const wanted = new Set(members.map(({ id }) => id));
    for (const { id, session } of tasks.values()) if (!wanted.has(id)) session?.close();
  }

  private async write(next: Regime): Promise<boolean> {
    const written = await this.ports.store.writeRegime(next, this.etag);
    if (!written) return false;
    this.regime = written.regime;
    this.etag = written.etag;
    return true;
  }

  /** One look at all: those that hold, and whose lease is long enough, are asked; the others are told. */
  private async hold(): Promise<void> {
    const { ports } = this;
    await this.lookForStop();
    if (this.stop !== undefined) return;
    const isFirst = this.firstHoldMs === undefined;
    if (isFirst && !(await this.mayHold())) return;
    this.firstHoldMs ??= ports.now();
    await pooled(this.known, CALLS_AT_ONCE, (known) => this.holdOne(known));
    await this.findStopped();
    const states = this.known.map((known) => assess(this.viewMember(known), this.rules()));
    const waiting = this.known.reduce((sum, { report }) => sum + (report?.hold.waiting ?? 0), 0);
    this.maxWaiting = Math.max(this.maxWaiting, waiting);
    const isHeld = states.every((state) => !['notHolding', 'unknown', 'unaccounted'].includes(state));
    if (isHeld) this.marks.heldMs ??= this.sinceHold();
    if (states.every((state) => state === 'empty' || state === 'gone')) this.marks.emptyMs ??= this.sinceHold();
    else await ports.pause(LOOK_MS);
  }

  /** Before anything waits: a hold that cannot come to its end must not start. */
  private async mayHold(): Promise<boolean> {
    const { maxInFlight } = this.request.plan;
    const reports = await pooled(this.known, CALLS_AT_ONCE, ({ task }) => readReport(task?.session));
    this.known.forEach((known, at) => (known.report = reports[at]));
    const unknown = this.known.filter(({ task, report }) => task?.session && !report).length;
    const inFlight = reports.reduce((sum, report) => sum + (report ? total(report.active) : 0), 0);
    if (unknown > 0) this.stop = `every task must respond before requests are held, got ${unknown} that do not`;
    if (inFlight > maxInFlight) {
      this.stop = `at most ${maxInFlight} requests and connections may be in flight, got ${inFlight}`;
    }
    return this.stop === undefined;
  }

  private async holdOne(known: Known): Promise<void> {
    const session = known.task?.session;
    if (!session) return;
    const { hold } = known.report ?? {};
    const isHeld = hold?.state === 'holding' && hold.epoch === this.epoch && hold.leaseRemainingMs > LEASE_MS / 2;
    const call = isHeld ? () => session.report() : () => session.hold(this.orderFor(known.member));
    const seen = await settleWithin(CALL_MS, `calling the task ${known.member.id}`, call);
    known.report = 'value' in seen ? seen.value : undefined;
    const view = this.viewMember(known);
    const isOwn = known.report?.instance === known.member.instance;
    if (isOwn && assess(view, { ...this.rules(), leaseMarginMs: 0 }) === 'empty') known.wasEmpty = true;
  }

  /** Of those that do not respond ECS may know that they have stopped, and when. */
  private async findStopped(): Promise<void> {
    const unknown = this.known.filter(({ task, report }) => task?.session && !report);
    const nowMs = this.ports.now();
    if (unknown.length === 0 || nowMs - this.listedMs < LIST_MS) return;
    this.listedMs = nowMs;
    const listed = await settleWithin(CALL_MS, 'listing the tasks', () => this.ports.listTasks());
    if (!('value' in listed)) return;
    const found = new Map(listed.value.map((task) => [task.id, task]));
    for (const task of listed.value) task.session?.close();
    for (const known of unknown) {
      const task = found.get(known.member.id);
      if (task?.session) continue;
      known.task?.session?.close();
      known.task = task;
    }
  }

  private orderFor({ home }: Member): HoldOrder {
    const { regime, request } = this;
    return {
      epoch: this.epoch,
      leaseMs: LEASE_MS,
      ...holdLimits(request.plan),
      minIntervalMs: 0,
      outcomes: findOutcomes(home, regime, request.to),
      endsStreams: true,
      dryRun: false,
    };
  }

  private async lookForStop(): Promise<void> {
    const nowMs = this.ports.now();
    if (nowMs - this.stopLookMs < STOP_LOOK_MS) return;
    this.stopLookMs = nowMs;
    this.stop = await this.request.findStop();
  }

  private async runHook(): Promise<void> {
    const { hook, plan } = this.request;
    const leftMs = plan.maxPauseMs - this.sinceHold();
    const renewal = setInterval(() => void this.renew(), LEASE_MS / 4);
    try {
      const done = await settleWithin(Math.max(1, leftMs), 'the hook', () => hook!.run(this.epoch));
      this.hook = 'value' in done ? 'passed' : 'failed';
      if ('problem' in done) this.stop = `the hook must pass, got ${done.problem}`;
    } finally {
      clearInterval(renewal);
    }
  }

  private async renew(): Promise<void> {
    await pooled(this.known, CALLS_AT_ONCE, async ({ task, member }) => {
      const session = task?.session;
      if (session) await settleWithin(CALL_MS, 'renewing a lease', () => session.hold(this.orderFor(member)));
    });
  }

  private async decide(outcome: Outcome, why: string | undefined): Promise<void> {
    const { execution, plan } = this.request;
    const isDry = plan.dryRun && outcome === 'commit';
    const decision: Decision = isDry
      ? { outcome: 'abort', by: execution, why: 'a dry run: everything was ready for a commit' }
      : { outcome, by: execution, ...(why !== undefined && { why }) };
    this.abandoned = this.known.filter(({ report }) => this.isRecentlyAbandoned(report)).length;
    this.decision = await this.ports.store.decide(this.epoch, decision);
    if (this.firstHoldMs !== undefined) this.marks.decidedMs = this.sinceHold();
    if (this.decision.outcome === 'abort' && this.request.hook && this.hook !== 'pending') {
      await settleWithin(CALL_MS, 'undoing the hook', () => this.request.hook!.undo(this.epoch));
    }
  }

  private isRecentlyAbandoned(report: LedgerReport | undefined): boolean {
    const sinceMs = report?.abandoned.sinceLastMs;
    return sinceMs !== undefined && sinceMs < this.request.plan.longestRequestSeconds * 1000;
  }

  /** A task that does not respond asks for the decision itself. */
  private async release(): Promise<void> {
    const { regime, decision, request } = this;
    await pooled(this.known, CALLS_AT_ONCE, async ({ task, member }) => {
      const session = task?.session;
      if (!session) return;
      const to = findOutcomes(member.home, regime, regime.switching!.to)[decision!.outcome];
      const order = { epoch: this.epoch, to, rampPerSecond: request.plan.rampPerSecond };
      await settleWithin(CALL_MS, `releasing the task ${member.id}`, () => session.release(order));
    });
    this.hasReleased = true;
    if (this.firstHoldMs !== undefined) this.marks.releasedMs = this.sinceHold();
  }

  private async settle(): Promise<void> {
    if (await this.write(settleRegime(this.regime, this.decision!.outcome))) return;
    // Another coordinator has: of the same switch, or it is long over.
    const { regime, etag } = await this.ports.store.readRegime();
    if (regime.epoch === this.epoch) {
      this.regime = regime;
      this.etag = etag;
    } else this.regime = settleRegime(this.regime, this.decision!.outcome);
  }

  private sinceHold(): number {
    return this.ports.now() - (this.firstHoldMs ?? this.ports.now());
  }

  private record(): SwitchRecord | undefined {
    const { decision, request, epoch, known, abandoned, maxWaiting, marks, startedAt } = this;
    if (!decision) return undefined;
    const from = request.to === 'source' ? 'target' : 'source';
    return {
      epoch,
      from,
      to: request.to,
      outcome: decision.outcome,
      ...(decision.why !== undefined && { why: decision.why }),
      by: decision.by,
      startedAt,
      members: known.length,
      fence: this.hook === 'passed' ? 'hook' : request.plan.fence,
      abandoned,
      maxWaiting,
      ...marks,
    };
  }
}

async function readReport(session: SwitchTask['session']): Promise<LedgerReport | undefined> {
  const seen = session && (await settleWithin(CALL_MS, 'reading a task', () => session.report()));
  return seen && 'value' in seen ? seen.value : undefined;
}

function summarize({ instance, hold, active, abandoned }: LedgerReport, longestMs: number): MemberReport {
  const isRecent = abandoned.sinceLastMs !== undefined && abandoned.sinceLastMs < longestMs;
  return { instance, hold, inFlight: total(active), abandoned: isRecent ? 1 : 0 };
}

function countStates(members: readonly MemberView[], rules: Parameters<typeof assess>[1]): string {
  const counts = new Map<MemberState, number>();
  for (const member of members) {
    const state = assess(member, rules);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}
