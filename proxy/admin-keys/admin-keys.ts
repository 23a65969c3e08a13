import { setTimeout } from 'node:timers/promises';
import { ADMIN_KEY_SECONDS, describeShortKey, findUsableKeys } from '../../core/proxy/admin-api';
import type { Clock } from '../process/clock';

/** Between two looks at where the keys are kept; the first one comes at a random time within it, so that tasks do not ask together. */
const LOOK_MS = 1000 * ADMIN_KEY_SECONDS.look;
/**
 * A call that no key fits is the sign of another one. Any peer that reaches the port can send such calls: no more than one
 * read in this time.
 */
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
      const reason = error instanceof Error ? error.message : String(error);
      this.warn(`Admin keys were not read again, those known before stay: ${reason}`, renewal);
    }
    this.isReading = false;
    if (!this.stopping.signal.aborted) this.lookIn(renewal, LOOK_MS);
  }

  private replace(kept: readonly string[], renewal: KeyRenewal): void {
    const { log } = renewal;
    if (kept.length === 0 || kept.length > 2) throw new Error(`There must be one key or two, got ${kept.length}`);
    const { keys, short } = findUsableKeys(kept);
    if (short === undefined) this.problem = undefined;
    else this.warn(describeLeftOut(short), renewal);
    if (keys.length === this.keys.length && keys.every((key, index) => key === this.keys[index])) return;
    this.keys = [...keys];
    log.info(
      keys.length === 1 ? 'Admin keys changed: 1 is accepted' : `Admin keys changed: ${keys.length} are accepted`,
    );
  }

  /** Once for each: where they are kept may be away for long. */
  private warn(problem: string, { log }: KeyRenewal): void {
    if (this.stopping.signal.aborted || this.problem === problem) return;
    this.problem = problem;
    log.warn(problem);
  }
}

/** Of one of two keys, which does not lock out the other one. */
export function describeLeftOut(length: number): string {
  return `One of two admin keys is left out: ${describeShortKey(length)}`;
}

/** Of a file: the key, and on a line of its own the one before it. */
export function keysIn(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** A program that writes a file in place writes it within this time. */
const WRITE_MS = 1_000;
const MAX_READS = 10;

/**
 * Reads a file until it reads the same twice, a second apart: one that is being written may end in the middle of a key.
 *
 * @throws Error when it changes all the time
 */
export async function readSettled(
  read: () => Promise<string>,
  stopped: AbortSignal,
  wait: (ms: number) => Promise<unknown> = (ms) => setTimeout(ms, undefined, { signal: stopped, ref: false }),
): Promise<string> {
  let before = await read();
  for (let reads = 1; reads < MAX_READS; reads += 1) {
    await wait(WRITE_MS);
    const text = await read();
    if (text === before) return text;
    before = text;
  }
  throw new Error(
    `The file must stay the same for ${WRITE_MS / 1000} second, got another text in each of ${MAX_READS} reads`,
  );
}
