// What a switch takes, without a load balancer and a state machine: backends that log their writes, proxy tasks, a store.
import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { buildEnvironment } from '../../core/proxy/settings/setting-names';
import { REGIME_KEY, decisionKey } from '../../core/switch/decision';
import { FIRST_REGIME, parseRegime, type Regime } from '../../core/switch/regime';
import { SIDES, type Side } from '../../core/traffic/weights';
import { startBackend, type Running } from '../../rehearsal/backend/backend';
import { readLogs } from '../../rehearsal/backend/backends';
import { startStore } from '../../rehearsal/backend/store';
import { Addresses } from '../../rehearsal/tasks/addresses';
import type { LoggedWrite } from '../../rehearsal/writes/write-log';
import { startLocalEndpoint, type LocalEndpoint } from '../endpoint/local-endpoint';
import { imageFlags } from '../peers/drainshift';
import type { Child } from '../processes/children';
import { ROOT } from '../processes/resolve';
import { sendSignal } from '../../rehearsal/processes/signal';
import type { Workplace } from '../processes/workplace';
import {
  ADMIN_PORT,
  ADMIN_SECRET,
  BUCKET,
  DATA_PORT,
  type ClientOrder,
  type ClientRecord,
  type ListedTask,
} from './messages';

const TASKS_A_SIDE = 2;
/** The client that tried the target before. */
const TRIAL = 'trial';

/** Of this process; two runs beside each other have others. */
let claimed: Promise<Addresses> | undefined;

export interface Task {
  readonly id: string;
  readonly home: Side;
  readonly child: Child;
  /** Of its own, as at AWS: its ports are known before it has started, and another task never has them. */
  readonly host: string;
  /** As ECS, the setup lists a task before it has started. */
  isListening: boolean;
  stoppedAtMs?: number;
}

export class SwitchSetup {
  readonly tasks: Task[] = [];
  private client: ChildProcess | undefined;
  private serial = 0;
  /** Writes that the clients have done so far. */
  done = 0;

  private constructor(
    private readonly place: Workplace,
    readonly endpoint: LocalEndpoint,
    private readonly store: Running,
    private readonly backends: Record<Side, Running>,
  ) {}

  static async start(place: Workplace): Promise<SwitchSetup> {
    const endpoint = await startLocalEndpoint(BUCKET);
    const store = await startStore();
    const [source, target] = await Promise.all(SIDES.map((side) => startBackend({ side, storeUrl: store.url })));
    const setup = new SwitchSetup(place, endpoint, store, { source: source!, target: target! });
    const homes = SIDES.flatMap((side) => Array.from({ length: TASKS_A_SIDE }, () => side));
    await Promise.all(homes.map((home) => setup.startTask(home)));
    return setup;
  }

  get regime(): Regime {
    const stored = this.endpoint.objects.find(BUCKET, REGIME_KEY);
    return stored ? parseRegime(stored.body.toString()) : FIRST_REGIME;
  }

  isDecided(epoch: number): boolean {
    return this.endpoint.objects.find(BUCKET, decisionKey(epoch)) !== undefined;
  }

  get running(): Task[] {
    return this.tasks.filter(({ stoppedAtMs }) => stoppedAtMs === undefined);
  }

  /** Those that clients reach: before the first switch the proxies of the target forward to their own backend. */
  get reachable(): Task[] {
    const listed = this.running.filter(({ isListening }) => isListening);
    return this.regime.isJoined ? listed : listed.filter(({ home }) => home === 'source');
  }

  listTasks(): ListedTask[] {
    return this.tasks.map(({ id, home, host, stoppedAtMs }) => ({
      ...{ id, home },
      ...(stoppedAtMs === undefined ? { host } : { stoppedAtMs }),
    }));
  }

  /** Resolves once it listens, which it does when it has read the regime. */
  async startTask(home: Side): Promise<Task> {
    const id = `${home}-${(this.serial += 1)}`;
    const { url } = this.backends[home];
    const { url: other } = this.backends[home === 'source' ? 'target' : 'source'];
    claimed ??= Addresses.claim();
    const host = (await claimed).take();
    const addresses = ['--listen', `${host}:${DATA_PORT}`, '--admin', `${host}:${ADMIN_PORT}`];
    // Under the time after which the backends, as those of Node, close a connection.
    const flags = [...addresses, '--side', home, '--switch-store', BUCKET, '--pool-idle-seconds', '3'];
    const upstreams = ['--upstream', url, '--other-upstream', other];
    const child = this.place.children.start(
      {
        command: process.execPath,
        args: [...imageFlags(), join(ROOT, 'dist/assets/proxy/proxy.js'), ...flags, ...upstreams],
        env: {
          ...buildEnvironment({ admin_secret: ADMIN_SECRET }),
          ...this.endpoint.environment,
          NODE_ENV: 'production',
        },
      },
      { name: id, output: 'lines' },
    );
    const task: Task = { id, home, child, host, isListening: false };
    this.tasks.push(task);
    void child.ended.then(() => {
      task.stoppedAtMs = Date.now();
      this.tellClients();
    });
    await listening(child);
    task.isListening = true;
    this.tellClients();
    return task;
  }

  startClients(order: ClientOrder): void {
    this.client = fork(join(__dirname, 'client.js'), [JSON.stringify(order)], { execArgv: [], stdio: 'inherit' });
    this.client.on('message', ({ done }: { done?: number }) => (this.done = done ?? this.done));
    this.tellClients();
  }

  tellClients(): void {
    if (this.client?.connected) this.client.send({ tasks: this.reachable.map(({ id, host }) => ({ id, host })) });
  }

  stopClients(): Promise<ClientRecord> {
    const { client } = this;
    if (!client) throw new Error('clients must have been started, got none');
    return new Promise((resolve, reject) => {
      client.on('message', ({ record }: { record?: ClientRecord }) => record && resolve(record));
      client.once('exit', () => reject(new Error('the clients must say what they saw, got their end')));
      client.send({ stop: true });
    });
  }

  /** Kills it; another one is at its address after a while. */
  async restartBackend(side: Side, afterMs: number): Promise<void> {
    const { url, pid } = this.backends[side];
    sendSignal(pid, 'SIGKILL');
    await pause(afterMs);
    const { hostname: host, port } = new URL(url);
    this.backends[side] = await startBackend({ side, storeUrl: this.store.url, host, port: Number(port) });
  }

  /** As an operator tries the target through its own proxies before a cutover. @param writes that no log counts */
  async tryTarget(writes: number): Promise<void> {
    const hosts = this.running.filter(({ home }) => home === 'target').map(({ host }) => host);
    for (let n = 1; n <= writes; n += 1) {
      const url = `http://${hosts[n % hosts.length]}:${DATA_PORT}/writes`;
      const response = await fetch(url, { method: 'POST', body: JSON.stringify({ client: TRIAL, n }) });
      if (!response.ok) throw new Error(`the target must respond with 200, got ${response.status}`);
      await response.arrayBuffer();
    }
  }

  async readLog(): Promise<LoggedWrite[]> {
    return (await readLogs(this.store.url)).filter(({ client }) => client !== TRIAL);
  }

  async stop(): Promise<void> {
    this.client?.kill('SIGKILL');
    await Promise.all(this.tasks.map(({ child }) => child.kill()));
    await Promise.all([...Object.values(this.backends), this.store].map((running) => running.stop()));
    await this.endpoint.stop();
  }
}

async function listening(child: Child): Promise<void> {
  const lines = createInterface({ input: child.process.stdout! });
  for await (const line of lines) {
    const { msg } = (line.startsWith('{') ? JSON.parse(line) : {}) as { msg?: string };
    if (msg !== 'Listening') continue;
    child.process.stdout!.resume();
    return;
  }
  throw new Error(`the task ${child.name} must listen, got ${child.logTail()}`);
}
