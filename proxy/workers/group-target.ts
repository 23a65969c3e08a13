import { randomUUID } from 'node:crypto';
import { WindowOrder, WindowReport, mergeWindows } from '../../core/proxy/window';
import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';
import type { DrainOrder, LedgerReport, UndrainOrder } from '../../core/proxy/admin-api';
import { NO_CONNECTIONS, total } from '../../core/proxy/connections';
import {
  HoldOrder,
  NO_HOLD_FIGURES,
  ReleaseOrder,
  RetargetOrder,
  classifyRejectedOrder,
  combineHoldFigures,
  holdReport,
} from '../../core/proxy/hold';
import { ConnectionPage, ConnectionQuery, WorkerPage, joinPages, queryFor } from '../../core/proxy/connection-list';
import type { BackendCallOrder, BackendCallReport } from '../../core/proxy/backend-call';
import type { ComparedPair } from '../../core/compare/difference-tally';
import type { MirrorReport } from '../../core/compare/mirror-report';
import type { TransferOrder, TransferReport } from '../../core/proxy/state-transfer';
import type { ProbeOrder, ProbeReport } from '../../core/proxy/probe';
import type { Outcome } from '../../core/switch/decision';
import type { DecisionStore } from '../../core/switch/decision-store';
import type { Side } from '../../core/traffic/weights';
import { orderRejections } from '../admin/metrics';
import { DecisionWatch } from '../control/decision-watch';
import { callBackend } from '../backend-calls/backend-call';
import { StateTransfers } from '../backend-calls/state-transfers';
import { probe } from '../control/probe';
import { SHUTTING_DOWN } from '../control/proxy';
import type { Upstreams } from '../backend-calls/own-request';
import {
  NO_COUNTERS,
  activeSum,
  countersAfterLoss,
  isSameZero,
  mergeReports,
  nothingLive,
} from '../../core/proxy/merge-reports';
import { CallFailed, type AdminTarget } from '../admin/admin-server';
import { MirrorComparison } from '../mirror/comparison';
import type { MirrorConfig } from '../mirror/mirror';
import type { Clock } from '../process/clock';
import type { FinalRecord } from '../telemetry/final-record';
import type { DrainWatch } from './drain-watch';
import { Estate } from './estate';
import type { Member } from './member';
import type { Members } from './members';
import type { Order } from './messages';
import { WorkerGone, WorkerLate } from './rpc';
import { drainQuotas, holdShare, rampShare } from './quotas';
import type { GroupState } from './group-state';

/** How long a hold must go on for a release to reach every worker before it ends by itself at one. */
const RELEASE_MS = 10_000;
/** For so long a worker may be late with a retarget: a process that takes thousands of connections over may be. */
const RETARGET_MS = 10_000;
const NO_WORKER = 'There must be a report of at least one worker, got none: another one is being started';
/** So often a zero is looked at again; see `isSameZero`. */
const MAX_LOOKS = 5;

export interface GroupTargetOptions {
  readonly side: Side;
  readonly workers: number;
  readonly members: Members;
  readonly running: GroupState;
  readonly watch: DrainWatch;
  readonly clock: Clock;
  readonly upstreams: Upstreams;
  readonly log: {
    error(figures: object, message: string): void;
    warn(figures: object, message: string): void;
    info(message: string): void;
  };
  /** Where the decisions of switches are. Absent: a hold that only a decision ends is rejected. */
  readonly store?: DecisionStore | undefined;
  /** Absent: nothing is copied. */
  readonly mirror?: MirrorConfig | undefined;
}

/**
 * What the admin API sees of several workers: one proxy. Every response is asked for when the call comes, none is kept. Calls
 * are followed one after the other, so that all workers have the same orders in the same sequence.
 */
export class GroupTarget implements AdminTarget {
  isShuttingDown = false;
  readonly identity: string = randomUUID();
  private instance: string = randomUUID();
  /** When a worker was lost last. */
  private lostMs: number | undefined;
  private from = NO_COUNTERS;
  /** Of workers that ended because another generation took over. */
  private readonly estate: Estate;
  /** Those that are ended if they do not follow a retarget soon. */
  private readonly late = new Set<Member>();
  private turn: Promise<unknown> = Promise.resolve();
  private readonly transfers: StateTransfers;

  /** Of all workers. */
  private readonly comparison: MirrorComparison | undefined;
  private readonly decisions: DecisionWatch | undefined;
  /** Those that were rejected here, and reached no worker. */
  private readonly orders = { tooSoon: 0, off: 0 };
  private cancelLease: () => void = () => undefined;

  constructor(private readonly options: GroupTargetOptions) {
    const { store, clock, log, upstreams, mirror } = options;
    this.comparison = mirror && new MirrorComparison(mirror);
    this.transfers = new StateTransfers(upstreams);
    this.estate = new Estate(() => clock.nowMs());
    const heard = (epoch: number, outcome: Outcome) => void this.decided(epoch, outcome);
    this.decisions = store && new DecisionWatch({ store, clock, log, name: this.identity, decided: heard });
    this.watchLease();
  }

  /** What another generation had ordered is in force here now. */
  inherited(): void {
    this.watchLease();
  }

  stop(): void {
    this.cancelLease();
    this.decisions?.stop();
  }

  rejection(): string | undefined {
    return this.isShuttingDown ? SHUTTING_DOWN : undefined;
  }

  report(): Promise<LedgerReport> {
    return this.inTurn(async () => {
      const reports = await this.reports();
      if (reports.length === 0) throw new CallFailed(NO_WORKER, 504);
      const workers = mergeReports(this.names, reports, this.from);
      const orders = { ...NO_HOLD_FIGURES, rejected: { ...NO_HOLD_FIGURES.rejected, ...this.orders } };
      const merged = { ...workers, holds: combineHoldFigures(workers.holds, orders, (a, b) => a + b) };
      const { lostMs } = this;
      const sinceLossMs = lostMs === undefined ? undefined : Math.floor(this.options.clock.nowMs() - lostMs);
      return this.withLease(sinceLossMs === undefined ? merged : { ...merged, sinceLossMs });
    });
  }

  /** Of a switch the lease is that of the primary, and the workers hold without one. */
  private withLease(report: LedgerReport): LedgerReport {
    const { running, clock } = this.options;
    const held = running.heldAt(clock.nowMs());
    if (held.state === 'none' || !held.outcomes || report.hold.state === 'none') return report;
    return { ...report, hold: holdReport(held, report.hold.waiting, clock.nowMs()) };
  }

  compared(pairs: readonly ComparedPair[]): void {
    for (const pair of pairs) this.comparison?.add(pair);
  }

  async mirror(): Promise<MirrorReport | undefined> {
    return this.comparison?.report((await this.report()).mirror);
  }

  /** Of the workers that respond. One that was lost has taken its last seconds with it. */
  window(order: WindowOrder): Promise<WindowReport> {
    return this.inTurn(async () => {
      const living = await this.options.members.askAll(() => ({ kind: 'window', order }));
      return mergeWindows([...living, ...this.estate.windows(order)]);
    });
  }

  /** Worker after worker: each has a list of its own. */
  connections(query: ConnectionQuery): Promise<ConnectionPage> {
    return this.inTurn(async () => {
      const pages: { worker: number; page: WorkerPage }[] = [];
      let left = query.limit;
      const members = [...this.options.members.started].sort((a, b) => a.worker - b.worker);
      for (const member of members) {
        const asked = queryFor(member.worker, query, left);
        if (asked === undefined) continue;
        // There may be more at those that have not been asked.
        if (left === 0) return joinPages(pages, true);
        const page = await member.ask({ kind: 'connections', query: asked }).catch(emptyIfGone);
        pages.push({ worker: member.worker, page });
        if (page.hasMore) return joinPages(pages, true);
        left -= page.connections.length;
      }
      return joinPages(pages, false);
    });
  }

  async metrics(): Promise<{ readonly contentType: string; readonly body: string }> {
    const sum = await this.sum();
    return { contentType: sum.contentType, body: await sum.metrics() };
  }

  /** The figures behind `metrics`. */
  async samples(): Promise<object[]> {
    return (await this.sum()).getMetricsAsJSON();
  }

  drain(order: DrainOrder): Promise<string | undefined> {
    const { members, running, watch } = this.options;
    return this.inTurn(async () => {
      running.drain(order, this.options.clock.nowMs());
      // A worker that does not respond is no reason for the others to wait; the order itself fails then, and says who.
      await members.reports().catch(() => undefined);
      const started = members.started;
      const live = started.map(({ lastReport }) => total(lastReport?.active ?? NO_CONNECTIONS));
      const quotas = drainQuotas(order, live);
      const notified = this.tell((member) => ({ kind: 'drain', order: quotas[started.indexOf(member)] ?? order }));
      watch.start();
      return notified;
    });
  }

  undrain(order: UndrainOrder): Promise<string | undefined> {
    return this.inTurn(() => {
      this.options.running.undrain();
      this.options.watch.stop();
      this.options.log.info('Drain cancelled, serving');
      return this.tell(() => ({ kind: 'undrain', order }));
    });
  }

  async hold(order: HoldOrder): Promise<string | undefined> {
    const { running, clock } = this.options;
    const before = running.heldAt(clock.nowMs());
    const isOff = this.isShuttingDown && !order.outcomes;
    const rejection = await this.follow(order);
    if (rejection === undefined) return undefined;
    const why = isOff ? 'off' : classifyRejectedOrder(before, order, clock.nowMs());
    if (why !== undefined) this.orders[why] += 1;
    return rejection;
  }

  private follow(order: HoldOrder): Promise<string | undefined> {
    const { running, clock, members, workers } = this.options;
    if (this.isShuttingDown && !order.outcomes) return Promise.resolve(SHUTTING_DOWN);
    if (order.dryRun) {
      return this.inTurn(() =>
        members.askAll(({ worker }) => ({ kind: 'hold', order: holdShare(order, worker, workers) })).then(firstProblem),
      );
    }
    if (order.outcomes && !this.decisions) {
      return Promise.resolve("'switch_store' must be configured for the hold of a switch, got nothing");
    }
    return this.inTurn(async () => {
      const conflict = running.hold(order, clock.nowMs());
      if (conflict !== undefined) return conflict;
      if (!order.outcomes) return this.holdEverywhere(order);
      const own = { ...order, leaseMs: Number.POSITIVE_INFINITY };
      await this.tellOrEnd(({ worker }) => ({ kind: 'hold', order: holdShare(own, worker, workers) }));
      this.watchLease();
      return undefined;
    });
  }

  /**
   * No worker releases to the new side while another one may fall back to the old: first every lease is made long enough, and
   * only when all hold are all released. A worker that then does not respond is ended.
   */
  release(order: ReleaseOrder): Promise<string | undefined> {
    const { running, clock } = this.options;
    return this.inTurn(async () => {
      const may = running.mayRelease(order, clock.nowMs());
      if (may === 'done') return undefined;
      if (may !== 'may') return may.conflict;
      const renewal = running.renewal(RELEASE_MS, clock.nowMs());
      const problem = renewal && !renewal.outcomes ? await this.holdEverywhere(renewal) : undefined;
      if (problem !== undefined) return problem;
      this.decisions?.stop();
      running.release(order, clock.nowMs());
      await this.tellOrEnd(() => ({ kind: 'release', order: rampShare(order, this.options.workers) }));
      return undefined;
    });
  }

  /** As `HoldGate` does for a proxy of one process. */
  private watchLease(): void {
    this.cancelLease();
    const { running, clock } = this.options;
    const nowMs = clock.nowMs();
    const held = running.heldAt(nowMs);
    if (held.state === 'none' || !held.outcomes) return;
    this.decisions?.watch(held.epoch, held.state === 'deciding');
    if (held.state !== 'holding') return;
    this.cancelLease = clock.after(Math.max(1, held.untilMs - nowMs), () => this.watchLease());
  }

  private decided(epoch: number, outcome: Outcome): Promise<void> {
    const { running, clock } = this.options;
    return this.inTurn(async () => {
      if (!running.decide(epoch, outcome, clock.nowMs())) return;
      this.decisions?.stop();
      await this.tellOrEnd(() => ({ kind: 'release', order: { epoch, outcome } }));
    });
  }

  probe(order: ProbeOrder): Promise<ProbeReport> {
    const { upstreams, store } = this.options;
    return probe(order, { upstreams, store });
  }

  callBackend(order: BackendCallOrder): Promise<BackendCallReport> {
    return callBackend(order, this.options.upstreams);
  }

  /** By the primary, whose hands are free. */
  transferState(order: TransferOrder): Promise<TransferReport> {
    return this.transfers.follow(order);
  }

  retarget(order: RetargetOrder): Promise<string | undefined> {
    return this.inTurn(async () => {
      const rejection = this.options.running.retarget(order);
      if (rejection !== undefined) return rejection;
      const late = await this.tellOrEnd(
        () => ({ kind: 'retarget', order }),
        (member) => this.endIfStillLate(member),
      );
      if (late.length === 0) return undefined;
      throw new WorkerLate(late, `: all others follow, and it is ended if it does not within ${RETARGET_MS / 1000} s`);
    });
  }

  private get names(): Pick<LedgerReport, 'identity' | 'instance'> {
    const { identity, instance } = this;
    return { identity, instance };
  }

  /** The counters of a worker end with it: those of the group begin anew, under a new name. */
  ended({ lastReport, finalRecord, isStarted }: Member): void {
    if (finalRecord) return this.estate.add(finalRecord);
    if (isStarted && !this.isShuttingDown) this.lostMs = this.options.clock.nowMs();
    if (!lastReport) return;
    const living = this.options.members.started.flatMap((member) => member.lastReport ?? []);
    const remaining = [...living, ...this.estate.reports(living[0] ?? this.nothingLive)];
    this.from = countersAfterLoss(remaining, lastReport);
    this.instance = randomUUID();
  }

  private async sum(): Promise<Registry> {
    const asked = this.options.members.askAll(() => ({ kind: 'metrics' }));
    asked.catch((error: unknown) => this.logFailure(error));
    const notified = (await asked) as MetricObject[][];
    const { side } = this.options;
    return AggregatorRegistry.aggregate([
      ...notified,
      this.estate.samples() as MetricObject[],
      [orderRejections(side, this.orders) as MetricObject],
    ]);
  }

  private async reports(): Promise<LedgerReport[]> {
    const { members } = this.options;
    let reports = await members.reports();
    for (let look = 1; look < MAX_LOOKS && total(activeSum(reports)) === 0; look += 1) {
      const before = reports;
      reports = await members.reports();
      if (isSameZero(before, reports)) break;
    }
    const past = this.estate.reports(reports[0] ?? this.nothingLive);
    return [...reports, ...past];
  }

  /** Of workers that have ended in order, none left. */
  private get nothingLive(): LedgerReport {
    return nothingLive(this.names, this.options.running.side);
  }

  /** What the generation that goes on reports of this one, when all workers have ended. */
  async finalRecord(): Promise<FinalRecord> {
    const { recent } = this.estate.finalRecord();
    return { past: await this.report(), samples: await this.samples(), recent };
  }

  /** A hold that not all keep is none: it ends everywhere, as at the end of its lease. */
  private async holdEverywhere(order: HoldOrder): Promise<string | undefined> {
    const { members, running, workers } = this.options;
    const asked = members.askAll(({ worker }) => ({ kind: 'hold', order: holdShare(order, worker, workers) }));
    const problem = await asked.then(firstProblem).catch((error: unknown) => ({ error }));
    if (problem === undefined) return undefined;
    running.endHold(this.options.clock.nowMs());
    const end = { epoch: order.epoch, to: running.side };
    await members.askAll(() => ({ kind: 'release', order: end })).catch(() => undefined);
    if (typeof problem === 'string') return problem;
    throw lateWith(problem.error, `no worker holds, and requests go to ${running.side}`);
  }

  /** @returns why one of them could not follow */
  private async tell(orderFor: (member: Member) => Order): Promise<string | undefined> {
    try {
      return firstProblem(await this.options.members.askAll(orderFor));
    } catch (error) {
      throw lateWith(error, 'all others follow the order');
    }
  }

  /**
   * For what must not be followed by some and not by others: a worker that does not follow would serve from the wrong side.
   *
   * @param isLate what becomes of one that does not respond in time, and may follow yet. Default: it is ended
   * @returns those that may
   */
  private async tellOrEnd(
    orderFor: (member: Member) => Order,
    isLate?: (member: Member) => void,
  ): Promise<readonly number[]> {
    const { started } = this.options.members;
    const late = await Promise.all(
      started.map(async (member) => {
        const order = orderFor(member);
        const problem = await member.ask(order).catch((error: unknown) => error as Error);
        if (problem === undefined) return [];
        if (isLate && problem instanceof WorkerLate) {
          isLate(member);
          return [member.worker];
        }
        this.end(member, order.kind, problem);
        return [];
      }),
    );
    return late.flat();
  }

  /** It hears what it is told in order: one that reports has heard of the retarget. */
  private endIfStillLate(member: Member): void {
    const { clock, running } = this.options;
    if (this.late.has(member)) return;
    this.late.add(member);
    clock.after(RETARGET_MS, () => {
      this.late.delete(member);
      member.report().then(
        ({ upstream }) => {
          if (upstream !== running.side) this.end(member, 'retarget', `it is at the ${upstream}`);
        },
        (error: unknown) => this.end(member, 'retarget', error as Error),
      );
    });
  }

  private end(member: Member, order: Order['kind'], problem: string | Error): void {
    const { worker } = member;
    this.options.log.error({ worker, order, problem: String(problem) }, 'A worker did not follow, and is ended');
    member.kill();
  }

  private inTurn<T>(call: () => Promise<T>): Promise<T> {
    const result = this.turn.then(call);
    this.turn = result.catch((error: unknown) => this.logFailure(error));
    return result;
  }

  private logFailure(error: unknown): void {
    // The last worker has ended in order while it was asked: there is no one left to ask, and nothing wrong.
    if (this.isShuttingDown && this.options.members.started.length === 0) return;
    this.options.log.error({ err: error }, 'A call to the workers failed');
  }
}

/** What it had has ended with it. */
function emptyIfGone(error: unknown): WorkerPage {
  if (error instanceof WorkerGone) return { connections: [], hasMore: false };
  throw error;
}

function firstProblem(notified: readonly (string | undefined)[]): string | undefined {
  return notified.find((problem) => problem !== undefined);
}

/** Who asks at night has to know what became of the order, too. */
function lateWith(error: unknown, consequence: string): unknown {
  return error instanceof WorkerLate ? new WorkerLate(error.workers, `: ${consequence}`) : error;
}
