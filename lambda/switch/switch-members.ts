import type { SwitchPlan } from '../../core/plan/switch-plan';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { STREAM_KINDS, StreamKind, total } from '../../core/proxy/connections';
import { NO_MOVES, addMoves, movesSince } from '../../core/moves/moves';
import { fitHoldOrder } from '../../core/proxy/fit-order';
import { HoldOrder, NO_HOLD_FIGURES, ReleaseOrder, combineHoldFigures } from '../../core/proxy/hold';
import type { StreamCounts, SwitchRecord } from '../../core/switch/switch-record';
import { MemberReport, MemberState, MemberView, SwitchRules, assess } from '../../core/switch/coordinator';
import { Member, Regime, findServedSide } from '../../core/switch/regime';
import { SIDES, Side } from '../../core/traffic/weights';
import { firstLines } from '../../core/cutover/state-size';
import { CALLS_AT_ONCE, pooled } from '../contract/concurrently';
import { settleWithin } from '../contract/settle';
import { Slots } from '../contract/slots';
import type { SwitchPorts, SwitchTask, TaskSession } from '../contract/switch-ports';
import { SwitchProbe, findProbeProblems } from './switch-probe';

/**
 * Of a lease; renewed at half of it. A coordinator that dies costs its clients as much. One round over many tasks takes longer:
 * `each` is for one of them.
 */
const LEASE_MS = { base: 2_000, each: 4 } as const;
/** Between two looks at the whole, for each member: each of them could be news. */
const SETTLE_MS_EACH = 0.01;
/** A task that does not respond by then is unknown in this look. */
const CALL_MS = 1_500;
/** What a backend has that is asked before requests are held. */
const PROBE_MS = 3_000;
/** Of the tasks of a side that are asked for the backend right before the decision. */
const MAX_CONFIRMING = 3;
/** For the release of a task that did not respond the last time. */
const SILENT_RELEASE_MS = 300;
/** Between two looks at a task that has something in flight, and at one that has nothing any more. */
const LOOK_MS = 5;
const EMPTY_LOOK_MS = { min: 25, max: 500 } as const;
/** Between two looks at a task that does not respond. */
const UNKNOWN_LOOK_MS = 50;
/** Between two lists of the tasks while one of them does not respond. */
const LIST_MS = 500;
/** A hold that is rejected once may have met a lost response. */
const MAX_REJECTIONS = 2;

/** What is known of a member. */
interface Known {
  readonly member: Member;
  task: SwitchTask | undefined;
  /** Absent of a task that did not respond to the last call. */
  report: LedgerReport | undefined;
  /** Before anything was held. */
  first: LedgerReport | undefined;
  /** When that was asked for. */
  heardMs: number;
  wasEmpty: boolean;
  /** Since when another process responds in place of the first. */
  otherSinceMs: number | undefined;
  /** Calls to hold in a row that were rejected by a task that responds, and why. */
  rejections: number;
  rejection: string | undefined;
  /** As the last look found it. */
  state: MemberState | undefined;
}

export interface SeenMember {
  readonly member: Member;
  readonly view: MemberView;
  /** Absent of one that did not respond. */
  readonly upstream: Side | undefined;
}

/** What the members are held by, as it is at the time of each call. */
export interface Holding {
  readonly orderFor: (member: Member) => HoldOrder;
  readonly rules: () => SwitchRules;
  /** Something is known that was not. */
  readonly changed: () => void;
  /** A task says that the hold of this epoch has ended. */
  readonly overheard: () => void;
  /** A task was looked at. */
  readonly seen: (found: SeenMember) => void;
}

/**
 * The members of a switch, and what is known of each. Each is followed by itself: one that hangs keeps no other from being
 * held, renewed and read.
 */
export class SwitchMembers {
  /** Requests that waited at the same time, at the most. */
  maxWaiting = 0;
  private waiting = 0;
  private known: readonly Known[] = [];
  private isFollowing = false;
  private listedMs = Number.NEGATIVE_INFINITY;
  private readonly slots = new Slots(CALLS_AT_ONCE);

  constructor(
    private readonly ports: SwitchPorts,
    private readonly plan: SwitchPlan,
  ) {}

  get leaseMs(): number {
    return LEASE_MS.base + LEASE_MS.each * this.known.length;
  }

  /** How long to collect what is new before all members are assessed, so that the work grows with them and not faster. */
  get settleMs(): number {
    return Math.round(SETTLE_MS_EACH * this.known.length);
  }

  /** Of those that responded to the last call. */
  get sessions(): readonly TaskSession[] {
    const responding = this.known.filter(({ report }) => report !== undefined);
    const some = responding.length > 0 ? responding : this.known;
    return some.flatMap(({ task }) => task?.session ?? []);
  }

  /** The addresses of those that have one. */
  get addresses(): readonly string[] {
    return this.known.flatMap(({ task }) => task?.address ?? []);
  }

  /**
   * Every task of both sides, with the process that it is now; and why they do not forward as the regime says. Those of the
   * other side must know of the switch, too: the epoch that their requests carry afterwards.
   */
  async enlist(regime: Regime): Promise<{ readonly members: readonly Member[]; readonly problem?: string }> {
    const tasks = await this.ports.listTasks();
    const reports = await this.readAll(tasks);
    this.close();
    const known = tasks.map((task, at) => {
      const member = { id: task.id, home: task.home, instance: reports[at]?.instance ?? '' };
      return this.begin(member, task, reports[at]);
    });
    this.known = known;
    const strays = known.filter(
      ({ member, report }) => report && report.upstream !== findServedSide(member.home, regime),
    );
    const members = this.known.map(({ member }) => member);
    if (strays.length === 0) return { members };
    const got = firstLines(strays.map(({ member, report }) => `${member.id} to the ${report?.upstream}`)).join(', ');
    return { members, problem: `every task must forward as the regime says before requests are held, got ${got}` };
  }

  /** Those of a switch that another call has begun. */
  async meet(members: readonly Member[]): Promise<void> {
    const tasks = new Map((await this.ports.listTasks()).map((task) => [task.id, task]));
    this.close();
    this.known = members.map((member) => this.begin(member, tasks.get(member.id), undefined));
    const wanted = new Set(members.map(({ id }) => id));
    for (const { id, session } of tasks.values()) if (!wanted.has(id)) session?.close();
  }

  /** Reads each once. @returns how many of those that should respond do not, and what is in flight at the others */
  async look(): Promise<{ readonly unknown: number; readonly inFlight: number }> {
    const sentMs = this.ports.now();
    const reports = await this.readAll(this.known.map(({ task }) => task));
    this.known.forEach((known, at) => this.hear(known, reports[at], sentMs));
    for (const known of this.known) known.first ??= known.report;
    const unknown = this.known.filter(({ task, report }) => task?.session && !report).length;
    const inFlight = reports.reduce((sum, report) => sum + (report ? total(report.active) : 0), 0);
    return { unknown, inFlight };
  }

  /**
   * Asks each once to try what it needs after a commit. It has done all of that shortly before, and its connections are open,
   * when requests wait.
   *
   * @returns why some cannot
   */
  async probe(to: Side, probe: SwitchProbe): Promise<string | undefined> {
    const { path, host } = probe;
    const order = { to, path, ...(host !== undefined && { host }) };
    const found = await pooled(this.known, CALLS_AT_ONCE, async ({ task, member }) => {
      const { session } = task ?? {};
      if (!session) return [];
      const what = `probing the ${to}`;
      const problems = findProbeProblems(await settleWithin(PROBE_MS, what, () => session.probe(order)), probe);
      return Object.values(problems).map((problem) => `of ${member.id}: ${problem}`);
    });
    const problems = firstLines(found.flat()).join(', ');
    const rule = `every task must reach the store and the backend of the ${to} before requests are held`;
    return problems === '' ? undefined : `${rule}, got ${problems}`;
  }

  /**
   * Asks a few tasks of each side, right before the decision, whether the backend that is switched to still responds. One of
   * each side is enough: a task that hangs says nothing of the backend.
   *
   * @returns why it does not, or not in time
   */
  async confirmBackend(
    to: Side,
    { path, host, expectedStatus }: SwitchProbe,
    limitMs: number,
  ): Promise<string | undefined> {
    const order = { to, path, ...(host !== undefined && { host }), isOfBackendAlone: true };
    const ask = async ({ task, member }: Known) => {
      const done = await settleWithin(limitMs, 'the last probe', () => task!.session!.probe(order));
      const [problem] = Object.values(findProbeProblems(done, { path, expectedStatus }));
      if (problem !== undefined) throw new Error(`of ${member.id}: ${problem}`);
    };
    const responding = this.known.filter(({ task, report }) => task?.session && report);
    const asked = SIDES.map((side) => responding.filter(({ member }) => member.home === side).slice(0, MAX_CONFIRMING));
    const rule = `the backend of the ${to} must respond right before the decision`;
    if (responding.length === 0) return `${rule}, got no task to ask it through`;
    const found = await Promise.allSettled(
      asked.filter((tasks) => tasks.length > 0).map((tasks) => Promise.any(tasks.map(ask))),
    );
    const failed = found.flatMap((each) =>
      each.status === 'rejected' ? ((each.reason as AggregateError).errors as Error[]) : [],
    );
    if (failed.length === 0) return undefined;
    return `${rule}, got ${failed.map(({ message }) => message).join(', ')}`;
  }

  views(): MemberView[] {
    return this.known.map((known) => this.view(known));
  }

  /** What `views` rests on, of the same members in the same order. */
  get found(): readonly Omit<SeenMember, 'view'>[] {
    return this.known.map(({ member, report }) => ({ member, upstream: report?.upstream }));
  }

  /** Why a member will not hold, however long it is asked. */
  findRejection(epoch: number): string | undefined {
    const rejecting = this.known.find(
      ({ rejections, report }) =>
        rejections >= MAX_REJECTIONS && report?.hold.state === 'none' && report.hold.epoch !== epoch,
    );
    return rejecting && `every task must hold, got of ${rejecting.member.id}: ${rejecting.rejection}`;
  }

  /** Holds each, and goes on to look at it and to renew its lease until `unfollow`. */
  follow(holding: Holding): void {
    if (this.isFollowing) return;
    this.isFollowing = true;
    for (const known of this.known) void this.followOne(known, holding);
    void this.followList(holding);
  }

  /** No lease is renewed any more. A call that is under way is not waited for: after a release it is rejected. */
  unfollow(): void {
    this.isFollowing = false;
  }

  /**
   * One that does not respond asks for the decision itself: it is told, and hardly waited for.
   *
   * @param released is called with what each was found like after it
   */
  async release(orderFor: (member: Member) => ReleaseOrder, released: (found: SeenMember) => void): Promise<void> {
    await pooled(this.known, CALLS_AT_ONCE, async (known) => {
      const { task, member } = known;
      if (task?.session) await this.releaseOne(known, task.session, orderFor(member));
      released({ member, view: this.view(known), upstream: known.report?.upstream });
    });
  }

  private async releaseOne(known: Known, session: TaskSession, order: ReleaseOrder): Promise<void> {
    const what = `releasing the task ${known.member.id}`;
    const limitMs = known.report ? CALL_MS : SILENT_RELEASE_MS;
    const sentMs = this.ports.now();
    let seen = await settleWithin(limitMs, what, () => session.release(order));
    // It rejects what it has done by itself otherwise, or what it never held for.
    const isRejected = 'problem' in seen && this.ports.now() - sentMs < limitMs;
    if (isRejected) seen = await settleWithin(limitMs, what, () => session.report());
    this.hear(known, 'value' in seen ? seen.value : undefined, sentMs);
  }

  /** What the hold came to, by the counters before it and after the release. Those that do not respond are left out. */
  get sums(): Pick<SwitchRecord, 'holds' | 'streams' | 'moves'> {
    const found = this.known.flatMap(({ first, report }) =>
      report ? [{ first: findSame(first, report), report }] : [],
    );
    const plus = (a: number, b: number) => a + b;
    const holds = found
      .map(({ first, report }) => combineHoldFigures(report.holds, first?.holds ?? NO_HOLD_FIGURES, (a, b) => a - b))
      .reduce((sum, each) => combineHoldFigures(sum, each, plus), NO_HOLD_FIGURES);
    const sumKinds = (read: (report: LedgerReport, kind: StreamKind) => number) =>
      Object.fromEntries(
        STREAM_KINDS.map((kind) => [
          kind,
          found.map(({ first, report }) => read(report, kind) - (first ? read(first, kind) : 0)).reduce(plus, 0),
        ]),
      ) as StreamCounts;
    const count = (how: 'closed' | 'forced') => sumKinds((report, kind) => countEnded(report, kind, how));
    const moved = found.filter(({ report }) => report.moves !== undefined);
    const figures = moved.map(({ first, report }) => movesSince(first?.moves ?? NO_MOVES, report.moves!));
    const moves = { ...figures.reduce(addMoves, NO_MOVES), moved: sumKinds(countJoined) };
    return {
      holds,
      streams: { closed: count('closed'), forced: count('forced') },
      ...(moved.length > 0 && { moves }),
    };
  }

  /** Whether connections have left their backend and not joined one yet, at tasks that respond. */
  get areMoving(): boolean {
    return this.known.some(({ report }) => (report?.moves?.underWay ?? 0) > 0);
  }

  /** Requests that were given up since the switch began, and one for each task that had given up some shortly before. */
  countAbandoned(before: ReadonlyMap<string, number>): number {
    return this.known.reduce((sum, { member, report }) => {
      if (!this.isRecentlyAbandoned(report)) return sum;
      return sum + Math.max(1, (report?.abandoned.total ?? 0) - (before.get(member.id) ?? 0));
    }, 0);
  }

  /** By member, as the last look saw it. */
  get abandonedTotals(): ReadonlyMap<string, number> {
    return new Map(this.known.map(({ member, report }) => [member.id, report?.abandoned.total ?? 0]));
  }

  states(rules: SwitchRules): ReadonlyMap<MemberState, number> {
    const counts = new Map<MemberState, number>();
    for (const member of this.views()) {
      const state = assess(member, rules);
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    return counts;
  }

  describeStates(rules: SwitchRules): string {
    return [...this.states(rules)].map(([state, count]) => `${count} ${state}`).join(', ');
  }

  close(): void {
    this.unfollow();
    for (const { task } of this.known) task?.session?.close();
  }

  private begin(member: Member, task: SwitchTask | undefined, report: LedgerReport | undefined): Known {
    const heardMs = this.ports.now();
    const nothing = {
      first: undefined,
      wasEmpty: false,
      otherSinceMs: undefined,
      rejections: 0,
      rejection: undefined,
      state: undefined,
    };
    return { member, task, report, heardMs, ...nothing };
  }

  private readAll(tasks: readonly (SwitchTask | undefined)[]): Promise<(LedgerReport | undefined)[]> {
    return pooled(tasks, CALLS_AT_ONCE, async (task) => {
      const { session } = task ?? {};
      const seen = session && (await settleWithin(CALL_MS, 'reading a task', () => session.report()));
      return seen && 'value' in seen ? seen.value : undefined;
    });
  }

  private hear(known: Known, report: LedgerReport | undefined, sentMs: number): void {
    this.waiting += (report?.hold.waiting ?? 0) - (known.report?.hold.waiting ?? 0);
    this.maxWaiting = Math.max(this.maxWaiting, this.waiting);
    known.report = report;
    known.heardMs = sentMs;
    if (report && report.instance !== known.member.instance) known.otherSinceMs ??= this.ports.now();
  }

  private async followOne(known: Known, holding: Holding): Promise<void> {
    while (this.isFollowing && known.task?.session) {
      await this.slots.run(() => this.ask(known, holding));
      if (!this.isFollowing) return;
      const view = this.view(known);
      holding.seen({ member: known.member, view, upstream: known.report?.upstream });
      const state = assess(view, holding.rules());
      if (state !== known.state) holding.changed();
      known.state = state;
      await this.ports.pause(this.untilNextLook(state));
    }
  }

  private untilNextLook(state: MemberState): number {
    if (state === 'unknown') return UNKNOWN_LOOK_MS;
    if (state !== 'empty') return LOOK_MS;
    // It can send nothing any more: all that is left is to renew its lease, and to count what waits.
    return Math.min(EMPTY_LOOK_MS.max, Math.max(EMPTY_LOOK_MS.min, this.known.length));
  }

  /** One that holds, and whose lease is long enough, is asked what it has in flight; another is told to hold. */
  private async ask(known: Known, holding: Holding): Promise<void> {
    const session = known.task?.session;
    if (!session || !this.isFollowing) return;
    const { member } = known;
    const order = fitHoldOrder(holding.orderFor(member), known.report ?? known.first);
    const { epoch } = order;
    const what = `calling the task ${member.id}`;
    const sentMs = this.ports.now();
    const isHeld = this.isHeld(known, epoch);
    const call = isHeld ? () => session.report() : () => session.hold(order);
    let seen = await settleWithin(CALL_MS, what, call);
    const rejection = isHeld || 'value' in seen ? undefined : seen.problem;
    const hasResponded = this.ports.now() - sentMs < CALL_MS;
    // What it does instead says whether the hold has ended, or never began.
    if (rejection !== undefined && hasResponded) seen = await settleWithin(CALL_MS, what, () => session.report());
    this.hear(known, 'value' in seen ? seen.value : undefined, sentMs);
    this.noteHold(known, rejection, holding, epoch);
  }

  private isHeld({ report, heardMs }: Known, epoch: number): boolean {
    if (report?.hold.state !== 'holding' || !report.hold.isOfSwitch || report.hold.epoch !== epoch) return false;
    return report.hold.leaseRemainingMs - (this.ports.now() - heardMs) > this.leaseMs / 2;
  }

  private noteHold(known: Known, rejection: string | undefined, { rules, overheard }: Holding, epoch: number): void {
    const { report, member } = known;
    const { hold } = report ?? {};
    const isHolding = hold?.state === 'holding' && hold.isOfSwitch && hold.epoch === epoch;
    known.rejections = rejection === undefined || !report || isHolding ? 0 : known.rejections + 1;
    known.rejection = rejection;
    if (report && !isHolding && report.hold.epoch >= epoch) overheard();
    const isOwn = report?.instance === member.instance;
    if (isOwn && assess(this.view(known), { ...rules(), leaseMarginMs: 0 }) === 'empty') known.wasEmpty = true;
  }

  /** Of those that do not respond ECS may know that they have stopped, and when. */
  private async followList(holding: Holding): Promise<void> {
    while (this.isFollowing) {
      const isUnknown = this.known.some(({ task, report }) => task?.session && !report);
      if (isUnknown && this.ports.now() - this.listedMs >= LIST_MS) {
        this.listedMs = this.ports.now();
        await this.findStopped();
        holding.changed();
      }
      await this.ports.pause(UNKNOWN_LOOK_MS);
    }
  }

  private async findStopped(): Promise<void> {
    const listed = await settleWithin(CALL_MS, 'listing the tasks', () => this.ports.listTasks());
    if (!('value' in listed)) return;
    const found = new Map(listed.value.map((task) => [task.id, task]));
    for (const { session } of listed.value) session?.close();
    if (!this.isFollowing) return;
    for (const known of this.known) {
      const task = found.get(known.member.id);
      if (known.report || task?.session || !known.task?.session) continue;
      known.task.session.close();
      // One that ECS does not list any more has stopped, too; when is unknown.
      known.task = task ?? { id: known.member.id, home: known.member.home, ...addressOf(known.task) };
    }
  }

  private view({ member, task, report, heardMs, wasEmpty, otherSinceMs }: Known): MemberView {
    const longestMs = this.plan.longestRequestSeconds * 1000;
    const nowMs = this.ports.now();
    const sinceMs = this.findSilence({ task, report, otherSinceMs });
    return {
      life: task?.session ? 'running' : 'stopped',
      instance: member.instance,
      wasEmpty,
      hasOutlastedRequests: sinceMs !== undefined && sinceMs >= longestMs,
      ...(report && { report: this.summarize(report, nowMs - heardMs) }),
    };
  }

  /** How long ago the first process of a member could have sent something that no one counts any more. */
  private findSilence({ task, report, otherSinceMs }: Pick<Known, 'task' | 'report' | 'otherSinceMs'>) {
    const nowMs = this.ports.now();
    if (!task?.session) return task?.stoppedAtMs === undefined ? undefined : nowMs - task.stoppedAtMs;
    // What the process that responds has given up says nothing of the one before it.
    return otherSinceMs === undefined ? report?.abandoned.sinceLastMs : nowMs - otherSinceMs;
  }

  private summarize(report: LedgerReport, ageMs: number): MemberReport {
    const { instance, hold, active, sinceLossMs } = report;
    const leaseRemainingMs = Math.max(0, hold.leaseRemainingMs - ageMs);
    const abandoned = this.isRecentlyAbandoned(report) ? 1 : 0;
    const hasLost = sinceLossMs !== undefined && sinceLossMs < this.plan.longestRequestSeconds * 1000;
    return { instance, hold: { ...hold, leaseRemainingMs }, inFlight: total(active), abandoned, hasLost };
  }

  private isRecentlyAbandoned(report: LedgerReport | undefined): boolean {
    const sinceMs = report?.abandoned.sinceLastMs;
    return sinceMs !== undefined && sinceMs < this.plan.longestRequestSeconds * 1000;
  }
}

function addressOf({ address }: SwitchTask): Pick<SwitchTask, 'address'> {
  return address === undefined ? {} : { address };
}

/** One that had left its backend is carried, and may have been closed because it could not join another one. */
function countEnded({ ended, carriedEnded }: LedgerReport, kind: StreamKind, how: 'closed' | 'forced'): number {
  return ended[kind][how] + (carriedEnded?.[kind][how] ?? 0);
}

/** Those that have left their backend and are connected to the other side's: not those that came back, and not those that were closed. */
function countJoined({ ended, carriedEnded }: LedgerReport, kind: StreamKind): number {
  const { moved = 0, closed = 0, forced = 0 } = carriedEnded?.[kind] ?? {};
  return ended[kind].moved - moved - closed - forced;
}

/** Another instance counts from zero. */
function findSame(first: LedgerReport | undefined, now: LedgerReport): LedgerReport | undefined {
  return first?.instance === now.instance ? first : undefined;
}
