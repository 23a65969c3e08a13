import type { Ports } from '../../../lambda/contract/ports';

interface Death {
  /** The calls that count: `hosts.send`. */
  readonly counts: RegExp;
  /** Of those that count the one at which the process of the step is killed, from 1 on. */
  readonly at: number;
  /** Whether that call does its work before. */
  readonly isDone: boolean;
}

type Method = (...given: unknown[]) => unknown;

/** The ports of a step that is killed: nothing that it asked for comes back, and it asks for nothing more. */
export class MortalPorts {
  readonly ports: Ports;
  /** Of the calls that count, those that were made. */
  count = 0;
  /** Resolves when it is killed. */
  readonly killed: Promise<void>;
  private die: () => void = () => undefined;
  private isDead = false;

  constructor(
    ports: Ports,
    private readonly death: Death,
  ) {
    this.killed = new Promise((resolve) => (this.die = resolve));
    const { now, pause, metrics, ...others } = ports;
    const mortal = Object.fromEntries(Object.entries(others).map(([name, port]) => [name, this.wrap(name, port)]));
    const pauses = (milliseconds: number) => this.call('pause', () => pause(milliseconds));
    this.ports = { ...mortal, now, pause: pauses, metrics } as unknown as Ports;
  }

  private wrap<T extends object>(name: string, port: T): T {
    return new Proxy(port, {
      get: (_, key) => {
        const value: unknown = port[key as keyof T];
        if (typeof value !== 'function') return value;
        const method = (value as Method).bind(port);
        if (key === 'close') return method;
        return (...given: unknown[]) => this.call(`${name}.${String(key)}`, () => method(...given));
      },
    });
  }

  private async call(name: string, method: () => unknown): Promise<unknown> {
    const never = new Promise<never>(() => undefined);
    if (this.isDead) return never;
    const isLast = this.death.counts.test(name) && (this.count += 1) === this.death.at;
    if (isLast && !this.death.isDone) return this.end(never);
    const value = await method();
    if (this.isDead) return never;
    if (isLast) return this.end(never);
    return name === 'proxies.open' ? (value as { session?: object }[]).map((each) => this.wrapSession(each)) : value;
  }

  private wrapSession<T extends { session?: object }>(task: T): T {
    return task.session ? { ...task, session: this.wrap('session', task.session) } : task;
  }

  private end(never: Promise<never>): Promise<never> {
    this.isDead = true;
    this.die();
    return never;
  }
}
