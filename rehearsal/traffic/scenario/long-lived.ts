import type { Step } from '../../../core/scenario/scenario';
import type { Mismatch } from '../../../core/scenario/content';
import type { SeenOn } from '../counting/entries';
import type { Recorder } from '../counting/recorder';
import { reconnectMs } from '../clients/reconnect';
import type { StepChecker } from './step-checker';
import type { Visit } from './visit';

const MAX_BACK_OFF_MS = 5_000;

/** What each client of a scenario with a connection of its own has. */
export interface LongLivedSetup {
  readonly name: string;
  /** What it does first: it logs in. */
  readonly start: readonly Step[];
  readonly visit: Visit;
  readonly checker: StepChecker;
  readonly recorder: Recorder;
}

/** A client of a scenario that keeps a connection, or opens one after the other. */
export abstract class LongLivedClient {
  protected isFinishing = false;
  /** It is to log in before it connects. */
  private isStranger = true;
  /** Since it was last right. */
  private failures = 0;
  private wake: () => void = () => undefined;

  constructor(protected readonly setup: LongLivedSetup) {}

  /** Resolves when it has finished. */
  abstract live(): Promise<void>;

  /** Begins nothing more than what shows that it was served to the end. */
  abstract finish(withinMs: number): void;

  /** Logs in, where that is to be done. @returns whether it may connect */
  protected async begin(): Promise<boolean> {
    if (!this.isStranger) return true;
    for (const step of this.setup.start) {
      if (await this.setup.checker.run(step, performance.now())) continue;
      this.failures += 1;
      return false;
    }
    this.isStranger = false;
    return true;
  }

  protected right(side: SeenOn): void {
    this.failures = 0;
    this.setup.recorder.entries?.right(this.setup.name, side);
  }

  /** Counts it for its entry; the figure of its kind is the caller's. It logs in again before it goes on. */
  protected wrong(side: SeenOn, mismatch: Mismatch): void {
    const { name, recorder } = this.setup;
    const from = side === 'neither' ? '' : ` from ${side}`;
    recorder.entries?.wrong(name, side, mismatch);
    recorder.note(name, `expected ${mismatch.expected}, got ${mismatch.got}${from}`);
    this.isStranger = true;
    this.failures += 1;
  }

  /** After one failure behind the other a client comes back later and later: it is one fault, and not traffic. */
  protected backOff(): number {
    return Math.min(MAX_BACK_OFF_MS, reconnectMs() * 2 ** Math.max(0, this.failures - 1));
  }

  /** Shorter, when it is told to finish. */
  protected async pause(ms: number): Promise<void> {
    if (this.isFinishing) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  protected endPause(): void {
    this.wake();
  }
}
