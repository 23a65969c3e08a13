import { quantile } from '../load/inside';
import type { Times } from './messages';

/** The times of what was due between two moments. */
export class Window {
  #fromMs = Number.POSITIVE_INFINITY;
  #untilMs = Number.POSITIVE_INFINITY;
  #times: number[] = [];

  begin(): void {
    this.#fromMs = performance.now();
    this.#untilMs = Number.POSITIVE_INFINITY;
    this.#times = [];
  }

  end(): void {
    this.#untilMs = performance.now();
  }

  get ageMs(): number | undefined {
    const ms = performance.now() - this.#fromMs;
    return ms < 0 ? undefined : ms;
  }

  covers(dueMs: number): boolean {
    return dueMs >= this.#fromMs && dueMs < this.#untilMs;
  }

  add(dueMs: number, nowMs: number): void {
    if (this.covers(dueMs)) this.#times.push(nowMs - dueMs);
  }

  /** @param due of what is not over: it has taken so long already */
  summarize(due: readonly number[]): Times {
    const nowMs = performance.now();
    const waiting = due.filter((dueMs) => this.covers(dueMs)).map((dueMs) => nowMs - dueMs);
    const sorted = Float64Array.from([...this.#times, ...waiting]).sort();
    const at = (share: number) => Math.round(10 * (quantile(sorted, share) || 0)) / 10;
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}
