import { createHash } from 'node:crypto';
import type { BackendCallOrder, BackendCallReport } from '../../../core/proxy/backend-call';
import type { ProbeOrder, ProbeReport } from '../../../core/proxy/probe';
import type { HookCall } from '../../../core/switch/hook';
import { SIDES, Side } from '../../../core/traffic/weights';
import type { HostOrder, HostsPort } from '../../../lambda/contract/host-ports';
import type { MemoryTask } from './switch-world';

/** An application, with what it remembers. */
export interface Application {
  memory: string[];
  state: 'running' | 'stopped' | 'ended';
  /** Of one that was restored, the copy. */
  readonly from?: string;
}

interface Image {
  readonly memory: readonly string[];
  readonly bytes: number;
}

/** What a host keeps between calls, as the files of `host/checkpoint.sh`. */
interface Host {
  application: Application;
  last: { epoch: number; rank: number };
  isReplaced: boolean;
  isWoken: boolean;
  /** One call at a time. */
  turn: Promise<unknown>;
}

/** When a test may meddle: before a call is accepted, behind it, before it does its work, before it is read. */
export type Moment = 'send' | 'sent' | 'run' | 'read';

/** Two hosts that do what `host/checkpoint.sh` does, and share the folder of their images. */
export class TwoHosts implements HostsPort {
  readonly hosts: Readonly<Record<Side, Host>>;
  /** Of the calls that did their work. */
  readonly calls: string[] = [];
  /** Waits, or throws where nothing comes back. */
  before: (moment: Moment, order: Omit<HostOrder, 'documentName'>) => Promise<unknown> = () => Promise.resolve();
  /** In place of what it prints. */
  instead: (order: HostOrder) => string | undefined = () => undefined;
  /** Requests that reached no running application. */
  readonly unserved: string[] = [];
  readonly acknowledged: string[] = [];
  /** Of an image that arrives. */
  arriving = (bytes: number) => bytes;
  private images = new Map<string, Image & { restored?: number }>();
  private readonly commands = new Map<string, { readonly order: HostOrder; output?: string }>();

  constructor(private readonly now: () => number) {
    const host = (name: string): Host => ({
      application: { memory: [name], state: 'running' },
      last: { epoch: 0, rank: 0 },
      isReplaced: false,
      isWoken: false,
      turn: Promise.resolve(),
    });
    this.hosts = { source: host('source'), target: host('target') };
  }

  /** The backend of each task is the application of the host. */
  connect(tasks: readonly MemoryTask[]): void {
    for (const task of tasks) {
      task.called = (order) => this.respond(order);
      Object.assign(task, { probe: (order: ProbeOrder) => Promise.resolve(this.probe(order)) });
      task.began = (served) => {
        task.served.push(served);
        this.write(served.side);
      };
    }
  }

  find(side: Side): Application {
    return this.hosts[side].application;
  }

  async send(order: HostOrder): Promise<string> {
    await this.before('send', order);
    const id = `${this.commands.size + 1}`;
    const command: { readonly order: HostOrder; output?: string } = { order };
    this.commands.set(id, command);
    void this.runIn(order).then((output) => (command.output = output));
    await this.before('sent', order);
    return id;
  }

  async read({ instanceId }: Pick<HostOrder, 'instanceId'>, id: string): Promise<string | undefined> {
    const { order, output } = this.commands.get(id)!;
    if (order.instanceId !== instanceId) throw new Error('another host');
    await this.before('read', order);
    return output;
  }

  /** Once all that is under way has ended. */
  async settle(): Promise<void> {
    await Promise.all(SIDES.map((side) => this.hosts[side].turn));
  }

  private async runIn(order: HostOrder): Promise<string> {
    await this.before('run', order);
    const host = this.hosts[order.side];
    const turn = host.turn.then(() => this.print(order, host));
    host.turn = turn;
    return turn;
  }

  private print(order: HostOrder, host: Host): string {
    const { action, side, epoch } = order;
    const printed = this.instead(order);
    if (printed !== undefined) return printed;
    try {
      const bytes = this.do(order, host);
      this.calls.push(`${action} ${side} ${epoch}`);
      return `${JSON.stringify({ ok: true, bytes })}\n`;
    } catch (error) {
      return JSON.stringify({ ok: false, why: (error as Error).message });
    }
  }

  private do(order: HostOrder, host: Host): number | undefined {
    const { action, copy, epoch, isBehind } = order;
    const image = this.images.get(`${copy}/${epoch}`);
    switch (action) {
      case 'check':
        return measure(mustRun(host).memory);
      case 'prepare':
        mustRun(host);
        return 0;
      case 'dump': {
        inOrder(host, order);
        if (image) return image.bytes;
        this.inTime(order);
        const application = mustRun(host);
        host.isReplaced = host.isWoken = false;
        application.state = 'stopped';
        const dumped = { memory: [...application.memory], bytes: measure(application.memory) };
        this.images.set(`${copy}/${epoch}`, dumped);
        return dumped.bytes;
      }
      case 'restore': {
        inOrder(host, order);
        if (image?.restored !== undefined) return mustRun(host) && image.restored;
        this.inTime(order);
        if (!image) throw new Error('no images');
        host.isReplaced = true;
        host.application.state = 'ended';
        host.application = { memory: [...image.memory], state: 'running', from: copy };
        return (image.restored = this.arriving(image.bytes));
      }
      case 'resume':
        inOrder(host, order);
        if (!isBehind) {
          this.inTime(order);
          host.isWoken = true;
        }
        mustRun(host).state = 'running';
        return undefined;
      case 'suspend':
        inOrder(host, order);
        if (isBehind && !host.isReplaced) return undefined;
        mustRun(host).state = 'stopped';
        return undefined;
      case 'discard':
        inOrder(host, order);
        if (host.isWoken) {
          mustRun(host).state = 'stopped';
          host.isWoken = false;
          return undefined;
        }
        if (host.isReplaced) {
          host.application.state = 'ended';
          host.application = { memory: ['fresh'], state: 'running' };
        }
        host.isReplaced = false;
        this.images.clear();
        return undefined;
      case 'end':
        throw new Error('no step calls it');
    }
  }

  private inTime({ untilMs }: HostOrder): void {
    const [now, until] = [Math.floor(this.now() / 1000), Math.floor(untilMs / 1000)];
    if (now > until) throw new Error(`it must begin before ${until}, got ${now}`);
  }

  private write(side: Side): void {
    const name = `write ${this.acknowledged.length + this.unserved.length}`;
    const { state, memory } = this.find(side);
    if (state !== 'running') return void this.unserved.push(`${name} at the ${side}, which is ${state}`);
    memory.push(name);
    this.acknowledged.push(name);
  }

  private probe({ to }: ProbeOrder): ProbeReport {
    const { state } = this.find(to);
    const response = state === 'running' ? { status: 200 } : { upstreamProblem: `no response: it is ${state}` };
    return { wallMs: this.now(), tookMs: 1, ...response };
  }

  private respond({ to, method, body = '' }: BackendCallOrder): BackendCallReport {
    const { state, memory } = this.find(to);
    if (state !== 'running') return { upstreamProblem: `no response: it is ${state}` };
    if (method === 'OPTIONS') return { status: 204, body: '' };
    const { epoch } = JSON.parse(body) as HookCall;
    const digest = createHash('sha256').update(memory.join('\n')).digest('hex');
    return { status: 200, body: JSON.stringify({ ok: true, epoch, digest }) };
  }
}

function measure(memory: readonly string[]): number {
  return 1_000 * memory.length;
}

function mustRun({ application }: Host): Application {
  if (application.state === 'ended') throw new Error('an application must run, got none');
  return application;
}

function inOrder(host: Host, { epoch, isBehind }: HostOrder): void {
  const { last } = host;
  const rank = isBehind ? 2 : 1;
  if (epoch < last.epoch || (epoch === last.epoch && rank < last.rank)) {
    throw new Error(`a call of epoch ${last.epoch} came before this one of epoch ${epoch}`);
  }
  host.last = { epoch, rank };
}
