import type { Logger } from 'pino';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { activeSum, carriedSum } from '../../core/proxy/merge-reports';
import { Snapshot, taskSnapshot } from '../../core/proxy/task-protection';
import { AdminServer, AdminTarget, startAdminServer } from '../admin/admin-server';
import type { UsedNonces } from '../admin/signature';
import type { HandoverAddress, ShareOrder } from '../handover/messages';
import type { FinalRecord } from '../telemetry/final-record';
import { findAdminKeys } from '../config/admin-settings';
import type { Integrations } from '../aws/snapshot';
import { Clock, SYSTEM_CLOCK } from '../process/clock';
import type { HostPort } from '../../core/validation/host-port';
import type { ProxyConfig } from '../config/config';
import { TicketKeys } from '../data-plane/shared/ticket-keys';
import { Descriptors, OrdersInForce, StartedUnder } from '../control/proxy';
import { listUpstreams } from '../control/retarget';
import { longestShutdownMs } from '../control/shutdown';
import { warnAtStart } from '../control/start-warnings';
import { certificate } from '../control/tls';
import { BoundPort, bindPort } from './bound-port';
import { DrainWatch } from './drain-watch';
import { GroupTarget } from './group-target';
import type { Member } from './member';
import { Members } from './members';
import type { ToWorker } from './messages';
import { WorkerLate } from './rpc';
import { configShare } from './quotas';
import { endOrHang } from './end-or-hang';
import { GroupState } from './group-state';

/** For all workers to have a way to a canary. */
const SHARE_MS = 15_000;

/** Several workers that are one proxy to everybody else. */
export interface WorkerGroup extends Integrations {
  readonly data: HostPort;
  readonly admin: HostPort | undefined;
  readonly workers: number;
  /** What the admin API acts on, without other generations. */
  readonly target: AdminTarget;
  readonly descriptors: Descriptors;
  readonly inForce: OrdersInForce;
  readonly adminServer: AdminServer | undefined;
  readonly ticketKeys: Uint8Array | undefined;
  /** Where its workers take connections of the generation before. */
  readonly handover: readonly HandoverAddress[];
  share(order: ShareOrder): Promise<void>;
  receive(): Promise<readonly HandoverAddress[]>;
  retire(handover: readonly HandoverAddress[]): Promise<void>;
  /** After `retire`: where its connections can go now. */
  handOverTo(handover: readonly HandoverAddress[]): void;
  finalRecord(): Promise<FinalRecord>;
  /** Resolves with the reason when a worker ends again and again as it starts. The others still serve. */
  readonly failed: Promise<Error>;
  /**
   * Lets every connection finish in the configured times. Resolves when all workers have ended.
   *
   * @throws Error when one of them ended before its connections did
   */
  shutDown(): Promise<void>;
  /** Destroys everything at once. */
  close(): Promise<void>;
}

/** The generation whose connections these workers take. */
export interface GivingGeneration {
  readonly isGone: boolean;
  /** @param handover where they can go now */
  tellHandover(handover: readonly HandoverAddress[]): void;
}

export interface GroupOptions {
  readonly clock?: Clock;
  readonly started?: StartedUnder | undefined;
  /** What the admin API acts on in place of this group alone. */
  readonly wrap?: ((own: AdminTarget) => AdminTarget) | undefined;
  readonly elder?: GivingGeneration | undefined;
  /** That another process has taken already. */
  readonly ports?: Pick<Inherited, 'port' | 'adminPort'> | undefined;
}

/** What a generation gets from the one before it, besides its orders. */
export interface Inherited {
  /** Taken already: the data port, and the admin port where there is one. */
  readonly port: BoundPort;
  readonly adminPort: BoundPort | undefined;
  readonly ticketKeys: Uint8Array | undefined;
  /** By the clock of this process. */
  readonly proveUntilMs: number;
}

/**
 * Starts `config.workers` processes of this very script, which share the data port. This process has the admin port and
 * serves no request.
 *
 * @throws Error of `listen`, with `code` `EADDRINUSE` for a busy port
 */
export async function startWorkers(config: ProxyConfig, log: Logger, options: GroupOptions = {}): Promise<WorkerGroup> {
  const ports = options.ports ?? { port: await bindPort(config.listen) };
  const group = new Group(await completeConfig(config, ports.port), ports, log, options);
  return started(group, () => group.start());
}

/**
 * The same at ports that another generation has taken: all workers have proved that they work, and none accepts before `open`.
 *
 * @throws Error that says what does not work
 */
export async function stageWorkers(
  config: ProxyConfig,
  inherited: Inherited,
  log: Logger,
  options: GroupOptions = {},
): Promise<StagedGroup> {
  const group = new Group(await completeConfig(config, inherited.port), inherited, log, options);
  return started(group, () => group.prove());
}

/** One certificate for all: a client would see another one with each connection. */
async function completeConfig(config: ProxyConfig, port: BoundPort): Promise<ProxyConfig> {
  return { ...config, listen: port.at, tls: (await certificate(config.tls)) ?? 'off' };
}

async function started<G extends WorkerGroup>(group: G, start: () => Promise<void>): Promise<G> {
  try {
    await start();
  } catch (error) {
    await group.close();
    throw error;
  }
  return group;
}

export interface StagedGroup extends WorkerGroup {
  /** Accepts, under what another generation had ordered, if there was one. @param nonces of the calls that it let in */
  open(inForce: OrdersInForce | undefined, nonces: UsedNonces): Promise<void>;
  /** Serves what another generation accepts, under its orders; `open` comes later. @returns where its workers take connections */
  openUnlistened(inForce: OrdersInForce): Promise<readonly HandoverAddress[]>;
}

class Group implements StagedGroup {
  private readonly tickets: TicketKeys;
  adminServer: AdminServer | undefined;
  readonly target: GroupTarget;
  private readonly members: Members;
  private readonly running: GroupState;
  private readonly watch: DrainWatch;
  private readonly port: BoundPort;
  private readonly adminPort: BoundPort | undefined;
  private readonly clock: Clock;
  private readonly wrap: GroupOptions['wrap'];
  private isStaged: boolean;
  private hasOrders = false;
  /** While there is a canary. */
  private sharing: ShareOrder | undefined;

  constructor(
    private readonly config: ProxyConfig,
    { port, adminPort, ticketKeys, proveUntilMs }: Pick<Inherited, 'port'> & Partial<Inherited>,
    private readonly log: Logger,
    { clock = SYSTEM_CLOCK, started, wrap, elder }: GroupOptions,
  ) {
    const { workers } = config;
    this.isStaged = proveUntilMs !== undefined;
    this.port = port;
    this.adminPort = adminPort;
    this.clock = clock;
    this.wrap = wrap;
    this.tickets = TicketKeys.unpack(ticketKeys, Date.now());
    const running = new GroupState(config, started?.under);
    this.running = running;
    this.members = new Members({
      workers,
      portFd: port.fd,
      clock,
      log,
      isStaged: this.isStaged,
      init: (worker) => {
        const { isStaged } = this;
        const orders = isStaged ? [] : running.forNewcomer(worker, clock.nowMs());
        const known = running.knownEpochs;
        const share = configShare(config);
        return {
          ...{ type: 'start', config: share, running: orders, known },
          ...{ ticketKeys: this.ticketKeys, isStaged, proveWithinMs: (proveUntilMs ?? 0) - clock.nowMs() },
          takes: elder?.isGone === false,
        };
      },
      listens: (member) => {
        this.tellShare(member);
        elder?.tellHandover(this.handover);
      },
      compared: (pairs) => this.target.compared(pairs),
      ended: (member) => this.target.ended(member),
    });
    this.watch = new DrainWatch(clock, log, () => this.target.report());
    const { members, watch } = this;
    const upstreams = listUpstreams(config.side, config.upstream, config.otherUpstream);
    const store = started?.store;
    this.target = new GroupTarget({
      side: config.side,
      workers,
      members,
      running,
      watch,
      clock,
      log,
      upstreams,
      store,
      mirror: config.mirror,
    });
  }

  async start(): Promise<void> {
    warnAtStart(this.config, this.log);
    await this.listening();
    await this.startAdmin([]);
  }

  async prove(): Promise<void> {
    const { members } = this;
    warnAtStart(this.config, this.log);
    await Promise.race([members.proven, members.failed.then((error) => Promise.reject(error))]);
  }

  async open(inForce: OrdersInForce | undefined, nonces: UsedNonces): Promise<void> {
    this.isStaged = false;
    this.inherit(inForce);
    this.members.open((worker) => ({ type: 'open', ...this.listOrders(worker) }));
    await this.listening();
    await this.startAdmin(nonces);
  }

  async openUnlistened(inForce: OrdersInForce): Promise<readonly HandoverAddress[]> {
    const { members } = this;
    this.inherit(inForce);
    members.openUnlistened((worker) => ({ type: 'canary', ...this.listOrders(worker) }));
    await Promise.race([members.unlistened, members.failed.then((error) => Promise.reject(error))]);
    return this.handover;
  }

  /** Once: a canary has followed what was ordered since. */
  private inherit(inForce: OrdersInForce | undefined): void {
    if (this.hasOrders) return;
    this.hasOrders = true;
    if (inForce) this.running.inherit(inForce, this.clock.nowMs());
    if (inForce?.drain) this.watch.start();
    this.target.inherited();
  }

  private listOrders(worker: number): Pick<Extract<ToWorker, { type: 'open' }>, 'running' | 'known'> {
    const { running, clock } = this;
    return { running: running.forNewcomer(worker, clock.nowMs()), known: running.knownEpochs };
  }

  private async listening(): Promise<void> {
    const { members } = this;
    await Promise.race([members.complete, members.failed.then((error) => Promise.reject(error))]);
  }

  private async startAdmin(nonces: UsedNonces): Promise<void> {
    const { admin } = this.config;
    if (!admin) return;
    const target = this.wrap?.(this.target) ?? this.target;
    const at = { ...admin.at, ...(this.adminPort && { fd: this.adminPort.fd }) };
    this.adminServer = await startAdminServer(at, findAdminKeys(admin, this.clock, this.log), target, { nonces });
  }

  get ticketKeys(): Uint8Array {
    return this.tickets.pack(Date.now());
  }

  get descriptors(): Descriptors {
    return { data: this.port.fd, admin: this.adminServer?.descriptor };
  }

  get inForce(): OrdersInForce {
    return this.running.inForce(this.clock.nowMs());
  }

  get handover(): readonly HandoverAddress[] {
    return this.members.handover;
  }

  async share(order: ShareOrder): Promise<void> {
    this.sharing = order.share === 0 ? undefined : order;
    const untilMs = this.clock.nowMs() + SHARE_MS;
    for (;;) {
      try {
        await this.members.askAll(() => ({ kind: 'share', order }));
        return;
      } catch (error) {
        // At first each has to try whether it can; the same order again waits for that.
        if (!(error instanceof WorkerLate) || this.clock.nowMs() >= untilMs) throw error;
      }
    }
  }

  /** One that takes the place of another. */
  private tellShare(member: Member): void {
    const { sharing, log } = this;
    if (sharing === undefined) return;
    const shared = member.ask({ kind: 'share', order: sharing });
    shared.catch((err: unknown) => log.warn({ err, worker: member.worker }, 'A worker gives nothing to the canary'));
  }

  async receive(): Promise<readonly HandoverAddress[]> {
    return (await this.members.askAll(() => ({ kind: 'receive' }))).flat();
  }

  async retire(handover: readonly HandoverAddress[]): Promise<void> {
    this.port.close();
    this.watch.start();
    const isInOrder = await this.members.retire(handover);
    this.watch.finish();
    this.target.stop();
    if (!isInOrder) throw new Error('All workers must end in order, got one that did not');
  }

  handOverTo(handover: readonly HandoverAddress[]): void {
    this.members.handOverTo(handover);
  }

  finalRecord(): Promise<FinalRecord> {
    return this.target.finalRecord();
  }

  get data(): HostPort {
    return this.port.at;
  }

  get admin(): HostPort | undefined {
    return this.adminServer?.address;
  }

  get workers(): number {
    return this.config.workers;
  }

  get failed(): Promise<Error> {
    return this.members.failed;
  }

  snapshot(): Snapshot {
    const reports = this.members.started.flatMap(({ lastReport }) => lastReport ?? []);
    const state = reports.every(({ state }) => state === 'serving') ? 'serving' : 'draining';
    const counts = { active: activeSum(reports), carried: carriedSum(reports) };
    return taskSnapshot({ state, ...counts }, this.target.isShuttingDown);
  }

  /** @throws RangeError when all workers have ended */
  async report(): Promise<LedgerReport> {
    // At the end of a shutdown this is nothing to be logged.
    if (this.members.started.length === 0) throw new RangeError('There must be a worker to report, got none');
    return this.target.report();
  }

  samples(): Promise<object[]> {
    return this.target.samples();
  }

  async shutDown(): Promise<void> {
    const { gracePeriodSeconds, propagationSeconds } = this.config;
    this.target.isShuttingDown = true;
    this.log.info(`Graceful shutdown: grace period ${gracePeriodSeconds}s starts`);
    // The workers stop listening by themselves; with this one open a late client would wait in vain.
    this.port.close();
    const cancel = this.clock.after(1000 * propagationSeconds, () => this.watch.startAfresh());
    const ended = this.members.shutDown();
    const hanging = () => this.members.killHanging();
    await endOrHang(ended, hanging, { longestMs: longestShutdownMs(this.config), clock: this.clock });
    const isInOrder = await ended;
    cancel();
    if (isInOrder) this.watch.finish();
    this.watch.stop();
    this.target.stop();
    await this.adminServer?.close();
    if (!isInOrder) throw new Error('All workers must end in order, got one that did not');
    this.log.info('Graceful shutdown: grace period ends');
  }

  async close(): Promise<void> {
    this.watch.stop();
    this.target.stop();
    this.port.close();
    await Promise.all([this.members.kill(), this.adminServer?.close()]);
  }
}
