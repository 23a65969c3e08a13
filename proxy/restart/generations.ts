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
import { GenerationsReport, findRestartConflict } from '../../core/proxy/restart';
import type { Snapshot } from '../../core/proxy/task-protection';
import { WindowOrder, WindowReport, mergeWindows } from '../../core/proxy/window';
import { AdminServer, AdminTarget, CallFailed } from '../admin/admin-server';
import type { IntegrationsRecord } from '../aws/integrations';
import type { Integrations } from '../aws/snapshot';
import type { ProxyConfig } from '../config/config';
import type { Descriptors, OrdersInForce } from '../control/proxy';
import type { Clock } from '../process/clock';
import type { HandoverAddress } from '../handover/messages';
import type { FinalRecord } from '../telemetry/final-record';
import { Estate } from '../workers/estate';
import type { Order, RpcRequest } from '../workers/messages';
import { drainQuotas } from '../workers/quotas';
import { WorkerGone } from '../workers/rpc';
import type { Elder } from './elder';
import type { Takeover } from './messages';
import { Successor } from './successor';
import type { HostPort } from '../../core/validation/host-port';

/** So often a zero is looked at again; see `isSameZero`. */
const MAX_LOOKS = 5;
/** In which a new generation says why it did not prove itself. */
const MARGIN_MS = 1_000;

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
  retire(handover: readonly HandoverAddress[]): Promise<void>;
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
  /** A restart begins; it has failed, and this generation goes on. */
  readonly starting?: () => void;
  readonly failed?: () => void;
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

  constructor(private readonly options: GenerationsOptions) {
    const { takeover, elder, clock } = options;
    this.identity = takeover?.identity ?? randomUUID();
    this.instance = takeover?.instance ?? randomUUID();
    this.estate = new Estate(() => clock.nowMs());
    // Of one that was gone before there is nothing to ask for.
    this.elder = takeover && elder;
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
      },
      own.handover ?? [],
    );
  }

  rejection(): string | undefined {
    return this.own?.target.rejection();
  }

  report(): Promise<LedgerReport> {
    if (this.state === 'retired') return this.successor!.ask({ kind: 'report' });
    return this.inTurn(() => this.ownReport());
  }

  window(order: WindowOrder): Promise<WindowReport> {
    return this.inTurn(() => this.ownWindow(order));
  }

  connections(query: ConnectionQuery): Promise<ConnectionPage> {
    return this.inTurn(() => this.list(query));
  }

  /** The generations before this one come first. */
  private async list(query: ConnectionQuery): Promise<ConnectionPage> {
    const { target } = await this.attached;
    const { elder } = this;
    const { number } = this.options;
    const none: ConnectionPage = { connections: [] };
    const asked = elder && !elder.isGone ? elder.ask({ kind: 'list', query }) : undefined;
    const before = (await asked?.catch((error: unknown) => passUnlessGone(error))) ?? none;
    const limit = query.limit - before.connections.length;
    if (before.next !== undefined || limit === 0) return joinGenerations(before, undefined);
    const own = queryForGeneration(number, { ...query, limit });
    return joinGenerations(before, own ? nameGeneration(number, await target.connections(own)) : none);
  }

  snapshot(): Snapshot {
    const own = this.own!.snapshot();
    const { elder } = this;
    if (!elder || elder.isGone || !elder.lastReport) return own;
    const { active, carried = NO_CONNECTIONS } = elder.lastReport;
    return { ...own, active: addKinds(own.active, addKinds(active, carried)) };
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
      const { elder } = this;
      if (!elder || elder.isGone) return target.drain(order);
      const [own, older] = [await target.report(), await elder.report()];
      const [mine, theirs] = drainQuotas(order, [total(own.active), older ? total(older.active) : 0]);
      return this.both((t) => t.drain(mine ?? order), { kind: 'drain', order: theirs ?? order });
    });
  }

  undrain(order: UndrainOrder): Promise<string | undefined> {
    return this.inTurn(() => this.both((target) => target.undrain(order), { kind: 'undrain', order }));
  }

  hold(order: HoldOrder): Promise<string | undefined> {
    return this.inTurn(async () => {
      const rejection = await this.both((target) => target.hold(order), { kind: 'hold', order });
      return rejection;
    });
  }

  release(order: ReleaseOrder): Promise<string | undefined> {
    return this.inTurn(() => this.both((target) => target.release(order), { kind: 'release', order }));
  }

  retarget(order: RetargetOrder): Promise<string | undefined> {
    return this.inTurn(() => this.both((target) => target.retarget(order), { kind: 'retarget', order }));
  }

  async probe(order: ProbeOrder): Promise<ProbeReport> {
    return (await this.attached).target.probe(order);
  }

  async callBackend(order: BackendCallOrder): Promise<BackendCallReport> {
    return (await this.attached).target.callBackend(order);
  }

  /**
   * Starts the next generation. Resolves when it serves, or with why none may be started now.
   *
   * @throws CallFailed when it did not prove itself: this one goes on
   */
  async restart(): Promise<string | undefined> {
    const { log, limits } = this.options;
    const own = await this.attached;
    const conflict =
      this.rejection() ??
      (this.state === 'retired' ? 'Another generation serves' : undefined) ??
      findRestartConflict(this.generations, limits.maxGenerations);
    if (conflict !== undefined) return conflict;
    const { data } = own.descriptors;
    if (data === undefined) return 'This Node.js must say the descriptor of a socket that it listens at, got none';
    this.state = 'starting';
    this.options.starting?.();
    log.info('A restart: a new generation is started, and proves itself');
    try {
      await this.replaceBy(this.startSuccessor(own, data), own);
      this.failed = undefined;
      return undefined;
    } catch (error) {
      this.state = 'serving';
      this.successor?.kill();
      this.failed = (error as Error).message;
      this.options.failed?.();
      log.error(`The restart failed, and this generation goes on: ${this.failed}`);
      throw new CallFailed(`The restart failed, and the proxy goes on as it is: ${this.failed}`);
    }
  }

  /** Another generation serves: what is told to this process is for that one. */
  get isRetired(): boolean {
    return this.state === 'retired';
  }

  /** Lets all connections end, those of the generations before, too. Asking twice is the same as asking once. */
  shutDown(): Promise<void> {
    return (this.ending ??= this.end());
  }

  private async end(): Promise<void> {
    if (this.state === 'starting') this.successor?.kill();
    this.elder?.shutDown();
    await Promise.all([this.own?.shutDown(), this.elderGone]);
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
        proveUntilMs: Date.now() + timeoutMs - Math.min(MARGIN_MS, timeoutMs / 4),
      },
      timeoutMs,
      clock,
      respond: (prompt) => this.respondAsElder(prompt),
      shutDown: () =>
        void this.shutDown().catch((err: unknown) => this.options.log.error({ err }, 'The end was not in order')),
      gone: () => this.successorGone(successor),
    });
    this.successor = successor;
    started?.(successor);
    return successor;
  }

  private async replaceBy(successor: Successor, own: OwnGeneration): Promise<void> {
    const { log, limits } = this.options;
    await successor.ready();
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
    // Another worker may have been lost since the last report.
    await this.ownReport();
    const integrations = await handOver();
    const { identity, instance } = this;
    const nonces = own.adminServer?.nonces ?? [];
    try {
      await successor.takeOver({ identity, instance, inForce: own.inForce, nonces, integrations }, timeoutMs);
    } catch (error) {
      goOn(integrations);
      throw error;
    }
    this.state = 'retired';
    own.adminServer?.divert((call) => successor.call(call));
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
    if (this.successor !== successor || this.state !== 'retired') return;
    this.options.log.error('The generation that served has ended, while this one lets its connections end');
  }

  private get generations(): GenerationsReport {
    const { elder, state, failed } = this;
    const before = elder && !elder.isGone ? (elder.lastReport?.generations?.live ?? 1) : 0;
    const isStarting = state === 'starting';
    return {
      number: this.options.number,
      live: 1 + before + (isStarting ? 1 : 0),
      restart: isStarting ? 'starting' : 'none',
      ...(failed !== undefined && { failed }),
    };
  }

  /** An order for this generation, and those before it. */
  private async both(
    follow: (target: AdminTarget) => ReturnType<AdminTarget['undrain']>,
    order: Order,
  ): Promise<string | undefined> {
    const { target } = await this.attached;
    const rejection = await follow(target);
    const { elder } = this;
    if (rejection !== undefined || !elder || elder.isGone) return rejection;
    try {
      return await elder.ask(order);
    } catch (error) {
      if (error instanceof WorkerGone) return undefined;
      throw error;
    }
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
          throw new Error("'kind' must be list, got connections");
        case 'metrics':
          return this.sum().then((sum) => sum.getMetricsAsJSON());
        case 'drain':
          return this.both(() => target.drain(prompt.order), prompt);
        case 'undrain':
          return this.both(() => target.undrain(prompt.order), prompt);
        case 'hold':
          return this.both(() => target.hold(prompt.order), prompt);
        case 'release':
          return this.both(() => target.release(prompt.order), prompt);
        case 'retarget':
          return this.both(() => target.retarget(prompt.order), prompt);
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
    const { elder, identity } = this;
    let [mine, theirs] = await this.look(own);
    for (let look = 1; elder && look < MAX_LOOKS && total(activeSum([mine, ...theirs])) === 0; look += 1) {
      const before = [mine, ...theirs];
      [mine, theirs] = await this.look(own);
      if (isSameZero(before, [mine, ...theirs])) break;
    }
    // What one has left that has ended meanwhile is counted already.
    if (elder?.isGone === true) theirs = [];
    this.notice(mine, theirs[0]);
    const { instance, generations } = this;
    const past = this.estate.reports(mine);
    const { sinceLossMs } = this;
    const shown = { identity, instance, generations, ...(sinceLossMs !== undefined && { sinceLossMs }) };
    if (theirs.length + past.length === 0 && this.from === NO_COUNTERS) {
      return { ...mine, ...shown, ...(mine.sinceLossMs !== undefined && { sinceLossMs: mine.sinceLossMs }) };
    }
    const parts = [mine, ...theirs.map((report) => elderReport(report, mine)), ...past];
    const merged = mergeReports({ identity, instance }, parts, this.from);
    const losses = [sinceLossMs, ...[mine, ...theirs].map((report) => report.sinceLossMs)].filter(
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

  private async look(own: OwnGeneration): Promise<[LedgerReport, LedgerReport[]]> {
    const { elder } = this;
    if (!elder || elder.isGone) return [await own.target.report(), []];
    const [mine, theirs] = await Promise.all([own.target.report(), elder.report()]);
    return [mine, theirs ? [theirs] : []];
  }

  /** The counters of a part begin anew when it has lost a worker: then those of all do, under another name. */
  private notice(own: LedgerReport, elder: LedgerReport | undefined): void {
    const { seen } = this;
    const isOwnNew = seen.own !== undefined && seen.own !== own.instance;
    const isElderNew = elder !== undefined && seen.elder !== undefined && seen.elder !== elder.instance;
    if (isOwnNew || isElderNew) {
      const others = [
        ...(isOwnNew ? [] : [own]),
        ...(elder && !isElderNew ? [elder] : []),
        ...this.estate.reports(own),
      ];
      this.from = sumCounters(others);
      this.instance = randomUUID();
    }
    this.lastOwn = own;
    this.seen = { own: own.instance, elder: elder?.instance ?? seen.elder };
  }

  private elderEnded(words: FinalRecord | undefined): void {
    const { elder, estate, lastOwn } = this;
    if (words) {
      estate.add(words);
      this.options.log.info('The generation before has ended: all its connections have');
    } else if (elder) {
      this.options.log.error('The generation before has ended before its connections did');
      this.lostMs = this.options.clock.nowMs();
      const remaining = lastOwn ? [lastOwn, ...estate.reports(lastOwn)] : [];
      this.from = countersAfterLoss(remaining, elder.lastReport);
      this.instance = randomUUID();
    }
    this.tellElderGone();
  }

  private async ownWindow(order: WindowOrder): Promise<WindowReport> {
    const { target } = await this.attached;
    const { elder } = this;
    const asked = elder && !elder.isGone ? elder.ask({ kind: 'window', order }).catch(unlessGone) : undefined;
    const [own, theirs] = await Promise.all([target.window(order), asked]);
    const older = theirs && elder?.isGone !== true ? [theirs] : [];
    return mergeWindows([own, ...older, ...this.estate.windows(order)]);
  }

  private async sum(): Promise<Registry> {
    const own = await this.attached;
    const { elder } = this;
    const asked = elder && !elder.isGone ? elder.ask({ kind: 'metrics' }).catch(unlessGone) : undefined;
    const [mine, theirs] = await Promise.all([own.samples(), asked]);
    const older = theirs && elder?.isGone !== true ? [theirs] : [];
    const all = [mine, ...older, this.estate.samples()] as MetricObject[][];
    return AggregatorRegistry.aggregate(all);
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

function passUnlessGone(error: unknown): undefined {
  if (error instanceof WorkerGone) return undefined;
  throw error;
}
