import type { Clock } from '../../proxy/process/clock';

interface Timer {
  readonly atMs: number;
  readonly call: () => void;
}

/** Time that passes when a test says so, for clocks and, while it replaces them, for `setTimeout`. */
export class VirtualTime implements Clock {
  private now = 1_000_000;
  private readonly timers = new Map<object, Timer>();

  readonly random = () => 0;
  readonly nowMs = () => this.now;

  readonly after = (ms: number, call: () => void) => {
    const id = {};
    this.timers.set(id, { atMs: this.now + ms, call });
    return () => void this.timers.delete(id);
  };

  /** The next timer fires. */
  next(): void {
    let first: [object, Timer] | undefined;
    for (const each of this.timers) if (!first || each[1].atMs < first[1].atMs) first = each;
    if (!first) return;
    this.timers.delete(first[0]);
    this.now = Math.max(this.now, first[1].atMs);
    first[1].call();
  }

  /** A machine stood still: what is due now fires later. */
  leap(ms: number): void {
    this.now += ms;
  }

  clear(): void {
    this.timers.clear();
  }

  /** @returns how to put the real ones back */
  replaceTimers(): () => void {
    const real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout };
    globalThis.setTimeout = ((call: () => void, ms = 0) => ({ cancel: this.after(ms, call) })) as never;
    globalThis.clearTimeout = ((timer?: { cancel: () => void }) => timer?.cancel()) as never;
    return () => Object.assign(globalThis, { setTimeout: real.set, clearTimeout: real.clear });
  }
}
