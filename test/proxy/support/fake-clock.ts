import type { Clock } from '../../../proxy/process/clock';

/** A clock that a test turns. `random` is a constant. */
export class FakeClock implements Clock {
  private now = 1_000;
  private readonly timers = new Map<number, { atMs: number; call: () => void }>();
  private ids = 0;

  readonly random = () => 0;
  readonly nowMs = () => this.now;

  readonly after = (ms: number, call: () => void) => {
    const id = (this.ids += 1);
    this.timers.set(id, { atMs: this.now + ms, call });
    return () => void this.timers.delete(id);
  };

  get waiting(): number {
    return this.timers.size;
  }

  advance(seconds: number): void {
    const end = this.now + seconds * 1000;
    for (;;) {
      const due = [...this.timers].filter(([, timer]) => timer.atMs <= end).sort((a, b) => a[1].atMs - b[1].atMs)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.now = due[1].atMs;
      due[1].call();
    }
    this.now = end;
  }
}
