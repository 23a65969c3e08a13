import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { DrainOrder, HEALTH_PATH, LedgerReport, UndrainOrder } from '../../core/proxy/admin-api';
import { KindCounts, NO_CONNECTIONS, addKinds, total } from '../../core/proxy/connections';
import { Snapshot, taskSnapshot } from '../../core/proxy/task-protection';
import {
  ConnectionPage,
  ConnectionQuery,
  WorkerPage,
  WorkerQuery,
  joinPages,
  queryFor,
} from '../../core/proxy/connection-list';
import { SIDES } from '../../core/traffic/weights';
import { AccessLog } from '../telemetry/access-log';
import { AdminServer, AdminTarget, startAdminServer } from '../admin/admin-server';
import { createMetrics } from '../admin/metrics';
import { ledgerFigures } from '../admin/report';
import { findAdminKeys } from '../config/admin-settings';
import type { Integrations } from '../aws/snapshot';
import { Capture } from '../capture/capture';
import type { ComparedPair } from '../../core/compare/difference-tally';
import { MirrorComparison } from '../mirror/comparison';
import { Mirror } from '../mirror/mirror';
import { Clock, SYSTEM_CLOCK } from '../process/clock';
import type { HostPort } from '../../core/validation/host-port';
import type { ProxyConfig } from '../config/config';
import { loadMoveAdapters } from '../config/move-adapters';
import type { Response, DataPlane, Decision, PlaneTls, RequestHead, Upstream } from '../data-plane/contract/data-plane';
import { createDataPlane } from '../data-plane/engine/engine';
import { isGrpcContent } from '../data-plane/streams/grpc';
import { ListOptions, listConnections } from './connection-list';
import { Drain } from './drain';
import type { DrainLog } from '../telemetry/drain-lines';
import { openFileLimit } from '../process/file-limit';
import { memoryBudget } from '../process/memory-limit';
import { ForwardRecord, ForwardedRequest, Ledgers } from './forwarded-request';
import { Forwarding, forwardingFields } from '../forwarding/forwarding';
import { TicketKeys } from '../data-plane/shared/ticket-keys';
import type { HandoverAddress, ShareOrder } from '../handover/messages';
import { findObstacle, giveConnections, shareConnections, takeConnections } from '../handover/generations';
import type { HandOver } from '../handover/hand-over';
import type { Receiver } from '../handover/receiver';
import type { Sharing } from '../handover/sharing';
import { Health } from './health';
import type { Moves } from '../../core/moves/moves';
import type { Hold, RetargetOrder } from '../../core/proxy/hold';
import { HoldGate } from './hold';
import { Mover, PendingMove } from './mover';
import { Ledger } from '../data-plane/contract/ledger';
import { LoopGuard } from '../forwarding/loop-guard';
import { failureResponse, loopDetected, retryLater } from './error-responses';
import { callBackend } from '../backend-calls/backend-call';
import { StateTransfers } from '../backend-calls/state-transfers';
import { probe } from './probe';
import { Retarget, listUpstreams } from './retarget';
import type { DecisionStore } from '../../core/switch/decision-store';
import type { startUnder } from '../../core/switch/regime';
import { SessionStore } from '../session-store/session-store';
import { endPumps } from './pump-end';
import { Stillness, lastSeconds, quiet, shutdownOrder } from './shutdown';
import { warnAtStart } from './start-warnings';
import { proveHealth } from './self-test';
import { certificate } from './tls';
import { TraceIds } from '../forwarding/trace-ids';
import { isJudged } from '../telemetry/judged';
import { RecentTraffic } from '../telemetry/recent-traffic';
import { TrafficCount } from '../telemetry/traffic-count';
import { MoveLog } from '../telemetry/move-log';
import { UpstreamLog } from '../telemetry/upstream-log';
import type { FinalRecord } from '../telemetry/final-record';
import type { Side } from '../../core/traffic/weights';

export interface RunningProxy extends Integrations {
  readonly data: HostPort;
  readonly admin: HostPort | undefined;
  /** What the admin API acts on, in whichever process it is served. */
  readonly target: AdminTarget;
  /** Those of several workers add up; see `AggregatorRegistry` of prom-client. */
  readonly metrics: Registry;
  report(): LedgerReport;
  listConnections(query: WorkerQuery): WorkerPage;
  /** Connections of the other workers, which the health response shows with its own. */
  countOthers(others: LiveCounts): void;
  /** The descriptors of the sockets that it listens at, for another generation. */
  readonly descriptors: Descriptors;
  /** What is in force here, for who takes over. */
  readonly inForce: OrdersInForce;
  readonly adminServer: AdminServer | undefined;
  readonly ticketKeys: Uint8Array | undefined;
  /** Takes over connections of the generation before, from now on. Undefined where that cannot be; the log says why. */
  takeConnections(): Promise<HandoverAddress | undefined>;
  /**
   * Gives a share of what it accepts to a canary, or another share to the same one; 0 ends it.
   *
   * @throws Error that says why it cannot
   */
  share(order: ShareOrder): Promise<void>;
  /** Where connections of a canary come back to; empty where they cannot. */
  receive(): Promise<readonly HandoverAddress[]>;
  /**
   * Stops accepting, gives its connections to these processes, lets every other one finish as in a drain, then closes. Its admin API
   * is left alone.
   */
  retire(handover: readonly HandoverAddress[]): Promise<void>;
  /** After `retire`: where its connections can go now. */
  handOverTo(handover: readonly HandoverAddress[]): Promise<void>;
  /** What the generation that goes on reports of this one, which has ended. */
  finalRecord(): Promise<FinalRecord>;
  /** Lets every connection finish in the configured times, then closes. Resolves when nothing is left. */
  shutDown(): Promise<void>;
  /** Destroys everything at once. */
  close(): Promise<void>;
}

/** One that has everything but its port: it tries itself, and then listens. */
export interface StagedProxy extends RunningProxy {
  /** @param untilMs of the clock. @throws Error that says what is wrong with it */
  prove(untilMs: number): Promise<void>;
  open(options: Pick<ProxyOptions, 'shared' | 'known' | 'started' | 'before'>): Promise<void>;
  /** Serves what the generation before gives it. `open` has it listen later, under the orders that it has by then. */
  openUnlistened(options: Pick<ProxyOptions, 'known' | 'before'>): Promise<HandoverAddress>;
}

export interface Descriptors {
  readonly data: number | undefined;
  readonly admin: number | undefined;
}

/** A `PendingMove`, for the other process. */
interface PackedMove extends Omit<PendingMove, 'upstream'> {
  readonly isOwn: boolean;
}

/** What a generation hands on of its orders. Times are milliseconds of the clock that `nowMs` is of. */
export interface OrdersInForce {
  readonly hold: Hold;
  readonly side: Side;
  readonly drain: DrainOrder | undefined;
  /** When that began. */
  readonly drainSinceMs?: number | undefined;
  readonly nowMs: number;
}

export interface ProxyOptions {
  readonly clock?: Clock;
  /** A data port that other processes share: what the primary process says for all of them, this one logs for itself at `debug`. */
  readonly shared?: SharedPort;
  /** What the group knows, of a worker. */
  readonly known?: KnownEpochs;
  /** Where the regime and the decisions of switches are, and what the regime said. */
  readonly started?: StartedUnder;
  /** Called just before the data port is open: the first request finds what is ordered here in force. */
  readonly before?: (target: AdminTarget) => void;
  /** The keys of session tickets of another process; see `TicketKeys.pack`. @default - new ones */
  readonly ticketKeys?: Uint8Array;
  /** What the admin API acts on in place of this proxy alone. */
  readonly wrap?: (own: AdminTarget) => AdminTarget;
  /** Takes what the mirror has compared; false where it is lost. @default - it is counted here */
  readonly compared?: (pair: ComparedPair) => boolean;
}

/** Live connections, and those that are carried. */
export type LiveCounts = Readonly<Record<'active' | 'carried', KindCounts>>;

/** `epoch`: of the last hold that has ended; 0 while one is in force. `committed`: of the last switch that was. */
export type KnownEpochs = Pick<Hold, 'epoch' | 'committed'>;

export interface StartedUnder {
  readonly store: DecisionStore;
  readonly under: ReturnType<typeof startUnder>;
}

type SharedPort = Extract<Parameters<DataPlane['listen']>[0], { shared: unknown }>['shared'];

/** The number of a proxy of one process in its ids of connections. */
const ONLY_WORKER = 1;
/** For the last records of a process that ends. */
const CAPTURE_SECONDS = 5;
const NO_PAGE: WorkerPage = { connections: [], hasMore: false };

/** Why it follows no order. The hold of a switch it does follow. */
export const SHUTTING_DOWN = 'The proxy shuts down, and its drain is its own';

const DOT = HEALTH_PATH.charCodeAt(1);

/** One proxy: ledger, data plane, drain and admin API, wired. @throws Error of `listen`, with `code` `EADDRINUSE` for a busy port. */
export async function startProxy(config: ProxyConfig, log: Logger, options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await stageProxy(config, log, options);
  await proxy.open(options);
  return proxy;
}

/** The same, which does not listen yet. `shared` says here whether it will be one of several processes. */
export async function stageProxy(
  config: ProxyConfig,
  log: Logger,
  options: Omit<ProxyOptions, 'known' | 'before'> = {},
): Promise<StagedProxy> {
  const { clock = SYSTEM_CLOCK, shared, started, ticketKeys } = options;
  const lifecycleLog = shared === undefined ? log : integrations(log);
  const store = shared === undefined ? started?.store : ('primary' as const);
  const pair = await certificate(config.tls);
  const tls = pair && {
    ...pair,
    ticketKeys: TicketKeys.unpack(ticketKeys, Date.now()),
    isHandedOver: config.tlsHandover === 'auto',
  };
  return new Proxy(config, log, lifecycleLog, clock, tls, store, options);
}

class Proxy implements StagedProxy {
  readonly target: AdminTarget;
  readonly metrics: Registry;
  private readonly identity = randomUUID();
  private readonly instance = randomUUID();
  private readonly ledger = new Ledger(
    () => performance.now(),
    (entry) => this.mover.isElsewhere(entry),
  );
  private readonly ledgers: Ledgers;
  private readonly capture: Capture | undefined;
  private readonly mirror: Mirror | undefined;
  private readonly comparison: MirrorComparison | undefined;
  private readonly smokeTestPorts: ReadonlySet<string>;
  private forwarding: Forwarding;
  private readonly plane: DataPlane;
  private readonly drain: Drain;
  private readonly health: Health;
  private readonly sessionStore: SessionStore | undefined;
  private readonly retarget: Retarget;
  private readonly mover: Mover;
  private readonly moveLog: MoveLog;
  private readonly gate: HoldGate;
  private readonly store: DecisionStore | undefined;
  adminServer: AdminServer | undefined;
  private others: LiveCounts = { active: NO_CONNECTIONS, carried: NO_CONNECTIONS };
  private isShuttingDown = false;
  private isRetired = false;
  private receiver: Receiver | undefined;
  /** From when it begins: it may be asked for again before it has. */
  private sharing: Promise<Sharing> | undefined;
  private sharingOver: Promise<void> = Promise.resolve();
  private hasOrders = false;
  private handOver: HandOver | undefined;
  /** One after the other: two would give the same connection. */
  private handingOver: Promise<void> = Promise.resolve();
  private isDrainOwn = false;
  private isStoreAsked = false;
  /** Of a canary that did not take over it is false. */
  private hasListened = false;
  private lastRequestMs = 0;
  private listening: HostPort;

  constructor(
    private readonly config: ProxyConfig,
    private readonly log: Logger,
    /** The course of a drain and of the shutdown. */
    private readonly lifecycleLog: DrainLog,
    private readonly clock: Clock,
    private readonly tls: (PlaneTls & { readonly ticketKeys: TicketKeys }) | undefined,
    store: DecisionStore | 'primary' | undefined,
    private readonly options: Pick<ProxyOptions, 'wrap' | 'compared'>,
  ) {
    this.store = store === 'primary' ? undefined : store;
    const { side, accessLog } = config;
    this.listening = config.listen;
    this.smokeTestPorts = new Set(config.smokeTestPorts);
    this.retarget = new Retarget(side, listUpstreams(side, config.upstream, config.otherUpstream));
    this.capture = config.capture && new Capture(config.capture, this.identity, this.retarget, clock, log);
    this.comparison = config.mirror && new MirrorComparison(config.mirror);
    this.mirror = this.createMirror();
    this.ledgers = {
      clock,
      mirror: this.mirror,
      capture: this.capture,
      traffic: new TrafficCount(),
      recent: new RecentTraffic(Date.now() - clock.nowMs(), clock.nowMs()),
      upstreams: new UpstreamLog(log, clock),
      accessLog: accessLog === 'off' ? undefined : new AccessLog(log, accessLog === 'errors', clock),
      via: config.via,
    };
    this.forwarding = buildForwarding(config);
    this.moveLog = new MoveLog(log, clock);
    this.mover = this.createMover();
    this.gate = this.createGate(store);
    this.plane = this.createPlane(tls);
    const changed = (isDraining: boolean) => this.plane.setDraining(isDraining);
    this.drain = new Drain(
      this.ledger,
      clock,
      lifecycleLog,
      changed,
      (entry) => this.mover.hasTaken(entry) || this.waitsForSuccessor,
    );
    const { sessionStore } = config;
    this.sessionStore = sessionStore && new SessionStore(sessionStore, clock, log);
    this.health = new Health({
      side,
      state: () => this.drain.state,
      active: () => addKinds(this.ledger.active, this.others.active),
      carried: () => addKinds(this.ledger.carried, this.others.carried),
      ...(this.sessionStore && { sessionStore: this.sessionStore }),
      memory: () => this.plane.memory,
      isSessionStoreRequired: sessionStore?.isRequired === true,
    });
    this.metrics = this.createMetrics();
    this.target = this.createTarget();
  }

  private createPlane(tls: PlaneTls | undefined): DataPlane {
    const { config, log } = this;
    return createDataPlane({
      ledger: this.ledger,
      route: (head) => this.route(head),
      failureResponse,
      expectsProxyHeader: config.proxyProtocol === 'required',
      refused: ({ status, address, why }) => {
        // Nothing is known of where it came from.
        this.ledgers.traffic.reject(status, true);
        this.ledgers.accessLog?.unread(status, address, why);
      },
      deviated: (what, upstream) => this.ledgers.upstreams.deviated(what, upstream),
      faulted: (error) => log.error({ err: error }, 'Unexpected error, one exchange was given up'),
      noticed: ({ level, message, figures }) => log[level](figures, message),
      pendingOrder: (entry) => this.packPending(this.mover.findPending(entry)),
      arrived: (entry, order) => this.mover.arrived(entry, this.unpackPending(order as PackedMove | undefined)),
      resumeMessages: (packed) => this.capture?.resumeMessages(packed),
      resumeForward: (record) => ForwardedRequest.resume(this.ledgers, record as ForwardRecord, this.upstreams),
      isAwaited: (entry) => this.mover.isAwaited(entry),
      timeouts: config.timeouts,
      limits: {
        openFiles: openFileLimit(),
        ...config.limits,
        memoryBytes: memoryBudget(config.limits.memoryBytes),
      },
      // A canary that is taken back is to end soon.
      isPumping: () => this.pumpSeconds > 0 && this.hasListened,
      ...(tls && { tls }),
      ...(config.moves && { moves: { ...config.moves, adapters: loadMoveAdapters(config.moves.adapters) } }),
    });
  }

  private packPending(pending: PendingMove | undefined): PackedMove | undefined {
    if (pending === undefined) return undefined;
    const { upstream, ...rest } = pending;
    return { ...rest, isOwn: upstream === this.config.upstream };
  }

  private unpackPending(packed: PackedMove | undefined): PendingMove | undefined {
    if (packed === undefined) return undefined;
    const { isOwn, ...rest } = packed;
    const upstream = isOwn ? this.config.upstream : this.config.otherUpstream;
    return upstream && { ...rest, upstream };
  }

  /** Those of the configuration. */
  private get upstreams(): readonly Upstream[] {
    const { upstream, otherUpstream } = this.config;
    return otherUpstream ? [upstream, otherUpstream] : [upstream];
  }

  async open({ shared, known, started, before }: Parameters<StagedProxy['open']>[0]): Promise<void> {
    if (started) this.gate.startAs(started.under.hold, started.under.side);
    this.begin(known, before);
    await this.listen(shared);
  }

  async openUnlistened({ known, before }: Parameters<StagedProxy['openUnlistened']>[0]): Promise<HandoverAddress> {
    this.forwarding = { ...this.forwarding, port: String(this.listening.port) };
    this.begin(known, before);
    this.askStore();
    await this.plane.openUnlistened();
    const address = await this.takeConnections();
    if (address === undefined) throw new Error('A canary must be able to take connections over, see the log');
    return address;
  }

  /** Once: what is ordered afterwards is in force already when it listens. */
  private begin(known: KnownEpochs | undefined, before: ProxyOptions['before']): void {
    if (this.hasOrders) return;
    this.hasOrders = true;
    if (known) this.gate.startAs({ state: 'none', ...known, releasedTo: undefined }, this.config.side);
    before?.(this.target);
    this.mover.started();
  }

  async prove(untilMs: number): Promise<void> {
    this.askStore();
    await findObstacle(this.plane.handing);
    const trial = await this.plane.openTrial();
    const { config, sessionStore } = this;
    const checked = { port: trial.port, isTls: this.tls !== undefined, hasHeader: config.proxyProtocol === 'required' };
    try {
      await proveHealth(checked, () => sessionStore?.isConnected !== false, untilMs, this.clock);
    } finally {
      trial.close();
    }
  }

  private askStore(): void {
    if (!this.isStoreAsked) this.sessionStore?.start();
    this.isStoreAsked = true;
  }

  private async listen(shared: SharedPort | undefined): Promise<void> {
    const { admin, listen } = this.config;
    this.listening = await this.plane.listen(shared ? { shared } : listen);
    this.hasListened = true;
    this.forwarding = { ...this.forwarding, port: String(this.listening.port) };
    this.askStore();
    if (!shared) warnAtStart(this.config, this.log);
    if (!admin) return;
    try {
      const target = this.options.wrap?.(this.target) ?? this.target;
      this.adminServer = await startAdminServer(admin.at, findAdminKeys(admin, this.clock, this.log), target);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get data(): HostPort {
    return this.listening;
  }

  get admin(): HostPort | undefined {
    return this.adminServer?.address;
  }

  report(): LedgerReport {
    const { instance, ledger, drain, ledgers, gate, retarget } = this;
    const dryRun = gate.dryRunReport();
    return {
      identity: this.identity,
      instance,
      state: drain.state,
      drainRemainingSeconds: drain.remainingSeconds,
      drainForced: total(drain.forced),
      drainForcedByKind: drain.forced,
      ...ledgerFigures(ledger, performance.now()),
      movable: { setting: this.config.moves?.mode ?? 'none', hasOther: this.config.otherUpstream !== undefined },
      moves: this.mover.figures,
      requests: ledgers.traffic.requests,
      ...ledgers.traffic.ofTesters,
      hold: gate.report(),
      ...(dryRun && { dryRun }),
      holds: gate.totals,
      upstream: retarget.side,
      abandoned: ledgers.traffic.abandonedAt(this.clock.nowMs()),
      fastPath: this.plane.fastPath,
      ...(this.plane.pumped > 0 && { pumped: this.plane.pumped }),
      ...(this.capture && { capture: this.capture.report }),
      ...(this.mirror && { mirror: this.mirror.counts }),
    };
  }

  listConnections(query: WorkerQuery): WorkerPage {
    return listConnections(query, this.listed, performance.now());
  }

  private connections(query: ConnectionQuery): ConnectionPage {
    const own = queryFor(ONLY_WORKER, query, query.limit);
    const page = own ? this.listConnections(own) : NO_PAGE;
    return joinPages([{ worker: ONLY_WORKER, page }], page.hasMore);
  }

  private get listed(): ListOptions {
    const { side, upstream, otherUpstream, moves } = this.config;
    const upstreams = listUpstreams(side, upstream, otherUpstream);
    const findSide = (of: Upstream) => SIDES.find((each) => upstreams[each] === of);
    return { ledger: this.ledger, findSide, moves: moves?.mode ?? 'none' };
  }

  countOthers(others: LiveCounts): void {
    this.others = others;
  }

  snapshot(): Snapshot {
    const { active, carried } = this.ledger;
    return taskSnapshot({ state: this.drain.state, active, carried }, this.isShuttingDown);
  }

  samples(): Promise<object[]> {
    return this.metrics.getMetricsAsJSON();
  }

  async shutDown(): Promise<void> {
    const { gracePeriodSeconds, gracefulShutdownTimeoutSeconds, propagationSeconds } = this.config;
    this.isShuttingDown = true;
    this.stopSharing();
    this.lifecycleLog.info(`Graceful shutdown: grace period ${gracePeriodSeconds}s starts`);
    // A client that still connects is served, WebSockets too: the load balancer does not know yet, and would show a
    // rejection.
    this.plane.setDraining(true);
    // It cannot be released any more: the admin API rejects from here on.
    this.gate.end();
    // No other backend is of use to a client of a process that ends: it connects anew.
    this.mover.stop();
    await new Promise<void>((resolve) => this.clock.after(propagationSeconds * 1000, resolve));
    await this.plane.stopAccepting();
    const deadlineMs = this.clock.nowMs() + 1000 * (gracePeriodSeconds + gracefulShutdownTimeoutSeconds);
    const { whole } = this.ledger;
    await this.drain.startAfresh(shutdownOrder(this.config, whole.total), lastSeconds(this.config), whole);
    // Closing destroys idle connections, and with them a request that is just on its way.
    await quiet(
      this.watchStillness(() => whole.total + this.gate.waiting + this.plane.pumped),
      deadlineMs,
      this.clock,
    );
    await this.close();
    this.lifecycleLog.info('Graceful shutdown: grace period ends');
  }

  private watchStillness(active: () => number): Stillness {
    return { lastRequestMs: () => this.lastRequestMs, active, clients: () => this.plane.clients };
  }

  get descriptors(): Descriptors {
    return { data: this.plane.descriptor, admin: this.adminServer?.descriptor };
  }

  get inForce(): OrdersInForce {
    return {
      hold: this.gate.held,
      side: this.retarget.side,
      drain: this.drain.order,
      drainSinceMs: this.drain.startedMs,
      nowMs: this.clock.nowMs(),
    };
  }

  get ticketKeys(): Uint8Array | undefined {
    return this.tls?.ticketKeys.pack(Date.now());
  }

  async takeConnections(): Promise<HandoverAddress | undefined> {
    // One that was asked for long ago does not listen any more. What came by it goes on.
    await this.receiver?.stopListening();
    this.receiver = await takeConnections(this.plane.handing, this.log, this.clock);
    return this.receiver?.address;
  }

  async receive(): Promise<readonly HandoverAddress[]> {
    const address = await this.takeConnections();
    return address ? [address] : [];
  }

  async share({ share, handover }: ShareOrder): Promise<void> {
    if (share === 0) return this.stopSharing();
    const { plane, clock, log } = this;
    // The one before may still be starting: when it ends, the plane gives nothing to whichever is there.
    const sharing = (this.sharing ??= this.sharingOver.then(() => shareConnections(handover, { plane, clock, log })));
    sharing.catch(() => {
      if (this.sharing === sharing) this.sharing = undefined;
    });
    (await sharing).setShare(share);
  }

  private stopSharing(): void {
    if (this.sharing === undefined) return;
    this.sharingOver = this.sharing.then(
      (sharing) => sharing.stop(),
      () => undefined,
    );
    this.sharing = undefined;
  }

  async retire(handover: readonly HandoverAddress[]): Promise<void> {
    this.isRetired = true;
    this.stopSharing();
    await this.plane.stopAccepting();
    await this.handOverTo(handover);
    await this.handOver?.swept;
    this.plane.setDraining(true);
    // One that was ordered goes on.
    if (this.drain.state === 'serving') this.startOwnDrain();
    const startedMs = this.clock.nowMs();
    const deadlineMs = startedMs + 1000 * this.config.gracePeriodSeconds;
    // A connection that is idle ends with its next response: to close it could cut a request that is on its way.
    const active = () => {
      const live = this.ledger.whole.total + this.gate.waiting;
      return this.clock.nowMs() < deadlineMs ? live + this.plane.clients : live;
    };
    let isQuiet = false;
    const pumps = this.endPumps(startedMs + 1000 * this.pumpSeconds, () => isQuiet);
    await quiet(this.watchStillness(active), Infinity, this.clock);
    this.handOver?.stop();
    isQuiet = true;
    await pumps;
    await this.close();
  }

  private get pumpSeconds(): number {
    return this.config.pumpSeconds ?? 0;
  }

  private endPumps(fromMs: number, isLast: () => boolean): Promise<void> {
    const { plane, config, clock, log } = this;
    const { closeRatePerSecond: ratePerSecond, gracefulShutdownTimeoutSeconds } = config;
    const begins = (pumped: number) =>
      log.info({ pumped }, 'The time of pumped connections has passed: they are closed');
    return endPumps(
      plane,
      { fromMs, ratePerSecond, lastMs: 1000 * gracefulShutdownTimeoutSeconds, isLast, begins },
      clock,
    );
  }

  handOverTo(handover: readonly HandoverAddress[]): Promise<void> {
    const { plane, clock, log } = this;
    this.handingOver = this.handingOver.then(async () => {
      if (!this.isRetired || this.handOver?.add(handover) === true) return;
      this.handOver = await giveConnections(handover, { plane, clock, log });
    });
    return this.handingOver;
  }

  async finalRecord(): Promise<FinalRecord> {
    const recent = [this.ledgers.recent.record(this.clock.nowMs())];
    return { past: this.report(), samples: await this.samples(), recent };
  }

  /** Its processes live, and take no connection now: one that could go is not closed for that. */
  private get waitsForSuccessor(): boolean {
    return this.isDrainOwn && !this.isShuttingDown && this.handOver?.isLate === true;
  }

  /** Of a generation that ends: no one waits for it, and no order ends it. */
  private startOwnDrain(): void {
    this.isDrainOwn = true;
    const { whole } = this.ledger;
    void this.drain.startAfresh(shutdownOrder(this.config, whole.total), Infinity, whole);
  }

  async close(): Promise<void> {
    this.stopSharing();
    this.drain.stop();
    this.mover.stop();
    this.gate.stop();
    this.sessionStore?.stop();
    this.mirror?.close();
    await Promise.all([this.plane.close(), this.adminServer?.close(), this.receiver?.stopListening()]);
    await this.closeCapture();
    this.ledgers.upstreams.stop();
    this.moveLog.stop();
    this.ledgers.accessLog?.stop();
  }

  /** What is not durable yet has some seconds for that: the connections have ended, and nothing else waits. */
  private async closeCapture(): Promise<void> {
    const lost = (await this.capture?.close(CAPTURE_SECONDS)) ?? 0;
    if (lost > 0) this.log.error({ lost }, 'Records of the capture were lost: the store did not take them');
  }

  /** For a switch: what has no end by itself connects anew, and waits. */
  private endStreams(moves: Moves | undefined): void {
    this.mover.leaveAll(moves, (entry) => void entry.close().catch(() => undefined));
  }

  private createMover(): Mover {
    const { config, clock, log, ledger, moveLog } = this;
    const { mode = 'none', concurrency = 1 } = config.moves ?? {};
    return new Mover({
      ledger,
      clock,
      mode,
      concurrency,
      closeRatePerSecond: config.closeRatePerSecond,
      own: config.upstream,
      epoch: () => this.epoch,
      rejected: (rejection, kind) => moveLog.rejected(rejection, kind),
      faulted: (error) => log.error({ err: error }, 'Unexpected error, one connection was not moved'),
    });
  }

  /** Of the switch that was committed last, where there are switches. */
  private get epoch(): number | undefined {
    return this.config.switchStore === undefined ? undefined : this.gate.committed;
  }

  private setHolding(isHolding: boolean): void {
    const { upstream } = this.retarget;
    if (isHolding) this.mover.beginHold(upstream);
    this.plane.setHolding(isHolding);
    this.capture?.setHolding(isHolding);
    if (!isHolding) this.mover.endHold(upstream);
  }

  private createGate(store: DecisionStore | 'primary' | undefined): HoldGate {
    const { clock, log, retarget } = this;
    return new HoldGate({
      clock,
      log,
      retarget,
      decide: (head) => this.decide(head, clock.nowMs()),
      setHolding: (isHolding) => this.setHolding(isHolding),
      endStreams: (moves) => this.endStreams(moves),
      ...(store && { store }),
      name: `${this.config.side} ${this.identity}`,
    });
  }

  private createMetrics(): Registry {
    return createMetrics(this.config.side, {
      ledger: this.ledger,
      moves: () => this.mover.figures,
      traffic: this.ledgers.traffic,
      deviations: this.ledgers.upstreams,
      held: () => this.gate.report().waiting,
      holds: () => this.gate.totals,
      fastPath: () => this.plane.fastPath,
      memory: () => this.plane.memory,
      pumped: () => this.plane.pumped,
      ...(this.capture && { capture: () => this.capture!.report }),
      ...(this.mirror && { mirror: () => this.mirror!.counts }),
      nowMs: () => performance.now(),
    });
  }

  private createMirror(): Mirror | undefined {
    const { config, comparison, clock, log } = this;
    if (!config.mirror || !comparison) return undefined;
    const count = (pair: ComparedPair) => (comparison.add(pair), true);
    const { compared = count } = this.options;
    return new Mirror(config.mirror, { clock, log, source: config.upstream, nodeId: this.identity, compared });
  }

  private createTarget(): AdminTarget {
    const { gate, metrics } = this;
    const { side, upstream, otherUpstream } = this.config;
    const upstreams = listUpstreams(side, upstream, otherUpstream);
    const transfers = new StateTransfers(upstreams);
    return {
      identity: this.identity,
      report: () => this.report(),
      connections: (query) => this.connections(query),
      rejection: () => (this.isShuttingDown ? SHUTTING_DOWN : undefined),
      drain: (order, agoMs) => this.startDrain(order, agoMs),
      undrain: (order) => {
        this.cancelDrain(order);
        if (!this.isRetired) return undefined;
        this.plane.setDraining(true);
        return void this.startOwnDrain();
      },
      hold: (order) => (this.isShuttingDown && !order.outcomes ? gate.rejectOrder(SHUTTING_DOWN) : gate.hold(order)),
      release: (order) => gate.release(order),
      retarget: (order) => this.followRetarget(order),
      probe: (order) => probe(order, { upstreams, store: this.store }),
      callBackend: (order) => callBackend(order, upstreams),
      transferState: (order) => transfers.follow(order),
      mirror: () => this.comparison?.report(this.mirror?.counts),
      window: (order) => this.ledgers.recent.report(order, this.clock.nowMs()),
      metrics: async () => ({ contentType: metrics.contentType, body: await metrics.metrics() }),
    };
  }

  private startDrain(order: DrainOrder, agoMs: number | undefined): undefined {
    this.isDrainOwn = false;
    const { side, upstream, otherUpstream } = this.config;
    const upstreams = listUpstreams(side, upstream, otherUpstream);
    // What is taken for a move is not for the drain to close.
    this.mover.drain(upstreams[side === 'source' ? 'target' : 'source'], order.moves);
    void this.drain.start(order, agoMs);
  }

  private cancelDrain(order: UndrainOrder): undefined {
    this.drain.cancel();
    this.mover.undrain(this.retarget.upstream, order.moves);
  }

  private followRetarget(order: RetargetOrder): string | undefined {
    const rejection = this.gate.retarget(order);
    if (rejection === undefined) this.mover.retarget(this.retarget.upstream, order.moves);
    return rejection;
  }

  private route(head: RequestHead): Decision {
    if (isHealthCheck(head)) return { response: this.health.respond(isForwarded(head)) };
    const nowMs = this.clock.nowMs();
    this.lastRequestMs = nowMs;
    const held = this.gate.isHolding ? this.gate.decision(head) : undefined;
    if (held === undefined) return this.decide(head, nowMs);
    if ('response' in held) this.reject(head, held.response);
    return held;
  }

  /** Decides on a request that is not held, or not any more. */
  private decide(head: RequestHead, nowMs: number): Decision {
    const { ledgers, retarget, forwarding } = this;
    if (this.drain.state !== 'serving' && asksForStream(head)) {
      return this.reject(head, retryLater('Draining: no new streams here'));
    }
    if (forwarding.loopGuard.isLoop(head)) return this.reject(head, loopDetected());
    const fields = forwardingFields(head, forwarding, nowMs, this.epoch);
    const isCounted = isJudged(head, this.smokeTestPorts);
    return { forward: new ForwardedRequest(ledgers, head, retarget.upstream, fields, nowMs, isCounted) };
  }

  private reject(head: RequestHead, response: Response): Decision {
    this.ledgers.traffic.reject(response.status, isJudged(head, this.smokeTestPorts));
    this.ledgers.accessLog?.refused(head, response.status);
    return { response };
  }
}

/** The port is known when the proxy listens. */
function buildForwarding({ forwardedFor = 'append', via, metricsService }: ProxyConfig): Forwarding {
  return { port: '', traceIds: new TraceIds(), forwardedFor, loopGuard: new LoopGuard(via, metricsService) };
}

/** Asked of every request: the second letter of its path says no for nearly all. */
function isHealthCheck(head: RequestHead): boolean {
  const { method, url, isUpgrade } = head;
  if (url.charCodeAt(1) !== DOT || !url.startsWith(HEALTH_PATH) || isUpgrade) return false;
  const isThePath = url.length === HEALTH_PATH.length || url[HEALTH_PATH.length] === '?';
  if (!isThePath) return false;
  // A target group of gRPC asks with a call, which is a POST.
  return method === 'GET' || method === 'HEAD' || (method === 'POST' && isGrpcContent(head.field('content-type')));
}

/** Fields that load balancers and proxies add to the requests of their clients, and not to their own health checks. */
const ADDED_ON_THE_WAY = ['x-amzn-trace-id', 'x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'via'] as const;

function isForwarded(head: RequestHead): boolean {
  return ADDED_ON_THE_WAY.some((name) => head.field(name) !== undefined);
}

/** An EventSource comes back elsewhere. A client that asks for events by POST asks once, as for any other response. */
function asksForStream(head: RequestHead): boolean {
  if (head.isUpgrade) return true;
  return head.method === 'GET' && (head.field('accept') ?? '').toLowerCase().includes('text/event-stream');
}

function integrations(log: Logger): DrainLog {
  const debug = (message: string) => log.debug(message);
  return { info: debug, warn: debug };
}
