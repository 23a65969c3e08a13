import { setTimeout as pause } from 'node:timers/promises';
import { total } from '../../core/proxy/connections';
import { REGIME_KEY, decisionKey, parseDecision } from '../../core/switch/decision';
import { Regime, parseRegime } from '../../core/switch/regime';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { LocalCloud } from '../cloud/local-cloud';
import type { ProgressReporter } from '../progress/progress-reporter';
import type { TaskSample } from '../progress/samples';
import type { ExecutionDescription } from '../state-machine/model';
import { TaskReport, readTasks } from './ledgers';

/** Between two looks at the store, which is in this process, and at the tasks while a switch is under way. */
const LOOK_MS = 50;

/** Watches for switches of a cutover, whichever of its steps makes them, and reports each task while one is under way. */
export class SwitchWatcher {
  private isWatching = true;
  private readonly done: Promise<void>;
  private reported = 0;
  /** Of the execution: how many of its steps have been read for the records of attempts. */
  private read = 0;

  constructor(
    private readonly cloud: LocalCloud,
    private readonly execution: () => ExecutionDescription | undefined,
    private readonly reporter: Pick<ProgressReporter, 'switching' | 'switched'>,
  ) {
    this.done = this.watch();
  }

  async stop(): Promise<void> {
    this.isWatching = false;
    await this.done;
    this.reportEnded();
  }

  private async watch(): Promise<void> {
    let last: Regime | undefined;
    while (this.isWatching) {
      try {
        const regime = this.readRegime();
        // Once more when it has ended: how the tasks were released.
        const shown = regime?.switching ? regime : last;
        if (shown) await this.look(shown);
        last = regime?.switching && regime;
        this.reportEnded();
      } catch {
        // A look that failed is one less, and no reason to end a rehearsal.
      }
      await pause(LOOK_MS);
    }
  }

  private async look({ epoch, switching }: Regime): Promise<void> {
    const decision = this.readObject(decisionKey(epoch));
    const outcome = decision === undefined ? undefined : parseDecision(decision).outcome;
    const tasks = listTasks(await readTasks(this.cloud));
    this.reporter.switching({ atMs: Date.now(), epoch, to: switching!.to, outcome, tasks });
  }

  private readRegime(): Regime | undefined {
    const text = this.readObject(REGIME_KEY);
    return text === undefined ? undefined : parseRegime(text);
  }

  private readObject(key: string): string | undefined {
    return this.cloud.objects.find(this.cloud.model.config.storeBucket, key)?.body.toString();
  }

  private reportEnded(): void {
    const { entered = [] } = this.execution() ?? {};
    // The last one may still be at work; of those before it some have failed, and left nothing.
    const ended = entered.slice(this.read, entered.at(-1)?.exit ? undefined : -1);
    this.read += ended.length;
    for (const { exit } of ended) {
      if (!exit) continue;
      const { switches = [] } = JSON.parse(exit.output) as { switches?: readonly SwitchRecord[] };
      for (const record of switches.slice(this.reported)) this.reporter.switched(record);
      this.reported = Math.max(this.reported, switches.length);
    }
  }
}

function listTasks(found: readonly TaskReport[]): TaskSample[] {
  const first = found.findIndex(({ home }) => home === 'target');
  return found.map(({ home, report }, at): TaskSample => {
    const place = home === 'target' ? at - first : at;
    const label = `${home} ${place + 1}`;
    if (!report) return { home, label };
    const { hold, active, upstream } = report;
    return { home, label, report: { hold: hold.state, inFlight: total(active), waiting: hold.waiting, upstream } };
  });
}
