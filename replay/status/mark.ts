import { setTimeout as pause } from 'node:timers/promises';
import type { ReadMark } from '../../capture/contract/reader';

/** The mark that an order has set. */
export class Mark implements ReadMark {
  id: string | undefined = undefined;
  private wake = new AbortController();

  set(id: string): void {
    if (id === this.id) return;
    this.id = id;
    this.wake.abort();
    this.wake = new AbortController();
  }

  async pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    await pause(milliseconds, undefined, { signal: AbortSignal.any([signal, this.wake.signal]) }).catch(
      () => undefined,
    );
  }
}
