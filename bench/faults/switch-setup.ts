// What a row of a switch stands on: the rehearsal's cloud between its own backends, which log their writes in one store, and
// writers of this folder that count for themselves.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { REGIME_KEY } from '../../core/switch/decision';
import { FIRST_REGIME, parseRegime, type Regime } from '../../core/switch/regime';
import type { LocalCloud } from '../../rehearsal/cloud/local-cloud';
import { startBackend, type Running } from '../../rehearsal/backend/backend';
import { readLogs } from '../../rehearsal/backend/backends';
import { startStore } from '../../rehearsal/backend/store';
import type { ExecutionDescription } from '../../rehearsal/state-machine/model';
import type { LoggedWrite } from '../../rehearsal/writes/write-log';
import { sendSignal } from '../../rehearsal/processes/signal';
import type { ClientOrder, ClientRecord } from '../switch/messages';
import { findServiceArn, type Breakables } from '../../rehearsal/faults/breakables';
import type { FaultySide } from '../../rehearsal/backend/faulty-side';
import { healthy, startCloud } from './row-setup';

const WRITERS = 6;
const WRITES_PER_SECOND = 100;
const TASKS_A_SIDE = 2;

/** Everything of one row, for its faults. */
export class SwitchRowSetup implements Breakables {
  /** Called at every state that an execution enters. */
  onState: (execution: ExecutionDescription) => void = () => undefined;
  private client: ChildProcess | undefined;

  private constructor(
    readonly cloud: LocalCloud,
    private readonly backends: Readonly<Record<'source' | 'target' | 'store', Running>>,
  ) {}

  /** @param statePath where the state of its backends goes along. @default - they share it */
  static async start(app: string, plan: object, statePath?: string): Promise<SwitchRowSetup> {
    const store = await startStore();
    const common = { storeUrl: store.url, ...(statePath !== undefined && { statePath }) };
    const [source, target] = await Promise.all([
      startBackend({ side: 'source', ...common }),
      startBackend({ side: 'target', ...common }),
    ]);
    const upstreams = { source: source.url, target: target.url };
    const row: { setup?: SwitchRowSetup } = {};
    const cloud = await startCloud(app, plan, upstreams, (execution) => row.setup?.onState(execution));
    const setup = new SwitchRowSetup(cloud, { source, target, store });
    row.setup = setup;
    for (const side of ['source', 'target'] as const) {
      cloud.tasks.setDesiredCount(findServiceArn(cloud, side), TASKS_A_SIDE);
    }
    await healthy(cloud);
    setup.startWriters();
    return setup;
  }

  get regime(): Regime {
    const stored = this.cloud.objects.find(this.cloud.model.config.storeBucket, REGIME_KEY);
    return stored ? parseRegime(stored.body.toString()) : FIRST_REGIME;
  }

  /** Its target alone can be broken. */
  get sides() {
    const target: FaultySide = {
      kill: () => sendSignal(this.backends.target.pid, 'SIGKILL'),
      freeze: () => sendSignal(this.backends.target.pid, 'SIGSTOP'),
      degrade: () => undefined,
    };
    return { target };
  }

  /** No fault of a switch asks for it. */
  readonly stopTraffic = () => undefined;

  stopWriters(): Promise<ClientRecord> {
    const { client } = this;
    if (!client) throw new Error('writers must have been started, got none');
    return new Promise((resolve, reject) => {
      client.on('message', ({ record }: { record?: ClientRecord }) => record && resolve(record));
      client.once('exit', () => reject(new Error('the writers must say what they saw, got their end')));
      client.send({ stop: true });
    });
  }

  readLog(): Promise<LoggedWrite[]> {
    return readLogs(this.backends.store.url);
  }

  async stop(): Promise<void> {
    this.client?.kill('SIGKILL');
    await this.cloud.stop();
    await Promise.all(Object.values(this.backends).map((running) => running.stop()));
  }

  private get balancer() {
    const { model, caFile } = this.cloud;
    const { config, elb } = model;
    return { port: elb.listener(config.weightedListenerArn).port, name: config.domainName, caFile };
  }

  private startWriters(): void {
    const order: ClientOrder = { name: 'row', writers: WRITERS, perSecond: WRITES_PER_SECOND, secure: this.balancer };
    this.client = fork(join(__dirname, '../switch/client.js'), [JSON.stringify(order)], {
      ...{ execArgv: [], stdio: 'inherit' },
    });
    this.client.send({ tasks: [{ id: 'load balancer', host: '127.0.0.1' }] });
  }
}
