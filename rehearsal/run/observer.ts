import { setTimeout as pause } from 'node:timers/promises';
import { NO_CONNECTIONS } from '../../core/proxy/connections';
import { SideLedger, readLedgers } from './ledgers';
import type { Sample } from '../progress/samples';
import type { RunningRehearsal } from '../cloud/running-rehearsal';
import type { ExecutionDescription } from '../state-machine/model';
import { listFaults } from '../traffic/counting/tally';
import type { Traffic } from '../traffic/traffic';
import { weightsInForce } from '../cloud/weight-history';

const EVERY_MS = 500;

/** Looks at a rehearsal twice a second: for the live progress, and for the chart of the report. */
export class Observer {
  readonly samples: Sample[] = [];
  private watching = true;
  private readonly done: Promise<void>;

  constructor(
    private readonly running: RunningRehearsal,
    private readonly traffic: Traffic,
    private readonly execution: () => ExecutionDescription | undefined,
    private readonly seen: (sample: Sample) => void,
  ) {
    this.done = this.watch();
  }

  async stop(): Promise<void> {
    this.watching = false;
    await this.done;
  }

  private async watch(): Promise<void> {
    while (this.watching) {
      try {
        const sample = this.sample(await readLedgers(this.running.cloud));
        this.samples.push(sample);
        this.seen(sample);
      } catch {
        // A look that failed is a sample less, and no reason to end a rehearsal.
      }
      await pause(EVERY_MS);
    }
  }

  private sample(ledgers: Record<'source' | 'target', SideLedger>): Sample {
    const { cloud, plan, backends } = this.running;
    const entered = this.execution()?.entered ?? [];
    const seen = this.traffic.snapshot();
    return {
      atMs: Date.now(),
      state: findState(this.execution()),
      stage: Math.min(plan.stages.length, entered.filter(({ state }) => state === 'Shift').length),
      stages: plan.stages.length,
      weights: weightsInForce(cloud.model) ?? { source: 0, target: 0 },
      // Only the rehearsal's own backends say in their responses which side they are.
      responses: (backends.own ? seen?.responsesBySide : { ...cloud.counts.responses }) ?? { source: 0, target: 0 },
      wrong: (seen ? listFaults(seen) : 0) + (cloud.counts.ownClients?.lost ?? 0),
      live: { source: ledgers.source.active ?? NO_CONNECTIONS, target: ledgers.target.active ?? NO_CONNECTIONS },
      draining: ledgers.source.draining,
      messages: seen?.websocket.received ?? 0,
      share: seen?.share,
    };
  }
}

/** The state machine's place, or how it ended where it did so past every Catch. */
function findState(execution: ExecutionDescription | undefined): string {
  if (!execution) return 'not started';
  const isCut = execution.status === 'ABORTED' || execution.status === 'TIMED_OUT';
  return isCut ? execution.status : (execution.entered.at(-1)?.state ?? 'not started');
}
