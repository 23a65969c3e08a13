import type { Step } from '../../../core/scenario/scenario';
import type { Mismatch } from '../../../core/scenario/content';
import type { SeenOn, SeenSession } from '../counting/entries';
import type { Recorder } from '../counting/recorder';
import { BackOff } from '../clients/reconnect';
import { CarriedSession } from './carried-session';
import type { StepChecker } from './step-checker';
import type { Visit } from './visit';

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
  protected readonly backOff = new BackOff();
  /** That this connection was opened with. */
  private session: SeenSession | undefined;
  /** It is to log in before it connects. */
  private isStranger = true;
  /** The row of failures in which it last did so again: a login that did not help is not repeated. */
  private loggedInAgainIn: number | undefined;
  private wake: () => void = () => undefined;

  constructor(protected readonly setup: LongLivedSetup) {}

  /** Resolves when it has finished. */
  abstract live(): Promise<void>;

  /** Begins nothing more than what shows that it was served to the end. */
  abstract finish(withinMs: number): void;

  /** Logs in, where that is to be done. @returns whether it may connect */
  protected async begin(): Promise<boolean> {
    if (this.isStranger) {
      for (const step of this.setup.start) {
        if (await this.setup.checker.run(step, performance.now())) continue;
        this.backOff.fail(step.name);
        return false;
      }
      this.isStranger = false;
    }
    this.backOff.begin();
    return true;
  }

  /** It got what it came for. */
  protected right(side: SeenOn): void {
    this.backOff.served();
    this.countRight(side);
  }

  /** The same, where that is not yet all that it came for. */
  protected countRight(side: SeenOn): void {
    this.setup.recorder.entries?.right(this.setup.name, side, this.session);
  }

  /** @param sinceMs when it asked for what is right (`performance.now()`) */
  protected countTime(side: SeenOn, sinceMs: number): void {
    this.setup.recorder.entries?.took(this.setup.name, side, performance.now() - sinceMs);
  }

  /** The session with which it asks for a connection; call what is returned when the response and its cookies are there. */
  protected carrySession(path: string, headers: Readonly<Record<string, string>>): () => void {
    const carried = new CarriedSession(this.setup.visit, path, headers);
    this.session = undefined;
    return () => (this.session = carried.see());
  }

  /** Counts it for its entry; the figure of its kind is the caller's. */
  protected wrong(side: SeenOn, mismatch: Mismatch): void {
    this.backOff.fail(describeReason(side, mismatch));
    this.report(side, mismatch);
  }

  /**
   * The same of a connection that failed, where it is the first of its reason in a row: a client that is rejected again and again has
   * lost one connection.
   *
   * @returns whether it is to be counted
   */
  protected failed(side: SeenOn, mismatch: Mismatch): boolean {
    const isFirst = this.backOff.fail(describeReason(side, mismatch));
    if (isFirst) this.report(side, mismatch);
    return isFirst;
  }

  /**
   * It goes through its start once more, with the cookies that it has: what was wrong may be that a side does not know it. Once in a row
   * of failures: to log in again and again is no remedy, and traffic that no client makes.
   */
  protected logInAgain(): void {
    const { rowOfFailures } = this.backOff;
    if (this.loggedInAgainIn === rowOfFailures) return;
    this.loggedInAgainIn = rowOfFailures;
    this.isStranger = true;
  }

  /** Shorter, when it is told to finish meanwhile. */
  protected async pause(ms: number): Promise<void> {
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

  /** It is told to finish: tries at once, and then at short pauses again. */
  protected startFinishing(): void {
    this.isFinishing = true;
    this.backOff.hurry();
    this.endPause();
  }

  private report(side: SeenOn, mismatch: Mismatch): void {
    const { name, recorder } = this.setup;
    const from = side === 'noSide' ? '' : ` from ${side}`;
    recorder.entries?.wrong(name, side, mismatch, this.session);
    recorder.note(name, `expected ${mismatch.expected}, got ${mismatch.got}${from}`);
  }
}

/** How an application says that it does not know a client: not logged in, not allowed, or to the page to log in. */
export function asksToLogIn(status: number): boolean {
  return status === 401 || status === 403 || (status >= 300 && status < 400);
}

function describeReason(side: SeenOn, { expected, got }: Mismatch): string {
  return JSON.stringify([side, expected, got]);
}
