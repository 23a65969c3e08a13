import type { Logger } from 'pino';
import type { AdminTarget } from '../admin/admin-server';
import { SYSTEM_CLOCK } from '../process/clock';
import { createLog } from '../process/log';
import { RunningProxy, StagedProxy, stageProxy } from '../control/proxy';
import type { HandoverAddress } from '../handover/messages';
import { PairBatches } from '../mirror/pair-batches';
import { FAILED, crash, endAfterLog } from './exit';
import { follow } from './follow';
import {
  Order,
  Responses,
  FromWorker,
  ListenProblem,
  PORT_FD,
  RpcRequest,
  ToWorker,
  WORKER_VARIABLE,
} from './messages';

/** How often a worker tells the primary of itself. */
const TELL_MS = 1_000;
const SHARED = { fd: PORT_FD };

/** Whether this process was started to be a worker. */
export function isWorker(): boolean {
  return process.send !== undefined && process.env[WORKER_VARIABLE] !== undefined;
}

/**
 * The life of a worker: a proxy without an admin API, which listens at the port that it was given and does what the primary
 * says. When the primary is gone it drains as on SIGTERM.
 */
export function runWorker(): void {
  // A terminal sends its signals to every process; when to end is for the primary to say.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGUSR2'] as const) process.on(signal, () => undefined);
  let worker: Worker | undefined;
  process.on('message', (message: ToWorker) => {
    if (message.type === 'start') worker = new Worker(message);
    else worker?.hear(message);
  });
  process.on('disconnect', () => {
    if (!worker) process.exit(FAILED);
    worker.endAlone();
  });
  void tell({ type: 'ready' });
}

class Worker {
  private readonly log: Logger;
  private readonly isOfSwitch: boolean;
  private readonly target: Promise<AdminTarget>;
  private readonly found: (target: AdminTarget) => void;
  private readonly proxy: Promise<StagedProxy>;
  private readonly takes: boolean;
  private isOpen = false;
  private isRetired = false;
  private isNotifying = false;
  private opened: Promise<void> = Promise.resolve();
  private isEnding = false;

  constructor(start: Extract<ToWorker, { type: 'start' }>) {
    const { config, running, known, isStaged, proveWithinMs, ticketKeys } = start;
    const proveUntilMs = SYSTEM_CLOCK.nowMs() + proveWithinMs;
    const worker = Number(process.env[WORKER_VARIABLE]);
    const log = createLog({ level: config.logLevel, base: { side: config.side, pid: process.pid, worker } });
    this.log = log;
    this.takes = isStaged || start.takes;
    this.isOfSwitch = config.switchStore !== undefined;
    process.on('uncaughtException', (error) => crash(log, error));
    process.on('unhandledRejection', (error) => crash(log, error));
    let resolve: (target: AdminTarget) => void = () => undefined;
    this.target = new Promise((found) => (resolve = found));
    this.found = resolve;
    const pairs = new PairBatches(SYSTEM_CLOCK, (batch) => tell({ type: 'compared', pairs: batch }));
    this.proxy = stageProxy(config, log, { shared: SHARED, ticketKeys, compared: pairs.add });
    if (isStaged) this.proxy.then((proxy) => proxy.prove(proveUntilMs)).then(() => tell({ type: 'proven' }), fail);
    else this.open({ running, known });
  }

  hear(message: Exclude<ToWorker, { type: 'start' }>): void {
    if (message.type === 'shutDown') return void this.shutDown();
    if (message.type === 'others') return void this.proxy.then((proxy) => proxy.countOthers(message));
    if (message.type === 'open') return this.open(message);
    if (message.type === 'canary') return this.openUnlistened(message);
    if (message.type === 'retire') return void this.retire(message.handover);
    if (message.type === 'handover') return void this.proxy.then((proxy) => proxy.handOverTo(message.handover));
    const { id, prompt } = message;
    this.respond(prompt).then(
      (value) => tell({ type: 'response', id, value }),
      (error: unknown) => tell({ type: 'fault', id, message: String(error) }),
    );
  }

  /** No process is left that could say when. */
  endAlone(): void {
    // Without a port it has no connections.
    if (!this.isOpen) process.exit(FAILED);
    if (this.isOfSwitch) return this.endAtOnce();
    if (this.isEnding) return;
    this.log.warn('The primary process is gone: this worker lets its connections end, and ends');
    void this.shutDown();
  }

  /** No call could hold it in a switch any more, and its task counts as dead. */
  private endAtOnce(): void {
    this.log.fatal('The primary process is gone, which alone could hold this worker in a switch: it ends at once');
    void this.proxy.then((proxy) => proxy.close()).finally(() => endAfterLog(this.log, FAILED));
  }

  private open(message: Pick<Extract<ToWorker, { type: 'open' }>, 'running' | 'known'>): void {
    this.isOpen = true;
    this.opened = this.listen(message);
  }

  private async listen({
    running,
    known,
  }: Pick<Extract<ToWorker, { type: 'open' }>, 'running' | 'known'>): Promise<void> {
    try {
      const proxy = await this.proxy;
      await proxy.open({ shared: SHARED, known, before: this.before(running) });
      const handover = this.takes ? await proxy.takeConnections() : undefined;
      void tell({ type: 'listening', handover });
      this.notify(proxy);
    } catch (error) {
      fail(error);
    }
  }

  private openUnlistened({ running, known }: Extract<ToWorker, { type: 'canary' }>): void {
    this.isOpen = true;
    this.opened = this.proxy
      .then(async (proxy) => {
        const handover = await proxy.openUnlistened({ known, before: this.before(running) });
        void tell({ type: 'canary', handover });
        this.notify(proxy);
      })
      .catch(fail);
  }

  /** Before there are connections: a request that this worker takes must be held, and must go, as everywhere in the group. */
  private before(running: readonly Order[]): (target: AdminTarget) => void {
    return (target) => {
      for (const order of running) void follow(target, order);
      this.found(target);
    };
  }

  /** From now on. */
  private notify(proxy: RunningProxy): void {
    if (this.isNotifying) return;
    this.isNotifying = true;
    const again = () => {
      void tell({ type: 'notified', report: proxy.report() });
      SYSTEM_CLOCK.after(TELL_MS, again);
    };
    again();
  }

  private async respond(prompt: RpcRequest): Promise<Responses[keyof Responses]> {
    if (prompt.kind === 'metrics') return (await this.proxy).metrics.getMetricsAsJSON();
    if (prompt.kind === 'connections') return (await this.proxy).listConnections(prompt.query);
    if (prompt.kind === 'share') return (await this.proxy).share(prompt.order) as Promise<undefined>;
    if (prompt.kind === 'receive') return (await this.proxy).receive();
    const target = await this.target;
    if (prompt.kind === 'list') return target.connections(prompt.query);
    if (prompt.kind === 'report') return target.report();
    return prompt.kind === 'window' ? target.window(prompt.order) : follow(target, prompt);
  }

  private async retire(handover: readonly HandoverAddress[]): Promise<void> {
    this.isRetired = true;
    const proxy = await this.proxy;
    await this.opened;
    await proxy.retire(handover);
    if (this.isEnding) return;
    this.isEnding = true;
    await this.leave(proxy);
  }

  private async shutDown(): Promise<void> {
    if (this.isEnding) return;
    this.isEnding = true;
    const proxy = await this.proxy;
    await proxy.shutDown();
    await this.leave(proxy);
  }

  private async leave(proxy: RunningProxy): Promise<void> {
    await tell({ type: 'notified', report: proxy.report() });
    if (this.isRetired) await tell({ type: 'finalRecord', words: await proxy.finalRecord() });
    endAfterLog(this.log, 0);
  }
}

function fail(error: unknown): void {
  const { message, code, port, address } = error as Error & ListenProblem;
  void tell({ type: 'failed', problem: { message, code, port, address } }).then(() => process.exit(FAILED));
}

/** Resolves when it has left; a primary that is gone is heard of elsewhere. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}
