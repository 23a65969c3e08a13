// One switch with one fault: coordinators come until it is decided and settled, and everything that was harmed is whole again.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { signalChild } from '../../core/errors/signals';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Side } from '../../core/traffic/weights';
import { sendSignal } from '../../rehearsal/processes/signal';
import {
  DATA_PORT,
  type Responses,
  type CoordinatorOrder,
  type Ended,
  type FromCoordinator,
  type Prompt,
} from './messages';
import { HOOKS, type FaultName, type HookName, type Row } from './parts';
import type { SwitchSetup, Task } from './setup';

const FREEZE_MS = 10_000;
const AWAY_MS = 3_000;
/** Until another call of the same execution follows one that is frozen. */
const REDRIVE_MS = 3_000;
const LIMIT_MS = 60_000;

/** Whose clients the fault itself harmed, and when. */
export interface Harm {
  /** Absent: those of every task. */
  readonly task?: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface AttemptResult {
  readonly from: Side;
  readonly to: Side;
  /** Of the last attempt: one that was begun anew, because nothing of the first one was there yet, has another. */
  readonly epoch: number;
  readonly isCommit: boolean;
  readonly record?: SwitchRecord;
  /** Whether a call of its part came. */
  readonly wasMet: boolean;
  readonly coordinators: number;
  readonly harms: readonly Harm[];
  /** Undecided within the limit. */
  readonly isStuck: boolean;
}

export class Attempt {
  private goOn: () => void = () => undefined;
  private met = 0;
  /** Resolves when a coordinator has been frozen for a while: another one goes on beside it. */
  private readonly frozen = new Promise<void>((resolve) => (this.goOn = resolve));
  private coordinators = 0;
  private record: SwitchRecord | undefined;
  private stop: string | undefined;
  private readonly harms: Omit<Harm, 'untilMs'>[] = [];
  /** What has to end before the switch counts as over. */
  private readonly after: Promise<unknown>[] = [];
  private readonly live = new Set<ChildProcess>();
  private readonly from: Side;
  private readonly to: Side;
  private readonly epochBefore: number;

  constructor(
    private readonly setup: SwitchSetup,
    private readonly row: Row,
    private readonly plan: SwitchPlan,
    private readonly name: string,
  ) {
    const { side, epoch } = setup.regime;
    this.from = side;
    this.to = side === 'source' ? 'target' : 'source';
    this.epochBefore = epoch;
  }

  async run(): Promise<AttemptResult> {
    const { setup } = this;
    const limitMs = Date.now() + LIMIT_MS;
    await Promise.race([this.coordinate(), this.frozen]);
    while (!this.isSettled() && Date.now() < limitMs) await this.coordinate();
    await Promise.all(this.after);
    // The frozen one wakes up to a switch that has ended, and must do no harm.
    while (this.live.size > 0 && Date.now() < limitMs) await pause(20);
    for (const child of this.live) signalChild(child, 'SIGKILL');
    setup.tellClients();
    const isCommit = setup.regime.side === this.to;
    // A backend that nothing was switched to serves no client.
    const harms = this.harms.filter(({ task }) => task !== undefined || isCommit);
    return {
      ...{ from: this.from, to: this.to, epoch: setup.regime.epoch, isCommit },
      ...(this.record && { record: this.record }),
      wasMet: this.met >= this.row.nth || this.row.fault === 'none',
      coordinators: this.coordinators,
      harms: harms.map((harm) => ({ ...harm, untilMs: Date.now() })),
      isStuck: !this.isSettled(),
    };
  }

  /** What the preflight of a cutover has every task show, by a process of its own. */
  async preflight(): Promise<void> {
    const ended = await this.process({ to: this.to, execution: this.name, plan: this.plan, isPreflight: true });
    if (!ended?.shown) throw new Error(`every task must be ready to switch, got ${ended?.problem ?? 'no result'}`);
  }

  private isSettled(): boolean {
    const { regime } = this.setup;
    return regime.epoch > this.epochBefore && !regime.switching;
  }

  /** Resolves when it has ended, however. */
  private async coordinate(): Promise<void> {
    this.coordinators += 1;
    const { fault } = this.row;
    const hook = fault in HOOKS && { hook: fault as HookName };
    const isPlain = fault === 'none';
    const ended = await this.process({ to: this.to, execution: this.name, plan: this.plan, isPlain, ...hook });
    this.record = ended?.record ?? this.record;
  }

  private async process(order: CoordinatorOrder): Promise<Ended | undefined> {
    const child = fork(join(__dirname, 'coordinator.js'), [JSON.stringify(order)], {
      ...{ execArgv: [], stdio: 'inherit' },
      env: { ...process.env, ...this.setup.endpoint.environment },
    });
    this.live.add(child);
    let ended: Ended | undefined;
    child.on('message', (message: FromCoordinator) => {
      if ('ended' in message) ended = message.ended;
      else void this.response(child, message.id, message.prompt);
    });
    await once(child, 'exit');
    this.live.delete(child);
    return ended;
  }

  private async response(child: ChildProcess, id: number, prompt: Prompt): Promise<void> {
    const value = await this.findResponse(child, prompt);
    if (child.connected) child.send({ id, value }, () => undefined);
  }

  private findResponse(
    child: ChildProcess,
    prompt: Prompt,
  ): Promise<Responses[keyof Responses]> | Responses[keyof Responses] {
    const { setup } = this;
    switch (prompt.kind) {
      case 'tasks':
        return setup.listTasks();
      case 'targets':
        return setup.running.filter(({ home }) => prompt.sides.includes(home)).map(({ id }) => id);
      case 'weights':
        return { source: this.from === 'source' ? 100 : 0, target: this.from === 'target' ? 100 : 0 };
      case 'stop':
        return this.stop;
      case 'at':
        return this.meet(child, prompt);
    }
  }

  private async meet(child: ChildProcess, { part, task }: Extract<Prompt, { kind: 'at' }>): Promise<Responses['at']> {
    const { row } = this;
    if (part !== row.part || row.fault === 'none') return 'go';
    this.met += 1;
    if (this.met !== row.nth || row.fault in HOOKS) return 'go';
    return (await this.faults[row.fault as FaultName](child, this.findVictim(task))) ?? 'go';
  }

  private findVictim(id: string | undefined): Task {
    const { reachable } = this.setup;
    return reachable.find((task) => task.id === id) ?? reachable[0]!;
  }

  private readonly faults: Readonly<
    Record<FaultName, (child: ChildProcess, task: Task) => Promise<Responses['at'] | void> | Responses['at'] | void>
  > = {
    'coordinator-killed': (child) => void signalChild(child, 'SIGKILL'),
    'coordinator-frozen': (child) => {
      signalChild(child, 'SIGSTOP');
      this.later(REDRIVE_MS, () => this.goOn());
      this.later(FREEZE_MS, () => signalChild(child, 'SIGCONT'));
    },
    'task-killed': async (_, task) => {
      this.harms.push({ task: task.id, fromMs: Date.now() });
      signalTask(task, 'SIGKILL');
      await task.child.ended;
      this.after.push(this.setup.startTask(task.home));
    },
    'task-frozen': (_, task) => {
      signalTask(task, 'SIGSTOP');
      this.later(FREEZE_MS, () => signalTask(task, 'SIGCONT'));
    },
    'response-lost': () => 'lose',
    'store-503': () => this.storeFault({ kind: 'status', status: 503 }),
    'store-hangs': () => this.storeFault({ kind: 'hang' }),
    'store-conflict': () => {
      this.setup.endpoint.faults.set(
        { service: 's3', action: 'PutObject' },
        { kind: 'status', status: 409 },
        { times: 2 },
      );
    },
    'task-started': () => {
      this.after.push(this.setup.startTask('source'));
    },
    'request-endless': (_, task) => void this.after.push(sendEndless(task)),
    // From a commit on every client is its client.
    'backend-killed': () => {
      this.harms.push({ fromMs: Date.now() });
      this.after.push(this.setup.restartBackend(this.to, AWAY_MS));
    },
    'operator-aborts': () => {
      this.stop = 'an operator asked it to stop';
    },
  };

  private storeFault(fault: { kind: 'status'; status: number } | { kind: 'hang' }): void {
    this.later(AWAY_MS, this.setup.endpoint.faults.set({ service: 's3' }, fault));
  }

  private later(ms: number, end: () => unknown): void {
    this.after.push(pause(ms).then(end));
  }
}

/** An upload whose body does not end; the response is of no interest. */
function sendEndless({ host }: Task): Promise<void> {
  return new Promise((resolve) => {
    const headers = { 'content-length': 10 };
    const request = http.request({ host, port: DATA_PORT, path: '/echo', method: 'POST', headers }, (response) => {
      response.resume().once('close', resolve);
    });
    request.on('error', () => resolve());
    request.write('x');
    setTimeout(() => request.end('xxxxxxxxx'), AWAY_MS);
  });
}

function signalTask({ child: { pid } }: Task, signal: NodeJS.Signals): void {
  sendSignal(pid, signal);
}
