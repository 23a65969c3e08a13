import { closeSync } from 'node:fs';
import type { Logger } from 'pino';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { HostPort, formatHostPort } from '../../core/validation/host-port';
import { IntegrationsRecord, StartedIntegrations, startIntegrations } from '../aws/integrations';
import type { ProxyConfig } from '../config/config';
import { StartedUnder, startProxy } from '../control/proxy';
import { SYSTEM_CLOCK } from '../process/clock';
import { formatReloading, isNotified, notifyManager } from '../process/service-manager';
import { ActivatedSockets, findActivatedSockets } from '../process/socket-activation';
import { openS3Store } from '../switch-store/s3-store';
import { readStart } from '../switch-store/start';
import { BoundPort, bindPort, inheritedPort } from '../workers/bound-port';
import { endAfterLog } from '../workers/exit';
import { follow } from '../workers/follow';
import { StagedGroup, startWorkers, stageWorkers } from '../workers/group';
import type { CanaryEvents, Elder } from './elder';
import { Generations, GenerationsOptions, OwnGeneration } from './generations';
import { Keeper, tellKeeper } from './keeper';
import { GENERATION_VARIABLE, INHERITED_FDS, Inheritance, Socket, Takeover } from './messages';
import type { Successor } from './successor';

/** One start of the proxy on a host, from its ports to its exit. */
export interface Life {
  /** Resolves with the reason when it cannot go on. */
  readonly failed: Promise<Error>;
  /** Resolves when another generation has got the signal that ends the proxy. */
  readonly notified: Promise<void>;
  /** Starts another generation; what comes of it is in the log. */
  restart(): void;
  /** Whether a signal was for another generation, which has it now. */
  passesOn(signal: NodeJS.Signals): boolean;
  /**
   * @param signal to be passed on where another generation takes over in this moment: then this one ends as after any restart
   * @returns whether all connections ended in order
   */
  end(signal?: NodeJS.Signals): Promise<boolean>;
  close(): Promise<void>;
  exit(code: number): void;
}

interface LifeOptions {
  /** The process that started this one, where that is another generation. */
  readonly elder: Elder | undefined;
  readonly stopped: AbortSignal;
}

/**
 * Starts the first generation, or the next one beside the one that goes on until this one has proved itself.
 *
 * @throws Error of `listen`, with `code` `EADDRINUSE` for a busy port, and of what a proof lacks
 */
export async function startLife(config: ProxyConfig, log: Logger, { elder, stopped }: LifeOptions): Promise<Life> {
  const store = config.switchStore === undefined ? undefined : await openS3Store(config.switchStore);
  const started = store && (await readStart(store, config.side, { clock: SYSTEM_CLOCK, log, stopped }));
  const beside = new Beside(config, log);
  const first = elder
    ? await Promise.race([takeOver(config, log, { elder, started, beside }), elder.untilStopped(stopped)])
    : await begin(config, log, started, beside);
  return live(first, beside, log);
}

interface StartedGeneration {
  readonly number: number;
  readonly generations: Generations;
  readonly own: OwnGeneration & { readonly failed?: Promise<Error>; readonly workers?: number };
  readonly takeover?: Takeover | undefined;
  readonly elder?: Elder;
}

async function begin(
  config: ProxyConfig,
  log: Logger,
  started: StartedUnder | undefined,
  beside: Beside,
): Promise<StartedGeneration> {
  const generations = new Generations({ number: 1, keeper: 'pipe', ...beside.options });
  const options = { started, wrap: () => generations };
  const activated = findActivatedSockets(process.env, process.pid);
  const isGroup = config.workers > 1 || activated !== undefined;
  const own = isGroup
    ? await startWorkers(config, log, { ...options, ports: activated && givenPorts(config, activated) })
    : await startProxy(config, log, options);
  generations.attach(own);
  return { number: 1, generations, own };
}

interface Taking {
  readonly elder: Elder;
  readonly started: StartedUnder | undefined;
  readonly beside: Beside;
}

async function takeOver(
  config: ProxyConfig,
  log: Logger,
  { elder, started, beside }: Taking,
): Promise<StartedGeneration> {
  const number = Number(process.env[GENERATION_VARIABLE]);
  const inheritance = await elder.inheritance;
  const { side, ticketKeys, proveWithinMs } = inheritance;
  const proveUntilMs = SYSTEM_CLOCK.nowMs() + proveWithinMs;
  if (side !== config.side) throw new Error(`'side' must be ${side}, as in the generation before, got ${config.side}`);
  const ports = await takePorts(config, inheritance);
  const found: { generations?: Generations } = {};
  const wrap = () => found.generations!;
  const group = await stageWorkers(config, { ...ports, ticketKeys, proveUntilMs }, log, { started, wrap, elder });
  const failed = group.failed.then((error) => Promise.reject(error));
  const takeover = await Promise.race([elder.ready(canaryEvents(group, log)), failed]);
  if (!takeover) log.error('The generation before ended before this one took over: it starts with no orders');
  const generations = new Generations({ number, elder, takeover, keeper: INHERITED_FDS.keeper, ...beside.options });
  found.generations = generations;
  await group.open(takeover?.inForce, takeover?.nonces ?? []);
  generations.attach(group);
  tellKeeper({ serving: process.pid });
  return { number, generations, own: group, takeover, elder };
}

/** What this generation does before it takes over, if it does. */
function canaryEvents(group: StagedGroup, log: Logger): CanaryEvents {
  const { target } = group;
  return {
    begin: (inForce) => group.openUnlistened(inForce),
    respond: async (prompt) => {
      switch (prompt.kind) {
        case 'report':
          return target.report();
        case 'window':
          return target.window(prompt.order);
        case 'list':
          return target.connections(prompt.query);
        case 'metrics':
          return group.samples();
        case 'connections':
        case 'share':
        case 'receive':
          throw new Error(`'kind' must be one that a generation is asked, got ${prompt.kind}`);
        case 'drain':
        case 'undrain':
        case 'hold':
        case 'release':
        case 'retarget':
          return follow(target, prompt);
      }
    },
    takeBack: async (handover) => {
      await group.retire(handover);
      return group.finalRecord();
    },
    shutDown: () => group.shutDown(),
    over: (isInOrder) => endAfterLog(log, isInOrder ? EXIT_CODES.done.code : EXIT_CODES.failed.code),
  };
}

/** At the addresses that the configuration says: of a socket that is not listened at, Node.js says none. */
function givenPorts({ listen, admin }: ProxyConfig, given: ActivatedSockets) {
  const adminPort = admin && given.admin !== undefined ? inheritedPort(admin.at, given.admin) : undefined;
  return { port: inheritedPort(listen, given.data), adminPort };
}

/** The sockets of the generation before, or others where the configuration says so. */
async function takePorts(
  { listen, admin }: ProxyConfig,
  inherited: Inheritance,
): Promise<{ port: BoundPort; adminPort: BoundPort | undefined }> {
  const port = await takePort(listen, inherited.data, INHERITED_FDS.data);
  return { port, adminPort: await takePort(admin?.at, inherited.admin, INHERITED_FDS.admin) };
}

function takePort(at: HostPort, socket: Socket, fd: number): Promise<BoundPort>;
function takePort(at: HostPort | undefined, socket: Socket | undefined, fd: number): Promise<BoundPort | undefined>;
async function takePort(at: HostPort | undefined, socket: Socket | undefined, fd: number) {
  if (at && socket?.configured.host === at.host && socket.configured.port === at.port)
    return inheritedPort(socket.at, fd);
  if (socket) closeSync(fd);
  return at && bindPort(at);
}

/** What stands beside the proxy, and tells AWS of it: of the generation that serves alone. */
class Beside {
  private current: StartedIntegrations | undefined;
  private generations: Generations | undefined;
  private tellReplaced: (how: { successor: Successor; isInOrder: boolean }) => void = () => undefined;
  readonly replaced: Promise<{ successor: Successor; isInOrder: boolean }>;
  /** The pipe of the process that may be the next generation. */
  keeper: Keeper | undefined;
  private resolveNotified: () => void = () => undefined;
  readonly notified: Promise<void>;

  constructor(
    private readonly config: ProxyConfig,
    private readonly log: Logger,
  ) {
    this.replaced = new Promise((resolve) => (this.tellReplaced = resolve));
    this.notified = new Promise((resolve) => (this.resolveNotified = resolve));
  }

  get options(): Omit<GenerationsOptions, 'number' | 'keeper'> {
    const { config, log } = this;
    const { max_generations: max, restart_timeout_seconds: seconds } = PROXY_SETTINGS;
    return {
      config,
      log,
      clock: SYSTEM_CLOCK,
      limits: config.restart ?? { maxGenerations: max.default, timeoutSeconds: seconds.default },
      handOver: () => this.current!.handOver(),
      goOn: (record) => this.start(this.generations!, record),
      settled: () => void notifyManager(['READY=1'], log),
      starting: () => void notifyManager(formatReloading(), log),
      // A service manager is told which process is the main one, and needs no first one that stays.
      started: ({ pipe }) => (this.keeper = pipe && !isNotified ? new Keeper(pipe) : undefined),
      replaced: (successor, isInOrder) => this.tellReplaced({ successor, isInOrder }),
      notified: () => this.resolveNotified(),
    };
  }

  start(generations: Generations, record: IntegrationsRecord | undefined): void {
    this.generations = generations;
    this.current = startIntegrations(this.config, generations, this.log, process.env.ECS_AGENT_URI, record);
  }

  async flush(): Promise<void> {
    await this.current?.flush();
  }

  stop(): void {
    this.current?.stop();
  }
}

function live({ number, generations, own, takeover, elder }: StartedGeneration, beside: Beside, log: Logger): Life {
  const { data, admin, workers } = own;
  const figures = {
    data: formatHostPort(data),
    ...(admin && { admin: formatHostPort(admin) }),
    ...(workers !== undefined && { workers }),
    ...(number > 1 && { generation: number }),
  };
  log.info(figures, 'Listening');
  void notifyManager(['READY=1', `MAINPID=${process.pid}`], log).then(() => elder?.known());
  beside.start(generations, takeover?.integrations);
  const isFirst = number === 1;
  const exit = (code: number) => {
    if (!isFirst) tellKeeper({ code });
    endAfterLog(log, code);
  };
  void beside.replaced.then(async ({ successor, isInOrder }) => {
    const { keeper } = beside;
    // A service manager is told of the process that serves now, and so is the first process of a later one.
    if (!keeper) {
      // Once more: it has to be known before this one ends.
      await notifyManager([`MAINPID=${successor.pid}`], log);
      return endAfterLog(log, isInOrder ? 0 : 1);
    }
    successor.disown();
    endAfterLog(log, await keeper.ended);
  });
  const passOn = (signal: NodeJS.Signals) => pass(signal, generations, beside.keeper);
  return {
    failed: own.failed ?? new Promise(() => undefined),
    notified: beside.notified,
    restart: () => {
      generations.restart().then(
        (conflict) => conflict !== undefined && log.warn(`No restart: ${conflict}`),
        // It is in the log.
        () => undefined,
      );
    },
    passesOn: (signal) => {
      if (!generations.isRetired) return false;
      passOn(signal);
      return true;
    },
    end: async (signal) => {
      if (await generations.isReplaced()) {
        if (signal) passOn(signal);
        return new Promise(() => undefined);
      }
      // Of several workers none is left to ask afterwards.
      void notifyManager(['STOPPING=1'], log);
      void beside.flush();
      const isInOrder = await generations.shutDown().then(
        () => true,
        (error: unknown) => void log.error({ err: error }, 'The shutdown was not in order'),
      );
      await beside.flush();
      beside.stop();
      return isInOrder === true;
    },
    close: () => generations.close(),
    exit,
  };
}

/** From a generation that serves no more. */
function pass(signal: NodeJS.Signals, generations: Generations, keeper: Keeper | undefined): void {
  if (keeper) return keeper.signal(signal);
  if (signal === 'SIGUSR2' || generations.passShutdownOn()) return;
  void generations.shutDown().catch(() => undefined);
}
