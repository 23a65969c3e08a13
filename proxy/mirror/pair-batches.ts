import type { ComparedPair } from '../../core/compare/difference-tally';
import { showValues } from '../../core/compare/show-value';
import type { Clock } from '../process/clock';

const BATCH_MS = 200;
/** More do not wait for another process. */
const MAX_WAITING = 5_000;

/** What one process has compared, for the one that counts it: in batches, one on its way at a time. */
export class PairBatches {
  private waiting: ComparedPair[] = [];
  private isUnderWay = false;

  /** @param send resolves when it has left */
  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly send: (pairs: readonly ComparedPair[]) => Promise<void>,
  ) {}

  /** @returns false where it is lost: too many wait */
  readonly add = (pair: ComparedPair): boolean => {
    if (this.waiting.length >= MAX_WAITING) return false;
    this.waiting.push(shorten(pair));
    this.sendSoon();
    return true;
  };

  private sendSoon(): void {
    if (this.isUnderWay || this.waiting.length === 0) return;
    this.isUnderWay = true;
    this.clock.after(BATCH_MS, () => {
      const pairs = this.waiting;
      this.waiting = [];
      void this.send(pairs).finally(() => {
        this.isUnderWay = false;
        this.sendSoon();
      });
    });
  }
}

/** Values as an example shows them: whole ones may be as long as a body. */
function shorten({ differences, ...pair }: ComparedPair): ComparedPair {
  const { byField, isWhole } = differences;
  const shown = [...byField].map(([field, difference]) => {
    const { kind } = difference;
    return [field, { kind, source: undefined, target: undefined, shown: showValues(field, difference) }] as const;
  });
  return { ...pair, differences: { byField: new Map(shown), isWhole } };
}
