import type { CutoverRun } from '../../../core/cutover/run';
import type { Side } from '../../../core/traffic/weights';
import { MemoryTask, Served } from '../switch/switch-world';
import { MemoryCloud } from '../world';

export const SWITCH_PLAN = { strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared' } };

/** The surroundings of a cutover whose proxies hold, release and follow decisions. */
export class SwitchCloud extends MemoryCloud {
  readonly served: Served[] = [];
  readonly proxies: MemoryTask[];
  private readonly startedMs = performance.now();

  constructor(sources = 2, targets = 1) {
    super();
    // Leases run by the clock of the machine: so must what reads them.
    Object.assign(this.ports, {
      now: () => Math.round(this.nowMs + performance.now() - this.startedMs),
      pause: (milliseconds: number) => {
        const isLong = milliseconds > 2_000;
        if (isLong) this.nowMs += milliseconds;
        return new Promise((resolve) => setTimeout(resolve, isLong ? 0 : milliseconds));
      },
    });
    const start = (id: string, home: Side) => new MemoryTask(id, home, this.switches, this.served);
    this.proxies = [
      ...Array.from({ length: sources }, (_, at) => start(`s${at + 1}`, 'source')),
      ...Array.from({ length: targets }, (_, at) => start(`t${at + 1}`, 'target')),
    ];
    for (const task of this.proxies) task.probed = { wallMs: this.nowMs, tookMs: 1, status: 200 };
    this.switchTasks = () =>
      this.proxies.map((task) => ({ id: task.id, home: task.home, address: task.id, session: task }));
    this.forward = { ...this.forward, groups: this.forward.groups.slice(0, 1) };
  }

  switching(plan: object = {}): CutoverRun {
    return this.ready({ ...SWITCH_PLAN, switch: { ...SWITCH_PLAN.switch, ...plan } });
  }

  /** Where a request of each proxy goes now. */
  ask(): string[] {
    this.served.length = 0;
    for (const task of this.proxies) task.request();
    return this.served.map(({ side }) => side);
  }

  end(): void {
    for (const { gate } of this.proxies) gate.stop();
  }
}
