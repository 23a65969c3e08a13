import type { LedgerReport } from '../../../core/proxy/admin-api';
import { NO_CONNECTIONS, NOTHING_ENDED } from '../../../core/proxy/connections';
import { SWITCH_FIELDS, SwitchPlan } from '../../../core/plan/switch-plan';
import type { BackendCallOrder, BackendCallReport } from '../../../core/proxy/backend-call';
import type { TransferOrder, TransferReport } from '../../../core/proxy/state-transfer';
import type { ProbeReport } from '../../../core/proxy/probe';
import type { Decision } from '../../../core/switch/decision';
import { FIRST_REGIME, Regime, startUnder } from '../../../core/switch/regime';
import type { DecisionStore } from '../../../core/switch/decision-store';
import type { Side, Weights } from '../../../core/traffic/weights';
import { Problems } from '../../../core/validation/problems';
import { readFields } from '../../../core/validation/fields';
import type { SwitchPorts, SwitchStorePort, SwitchTask, TaskSession } from '../../../lambda/contract/switch-ports';
import { HoldGate } from '../../../proxy/control/hold';
import { Retarget, listUpstreams } from '../../../proxy/control/retarget';
import type { Decision as RouteDecision, RequestHead } from '../../../proxy/data-plane/contract/data-plane';
import { Clock, SYSTEM_CLOCK } from '../../../proxy/process/clock';
import { REPORT } from '../../proxy/support/report';

export const DEFAULT_PLAN: SwitchPlan = readFields(new Problems(), 'switch', {}, SWITCH_FIELDS);

/** The store of a switch in memory: first writer wins. */
export class MemoryStore implements SwitchStorePort, DecisionStore {
  regime: Regime | undefined;
  readonly decisions = new Map<number, Decision>();
  /** Called before each call, which it may delay or fail. */
  before: (call: string) => Promise<void> = () => Promise.resolve();
  private version = 0;

  async readRegime() {
    await this.before('readRegime');
    return this.current;
  }

  private get current() {
    const regime = this.regime ?? FIRST_REGIME;
    return { ...regime, regime, etag: this.regime && String(this.version) };
  }

  async writeRegime(regime: Regime, etag: string | undefined) {
    await this.before('writeRegime');
    if (etag !== this.current.etag) return undefined;
    this.regime = regime;
    this.version += 1;
    return this.current;
  }

  async readDecision(epoch: number) {
    await this.before('readDecision');
    return this.decisions.get(epoch);
  }

  async decide(epoch: number, decision: Decision) {
    await this.before('decide');
    if (!this.decisions.has(epoch)) this.decisions.set(epoch, decision);
    return this.decisions.get(epoch)!;
  }

  propose = (epoch: number, decision: Decision) => this.decide(epoch, decision);
}

/** One request at a backend. */
export interface Served {
  readonly side: Side;
  readonly epoch: number;
}

/** A proxy task: its own gate, and a ledger that the test writes. */
export class MemoryTask implements TaskSession {
  identity: string;
  readonly gate: HoldGate;
  readonly sides: Retarget;
  inFlight = 0;
  longestRequestMs = 0;
  /** What has ended so far, of each kind. */
  ended: Partial<LedgerReport['ended']> = {};
  sinceAbandonedMs: number | undefined;
  capture: LedgerReport['capture'];
  stoppedAtMs: number | undefined;
  isReachable = true;
  /** Called before each admin call reaches the task, and before its response leaves it. */
  before: (call: string) => Promise<void> = () => Promise.resolve();

  constructor(
    readonly id: string,
    readonly home: Side,
    store: MemoryStore,
    readonly served: Served[],
    clock: Clock = SYSTEM_CLOCK,
    regime: Regime = store.regime ?? FIRST_REGIME,
  ) {
    this.identity = `${id}/1`;
    const upstream = (port: number) => ({ protocol: 'http' as const, host: '127.0.0.1', port });
    this.sides = new Retarget(home, listUpstreams(home, upstream(1), upstream(2)));
    const nothing = () => undefined;
    this.gate = new HoldGate({
      clock,
      log: { info: nothing, warn: nothing, error: nothing },
      retarget: this.sides,
      decide: () => ({ forward: { upstream: this.sides.upstream } }),
      setHolding: nothing,
      endStreams: nothing,
      store: {
        readRegime: () => Promise.resolve(store.regime),
        readDecision: (e) => store.readDecision(e),
        propose: store.propose,
      },
      name: id,
    });
    const { hold, side } = startUnder(regime, home, clock.nowMs());
    this.gate.startAs(hold, side);
  }

  /** A request goes to a backend. */
  began: (served: Served) => void = (served) => void this.served.push(served);

  /** @returns whether it waits */
  request(): boolean {
    const take = (decision: RouteDecision) => {
      if ('forward' in decision) this.began({ side: this.sides.side, epoch: this.gate.committed });
    };
    const head = { url: '/' } as RequestHead;
    const decision = this.gate.decision(head) ?? { forward: { upstream: this.sides.upstream } };
    if (!('hold' in decision)) take(decision);
    else decision.hold(take);
    return 'hold' in decision;
  }

  async report(): Promise<LedgerReport> {
    await this.reach('report');
    return this.now();
  }

  async hold(order: Parameters<TaskSession['hold']>[0]): Promise<LedgerReport> {
    await this.reach('hold');
    return this.followed(this.gate.hold(order));
  }

  async release(order: Parameters<TaskSession['release']>[0]): Promise<LedgerReport> {
    await this.reach('release');
    return this.followed(this.gate.release(order));
  }

  async retarget(order: Parameters<TaskSession['retarget']>[0]): Promise<LedgerReport> {
    await this.reach('retarget');
    return this.followed(this.gate.retarget(order));
  }

  probed: ProbeReport | Error = { wallMs: Date.now(), tookMs: 1, status: 200 };

  async probe(): Promise<ProbeReport> {
    await this.reach('probe');
    if (this.probed instanceof Error) throw this.probed;
    return this.probed;
  }

  /** What a backend responds to a call through this task. */
  called: (order: BackendCallOrder) => BackendCallReport | Promise<BackendCallReport> = () => ({
    upstreamProblem: 'no backend',
  });

  async callBackend(order: BackendCallOrder): Promise<BackendCallReport> {
    await this.reach('callBackend');
    return this.called(order);
  }

  /** What a transfer through this task comes to. */
  transferred: (order: TransferOrder) => TransferReport | Promise<TransferReport> = () => {
    throw new Error('no transfer');
  };

  async transferState(order: TransferOrder): Promise<TransferReport> {
    await this.reach('transferState');
    return this.transferred(order);
  }

  close(): void {
    return;
  }

  private async reach(call: string): Promise<void> {
    await this.before(call);
    if (!this.isReachable) throw new Error(`${this.id} does not respond`);
  }

  private followed(problem: string | undefined): LedgerReport {
    if (problem !== undefined) throw new Error(problem);
    return this.now();
  }

  private now(): LedgerReport {
    const { identity, inFlight, sinceAbandonedMs, longestRequestMs } = this;
    const dryRun = this.gate.dryRunReport();
    return {
      ...REPORT,
      identity,
      instance: identity,
      active: { ...NO_CONNECTIONS, http: inFlight },
      longestRequestMs,
      abandoned: { total: 0, ...(sinceAbandonedMs !== undefined && { total: 1, sinceLastMs: sinceAbandonedMs }) },
      hold: this.gate.report(),
      ...(dryRun && { dryRun }),
      holds: this.gate.totals,
      ended: { ...NOTHING_ENDED, ...this.ended },
      upstream: this.sides.side,
      ...(this.capture && { capture: this.capture }),
    };
  }
}

/** Tasks of both sides and a store, for one coordinator or several. */
export class SwitchWorld {
  readonly store = new MemoryStore();
  readonly served: Served[] = [];
  readonly tasks: MemoryTask[];
  weights: Weights | undefined = { source: 100, target: 0 };
  /** Registered beside the tasks. */
  readonly strangers: string[] = [];
  /** Called before the load balancer is asked. */
  beforeTraffic: () => Promise<void> = () => Promise.resolve();
  beforeList: () => Promise<void> = () => Promise.resolve();

  constructor(sources = 2, targets = 1) {
    this.tasks = [
      ...Array.from({ length: sources }, (_, index) => this.start(`s${index}`, 'source')),
      ...Array.from({ length: targets }, (_, index) => this.start(`t${index}`, 'target')),
    ];
  }

  start(id: string, home: Side): MemoryTask {
    return new MemoryTask(id, home, this.store, this.served);
  }

  /** The first task dies with so many requests in flight, while all hold. The last request of the second one ends then. */
  killFirst(inFlight: number): void {
    const [first, second] = this.tasks;
    first!.inFlight = inFlight;
    second!.inFlight = 1;
    let holds = 0;
    second!.before = async (call) => {
      if (call === 'hold') holds += 1;
      if (call !== 'report' || holds === 0) return;
      first!.isReachable = false;
      first!.stoppedAtMs = Date.now();
      second!.inFlight = 0;
    };
  }

  get ports(): SwitchPorts {
    return {
      store: this.store,
      listTasks: async () => {
        await this.beforeList();
        return this.tasks.map((task) => this.list(task));
      },
      traffic: {
        targets: async (sides) => {
          await this.beforeTraffic();
          return [...this.tasks.filter(({ home }) => sides.includes(home)).map(({ id }) => id), ...this.strangers];
        },
        weights: async () => {
          await this.beforeTraffic();
          return this.weights;
        },
      },
      now: () => Date.now(),
      pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    };
  }

  stop(): void {
    for (const { gate } of this.tasks) gate.stop();
  }

  private list(task: MemoryTask): SwitchTask {
    const { id, home, stoppedAtMs } = task;
    return { id, home, address: id, ...(stoppedAtMs === undefined ? { session: task } : { stoppedAtMs }) };
  }
}
