import { OUTAGE_ALLOWED, type Outcome } from './faults.ts';

/** A time in which the upstream was not there. `toMs` is `Infinity` while it lasts. */
export interface Outage {
  readonly fromMs: number;
  toMs: number;
}

/** After an outage connections that died in it are still being found out. */
const AFTERMATH_MS = 1500;
const KEPT_BREACHES = 20;

/** Every request with its end: what was not allowed is a breach. */
export class Account {
  readonly outages: Outage[] = [];
  readonly breaches: string[] = [];
  readonly #counts = new Map<string, number>();
  #breachCount = 0;

  get breachCount(): number {
    return this.#breachCount;
  }

  /** Requests, messages and events that were settled so far. */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** By what was done, how it ended and how often. */
  get counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a.localeCompare(b)));
  }

  /** @param sentMs of `performance.now()` */
  settle(what: string, outcome: Outcome, allowed: readonly Outcome[], sentMs: number): void {
    const isExcused = OUTAGE_ALLOWED.includes(outcome) && this.#overlapsOutage(sentMs, performance.now());
    this.count(`${what}: ${outcome}`);
    if (!allowed.includes(outcome) && !isExcused)
      this.breach(`${what} must end ${allowed.join(' or ')}, got ${outcome}`);
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  breach(what: string): void {
    this.#breachCount += 1;
    if (this.breaches.length < KEPT_BREACHES) this.breaches.push(what);
  }

  /** One of the whole run: it may be the cause of all others, so it is told before them. */
  breachOfRun(what: string): void {
    this.#breachCount += 1;
    this.breaches.unshift(what);
  }

  #overlapsOutage(fromMs: number, toMs: number): boolean {
    return this.outages.some((outage) => outage.fromMs <= toMs && outage.toMs + AFTERMATH_MS >= fromMs);
  }
}
