import type { LedgerReport } from '../core/admin';
import type { Outcome } from './data-plane/data-plane';

export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'none';

/** One request that was taken, on its way to being counted. */
export interface Taken {
  /** A WebSocket or an event stream began: that is its answer, however long it lasts. */
  opened(status: number): void;
  settled(outcome: Outcome): void;
}

/** The requests that a proxy took, and how they were answered; see `LedgerReport`. */
export class TrafficCount {
  private taken = 0;
  private answered = 0;
  private errors = 0;
  private readonly classes: Record<StatusClass, number> = { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, none: 0 };

  take(): Taken {
    this.taken += 1;
    let isOpen = false;
    return {
      opened: (status) => {
        isOpen = true;
        this.answered += 1;
        this.classes[statusClass(status)] += 1;
      },
      settled: (outcome) => {
        if (!isOpen) this.answer(outcome);
        else if (outcome.failure) this.errors += 1;
      },
    };
  }

  /** Refused by the proxy for a reason of its own: an answer that says nothing of the upstream. */
  refuse(status: number): void {
    this.taken += 1;
    this.answered += 1;
    this.classes[statusClass(status)] += 1;
  }

  get requests(): LedgerReport['requests'] {
    return { total: this.taken, answered: this.answered, errors: this.errors };
  }

  get byClass(): Readonly<Record<StatusClass, number>> {
    return { ...this.classes };
  }

  private answer({ status, ending, failure }: Outcome): void {
    this.classes[statusClass(status)] += 1;
    // The client left, or a drain cut it: nobody knows how it would have ended.
    if (ending === 'forced' && !failure) return;
    this.answered += 1;
    if (failure || (status ?? 0) >= 500) this.errors += 1;
  }
}

function statusClass(status: number | undefined): StatusClass {
  const first = Math.floor((status ?? 0) / 100);
  return first >= 1 && first <= 5 ? (`${first}xx` as StatusClass) : 'none';
}
