import type { LedgerReport } from '../core/admin';

export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'none';

/** The requests that a proxy took, and how they were answered. */
export class TrafficCount {
  private taken = 0;
  private errors = 0;
  private readonly classes: Record<StatusClass, number> = { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, none: 0 };

  take(): void {
    this.taken += 1;
  }

  /** `status` is undefined for a client that went away before it got one. */
  answer(status: number | undefined): void {
    if (status !== undefined && status >= 500) this.errors += 1;
    this.classes[statusClass(status)] += 1;
  }

  get requests(): LedgerReport['requests'] {
    return { total: this.taken, errors: this.errors };
  }

  get byClass(): Readonly<Record<StatusClass, number>> {
    return { ...this.classes };
  }
}

function statusClass(status: number | undefined): StatusClass {
  const first = Math.floor((status ?? 0) / 100);
  return first >= 1 && first <= 5 ? (`${first}xx` as StatusClass) : 'none';
}
