import { setMaxListeners } from 'node:events';
import { summarizeLatency } from '../core/check/latency';
import { FINDING_NAMES, StateFindings } from '../core/check/state';
import { SCALING_PHASES, ScalingEvent, ScalingFigures } from '../core/check/scaling';
import { countProblems } from '../core/check/verdict';
import { ChatClient, ScalingCounts } from './chat-client';
import type { Progress } from './progress';
import { checkState, liveAt } from './state';
import type { Store } from './store';
import { CheckTarget, StartLimit, pause } from './target';

/** A service that can be scaled, and what can be seen of it. */
export interface Scalable {
  /** Of its load balancer. */
  readonly origin: string;
  /** The names of the tasks that get requests. */
  readonly serving: readonly string[];
  /** Of each task that runs. */
  origins(): readonly string[];
  /** Resolves when as many serve, and the others are gone. */
  scaleTo(count: number, signal: AbortSignal): Promise<void>;
}

export interface ScalingPlan {
  readonly connections: number;
  readonly roomSize: number;
  readonly tasks: { readonly from: number; readonly to: number };
  /** Each is one scale-out and one scale-in. */
  readonly rounds: number;
  /** Between two messages of a client, and its requests. */
  readonly intervalMs: number;
  /** Before, between and after the scalings. */
  readonly holdMs: number;
  readonly timeoutMs: number;
  /** The clock of that: a machine that is short of processor time is late, and nothing is lost by it. */
  readonly startLimit: StartLimit;
}

const OPENED_IN_A_SECOND = 200;
const SETTLE_MS = 1_000;
/** After a scale-out one in so many clients comes anew. */
const ANEW_EACH = 2;

/** @throws Error where the service does not scale, Unreadable where its store or its lists cannot be read */
export async function checkScaling(
  service: Scalable,
  store: Store,
  plan: ScalingPlan,
  signal: AbortSignal,
  progress: Progress,
): Promise<ScalingFigures> {
  setMaxListeners(0, signal);
  return new ScalingCheck(service, store, plan, signal, progress).run();
}

class ScalingCheck {
  private readonly counts = new ScalingCounts();
  private readonly clients: readonly ChatClient[];
  private readonly events: ScalingEvent[] = [];
  private state: StateFindings = {};
  private isTalking = true;

  constructor(
    private readonly service: Scalable,
    private readonly store: Store,
    private readonly plan: ScalingPlan,
    private readonly signal: AbortSignal,
    private readonly progress: Progress,
  ) {
    const { counts } = this;
    const { connections, roomSize } = plan;
    const run = {
      target: this.target('/ws'),
      counts,
      isServing: (name: string) => service.serving.includes(name),
      signal,
    };
    counts.opened = connections;
    this.clients = Array.from(
      { length: connections },
      (_, index) => new ChatClient(run, `client_${index + 1}`, `room_${Math.floor(index / roomSize) + 1}`),
    );
  }

  async run(): Promise<ScalingFigures> {
    const { clients, signal, plan } = this;
    const staying = await this.connect();
    const talking = clients.map((client) => this.talk(client));
    await pause(plan.holdMs, signal);
    for (let round = 0; round < plan.rounds && !signal.aborted; round += 1) {
      await this.scale(plan.tasks.from, plan.tasks.to);
      await this.scale(plan.tasks.to, plan.tasks.from);
    }
    this.isTalking = false;
    await Promise.all(talking);
    await this.untilHeard();
    await this.compareState();
    const figures = this.summarize();
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(staying);
    return figures;
  }

  private target(path: string, origin = this.service.origin): CheckTarget {
    const { timeoutMs, startLimit } = this.plan;
    const url = new URL(path, origin);
    if (path === '/ws') url.protocol = 'ws:';
    return { url, headers: {}, subprotocols: [], insecure: false, timeoutMs, startLimit };
  }

  /** All are there before the first one says something. */
  private async connect(): Promise<Promise<void>[]> {
    const { clients, signal } = this;
    const staying: Promise<void>[] = [];
    this.progress.describe = () => `${clients.filter(({ isReady }) => isReady).length} of ${clients.length} connected`;
    for (const client of clients) {
      staying.push(client.stay());
      await pause(1000 / OPENED_IN_A_SECOND, signal);
    }
    await this.untilAllAreThere();
    return staying;
  }

  private async talk(client: ChatClient): Promise<void> {
    const { plan, signal } = this;
    await pause(Math.random() * plan.intervalMs, signal);
    while (this.isTalking && !signal.aborted) {
      client.say();
      await Promise.all([client.request(), pause(plan.intervalMs, signal)]);
    }
  }

  private async scale(from: number, to: number): Promise<void> {
    const { counts, signal, plan } = this;
    if (signal.aborted) return;
    const [startedMs, moved] = [performance.now(), counts.moved];
    counts.phase = 'during';
    this.progress.describe = () =>
      `${from} → ${to} tasks, ${counts.sent} sent, ${counts.sent - counts.acknowledged} not acknowledged yet, ${counts.dropped} dropped`;
    try {
      await this.service.scaleTo(to, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    counts.phase = 'after';
    const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
    if (to > from) await this.bringAnew();
    await pause(plan.holdMs, signal);
    // Those whose task went are on their way: late on a busy machine, and no state is wrong by that.
    await this.untilAllAreThere();
    this.events.push({ from, to, seconds, moved: counts.moved - moved, tasks: this.countByTask() });
    await this.compareState();
  }

  /** Those who are there stay where they are: without others a new task would have nothing to do. */
  private async bringAnew(): Promise<void> {
    for (const [index, client] of this.clients.entries())
      if (index % ANEW_EACH === 0 && client.isReady) client.comeAnew();
    await this.untilAllAreThere();
  }

  private untilAllAreThere(): Promise<void> {
    return this.until(() => this.clients.every(({ isReady }) => isReady), this.plan.timeoutMs);
  }

  private countByTask(): Record<string, number> {
    const counts: Record<string, number> = Object.fromEntries(this.service.serving.map((task) => [task, 0]));
    for (const { task } of this.clients) if (task !== undefined) counts[task] = (counts[task] ?? 0) + 1;
    return counts;
  }

  /** What is wrong at any time counts. */
  private async compareState(): Promise<void> {
    if (this.signal.aborted) return;
    const lists = this.service.origins().map((origin) => this.target('/connections', origin));
    const keys = (prefix: string) => ({ prefix, suffix: '' });
    const { findings } = await checkState(
      this.store,
      {
        ...{ stateKeys: keys('state:'), connectionKeys: keys('connection:'), compares: 'ids', settleMs: SETTLE_MS },
        startLimit: this.plan.startLimit,
        readLive: liveAt(lists, { path: ['id'] }),
      },
      this.signal,
      { describe: () => '' },
    );
    const worse = FINDING_NAMES.flatMap((name) => {
      const [before, now] = [this.state[name], findings[name]];
      const worst = (now?.count ?? 0) >= (before?.count ?? 0) ? now : before;
      return worst ? [[name, worst] as const] : [];
    });
    this.state = Object.fromEntries(worse);
  }

  private untilHeard(): Promise<void> {
    this.progress.describe = () => 'waiting for what was not heard yet';
    return this.until(() => this.countLost() === this.counts.gaps, this.plan.timeoutMs);
  }

  private countLost(): number {
    const { clients, plan, counts } = this;
    const missing = clients.map((client, index) => {
      const first = index - (index % plan.roomSize);
      const room = clients.slice(first, first + plan.roomSize);
      return room.reduce((sum, other) => sum + client.countMissing(other), client.open);
    });
    return missing.reduce((sum, count) => sum + count, counts.gaps);
  }

  private async until(condition: () => boolean, withinMs: number): Promise<void> {
    let isLate = false;
    const limit = this.plan.startLimit(withinMs, () => (isLate = true));
    while (!condition() && !this.signal.aborted && !isLate) await pause(50, this.signal);
    limit.clear();
  }

  private summarize(): ScalingFigures {
    const { counts, events, state, plan } = this;
    const { opened, requests, strayed, failedRequests, dropped, sent, acknowledged, delivered } = counts;
    const latencies = SCALING_PHASES.map((phase) => [phase, summarizeLatency(counts.latenciesMs[phase])] as const);
    return {
      ...{ connections: plan.connections, opened, events, requests, strayed, failedRequests, dropped },
      ...{ sent, acknowledged, delivered, lost: this.countLost(), doubled: counts.doubled },
      ...{ wrongStates: counts.wrongStates, state, problems: countProblems(counts.problems) },
      latencyMs: Object.fromEntries(latencies.filter(([, latency]) => latency !== undefined)),
    };
  }
}
