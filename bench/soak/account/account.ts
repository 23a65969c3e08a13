import type { Outcome } from './faults';

/** A time in which more may happen to a request than is allowed for itself. `toMs` is `Infinity` while it lasts. */
interface Excuse {
  readonly allowed: readonly Outcome[];
  readonly fromMs: number;
  toMs: number;
}

const KEPT_BREACHES = 20;

interface Ledgers {
  readonly breaches: string[];
  readonly counts: Map<string, number>;
  breachCount: number;
}

/** Every request with its end: what was not allowed is a breach. */
export class Account {
  readonly #excuses: Excuse[];
  readonly #books: Ledgers;
  readonly #where: string;

  constructor(
    where = '',
    ledgers: Ledgers = { breaches: [], counts: new Map(), breachCount: 0 },
    excuses: Excuse[] = [],
  ) {
    this.#where = where;
    this.#books = ledgers;
    this.#excuses = excuses;
  }

  /** The same, for what happens there: a breach says so. */
  at(where: string): Account {
    return new Account(where, this.#books, this.#excuses);
  }

  /** The same books without the excuses, for a place that has nothing to do with them. */
  withoutExcuses(where: string): Account {
    return new Account(where, this.#books);
  }

  get breaches(): readonly string[] {
    return this.#books.breaches;
  }

  get breachCount(): number {
    return this.#books.breachCount;
  }

  /** Requests, messages and events that were settled so far. */
  get total(): number {
    return [...this.#books.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** By what was done, how it ended and how often. */
  get counts(): Record<string, number> {
    return Object.fromEntries([...this.#books.counts].sort(([a], [b]) => a.localeCompare(b)));
  }

  /** From now on `allowed` is allowed too. @returns its end, which excuses for `afterMs` more */
  excuse(allowed: readonly Outcome[], afterMs: number): () => void {
    const excuse: Excuse = { allowed, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY };
    this.#excuses.push(excuse);
    return () => (excuse.toMs = performance.now() + afterMs);
  }

  /**
   * @param sentMs of `performance.now()`
   * @param why what is known of an outcome, for a message
   */
  settle(what: string, outcome: Outcome, allowed: readonly Outcome[], sentMs: number, why = ''): void {
    this.count(`${what}: ${outcome}`);
    if (!allowed.includes(outcome) && !this.#isExcused(outcome, sentMs))
      this.breach(`${what} must end ${allowed.join(' or ')}, got ${outcome}${why === '' ? '' : ` (${why})`}`);
  }

  count(what: string): void {
    this.#books.counts.set(what, (this.#books.counts.get(what) ?? 0) + 1);
  }

  breach(what: string): void {
    this.#books.breachCount += 1;
    if (this.breaches.length < KEPT_BREACHES)
      this.#books.breaches.push(this.#where === '' ? what : `${this.#where}: ${what}`);
  }

  /** One of the whole run: it may be the cause of all others, so it is told before them. */
  breachOfRun(what: string): void {
    this.#books.breachCount += 1;
    this.#books.breaches.unshift(what);
  }

  /** Until now, from when it was sent. */
  #isExcused(outcome: Outcome, sentMs: number): boolean {
    return this.#excuses.some(({ allowed, toMs }) => allowed.includes(outcome) && toMs >= sentMs);
  }
}
