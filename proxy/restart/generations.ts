import {
  ConnectionPage,
  ConnectionQuery,
  joinGenerations,
  nameGeneration,
  queryForGeneration,
} from '../../core/proxy/connection-list';
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';
import type { DrainOrder, LedgerReport, UndrainOrder } from '../../core/proxy/admin-api';
import type { BackendCallOrder, BackendCallReport } from '../../core/proxy/backend-call';
import type { MirrorReport } from '../../core/compare/mirror-report';
import type { TransferOrder, TransferReport } from '../../core/proxy/state-transfer';
import { NO_CONNECTIONS, addKinds, total } from '../../core/proxy/connections';
import type { HoldOrder, ReleaseOrder, RetargetOrder } from '../../core/proxy/hold';
import {
  NO_COUNTERS,
  ReportCounters,
  activeSum,
  countersAfterLoss,
  elderReport,
  isSameZero,
  mergeReports,
  sumCounters,
} from '../../core/proxy/merge-reports';
import type { ProbeOrder, ProbeReport } from '../../core/proxy/probe';
import { GenerationsReport, RestartOrder, findRestartStep } from '../../core/proxy/restart';
import type { Snapshot } from '../../core/proxy/task-protection';
import { WindowOrder, WindowReport, mergeWindows } from '../../core/proxy/window';
import { AdminServer, AdminTarget, CallFailed } from '../admin/admin-server';
import type { IntegrationsRecord } from '../aws/integrations';
import type { Integrations } from '../aws/snapshot';
import type { ProxyConfig } from '../config/config';
import type { Descriptors, OrdersInForce } from '../control/proxy';
import { longestShutdownMs } from '../control/shutdown';
import type { Clock } from '../process/clock';
import type { HandoverAddress, ShareOrder } from '../handover/messages';
import { removeLeftSockets } from '../data-plane/shared/private-socket';
import type { FinalRecord } from '../telemetry/final-record';
import { Estate } from '../workers/estate';
import type { Order, ResponseTo, RpcRequest } from '../workers/messages';
import { drainQuotas } from '../workers/quotas';
import { follow } from '../workers/follow';
import { SHUTTING_DOWN } from '../control/proxy';
import { atMost, endOrHang } from '../workers/end-or-hang';
import { WorkerGone } from '../workers/rpc';
import { Canary } from './canary';
import type { Elder } from './elder';
import type { Takeover } from './messages';
import { Successor } from './successor';
import type { HostPort } from '../../core/validation/host-port';

/** So often a zero is looked at again; see `isSameZero`. */
const MAX_LOOKS = 5;
/** At a worker that is late. */
const LOOK_AGAIN_MS = 100;
/** So long a shutdown waits for the word of a generation that takes over. */
const MAX_TAKEOVER_MS = 2_000;
/** And for the end of one that it has killed. */
const MAX_END_MS = 1_000;

/** What a generation is by itself: one process, or a group of them. */
export interface OwnGeneration extends Integrations {
  readonly data: HostPort;
  readonly admin: HostPort | undefined;
  readonly target: AdminTarget;
  readonly descriptors: Descriptors;
  readonly inForce: OrdersInForce;
  readonly adminServer: AdminServer | undefined;
  readonly ticketKeys: Uint8Array | undefined;
  /** Where it takes connections of the generation before; absent of what takes none. */
  readonly handover?: readonly HandoverAddress[];
  share(order: ShareOrder): Promise<void>;
  receive(): Promise<readonly HandoverAddress[]>;
  retire(handover: readonly HandoverAddress[]): Promise<void>;
  /** After `retire`: where its connections can go now. */
  handOverTo(handover: readonly HandoverAddress[]): void;
  finalRecord(): Promise<FinalRecord>;
  shutDown(): Promise<void>;
  close(): Promise<void>;
}

export interface GenerationsOptions {
  /** 1 for the first. */
  readonly number: number;
  readonly config: ProxyConfig;
  readonly log: Logger;
  readonly clock: Clock;
  /** The generation before, which lets its connections end; of the first there is none. */
  readonly elder?: Elder | undefined;
  readonly takeover?: Takeover | undefined;
  /** For a later generation to tell the process that started the first; see `Keeper`. */
  readonly keeper: number | 'pipe';
  readonly limits: { readonly maxGenerations: number; readonly timeoutSeconds: number };
  /** Stops what tells AWS of this proxy, and says what was told. */
  readonly handOver: () => Promise<IntegrationsRecord>;
  /** After a restart that failed. */
  readonly goOn: (record: IntegrationsRecord) => void;
  /** Another generation serves, and this one has ended. */
  readonly replaced: (successor: Successor, isInOrder: boolean) => void;
  /** A restart begins; it has failed or is a canary by now, and this generation goes on. */
  readonly starting?: () => void;
  readonly settled?: () => void;
  /** The whole proxy is to end: the generation before got its signal. */
  readonly notified?: () => void;
  /** A process was started that may be the next generation. */
  readonly started?: (successor: Successor) => void;
}

/**
 * What the admin API sees of the generations of a proxy on this host: one proxy. This generation is asked, and those before it whose
 * connections have not ended; what ended ones have counted goes on. It starts the next one, and hands over to it.
 */
export class Generations implements AdminTarget, Integrations {
  readonly identity: string;
  private instance: string;
  private from: ReportCounters = NO_COUNTERS;
  private lostMs: number | undefined;
  private readonly estate: Estate;
  /** The instances that the parts were last. */
  private seen: { own: string | undefined; elder: string | undefined } = { own: undefined, elder: undefined };
  private lastOwn: LedgerReport | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private own: OwnGeneration | undefined;
  private tellAttached: (own: OwnGeneration) => void = () => undefined;
  private readonly attached: Promise<OwnGeneration>;
  private successor: Successor | undefined;
  private state: 'serving' | 'starting' | 'retired' = 'serving';
  private failed: string | undefined;
  private readonly elder: Elder | undefined;
  private tellElderGone: () => void = () => undefined;
  private readonly elderGone: Promise<void>;
  private ending: Promise<void> | undefined;
  /** Resolves when it is known whether the next generation serves, while it takes over. */
  private takingOver: Promise<unknown> = Promise.resolve();
  private attempting: Promise<unknown> = Promise.resolve();
  private canary: Canary | undefined;
  private tellCanaryGone: () => void = () => undefined;

  constructor(private readonly options: GenerationsOptions) {
    const { takeover, elder, clock } = options;
    this.identity = takeover?.identity ?? randomUUID();
    this.instance = takeover?.instance ?? randomUUID();
    this.estate = new Estate(() => clock.nowMs());
    // Of one that was gone before there is nothing to ask for.
    this.elder = takeover && elder;
    // It may lose a worker before it is asked for the first time.
    this.seen = { own: undefined, elder: takeover?.instance };
    this.attached = new Promise((resolve) => (this.tellAttached = resolve));
    this.elderGone = this.elder ? new Promise((resolve) => (this.tellElderGone = resolve)) : Promise.resolve();
  }

  /** What this generation itself is. Calls wait for it. */
  attach(own: OwnGeneration): void {
    this.own = own;
    this.tellAttached(own);
    this.options.elder?.serving(
      {
        respond: (prompt) => this.respondAsServing(prompt),
        call: ({ call }) => own.adminServer?.pass(call) ?? Promise.reject(new Error('There is no admin port')),
        ended: (words) => this.elderEnded(words),
        shutDown: () => this.options.notified?.(),
      },
      own.handover ?? [],
    );
  }

  rejection(): string | undefined {
    return this.own?.target.rejection();
  }

  report(): Promise<LedgerReport> {
    if (this.state === 'retired') return this.askSuccessor();
    return this.inTurn(() => this.ownReport());
  }

  private async askSuccessor(): Promise<LedgerReport> {
    try {
      return await this.successor!.ask({ kind: 'report' });
    } catch (error) {
      throw error instanceof WorkerGone ? new CallFailed('The generation that serves has ended') : error;
    }
  }

  window(order: WindowOrder): Promise<WindowReport> {
    return this.inTurn(() => this.ownWindow(order));
  }

  connections(query: ConnectionQuery): Promise<ConnectionPage> {
    return this.inTurn(() => this.list(query));
  }

  /** The generations before this one come first, and a canary last. */
  private async list(query: ConnectionQuery): Promise<ConnectionPage> {
    const { target } = await this.attached;
    const { elder, canary } = this;
    const { number } = this.options;
    const asked = elder && !elder.isGone ? elder.ask({ kind: 'list', query }) : undefined;
    const before = (await asked?.catch(unlessGone)) ?? NO_PAGE;
    const own = await listNext(before, number, query, (part) => target.connections(part));
    if (!canary) return own;
    const ofCanary = (part: ConnectionQuery) => canary.ask({ kind: 'list', query: part }).catch(unlessGone);
    return listNext(own, canary.number, query, ofCanary);
  }

  snapshot(): Snapshot {
    const own = this.own!.snapshot();
    const others = this.others.flatMap(({ lastReport }) => lastReport ?? []);
    return others.reduce(
      (sum, { active, carried = NO_CONNECTIONS }) => ({
        ...sum,
        active: addKinds(sum.active, addKinds(active, carried)),
      }),
      own,
    );
  }

  /** The generations beside this one. */
  private get others(): (Elder | Canary)[] {
    return [this.elder, this.canary].flatMap((part) => (part && !part.isGone ? [part] : []));
  }

  async metrics(): Promise<{ readonly contentType: string; readonly body: string }> {
    const sum = await this.sum();
    return { contentType: sum.contentType, body: await sum.metrics() };
  }

  async samples(): Promise<object[]> {
    return (await this.sum()).getMetricsAsJSON();
  }

  drain(order: DrainOrder): Promise<string | undefined> {
    return this.inTurn(async () => {
      const { target } = await this.attached;
      const { others } = this;
      if (others.length === 0) return target.drain(order);
      const reports = [await target.report(), ...(await Promise.all(others.map((part) => part.report())))];
      const [mine, ...theirs] = drainQuotas(
        order,
        reports.map((report) => (report ? total(report.active) : 0)),
      );
      return this.all(
        (own) => own.drain(mine ?? order),
        (part) => ({ kind: 'drain', order: theirs[others.indexOf(part)] ?? order }),
      );
    });
  }

  undrain(order: UndrainOrder): Promise<string | undefined> {
    return this.inTurn(() =>
      this.all(
        (target) => target.undrain(order),
        () => ({ kind: 'undrain', order }),
      ),
    );
  }

  hold(order: HoldOrder): Promise<string | undefined> {
    return this.inTurn(() =>
      this.all(
        (target) => target.hold(order),
        () => ({ kind: 'hold', order }),
      ),
    );
  }

  release(order: ReleaseOrder): Promise<string | undefined> {
    return this.inTurn(() =>
      this.all(
        (target) => target.release(order),
        () => ({ kind: 'release', order }),
      ),
    );
  }

  retarget(order: RetargetOrder): Promise<string | undefined> {
    return this.inTurn(() =>
      this.all(
        (target) => target.retarget(order),
        () => ({ kind: 'retarget', order }),
      ),
    );
  }

  async probe(order: ProbeOrder): Promise<ProbeReport> {
    return (await this.attached).target.probe(order);
  }

  async callBackend(order: BackendCallOrder): Promise<BackendCallReport> {
    return (await this.attached).target.callBackend(order);
  }

  async transferState(order: TransferOrder): Promise<TransferReport> {
    return (await this.attached).target.transferState(order);
  }

  /** Each generation compares by itself. */
  async mirror(): Promise<MirrorReport | undefined> {
    return (await this.attached).target.mirror?.();
  }

  /**
   * Starts the next generation, or does what the order says with a canary. Resolves when that is done, or with why it cannot be now.
   *
   * @throws CallFailed when a new generation did not prove itself, or a canary could not take over: this one goes on
   */
  async restart(order: RestartOrder = {}): Promise<string | undefined> {
    const own = await this.attached;
    const conflict = this.rejection() ?? (this.state === 'retired' ? 'Another generation serves' : undefined);
    if (conflict !== undefined) return conflict;
    const found = findRestartStep(order, this.generations, this.options.limits.maxGenerations);
    if ('conflict' in found) return found.conflict;
    const { data } = own.descriptors;
    if (data === undefined) return 'This Node.js must say the descriptor of a socket that it listens at, got none';
    const { share = 1 } = order;
    switch (found.step) {
      case 'all':
        return this.attempt('a new generation is started, and proves itself', () => this.replace(own, data));
      case 'begin':
        return this.attempt('a canary is started, and proves itself', () => this.beginCanary(own, data, share));
      case 'change':
        return this.inTurn(() => this.changeShare(own, share));
      case 'complete':
        return this.attempt('the canary takes over', () => this.replaceBy(this.canary!.successor, own));
      case 'takeBack':
        // At once: what is ordered next must not have it take over.
        this.canary!.share = 0;
        return this.inTurn(() => this.takeBack(own));
    }
  }

  private attempt(what: string, how: () => Promise<void>): Promise<string | undefined> {
    const attempt = this.tryTo(what, how);
    this.attempting = attempt.catch(() => undefined);
    return attempt;
  }

  private async tryTo(what: string, how: () => Promise<void>): Promise<string | undefined> {
    const { log, starting, settled } = this.options;
    this.state = 'starting';
    starting?.();
    log.info(`A restart: ${what}`);
    try {
      await how();
      this.failed = undefined;
      return undefined;
    } catch (error) {
      this.state = 'serving';
      const { message } = error as Error;
      // One that was not told of a takeover goes on with its share.
      if (this.canary?.isSettled !== true) {
        // Its counters are lost with it.
        this.loseCanary(message);
        this.successor?.kill();
      }
      this.failed = message;
      if (this.ending) {
        log.info(`The restart was given up, as the proxy shuts down: ${message}`);
        return SHUTTING_DOWN;
      }
      settled?.();
      log.error(`The restart failed, and this generation goes on: ${message}`);
      throw new CallFailed(`The restart failed, and the proxy goes on as it is: ${message}`);
    }
  }

  private async replace(own: OwnGeneration, data: number): Promise<void> {
    const successor = this.startSuccessor(own, data);
    await successor.ready();
    await this.replaceBy(successor, own);
  }

  private async beginCanary(own: OwnGeneration, data: number, share: number): Promise<void> {
    const { log, limits, clock, settled } = this.options;
    const successor = this.startSuccessor(own, data);
    await successor.ready();
    await this.inTurn(async () => {
      // What is ordered afterwards is ordered of both.
      await successor.openCanary(own.inForce, limits.timeoutSeconds * 1000);
      const since = await own.target.report();
      const lost = (why: string) => this.loseCanary(why);
      const number = this.options.number + 1;
      const canary = new Canary({ successor, number, share, clock, since, lost });
      if ((await canary.report()) === undefined) throw new Error(successor.why());
      this.canary = canary;
      await own.share({ share, handover: successor.handover });
      if (canary.isGone) throw new Error(successor.why());
      canary.isSettled = true;
    });
    this.state = 'serving';
    settled?.();
    log.info({ share, canary: successor.pid }, 'A canary has a share of the new connections');
  }

  private async changeShare(own: OwnGeneration, share: number): Promise<string | undefined> {
    const { canary } = this;
    if (!canary || canary.share === 0) return 'There must be a canary to give a share to, got one that has just ended';
    await own.share({ share, handover: canary.successor.handover });
    if (canary.share > 0) canary.share = share;
    this.options.log.info({ share, canary: canary.successor.pid }, 'The canary has another share');
    return undefined;
  }

  private async takeBack(own: OwnGeneration): Promise<string | undefined> {
    const { canary, options } = this;
    const { log } = options;
    if (!canary) return 'There must be a canary to take back, got one that has just ended';
    // A worker that is late gives nothing any more as soon as it hears of it; the canary must not wait for that.
    await own
      .share({ share: 0, handover: [] })
      .catch((err: unknown) => log.warn({ err }, 'A worker is late to end a share'));
    // Where none come back, all end there.
    canary.successor.takeBack(await own.receive().catch(() => []));
    log.info({ canary: canary.successor.pid }, 'The canary is taken back, and gets no connection any more');
    return undefined;
  }

  /** It is ended, with its connections, and this generation goes on alone. */
  private loseCanary(why: string): void {
    const { canary, estate, lastOwn, elder } = this;
    if (!canary) return;
    this.forgetCanary(canary);
    if (this.ending) return;
    const alive = elder && !elder.isGone && elder.lastReport ? [elder.lastReport] : [];
    const remaining = lastOwn ? [lastOwn, ...alive, ...estate.reports(lastOwn)] : [];
    this.lostMs = this.options.clock.nowMs();
    this.from = countersAfterLoss(remaining, canary.lastReport);
    this.instance = randomUUID();
    this.failed = `the canary was lost: ${why}`;
    this.options.log.error({ why }, 'The canary was lost with its connections, and this generation goes on alone');
  }

  private forgetCanary(canary: Canary): void {
    canary.isGone = true;
    this.canary = undefined;
    canary.successor.kill();
    void this.own?.share({ share: 0, handover: [] }).catch(() => undefined);
    this.tellCanaryGone();
  }

  /** Another generation serves: what is told to this process is for that one. */
  get isRetired(): boolean {
    return this.state === 'retired';
  }

  /** Whether another generation serves. One that takes over is waited for, a little. */
  async isReplaced(): Promise<boolean> {
    await this.takingOver;
    return this.isRetired;
  }

  /** Tells the next one that the whole proxy is to end, if who signals the proxy may not have known of it. @returns whether it was told */
  passShutdownOn(): boolean {
    if (!this.successor || this.successor.isKnown) return false;
    this.successor.shutDown();
    return true;
  }

  /** Lets all connections end, those of the generations before, too. Asking twice is the same as asking once. */
  shutDown(): Promise<void> {
    return (this.ending ??= this.end());
  }

  private async end(): Promise<void> {
    // What it has said may be on its way: one that serves must not be killed.
    if (this.state === 'starting') await this.takingOver;
    const isGivenUp = this.state === 'starting';
    if (isGivenUp) {
      this.successor?.kill();
      // Who has called for it has a response then.
      await atMost(this.attempting, MAX_END_MS, this.options.clock);
    }
    const parts = [this.own?.shutDown() ?? Promise.resolve(), this.endElder(), this.endCanary()];
    // What is wrong with one is no reason to leave another alone.
    const wrong = (await Promise.allSettled(parts)).find(({ status }) => status === 'rejected');
    // Of one that was killed; no later generation may do it.
    if (isGivenUp) await removeLeftSockets();
    if (wrong) throw (wrong as PromiseRejectedResult).reason;
  }

  private async endElder(): Promise<void> {
    const { elder, elderGone } = this;
    if (!elder || elder.isGone) return;
    elder.shutDown();
    if (await endOrHang(elderGone, () => elder.report(), this.endTimes)) return;
    throw new Error('The generation before must have ended by now, got no response of it: it is not waited for');
  }

  private get endTimes() {
    return { longestMs: longestShutdownMs(this.options.config), clock: this.options.clock };
  }

  /** With the proxy: its connections have the same times. */
  private async endCanary(): Promise<void> {
    const { canary } = this;
    if (!canary) return;
    const gone = new Promise<void>((resolve) => (this.tellCanaryGone = resolve));
    await this.own?.share({ share: 0, handover: [] }).catch(() => undefined);
    canary.successor.shutDown();
    // A report that does not come ends it.
    await endOrHang(gone, () => canary.report(), this.endTimes);
    await gone;
    const { isInOrder } = canary.successor;
    if (!isInOrder) throw new Error(`The canary must end in order, got one that did not: ${canary.successor.why()}`);
  }

  async close(): Promise<void> {
    await this.own?.close();
  }

  private startSuccessor(own: OwnGeneration, data: number): Successor {
    const { number, config, clock, limits, keeper, started } = this.options;
    const timeoutMs = limits.timeoutSeconds * 1000;
    const successor = new Successor({
      number: number + 1,
      sockets: { data, admin: own.descriptors.admin },
      keeper,
      inheritance: {
        data: { configured: config.listen, at: own.data },
        admin: config.admin && own.admin && { configured: config.admin.at, at: own.admin },
        side: config.side,
        ticketKeys: own.ticketKeys,
      },
      timeoutMs,
      clock,
      respond: (prompt) => this.respondAsElder(prompt),
      shutDown: () =>
        void this.shutDown().catch((err: unknown) => this.options.log.error({ err }, 'The end was not in order')),
      takes: (handover) => {
        if (this.state === 'retired' && this.successor === successor) own.handOverTo(handover);
      },
      gone: () => this.successorGone(successor),
      stopped: () => void this.restart({ share: 0 }).catch(() => undefined),
    });
    this.successor = successor;
    started?.(successor);
    return successor;
  }

  private async replaceBy(successor: Successor, own: OwnGeneration): Promise<void> {
    const { log, limits } = this.options;
    let resume: () => void = () => undefined;
    own.adminServer?.pause(new Promise<void>((resolve) => (resume = resolve)));
    try {
      await this.inTurn(() => this.handOver(successor, own, limits.timeoutSeconds * 1000));
    } finally {
      resume();
    }
    log.info({ successor: successor.pid }, 'The next generation serves: this one accepts no connection any more');
    void this.retire(successor, own);
  }

  private async handOver(successor: Successor, own: OwnGeneration, timeoutMs: number): Promise<void> {
    const { handOver, goOn } = this.options;
    // Another worker may have been lost since the last report. One that is late is no reason not to go on.
    await this.insistOnReport(timeoutMs);
    const integrations = await handOver();
    const { identity, instance } = this;
    const nonces = own.adminServer?.nonces ?? [];
    if (this.canary) this.canary.isSettled = false;
    if (this.ending) throw new Error('it was not needed any more');
    const takeover = { identity, instance, inForce: own.inForce, nonces, integrations };
    try {
      await this.awaitTakeover(successor.takeOver(takeover, timeoutMs));
    } catch (error) {
      goOn(integrations);
      throw error;
    }
    // What it has counted it says for itself now.
    this.canary = undefined;
    own.adminServer?.divert((call) => successor.call(call));
  }

  private awaitTakeover(serving: Promise<void>): Promise<void> {
    const taken = serving.then(() => void (this.state = 'retired'));
    this.takingOver = atMost(
      taken.catch(() => undefined),
      MAX_TAKEOVER_MS,
      this.options.clock,
    );
    return taken;
  }

  private async insistOnReport(withinMs: number): Promise<void> {
    const { clock } = this.options;
    const untilMs = clock.nowMs() + withinMs;
    for (;;) {
      try {
        return void (await this.ownReport());
      } catch (error) {
        const isLate = error instanceof CallFailed && error.status === 504;
        if (!isLate || clock.nowMs() >= untilMs) throw error;
        await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
      }
    }
  }

  private async retire(successor: Successor, own: OwnGeneration): Promise<void> {
    const { log, replaced } = this.options;
    const isInOrder = await own.retire(successor.handover).then(
      () => true,
      (error: unknown) => void log.error({ err: error }, 'The end of this generation was not in order'),
    );
    await this.elderGone;
    // The other generation responds to the calls that are in hand here: it listens to this one until it has left.
    await own.adminServer?.close();
    await this.leave(successor, own).catch((error: unknown) =>
      log.error({ err: error }, 'The last words were not said'),
    );
    log.info('All connections of this generation have ended');
    replaced(successor, isInOrder === true);
  }

  private async leave(successor: Successor, own: OwnGeneration): Promise<void> {
    const past = await this.ownReport();
    this.estate.add(await own.finalRecord());
    const { samples, recent } = this.estate.finalRecord();
    await successor.leave({ past, samples, recent });
  }

  private successorGone(successor: Successor): void {
    const { canary } = this;
    if (canary?.successor === successor) return this.canaryGone(canary);
    if (this.successor !== successor || this.state !== 'retired') return;
    this.options.log.error('The generation that served has ended, while this one lets its connections end');
  }

  private canaryGone(canary: Canary): void {
    const { words } = canary.successor;
    if (!words) return this.loseCanary(canary.successor.why());
    this.estate.add(words);
    this.forgetCanary(canary);
    this.options.log.info('The canary has ended: all its connections have, or came back');
  }

  private get generations(): GenerationsReport {
    const { state, failed, canary, lastOwn } = this;
    const { number } = this.options;
    const isStarting = state === 'starting';
    const ofCanary = canary && (canary.share === 0 ? 'ending' : 'canary');
    const described = lastOwn && canary?.describe(number, lastOwn);
    return {
      number,
      live: 1 + this.livingElders + (isStarting || canary ? 1 : 0),
      restart: isStarting ? 'starting' : (ofCanary ?? 'none'),
      ...(failed !== undefined && { failed }),
      ...(described && { canary: described }),
    };
  }

  private get livingElders(): number {
    const { elder } = this;
    return elder && !elder.isGone ? (elder.lastReport?.generations?.live ?? 1) : 0;
  }

  /** An order for this generation, those before it, and a canary. */
  private async all(
    follow: (target: AdminTarget) => ReturnType<AdminTarget['undrain']>,
    orderFor: (part: Elder | Canary) => Order,
  ): Promise<string | undefined> {
    const { target } = await this.attached;
    const { elder, canary } = this;
    const rejection = await follow(target);
    if (rejection !== undefined) return rejection;
    if (canary) await canary.follow(orderFor(canary));
    if (!elder || elder.isGone) return undefined;
    return elder.ask(orderFor(elder)).catch(unlessGone);
  }

  /** From the generation that serves, of one that ends. */
  private async respondAsElder(prompt: RpcRequest): Promise<unknown> {
    const { own } = this;
    if (!own) throw new Error('It has not started');
    const { target } = own;
    return this.inTurn((): unknown => {
      switch (prompt.kind) {
        case 'report':
          return this.ownReport();
        case 'window':
          return this.ownWindow(prompt.order);
        case 'list':
          return this.list(prompt.query);
        case 'connections':
        case 'share':
        case 'receive':
          throw new Error(`'kind' must be one that a generation is asked, got ${prompt.kind}`);
        case 'metrics':
          return this.sum().then((sum) => sum.getMetricsAsJSON());
        case 'drain':
        case 'undrain':
        case 'hold':
        case 'release':
        case 'retarget':
          return this.all(
            () => follow(target, prompt),
            () => prompt,
          );
      }
    });
  }

  /** From a generation that ends: of a call that it still had in hand. */
  private respondAsServing(prompt: RpcRequest): Promise<unknown> {
    if (prompt.kind === 'report') return this.report();
    return Promise.reject(new Error(`'kind' must be report, got ${prompt.kind}`));
  }

  private async ownReport(): Promise<LedgerReport> {
    const own = await this.attached;
    const { identity } = this;
    let looked = await this.look(own);
    for (let look = 1; this.others.length > 0 && look < MAX_LOOKS && isZero(looked); look += 1) {
      const before = looked;
      looked = await this.look(own);
      if (isSameZero(listReports(before), listReports(looked))) break;
    }
    const { mine } = looked;
    // What one has left that has ended meanwhile is counted already.
    const theirs = looked.others.filter(({ part }) => !part.isGone);
    const reports = theirs.map(({ report }) => report);
    this.notice(mine, theirs);
    const { instance, generations } = this;
    const past = this.estate.reports(mine);
    const { sinceLossMs } = this;
    const shown = { identity, instance, generations, ...(sinceLossMs !== undefined && { sinceLossMs }) };
    if (reports.length + past.length === 0 && this.from === NO_COUNTERS) {
      return { ...mine, ...shown, ...(mine.sinceLossMs !== undefined && { sinceLossMs: mine.sinceLossMs }) };
    }
    const parts = [mine, ...reports.map((report) => elderReport(report, mine)), ...past];
    const merged = mergeReports({ identity, instance }, parts, this.from);
    const losses = [sinceLossMs, ...[mine, ...reports].map((report) => report.sinceLossMs)].filter(
      (ms) => ms !== undefined,
    );
    return {
      ...merged,
      hold: mergeHold(parts.map(({ hold }) => hold)) ?? merged.hold,
      ...shown,
      ...(losses.length > 0 && { sinceLossMs: Math.min(...losses) }),
    };
  }

  private get sinceLossMs(): number | undefined {
    return this.lostMs === undefined ? undefined : Math.floor(this.options.clock.nowMs() - this.lostMs);
  }

  /** Connections come here from the others. These are asked first: what comes meanwhile is in both reports, and not in none. */
  private async look(own: OwnGeneration): Promise<Looked> {
    const found = await Promise.all(this.others.map(async (part) => ({ part, report: await part.report() })));
    const mine = await own.target.report();
    return { mine, others: found.flatMap(({ part, report }) => (report ? [{ part, report }] : [])) };
  }

  /** The counters of a part begin anew when it has lost a worker: then those of all do, under another name. */
  private notice(own: LedgerReport, others: Looked['others']): void {
    const { seen, elder } = this;
    const older = others.find(({ part }) => part === elder)?.report;
    const isOwnNew = seen.own !== undefined && seen.own !== own.instance;
    const isElderNew = older !== undefined && seen.elder !== undefined && seen.elder !== older.instance;
    if (isOwnNew || isElderNew) {
      const known = others.flatMap(({ part, report }) => (part === elder && isElderNew ? [] : [report]));
      this.from = sumCounters([...(isOwnNew ? [] : [own]), ...known, ...this.estate.reports(own)]);
      this.instance = randomUUID();
    }
    this.lastOwn = own;
    this.seen = { own: own.instance, elder: older?.instance ?? seen.elder };
  }

  private elderEnded(words: FinalRecord | undefined): void {
    const { elder, estate, lastOwn, canary } = this;
    if (words) {
      estate.add(words);
      this.options.log.info('The generation before has ended: all its connections have');
    } else if (elder) {
      this.options.log.error('The generation before has ended before its connections did');
      this.lostMs = this.options.clock.nowMs();
      const ofCanary = canary?.lastReport ? [canary.lastReport] : [];
      const remaining = lastOwn ? [lastOwn, ...ofCanary, ...estate.reports(lastOwn)] : [];
      this.from = countersAfterLoss(remaining, elder.lastReport);
      this.instance = randomUUID();
    }
    this.tellElderGone();
  }

  private async ownWindow(order: WindowOrder): Promise<WindowReport> {
    const { target } = await this.attached;
    const [own, theirs] = await Promise.all([target.window(order), this.askOthers({ kind: 'window', order })]);
    return mergeWindows([own, ...theirs, ...this.estate.windows(order)]);
  }

  private async sum(): Promise<Registry> {
    const own = await this.attached;
    // As in `look`.
    const theirs = await this.askOthers({ kind: 'metrics' });
    const mine = await own.samples();
    const all = [mine, ...theirs, this.estate.samples()] as MetricObject[][];
    return AggregatorRegistry.aggregate(all);
  }

  /** What one has left that has ended meanwhile is counted already. */
  private async askOthers<Q extends RpcRequest>(prompt: Q): Promise<ResponseTo<Q>[]> {
    const asked = this.others.map(async (part) => ({ part, response: await part.ask(prompt).catch(unlessGone) }));
    const found = await Promise.all(asked);
    return found.flatMap(({ part, response }) => (response === undefined || part.isGone ? [] : [response]));
  }

  private inTurn<T>(call: () => T | Promise<T>): Promise<T> {
    const result = this.turn.then(call);
    this.turn = result.catch(() => undefined);
    return result;
  }
}

/** That of all, where they say the same. */
function mergeHold(holds: readonly LedgerReport['hold'][]): LedgerReport['hold'] | undefined {
  const [first] = holds;
  if (!first || holds.some(({ state, epoch }) => state !== first.state || epoch !== first.epoch)) return undefined;
  return { ...first, waiting: holds.reduce((sum, { waiting }) => sum + waiting, 0) };
}

function unlessGone(error: unknown): undefined {
  if (error instanceof WorkerGone) return undefined;
  throw error;
}

const NO_PAGE: ConnectionPage = { connections: [] };

/** What this and the next generation have. */
async function listNext(
  before: ConnectionPage,
  generation: number,
  query: ConnectionQuery,
  ask: (query: ConnectionQuery) => ConnectionPage | undefined | Promise<ConnectionPage | undefined>,
): Promise<ConnectionPage> {
  const limit = query.limit - before.connections.length;
  if (before.next !== undefined || limit === 0) return joinGenerations(before, undefined);
  const asked = queryForGeneration(generation, { ...query, limit });
  const page = asked && (await ask(asked));
  return joinGenerations(before, page ? nameGeneration(generation, page) : NO_PAGE);
}

/** What one look at the generations found. */
interface Looked {
  readonly mine: LedgerReport;
  readonly others: readonly { readonly part: Elder | Canary; readonly report: LedgerReport }[];
}

function listReports({ mine, others }: Looked): LedgerReport[] {
  return [mine, ...others.map(({ report }) => report)];
}

function isZero(looked: Looked): boolean {
  return total(activeSum(listReports(looked))) === 0;
}
