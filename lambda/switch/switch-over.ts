import type { HoldOrder } from '../../core/proxy/hold';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import {
  LEASE_MARGIN_MS,
  MemberState,
  MemberView,
  SwitchRules,
  SwitchView,
  findShortestLease,
  nextMove,
} from '../../core/switch/coordinator';
import type { Decision, Outcome } from '../../core/switch/decision';
import { Member, Regime, beginSwitch, findOutcomes, findServedSide, settleRegime } from '../../core/switch/regime';
import type { HookCallRecord } from '../../core/switch/hook';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { TraceRecorder } from '../../core/switch/trace-recorder';
import { SIDES, Side, formatWeights } from '../../core/traffic/weights';
import type { Moves } from '../../core/moves/moves';
import { firstLines } from '../../core/cutover/state-size';
import { CALLS_AT_ONCE, pooled } from '../contract/concurrently';
import { Settled, settle, settleWithin } from '../contract/settle';
import type { StoredRegime, SwitchPorts } from '../contract/switch-ports';
import { timeLeftMs } from '../contract/time-left';
import { HookCall, HookRun } from './hook-run';
import type { SwitchHook } from './switch-hook';
import { SeenMember, SwitchMembers } from './switch-members';
import type { SwitchProbe } from './switch-probe';

export interface SwitchRequest {
  readonly to: Side;
  readonly execution: string;
  readonly plan: SwitchPlan;
  readonly hook?: SwitchHook;
  /** What was copied before the hold, for the record. */
  readonly prepared?: HookCallRecord;
  /**
   * Which connections leave their backend in the hold, and join the one that the decision leads to.
   * @default - those that the proxies' setting allows
   */
  readonly moves?: Moves | undefined;
  /** @default - the side that is switched to is not asked whether it serves */
  readonly probe?: SwitchProbe;
  /** Whether each task must reach that side before requests are held. Right before the decision one of each side is enough. */
  readonly probesEachTask?: boolean;
  /** Why it must be given up: an operator, a lock that is lost. Asked now and then, beside everything else. */
  readonly findStop: () => Promise<string | undefined>;
}

const UNHELD: readonly MemberState[] = ['notHolding', 'unknown', 'unaccounted'];
const CALL_MS = 1_500;
const STOP_LOOK_MS = 1_000;
/** The longest that a move waits for news. */
const NEWS_MS = 50;
/** What the load balancer has for its part: it is asked while requests wait. */
const WITNESS_MS = 3_000;
/** What the backend that is switched to has right before the decision, where the pause has as much left. */
const PROBE_MS = 3_000;
/** For a task that starts meanwhile, at the end of its lease: it asks for the decision before its requests have waited for too long. */
const ASK_MS = 2_000;
/** A response of that backend that was asked for so long ago is still one of right before the decision. */
const PROBE_FRESH_MS = 100;
/** For the decision, the releases and the regime. A step that has less beside the pause must not start to hold. */
const AFTER_HOLD_MS = 4_000;
/** For connections that join the backend that the decision led to, so that the record has them; what follows it needs the rest. */
const MOVES_MS = 5_000;
const AFTER_MOVES_MS = 16_000;

/**
 * Makes one attempt to switch, or goes on with the one of the same execution that is under way. Whatever it does can be
 * done twice, and by two at a time: what counts is in the store.
 *
 * @returns undefined where another execution's switch is under way, or the regime was changed by another one just now
 */
export async function switchOver(request: SwitchRequest, ports: SwitchPorts): Promise<SwitchRecord | undefined> {
  const claimed = await claim(request, ports);
  if (!claimed) return undefined;
  const coordinator = new Coordinator(request, ports, claimed);
  try {
    return await coordinator.run();
  } finally {
    coordinator.close();
  }
}

interface Claimed extends StoredRegime {
  /** Whether this call has written it. */
  readonly isNew: boolean;
}

/** Writes the regime of a new switch, unless the one of this execution is there. */
async function claim(request: SwitchRequest, ports: SwitchPorts): Promise<Claimed | undefined> {
  const { to, execution, plan } = request;
  const stored = await ports.store.readRegime();
  const { regime } = stored;
  if (regime.switching) return isOwn(regime, request) ? { ...stored, isNew: false } : undefined;
  const epoch = await findNextEpoch(regime, ports);
  const limits = holdLimits(plan);
  const leaseMs = limits.maxHoldMs - plan.maxPauseMs - ASK_MS;
  const next = beginSwitch(regime, epoch, { to, execution, leaseMs, limits });
  const written = next && (await ports.store.writeRegime(next, stored.etag));
  if (!next) return undefined;
  if (written) return { ...written, isNew: true };
  // Another call of this execution may have been first: then its switch goes on.
  const now = await ports.store.readRegime();
  return isOwn(now.regime, request) ? { ...now, isNew: false } : undefined;
}

function isOwn({ switching }: Regime, { to, execution }: SwitchRequest): boolean {
  return switching?.execution === execution && switching.to === to;
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

class Coordinator {
  private regime: Regime;
  private etag: string | undefined;
  private decision: Decision | undefined;
  private readonly hook: HookRun;
  private hasReleased = false;
  private stop: string | undefined;
  private firstHoldMs: number | undefined;
  private witness: Promise<Settled<readonly string[]>> | undefined;
  private lastProbe: { readonly atMs: number; readonly problem: Promise<string | undefined> } | undefined;
  /** The load balancer and the backend that is switched to were asked by the last move. */
  private isConfirmed = false;
  private isOver = false;
  private isReading = false;
  private news = newsOfNothing();
  private abandonedBefore: ReadonlyMap<string, number> = new Map();
  private abandoned = 0;
  /** Members of the regime, also where their tasks could not be listed. */
  private count = 0;
  private readonly members: SwitchMembers;
  private readonly startedAt: string;
  /** Whether another call has begun this switch, and may have run the hook. */
  private isResumed: boolean;
  private readonly trace: TraceRecorder;
  private readonly marks: { heldMs?: number; emptyMs?: number; decidedMs?: number; releasedMs?: number } = {};

  constructor(
    private readonly request: SwitchRequest,
    private readonly ports: SwitchPorts,
    { regime, etag, isNew }: Claimed,
  ) {
    this.regime = regime;
    this.etag = etag;
    this.isResumed = regime.switching?.members !== undefined;
    this.hook = new HookRun(request.hook, request.prepared);
    const startMs = ports.now();
    this.startedAt = new Date(startMs).toISOString();
    this.trace = new TraceRecorder(regime, startMs);
    this.trace.note({ kind: isNew ? 'begin' : 'resume' }, startMs);
    this.members = new SwitchMembers(ports, request.plan);
  }

  async run(): Promise<SwitchRecord | undefined> {
    this.learn(await this.ports.store.readDecision(this.epoch));
    await this.lookForStop();
    await this.meet();
    for (;;) {
      const view = this.view();
      const move = nextMove(view);
      switch (move.kind) {
        case 'enlist':
          if (!(await this.enlist())) return undefined;
          break;
        case 'hold':
          await this.hold();
          break;
        case 'hook':
          await this.runHook(view.members);
          break;
        case 'decide':
          if (move.outcome === 'abort') await this.decide('abort', move.why);
          else if (this.isConfirmed) await this.decide('commit', undefined);
          else await this.confirm(view.members);
          break;
        case 'release':
          await this.release();
          break;
        case 'settle':
          await this.settle();
          break;
        case 'done':
          if (this.decision?.outcome === 'abort') await this.hook.discard(this.hookCall());
          await this.followMoves();
          return this.record();
      }
    }
  }

  close(): void {
    this.isOver = true;
    this.members.close();
  }

  private get epoch(): number {
    return this.regime.epoch;
  }

  private view(): SwitchView {
    const { regime, decision, hook, hasReleased, members } = this;
    const stop = this.stop ?? this.findLack() ?? members.findRejection(this.epoch) ?? this.findOverdue();
    return {
      ...this.rules(),
      regime,
      decision,
      members: members.views(),
      hook: hook.state,
      hookFences: hook.fences,
      hasReleased,
      stop,
    };
  }

  private rules(): SwitchRules {
    const { fence } = this.request.plan;
    return {
      epoch: this.epoch,
      isFenced: fence === 'epoch' || this.hook.isFenced,
      waitsForAbandoned: fence === 'drainedAndAbandoned',
      leaseMarginMs: LEASE_MARGIN_MS,
    };
  }

  /** A list without a task is one of a service that was just made, or no list at all. */
  private findLack(): string | undefined {
    const { members } = this.regime.switching ?? {};
    const before: Regime = { ...this.regime, switching: undefined };
    if (!members || members.some(({ home }) => findServedSide(home, before) === before.side)) return undefined;
    return `at least one task must forward to the ${this.regime.side}, which is left, got none`;
  }

  private findOverdue(): string | undefined {
    const { maxPauseMs } = this.request.plan;
    if (this.decision || this.firstHoldMs === undefined || this.sinceHold() < maxPauseMs) return undefined;
    return `the switch must be decided within ${maxPauseMs} ms, got ${this.members.describeStates(this.rules())}`;
  }

  /** @returns false when another execution has written the regime */
  private async enlist(): Promise<boolean> {
    const { regime } = this;
    const { members, problem } = await this.members.enlist({ ...regime, switching: undefined });
    this.stop ??= problem;
    if (!(await this.write({ ...regime, switching: { ...regime.switching!, members } }))) return this.reload();
    this.noteMembers(members, false);
    return true;
  }

  /** Another call of the same execution is at work on the same switch, or has ended it. */
  private async reload(): Promise<boolean> {
    const { regime, etag } = await this.ports.store.readRegime();
    if (regime.epoch !== this.epoch) return false;
    Object.assign(this, { regime, etag, isResumed: true });
    this.note({ kind: 'resume' });
    this.learn(await this.ports.store.readDecision(this.epoch));
    await this.meet();
    if (!regime.switching) this.noteSettled(true);
    return true;
  }

  /** The members of a switch that another call has begun. Without ECS it is not gone on with: the tasks ask by themselves. */
  private async meet(): Promise<void> {
    const members = this.regime.switching?.members;
    if (!members) return;
    this.noteMembers(members, true);
    const met = await settleWithin(WITNESS_MS, 'listing the tasks', () => this.members.meet(members));
    if ('problem' in met) this.stop ??= met.problem;
  }

  private async write(next: Regime): Promise<boolean> {
    const written = await this.ports.store.writeRegime(next, this.etag);
    if (!written) return false;
    this.regime = written.regime;
    this.etag = written.etag;
    return true;
  }

  /** Waits for news of the members, who are held and followed from the first time on. */
  private async hold(): Promise<void> {
    this.isConfirmed = false;
    if (this.firstHoldMs === undefined) {
      if (!(await this.mayHold())) return;
      this.firstHoldMs = this.ports.now();
      this.note({ kind: 'hold', leaseMs: this.members.leaseMs });
      this.witness = settleWithin(WITNESS_MS, 'reading the registered targets', () => this.findStrangers());
      this.members.follow({
        orderFor: (member) => this.orderFor(member),
        rules: () => this.rules(),
        changed: () => this.news.tell(),
        overheard: () => void this.readDecision(),
        seen: (found) => this.see(found),
      });
      void this.watchStop();
    }
    await Promise.race([this.news.heard, this.ports.pause(NEWS_MS)]);
    const { settleMs } = this.members;
    if (settleMs > 0) await this.ports.pause(settleMs);
    this.news = newsOfNothing();
    this.mark();
  }

  private mark(): void {
    const { marks, members } = this;
    const states = members.states(this.rules());
    if (marks.heldMs === undefined && UNHELD.every((state) => !states.has(state))) {
      marks.heldMs = this.sinceHold();
      // While the last requests end: what it responds is not waited for then.
      void this.askBackend();
    }
    if ([...states.keys()].every((state) => state === 'empty' || state === 'gone')) marks.emptyMs ??= this.sinceHold();
  }

  /** Before anything waits: a hold that cannot come to its end must not start. */
  private async mayHold(): Promise<boolean> {
    const { maxInFlight, maxPauseMs } = this.request.plan;
    const { to, probe, probesEachTask } = this.request;
    const [weights, unready] = await Promise.all([
      this.findOtherWeights(),
      probe && probesEachTask ? this.members.probe(to, probe) : undefined,
    ]);
    const { unknown, inFlight } = await this.members.look();
    this.abandonedBefore = this.members.abandonedTotals;
    const neededMs = maxPauseMs + AFTER_HOLD_MS + this.hook.thawMs;
    const leftMs = timeLeftMs();
    if (leftMs < neededMs) {
      this.stop ??= `a step must have ${neededMs} ms left to hold requests, got ${Math.max(0, Math.round(leftMs))} ms`;
    }
    if (unknown > 0) this.stop ??= `every task must respond before requests are held, got ${unknown} that do not`;
    if (inFlight > maxInFlight) {
      this.stop ??= `at most ${maxInFlight} requests and connections may be in flight, got ${inFlight}`;
    }
    this.stop ??= weights ?? unready;
    return this.stop === undefined;
  }

  /**
   * Before the first commit each side's proxies forward to their own backend: a target with weight would serve beside the
   * source. After it all forward to one side, whatever the weights are.
   */
  private async findOtherWeights(): Promise<string | undefined> {
    const { side, isJoined } = this.regime;
    if (isJoined) return undefined;
    const rule = `all of the weight must be on the ${side}, which is left`;
    const read = await settleWithin(WITNESS_MS, 'reading the weights', () => this.ports.traffic.weights());
    if ('problem' in read) return `${rule}, got ${read.problem}`;
    const weights = read.value;
    const other = SIDES.find((each) => each !== side)!;
    if (weights && weights[side] > 0 && weights[other] === 0) return undefined;
    return `${rule}, got ${weights ? formatWeights(weights) : 'a rule that forwards elsewhere'}`;
  }

  /** Targets that the load balancer knows, and no member is: ECS did not list them, or something else started them. */
  private async findStrangers(): Promise<readonly string[]> {
    const before: Regime = { ...this.regime, switching: undefined };
    const sides = SIDES.filter((home) => findServedSide(home, before) === before.side);
    const registered = await this.ports.traffic.targets(sides);
    const known = new Set(this.members.addresses);
    return registered.filter((address) => !known.has(address));
  }

  /**
   * Asks those beside the tasks, when all else that a commit needs is there. What is known of the tasks may be another by then:
   * it is assessed again before the decision.
   */
  private async confirm(seen: readonly MemberView[]): Promise<void> {
    this.noteReady(seen);
    const asked = this.lastProbe;
    const isFresh = !this.hook.replaces && asked !== undefined && this.ports.now() - asked.atMs <= PROBE_FRESH_MS;
    const [, unserved] = await Promise.all([this.confirmTargets(), isFresh ? asked.problem : this.askBackend()]);
    this.stop ??= unserved;
    this.isConfirmed = true;
  }

  /** @returns why the backend that is switched to must not be decided on */
  private askBackend(): Promise<string | undefined> {
    const { to, probe, plan } = this.request;
    if (!probe) return Promise.resolve(undefined);
    const leftMs = Math.max(1, plan.maxPauseMs - this.sinceHold());
    const problem = this.members.confirmBackend(to, probe, Math.min(PROBE_MS, leftMs));
    this.lastProbe = { atMs: this.ports.now(), problem };
    return problem;
  }

  private async confirmTargets(): Promise<void> {
    const { side } = this.regime;
    const found = await this.witness;
    const rule = `every target that is registered of the ${side} must be a task that holds`;
    if (!found) this.stop ??= `${rule}, got no response`;
    else if ('problem' in found) this.stop ??= `${rule}, got ${found.problem}`;
    else if (found.value.length > 0) this.stop ??= `${rule}, got ${firstLines(found.value).join(', ')}`;
    if (found && 'value' in found) this.note({ kind: 'targets', strangers: found.value.length });
  }

  private noteReady(seen: readonly MemberView[]): void {
    this.seeAll(seen);
    const leaseMs = findShortestLease(seen);
    this.note({ kind: 'ready', ...(leaseMs !== undefined && { leaseMs }) });
  }

  /** What a move rests on; also what only ECS says of a task. */
  private seeAll(seen: readonly MemberView[]): void {
    this.members.found.forEach((found, at) => this.see({ ...found, view: seen[at]! }, true));
  }

  private noteMembers(members: readonly Member[], isRead: boolean): void {
    this.count = members.length;
    this.trace.enlist(members, this.ports.now(), isRead);
  }

  private note(event: Parameters<TraceRecorder['note']>[0]): void {
    this.trace.note(event, this.ports.now());
  }

  private see({ member, view, upstream }: SeenMember, isKept = false): void {
    const found = { ...(upstream && { upstream }), nowMs: this.ports.now(), isKept };
    this.trace.see(member.id, view, this.epoch, found);
  }

  /** The decision that the store holds, which another one has written. */
  private learn(decision: Decision | undefined): void {
    if (!decision || this.decision) return;
    this.decision = decision;
    this.note({ kind: 'decision', outcome: decision.outcome, by: decision.by, isRead: true });
  }

  private noteSettled(isRead: boolean): void {
    const { committed, side, isJoined } = this.regime;
    this.note({ kind: 'settle', committed, side, isJoined, ...(isRead && { isRead }) });
  }

  private orderFor({ home }: Member): HoldOrder {
    const { regime, request } = this;
    return {
      epoch: this.epoch,
      leaseMs: this.members.leaseMs,
      ...holdLimits(request.plan),
      minIntervalMs: 0,
      outcomes: findOutcomes(home, regime, request.to),
      committed: regime.committed,
      endsStreams: true,
      ...(request.moves && { moves: request.moves }),
      dryRun: false,
    };
  }

  /** Once before anything is held; from then on beside it, so that no request waits for it. */
  private async lookForStop(): Promise<void> {
    const found = await settleWithin(CALL_MS, 'looking for an abort', this.request.findStop);
    if ('value' in found && found.value !== undefined) {
      this.stop ??= found.value;
      this.news.tell();
    }
  }

  private async watchStop(): Promise<void> {
    while (!this.isOver && !this.decision) {
      await this.ports.pause(STOP_LOOK_MS);
      if (!this.isOver && !this.decision) await this.lookForStop();
    }
  }

  /** A task says that it has ended: it has read a decision, or was first to write one. */
  private async readDecision(): Promise<void> {
    if (this.isReading || this.isOver || this.decision) return;
    this.isReading = true;
    const read = await settle(() => this.ports.store.readDecision(this.epoch));
    this.isReading = false;
    if ('value' in read) this.learn(read.value);
    this.news.tell();
  }

  /** Until the hook has ended, the pause has passed, or the switch is given up; the leases are renewed meanwhile. */
  private async runHook(seen: readonly MemberView[]): Promise<void> {
    this.seeAll(seen);
    const { hook } = this;
    const leftMs = Math.max(1, this.request.plan.maxPauseMs - this.sinceHold());
    this.note({ kind: 'hook', state: 'started', ...(hook.fences && { fences: true }) });
    const running = hook.run(this.hookCall(), leftMs, () => this.news.tell());
    while (!hook.hasEnded && this.stop === undefined && !this.decision) {
      await Promise.race([running, this.news.heard, this.ports.pause(NEWS_MS)]);
      this.news = newsOfNothing();
    }
    const problem = hook.finish();
    this.note({ kind: 'hook', state: hook.state as 'passed' | 'failed' });
    if (problem !== undefined) this.stop ??= `the hook must pass, got ${problem}`;
  }

  private hookCall(): HookCall {
    const { request, regime, epoch } = this;
    return {
      ...{ epoch, committed: regime.committed, from: regime.side, to: request.to, execution: request.execution },
      sessions: () => this.members.sessions,
    };
  }

  private async decide(outcome: Outcome, why: string | undefined): Promise<void> {
    const { execution, plan } = this.request;
    const isDry = plan.dryRun && outcome === 'commit';
    const made: Decision = isDry
      ? { outcome: 'abort', by: execution, why: 'a dry run: everything was ready for a commit' }
      : { outcome, by: execution, ...(why !== undefined && { why }) };
    const decision = this.hook.mustThaw(made.outcome, this.isResumed) ? { ...made, thawsFirst: true } : made;
    this.abandoned = this.members.countAbandoned(this.abandonedBefore);
    if (!decision.thawsFirst) this.members.unfollow();
    this.note({ kind: 'decide', outcome: decision.outcome });
    const held = await this.ports.store.decide(this.epoch, decision);
    this.decision = held;
    const isRead = held.by !== execution || held.outcome !== decision.outcome;
    this.note({ kind: 'decision', outcome: held.outcome, by: held.by, ...(isRead && { isRead }) });
    if (this.firstHoldMs !== undefined) this.marks.decidedMs = this.sinceHold();
  }

  private async release(): Promise<void> {
    const { decision, request, members, marks } = this;
    const { outcome } = decision!;
    if (!this.hasReleased && this.hook.mustThaw(outcome, this.isResumed))
      await this.hook.thaw(outcome, this.hookCall());
    members.unfollow();
    const { rampPerSecond } = request.plan;
    await members.release(
      () => ({ epoch: this.epoch, outcome, rampPerSecond }),
      (found) => this.noteReleased(found),
    );
    this.hasReleased = true;
    if (this.firstHoldMs !== undefined) marks.releasedMs = this.sinceHold();
  }

  private noteReleased(found: SeenMember): void {
    const { member, view, upstream } = found;
    const hasFollowed =
      upstream !== undefined && view.report?.hold.state === 'none' && view.report.hold.epoch === this.epoch;
    if (hasFollowed) this.trace.released(member.id, upstream, this.ports.now());
    else this.see(found, true);
  }

  private async settle(): Promise<void> {
    const next = settleRegime(this.regime, this.decision!.outcome, this.hook.frozen === undefined);
    if (await this.write(next)) return this.noteSettled(false);
    // Another coordinator has: of the same switch, or it is long over.
    const { regime, etag } = await this.ports.store.readRegime();
    if (regime.epoch === this.epoch) {
      this.regime = regime;
      this.etag = etag;
    } else this.regime = next;
    if (!this.regime.switching) this.noteSettled(true);
  }

  /** Connections join while requests go on: nothing but the record waits for it, and not for long. */
  private async followMoves(): Promise<void> {
    if (this.firstHoldMs === undefined) return;
    const untilMs = this.ports.now() + Math.min(MOVES_MS, timeLeftMs() - AFTER_MOVES_MS);
    while (this.members.areMoving && this.ports.now() < untilMs) {
      await this.ports.pause(NEWS_MS);
      await this.members.look();
    }
  }

  private sinceHold(): number {
    return this.ports.now() - (this.firstHoldMs ?? this.ports.now());
  }

  private record(): SwitchRecord | undefined {
    const { decision, request, epoch, abandoned, members, marks, startedAt, hook } = this;
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
      ...(this.isResumed && { isResumed: true as const }),
      ...(this.firstHoldMs !== undefined && { heldAt: new Date(this.firstHoldMs).toISOString() }),
      members: this.count,
      fence: hook.isFenced && request.plan.fence !== 'epoch' ? 'frozen' : request.plan.fence,
      ...(hook.calls.length > 0 && { hook: hook.calls }),
      ...(hook.frozen && { frozen: hook.frozen }),
      ...(hook.left && { left: hook.left }),
      abandoned,
      maxWaiting: members.maxWaiting,
      ...(this.firstHoldMs !== undefined && { ...members.sums, ...marks }),
      trace: this.trace.build(this.firstHoldMs),
    };
  }
}

interface News {
  readonly heard: Promise<void>;
  readonly tell: () => void;
}

function newsOfNothing(): News {
  let tell: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => (tell = resolve));
  return { heard, tell };
}
