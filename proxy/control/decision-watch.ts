import type { Outcome } from '../../core/switch/decision';
import type { DecisionStore } from '../../core/switch/decision-store';
import type { Clock } from '../process/clock';

/** While its lease runs, a task looks at the decision this often: a release may be lost, or meant for an earlier process. */
const LOOK_MS = 1_000;
/** Between two attempts to reach the store when the lease has expired: from, up to. */
const RETRY_MS = { min: 100, max: 2_000 } as const;

export interface DecisionWatchOptions {
  readonly store: DecisionStore;
  readonly clock: Clock;
  readonly log: { warn(figures: object, message: string): void };
  /** Who asks for an abort, for people who read the decision. */
  readonly name: string;
  readonly decided: (epoch: number, outcome: Outcome) => void;
}

/** Asks the store for the decision of one epoch at a time, for as long as it takes. */
export class DecisionWatch {
  private epoch = 0;
  private isExpired = false;
  private cancel: () => void = () => undefined;
  private failures = 0;

  constructor(private readonly options: DecisionWatchOptions) {}

  /** @param isExpired whether to write an abort where there is no decision yet */
  watch(epoch: number, isExpired: boolean): void {
    if (epoch === this.epoch && isExpired === this.isExpired) return;
    this.cancel();
    this.epoch = epoch;
    this.isExpired = isExpired;
    this.failures = 0;
    if (isExpired) void this.ask(epoch);
    else this.lookLater(LOOK_MS);
  }

  stop(): void {
    this.cancel();
    this.epoch = 0;
  }

  /** The coordinator settles the regime behind the thaw. It releases those alone that it knows: not one that started meanwhile. */
  private async isSettled(epoch: number): Promise<boolean> {
    const regime = await this.options.store.readRegime();
    return regime !== undefined && (regime.epoch > epoch || regime.switching === undefined);
  }

  private lookLater(ms: number): void {
    const { epoch } = this;
    this.cancel = this.options.clock.after(ms, () => void this.ask(epoch));
  }

  private async ask(epoch: number): Promise<void> {
    const { store, name, decided, log } = this.options;
    const { isExpired } = this;
    try {
      const abort = { outcome: 'abort', by: name, why: 'the lease of its hold expired' } as const;
      const decision = isExpired ? await store.propose(epoch, abort) : await store.readDecision(epoch);
      const isToFollow = decision && (isExpired || !decision.thawsFirst || (await this.isSettled(epoch)));
      if (this.epoch !== epoch || this.isExpired !== isExpired) return;
      this.failures = 0;
      if (isToFollow) return decided(epoch, decision.outcome);
    } catch (error) {
      if (this.epoch !== epoch || this.isExpired !== isExpired) return;
      this.failures += 1;
      log.warn({ epoch, err: error }, 'The decision of the switch could not be read, and is asked for again');
    }
    this.lookLater(isExpired ? Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** this.failures) : LOOK_MS);
  }
}
