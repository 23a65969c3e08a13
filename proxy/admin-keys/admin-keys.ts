import { ADMIN_KEY_SECONDS } from '../../core/proxy/admin-api';
import type { Clock } from '../process/clock';

/** A key that is shorter could be guessed. */
export const MIN_KEY_LENGTH = 16;

/** Between two looks at where the keys are kept; the first one comes at a random time within it, so that tasks do not ask together. */
const LOOK_MS = 1000 * ADMIN_KEY_SECONDS.look;
/** A call that no key fits is the sign of another one. Whoever reaches the port can send such calls: no more than one look in this time. */
const SOONEST_MS = 10_000;

/** Where the keys are read again, the current one first, then the one before it; rejects when they cannot be. */
export type ReadKeys = (stopped: AbortSignal) => Promise<readonly string[]>;

export interface KeyRenewal {
  readonly read: ReadKeys;
  readonly clock: Clock;
  readonly log: { info(message: string): void; warn(message: string): void };
}

/**
 * The keys that calls of the admin API may be signed with, the current one first. A rotation changes them under a running
 * process: there are two for as long as not everybody has heard of the new one. What cannot be read leaves them as they are.
 */
export class AdminKeys {
  private cancel: () => void = () => undefined;
  private readonly stopping = new AbortController();
  private isReading = false;
  private readMs = -Infinity;
  private problem: string | undefined;

  constructor(
    private keys: readonly string[],
    private readonly renewal?: KeyRenewal,
  ) {}

  get all(): readonly string[] {
    return this.keys;
  }

  start(): void {
    if (this.renewal) this.lookIn(this.renewal, LOOK_MS * this.renewal.clock.random());
  }

  stop(): void {
    this.cancel();
    this.stopping.abort();
  }

  /** A call came whose signature none of them made. */
  doubt(): void {
    const { renewal } = this;
    if (!renewal || this.isReading || renewal.clock.nowMs() - this.readMs < SOONEST_MS) return;
    void this.look(renewal);
  }

  private lookIn(renewal: KeyRenewal, ms: number): void {
    this.cancel();
    this.cancel = renewal.clock.after(ms, () => void this.look(renewal));
  }

  private async look(renewal: KeyRenewal): Promise<void> {
    if (this.isReading || this.stopping.signal.aborted) return;
    this.isReading = true;
    this.readMs = renewal.clock.nowMs();
    try {
      this.replace(await renewal.read(this.stopping.signal), renewal);
    } catch (error) {
      this.tellProblem(error instanceof Error ? error.message : String(error), renewal);
    }
    this.isReading = false;
    if (!this.stopping.signal.aborted) this.lookIn(renewal, LOOK_MS);
  }

  private replace(keys: readonly string[], { log }: KeyRenewal): void {
    checkKeys(keys);
    this.problem = undefined;
    if (keys.length === this.keys.length && keys.every((key, index) => key === this.keys[index])) return;
    this.keys = [...keys];
    log.info(
      keys.length === 1 ? 'Admin keys changed: 1 is accepted' : `Admin keys changed: ${keys.length} are accepted`,
    );
  }

  /** Once for each: where they are kept may be away for long. */
  private tellProblem(problem: string, { log }: KeyRenewal): void {
    if (this.stopping.signal.aborted || this.problem === problem) return;
    this.problem = problem;
    log.warn(`Admin keys were not read again, those known before stay: ${problem}`);
  }
}

/** @throws Error that does not show them */
function checkKeys(keys: readonly string[]): void {
  if (keys.length === 0 || keys.length > 2) throw new Error(`There must be one key or two, got ${keys.length}`);
  const short = keys.find((key) => key.length < MIN_KEY_LENGTH);
  if (short !== undefined) {
    throw new Error(`A key must be at least ${MIN_KEY_LENGTH} characters long, got ${short.length} characters`);
  }
}

/** Of a file: the key, and on a line of its own the one before it. */
export function keysIn(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
