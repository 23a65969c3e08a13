import type { Logger } from 'pino';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { activeSum, carriedSum } from '../../core/proxy/merge-reports';
import { Snapshot, taskSnapshot } from '../../core/proxy/task-protection';
import { AdminServer, startAdminServer } from '../admin/admin-server';
import { findAdminKeys } from '../config/admin-settings';
import type { Integrations } from '../aws/snapshot';
import { Clock, SYSTEM_CLOCK } from '../process/clock';
import type { HostPort } from '../../core/validation/host-port';
import type { ProxyConfig } from '../config/config';
import type { StartedUnder } from '../control/proxy';
import { listUpstreams } from '../control/retarget';
import { warnAtStart } from '../control/start-warnings';
import { certificate } from '../control/tls';
import { BoundPort, bindPort } from './bound-port';
import { DrainWatch } from './drain-watch';
import { GroupTarget } from './group-target';
import { Members } from './members';
import { configShare } from './quotas';
import { GroupState } from './group-state';

/** Several workers that are one proxy to everybody else. */
export interface WorkerGroup extends Integrations {
  readonly data: HostPort;
  readonly admin: HostPort | undefined;
  readonly workers: number;
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

/**
 * Starts `config.workers` processes of this very script, which share the data port. This process has the admin port and
 * serves no request.
 *
 * @throws Error of `listen`, with `code` `EADDRINUSE` for a busy port
 */
export async function startWorkers(
  config: ProxyConfig,
  log: Logger,
  { clock = SYSTEM_CLOCK, started }: { clock?: Clock; started?: StartedUnder } = {},
): Promise<WorkerGroup> {
  // One certificate for all: a client would see another one with each connection.
  const tls = (await certificate(config.tls)) ?? 'off';
  const port = await bindPort(config.listen);
  const group = new Group({ ...config, listen: port.at, tls }, port, log, clock, started);
  try {
    await group.start();
  } catch (error) {
    await group.close();
    throw error;
  }
  return group;
}

class Group implements WorkerGroup {
  private readonly members: Members;
  private readonly target: GroupTarget;
  private readonly watch: DrainWatch;
  private adminServer: AdminServer | undefined;

  constructor(
    private readonly config: ProxyConfig,
    private readonly port: BoundPort,
    private readonly log: Logger,
    private readonly clock: Clock,
    started: StartedUnder | undefined,
  ) {
    const { workers } = config;
    const running = new GroupState(config, started?.under);
    const share = configShare(config);
    this.members = new Members({
      workers,
      portFd: port.fd,
      clock,
      log,
      init: (worker) => {
        const orders = running.forNewcomer(worker, clock.nowMs());
        return { type: 'start', config: share, running: orders, known: running.knownEpochs };
      },
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
    });
  }

  async start(): Promise<void> {
    const { admin } = this.config;
    const { members, log } = this;
    warnAtStart(this.config, log);
    await Promise.race([members.complete, members.failed.then((error) => Promise.reject(error))]);
    if (admin) this.adminServer = await startAdminServer(admin.at, findAdminKeys(admin, this.clock, log), this.target);
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
    const isInOrder = await this.members.shutDown();
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
