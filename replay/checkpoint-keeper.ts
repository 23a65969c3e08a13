import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { Checkpoint, CheckpointOwner, ReplayEnds, formatCheckpoint, parseCheckpoint } from '../core/replay/checkpoint';
import { HoldTimes, LOCAL_HOLD, REMOTE_HOLD, judgeHold } from '../core/replay/hold';
import type { ReplayPosition } from '../core/replay/position';
import { HeldText, TakenOver } from './place/held-text';
import type { TextPlace } from './place/text-place';

export interface KeeperParts {
  readonly place: TextPlace;
  readonly ends: ReplayEnds;
  /** Where a replay starts that has none. */
  readonly first: ReplayPosition;
  /** Ends the wait for another replay. */
  readonly signal: AbortSignal;
  /** Called with one line. */
  readonly warn: (line: string) => void;
  /** Called once, when this replay must send nothing more. */
  readonly lose: (error: Error) => void;
  readonly times?: HoldTimes;
}

/** Waits for a replay that holds it, and takes it. @throws Error where that goes on, or what stands there is none */
export async function openCheckpoint(parts: KeeperParts): Promise<CheckpointKeeper> {
  const keeper = new CheckpointKeeper(parts);
  await keeper.take();
  return keeper;
}

/**
 * How far a replay is, in a place that one replay writes at a time. One that finds another's ends, or waits until it is gone; one that was
 * overtaken sends nothing more.
 */
export class CheckpointKeeper {
  /** Where it goes on. */
  start: ReplayPosition;
  private readonly owner: CheckpointOwner = { run: randomUUID(), host: hostname(), pid: process.pid };
  private readonly text: HeldText;
  private readonly times: HoldTimes;
  private heldFromMs = -Infinity;
  private lost: Error | undefined;
  private isFailing = false;

  constructor(private readonly parts: KeeperParts) {
    const { place, times = place.isLocal ? LOCAL_HOLD : REMOTE_HOLD } = parts;
    this.text = new HeldText(place, this.owner.run);
    this.times = times;
    this.start = parts.first;
  }

  /** Between two writes. */
  get saveMs(): number {
    return this.times.saveMs;
  }

  /** Whether this replay may send. Once it may not, it may not again. */
  get isHeld(): boolean {
    const { name } = this.text;
    const { holdMs } = this.times;
    if (!this.lost && performance.now() - this.heldFromMs > holdMs)
      this.lose(new Error(`'${name}' must be written every ${holdMs / 1_000} s, got no write for so long: it ends`));
    return this.lost === undefined;
  }

  /** @throws Error */
  async take(): Promise<void> {
    for (;;) {
      const found = await this.waitUntilFree();
      this.start = found?.position ?? this.parts.first;
      try {
        return await this.write(this.start, false);
      } catch (error) {
        if (!(error instanceof TakenOver)) throw this.explain(error as Error);
      }
    }
  }

  private async waitUntilFree(): Promise<Checkpoint | undefined> {
    const { place, signal, warn, ends } = this.parts;
    const startedMs = performance.now();
    let changedMs = startedMs;
    let before: string | undefined;
    let hasChanged = false;
    for (;;) {
      const text = await this.read();
      if (text === undefined) return undefined;
      const found = parseCheckpoint(text, place.name, ends);
      const { owner } = found;
      if (!owner) return found;
      const nowMs = performance.now();
      const named = `process ${owner.pid} of ${owner.host}`;
      if (before === undefined && !this.isGone(owner)) warn(`'${place.name}' is held by ${named}: waiting for its end`);
      if (before !== undefined && before !== text) [changedMs, hasChanged] = [nowMs, true];
      before = text;
      const seen = { waitedMs: nowMs - startedMs, unchangedMs: nowMs - changedMs, hasChanged };
      const verdict = judgeHold({ ...seen, isGone: this.isGone(owner) }, this.times);
      if (verdict === 'free') return found;
      if (verdict === 'taken')
        throw new Error(`'${place.name}' must be of no replay that runs, got that of ${named}, which goes on`);
      await pause(this.times.pollMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw new Error(`stopped while '${place.name}' was held by ${named}: nothing was sent`);
    }
  }

  private async read(): Promise<string | undefined> {
    try {
      return await this.text.read();
    } catch (error) {
      const { code, name, message } = error as NodeJS.ErrnoException;
      throw new Error(`'${this.text.name}' must be a readable checkpoint, got ${code ?? `${name}: ${message}`}`, {
        cause: error,
      });
    }
  }

  /** Its process would be seen. This process is none that came before it. */
  private isGone({ host, pid }: CheckpointOwner): boolean {
    if (!this.parts.place.isLocal || host !== this.owner.host) return false;
    if (pid === this.owner.pid) return true;
    try {
      process.kill(pid, 0);
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
  }

  /** What fails is tried again with the next call, for as long as it is held. */
  async save(position: ReplayPosition): Promise<void> {
    if (!this.isHeld) return;
    try {
      await this.write(position, false);
      this.isFailing = false;
    } catch (error) {
      if (error instanceof TakenOver || this.parts.place.isLocal) return this.lose(this.explain(error as Error));
      if (!this.isFailing) this.parts.warn(`${this.explain(error as Error).message}; it is tried again`);
      this.isFailing = true;
    }
  }

  /** The last write: another replay may go on at once. Only when nothing is under way any more. @throws Error */
  async release(position: ReplayPosition): Promise<void> {
    if (this.lost) return;
    await this.write(position, true).catch((error: unknown) => {
      throw this.explain(error as Error);
    });
  }

  private explain(error: Error): Error {
    if (error instanceof TakenOver) return error;
    const { name } = this.text;
    return new Error(`'${name}' must be writable, got ${error.name}: ${error.message}`, { cause: error });
  }

  private lose(error: Error): void {
    if (this.lost) return;
    this.lost = error;
    this.parts.lose(error);
  }

  private async write(position: ReplayPosition, hasEnded: boolean): Promise<void> {
    const startedMs = performance.now();
    const { ends } = this.parts;
    await this.text.write(formatCheckpoint(ends, { position, owner: this.owner, hasEnded }, Date.now()));
    this.heldFromMs = startedMs;
  }
}
