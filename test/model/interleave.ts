import fc from 'fast-check';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { FIRST_REGIME, Regime, findServedSide } from '../../core/switch/regime';
import type { Outcome } from '../../core/switch/decision';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { verifyTrace } from '../../core/switch/verify-trace';
import type { Side } from '../../core/traffic/weights';
import type { SwitchPorts, SwitchTask, TaskSession } from '../../lambda/contract/switch-ports';
import { switchOver } from '../../lambda/switch/switch-over';
import { DEFAULT_PLAN, MemoryStore, MemoryTask, Served } from '../lambda/switch/switch-world';
import { VirtualTime } from './virtual-time';

/** What runs at a backend. */
interface Work {
  readonly side: Side;
  readonly by: MemoryTask;
}

interface Slot {
  readonly id: string;
  readonly home: Side;
  /** Absent while it reads the regime. */
  task?: MemoryTask;
}

/** A rule that the code relies on, broken where it touches what surrounds it. */
export interface Breakage {
  /** What a coordinator gets to read of a task. */
  readonly report?: (report: LedgerReport) => LedgerReport;
  readonly breakStore?: (store: MemoryStore) => void;
  /** What a task that starts takes for the regime. */
  readonly startsUnder?: Regime;
  /** What ECS says of when a task stopped. */
  readonly stoppedAtMs?: number;
}

const PLAN = { ...DEFAULT_PLAN, maxPauseMs: 5_000, longestRequestSeconds: 3_600 };
const STEPS = 300;
const MAX_STEPS = 60_000;

/**
 * One switch by the real code: `switchOver`, `HoldGate`, `DecisionWatch`, over a store in memory. The scheduler chooses which
 * call arrives next; `choices` when requests begin and end, time passes, tasks and coordinators die, and calls are lost.
 */
class Interleaving {
  private readonly store = new MemoryStore();
  private readonly slots: Slot[] = [];
  private readonly work: Work[] = [];
  private readonly served: Served[] = [];
  private isCalm = false;
  private kills = 2;
  /** Coordinators that are at work, by number; those that died are not. */
  private readonly alive = new Set<number>();
  private coordinators = 0;
  private tasks = 0;
  private problem: string | undefined;
  verified = 0;

  constructor(
    private readonly scheduler: fc.Scheduler,
    private readonly choices: Iterator<number>,
    private readonly time: VirtualTime,
    private readonly breakage: Breakage,
  ) {
    breakage.breakStore?.(this.store);
    for (const home of ['source', 'source', 'target'] as const) this.slots.push(this.startTask(home));
    this.store.before = async (call) => {
      await this.arrive(call);
      if (this.happens(1)) throw new Error('the store does not respond');
    };
  }

  async run(): Promise<string | undefined> {
    this.begin();
    for (let step = 0; step < STEPS && !this.problem; step += 1) await this.step();
    this.isCalm = true;
    for (let round = 0; round < 3 && !this.problem; round += 1) {
      this.begin();
      await this.calmDown(() => this.alive.size === 0);
    }
    await this.calmDown(() => this.isSettled);
    for (const { task } of this.slots) task?.gate.stop();
    return this.problem ?? (this.isSettled ? undefined : `it does not settle: ${this.describe()}`);
  }

  get outcomes(): readonly Outcome[] {
    return [...this.store.decisions.values()].map(({ outcome }) => outcome);
  }

  private get isSettled(): boolean {
    const regime = this.store.regime ?? FIRST_REGIME;
    const up = this.slots.flatMap(({ task }) => task ?? []).filter(({ stoppedAtMs }) => stoppedAtMs === undefined);
    const areAll = up.every(
      ({ gate, sides, home }) =>
        gate.report().state === 'none' && gate.waiting === 0 && sides.side === findServedSide(home, regime),
    );
    return !regime.switching && areAll && this.alive.size === 0;
  }

  private describe(): string {
    const tasks = this.slots.map(({ id, task }) =>
      task ? `${id} ${task.gate.report().state} to ${task.sides.side}` : `${id} does not listen`,
    );
    return `${JSON.stringify(this.store.regime)}, ${tasks.join(', ')}`;
  }

  private async calmDown(isDone: () => boolean): Promise<void> {
    for (let step = 0; step < MAX_STEPS && !this.problem && !isDone(); step += 1) {
      this.end(0);
      if (this.scheduler.count() > 0) await this.scheduler.waitOne();
      else this.time.next();
      await turn();
    }
  }

  private async step(): Promise<void> {
    const choice = this.choose(100);
    if (choice < 66 && this.scheduler.count() > 0) await this.scheduler.waitOne();
    else if (choice < 78) this.time.next();
    else if (choice < 86) this.request();
    else if (choice < 96) this.end(this.choose(8));
    else if (choice < 97) this.time.leap(this.choose(4_000));
    else if (choice < 98) this.begin();
    else if (this.choose(4) > 0) await turn();
    else if (choice < 99) this.kill();
    else this.alive.delete([...this.alive][0] ?? 0);
    await turn();
  }

  private choose(below: number): number {
    return (this.choices.next().value as number) % below;
  }

  private happens(percent: number): boolean {
    return !this.isCalm && this.choose(100) < percent;
  }

  private async arrive(what: string): Promise<void> {
    await this.scheduler.schedule(Promise.resolve(), what);
  }

  private request(): void {
    const isTarget = this.store.regime?.side === 'target';
    const open = this.slots.filter(
      ({ task, home }) => task?.stoppedAtMs === undefined && (home === 'source' || isTarget),
    );
    const task = open[this.choose(Math.max(1, open.length))]?.task;
    if (!task) return;
    task.request();
  }

  private end(at: number): void {
    const [ended] = this.work.splice(at, 1);
    if (ended) ended.by.inFlight -= 1;
  }

  private began(by: MemoryTask, served: Served): void {
    const { side, epoch } = served;
    this.served.push(served);
    this.work.push({ side, by });
    by.inFlight += 1;
    const committed = this.lastCommit();
    if (this.work.some((other) => other.side !== side)) this.problem ??= 'both backends are at work';
    if (committed === 0 ? side === 'target' : side === 'source') this.problem ??= `the ${side} serves`;
    if (epoch !== committed) this.problem ??= `a request carries epoch ${epoch} after commit ${committed}`;
  }

  private lastCommit(): number {
    return Math.max(
      0,
      ...[...this.store.decisions].flatMap(([epoch, { outcome }]) => (outcome === 'commit' ? epoch : [])),
    );
  }

  private startTask(home: Side, regime = this.store.regime): Slot {
    const id = `${home}-${(this.tasks += 1)}`;
    const task = new MemoryTask(id, home, this.store, this.served, this.time, regime ?? FIRST_REGIME);
    task.began = (served) => this.began(task, served);
    task.before = async (call) => {
      await this.arrive(`${call} at ${id}`);
      if (this.happens(1)) throw new Error(`${id} does not respond`);
    };
    return { id, home, task };
  }

  /** ECS starts another one, which it lists before that reads the regime, and which listens some time later. */
  private kill(): void {
    const slot = this.slots[this.choose(this.slots.length)]!;
    const { task, home } = slot;
    if (!task || task.stoppedAtMs !== undefined || this.kills === 0) return;
    this.kills -= 1;
    task.gate.stop();
    task.isReachable = false;
    task.stoppedAtMs = this.time.nowMs();
    const late: Slot = { id: `${home}-${this.tasks + 1}`, home };
    this.slots.push(late);
    this.tasks += 1;
    void this.arrive('reads the regime').then(async () => {
      const regime = this.breakage.startsUnder ?? this.store.regime;
      await this.arrive('listens');
      this.tasks -= 1;
      Object.assign(late, this.startTask(home, regime), { id: late.id });
      this.tasks = Math.max(this.tasks, this.slots.length);
    });
  }

  private begin(): void {
    if (this.alive.size >= 2) return;
    const number = (this.coordinators += 1);
    this.alive.add(number);
    const request = { to: 'target' as const, execution: 'one', plan: PLAN, findStop: () => Promise.resolve(undefined) };
    void switchOver(request, this.portsOf(number))
      .then((record) => record && this.verify(record))
      .catch(() => undefined)
      .finally(() => this.alive.delete(number));
  }

  private verify(record: SwitchRecord): void {
    const { fault } = verifyTrace({ ...record, trace: record.trace! });
    this.verified += 1;
    if (fault) this.problem ??= `event ${fault.event} (${fault.what}) of ${JSON.stringify(record)}: ${fault.rule}`;
  }

  private portsOf(number: number): SwitchPorts {
    const { store, time, breakage } = this;
    const read = breakage.report ?? ((report: LedgerReport) => report);
    const mine =
      <In extends unknown[], Out>(call: (...given: In) => Promise<Out>) =>
      async (...given: In) => {
        if (!this.alive.has(number)) throw new Error('this coordinator is dead');
        const result = await call(...given);
        // The response: it may be lost, too.
        await this.arrive('response');
        if (!this.alive.has(number) || this.happens(1)) throw new Error('there was no response');
        return result;
      };
    const session = (task: MemoryTask): TaskSession => ({
      report: mine(async () => read(await task.report())),
      hold: mine(async (order) => {
        if (this.happens(5)) void task.hold(order).catch(() => undefined);
        return read(await task.hold(order));
      }),
      release: mine(async (order) => {
        if (this.happens(5)) void task.release(order).catch(() => undefined);
        return task.release(order);
      }),
      retarget: mine((order) => task.retarget(order)),
      probe: mine(() => task.probe()),
      transferState: mine((order) => task.transferState(order)),
      callBackend: mine((order) => task.callBackend(order)),
      close: () => undefined,
    });
    const list = ({ id, home, task }: Slot): SwitchTask => {
      if (task?.stoppedAtMs !== undefined) {
        return { id, home, address: id, stoppedAtMs: breakage.stoppedAtMs ?? task.stoppedAtMs };
      }
      if (task) return { id, home, address: id, session: session(task) };
      const silent = {
        ...session(this.slots[0]!.task!),
        report: () => Promise.reject(new Error('it does not listen')),
      };
      return { id, home, address: id, session: { ...silent, hold: silent.report, release: silent.report } };
    };
    return {
      store: {
        readRegime: mine(() => store.readRegime()),
        writeRegime: mine((...given) => store.writeRegime(...given)),
        readDecision: mine((epoch) => store.readDecision(epoch)),
        decide: mine((...given) => store.decide(...given)),
      },
      listTasks: mine(() => Promise.resolve(this.slots.map(list))),
      traffic: {
        targets: mine(() => Promise.resolve(this.slots.map(({ id }) => id))),
        weights: () => Promise.resolve({ source: 100, target: 0 }),
      },
      now: () => time.nowMs(),
      pause: (ms) => new Promise((resolve) => void time.after(ms, resolve)),
    };
  }
}

/** What has been resolved goes on, as far as it can. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** @returns how many switches were decided how @throws Error with the seed and the interleaving that broke the promise, as short as it could be made */
export async function interleave(
  runs: number,
  seed: number,
  breakage: Breakage = {},
): Promise<Record<Outcome, number>> {
  const counts = { commit: 0, abort: 0 };
  const time = new VirtualTime();
  const restore = time.replaceTimers();
  try {
    const property = fc.asyncProperty(fc.scheduler(), fc.infiniteStream(fc.nat(9_999)), async (scheduler, choices) => {
      const one = new Interleaving(scheduler, choices, time, breakage);
      const problem = await one.run();
      time.clear();
      for (const outcome of one.outcomes) counts[outcome] += 1;
      if (problem !== undefined) throw new Error(problem);
    });
    await fc.assert(property, { numRuns: runs, seed, endOnFailure: true });
    return counts;
  } finally {
    restore();
  }
}
