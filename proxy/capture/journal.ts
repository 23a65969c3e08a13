import type { CaptureRecord, CaptureWriter } from '../../capture/contract/store';
import type { Clock } from '../process/clock';

/** Together they are one write. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Writes under way: one that takes long holds up those behind it only when all do. */
const MAX_WRITES = 6;
/** Between the starts of two writes lies half of what one usually takes, so that two are usually under way. From, up to. */
const GAP_MS = { min: 2, max: 50 } as const;
/** What one takes counts for so much in what they usually take. */
const NEWEST = 1 / 16;
/** What no request waits for is written this often. */
const IDLE_MS = 1_000;
/** Between two attempts of a write: from, up to. */
const RETRY_MS = { min: 50, max: 2_000 } as const;

interface Entry {
  readonly record: CaptureRecord;
  readonly sinceMs: number;
  readonly durable: (() => void) | undefined;
}

/** `now`: a request waits for it. */
export type Urgency = 'now' | 'later';

interface Batch {
  readonly part: number;
  readonly entries: readonly Entry[];
}

export interface JournalOptions {
  /** It is opened at the start, and again at each write for as long as that fails. */
  readonly open: () => Promise<CaptureWriter>;
  readonly clock: Clock;
  readonly maxBytes: number;
  readonly log: { warn(figures: object, message: string): void; info(message: string): void };
}

/**
 * The records of one process on their way to the store: those that come within a short time are one write. A write that failed is
 * repeated as it was, under its own number, until it is done.
 */
export class Journal {
  /** While it fails: since when. */
  failingSinceMs: number | undefined = undefined;
  private writer: Promise<CaptureWriter> | undefined;
  private waiting: Entry[] = [];
  private readonly writes = new Map<Batch, () => void>();
  private bytes = 0;
  private part = 0;
  private isUrgent = false;
  private startedMs = -Infinity;
  private usualMs = 0;
  /** While a timer runs. */
  private cancelGap: (() => void) | undefined = undefined;
  private cancelIdle: (() => void) | undefined = undefined;
  private isClosed = false;
  private readonly flushed = new Set<() => void>();

  constructor(private readonly options: JournalOptions) {
    // Its first write need not wait for it. What fails now, the first write says.
    void this.openWriter().catch(() => undefined);
  }

  get pendingBytes(): number {
    return this.bytes;
  }

  get pendingMs(): number {
    const [first] = [...this.writes.keys()].map(({ entries }) => entries[0]);
    const oldest = first ?? this.waiting[0];
    return oldest === undefined ? 0 : this.options.clock.nowMs() - oldest.sinceMs;
  }

  /** Whether so many bytes more have room. */
  hasRoom(bytes: number): boolean {
    return !this.isClosed && this.bytes + bytes <= this.options.maxBytes;
  }

  /** @param durable is called when it is */
  add(record: CaptureRecord, urgency: Urgency, durable?: () => void): void {
    const { clock } = this.options;
    this.bytes += record.bytes.length;
    this.waiting.push({ record, sinceMs: clock.nowMs(), durable });
    if (urgency === 'now') this.isUrgent = true;
    this.write();
    if (this.waiting.length > 0 && this.cancelIdle === undefined) this.setTimer();
  }

  /** Resolves when all that was added is durable. It does not give up. */
  flush(): Promise<void> {
    if (this.bytes === 0) return Promise.resolve();
    this.isUrgent = true;
    const done = new Promise<void>((resolve) => this.flushed.add(resolve));
    this.write();
    return done;
  }

  /** What is not durable by `untilMs` of the clock is lost. @returns how many records that are */
  async close(untilMs: number): Promise<number> {
    const { clock } = this.options;
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(Math.max(0, untilMs - clock.nowMs()), resolve);
    });
    await Promise.race([this.flush(), late]);
    cancel();
    this.isClosed = true;
    this.cancelIdle?.();
    this.cancelGap?.();
    const left = this.waiting.length + [...this.writes.keys()].reduce((sum, { entries }) => sum + entries.length, 0);
    for (const stop of this.writes.values()) stop();
    const { writer } = this;
    await writer?.then((open) => open.close()).catch(() => undefined);
    return left;
  }

  private setTimer(): void {
    this.cancelIdle = this.options.clock.after(IDLE_MS, () => {
      this.cancelIdle = undefined;
      this.isUrgent = true;
      this.write();
      if (this.waiting.length > 0) this.setTimer();
    });
  }

  private write(): void {
    const isDue = this.isUrgent || this.bytes >= MAX_BATCH_BYTES;
    if (this.isClosed || !isDue || this.waiting.length === 0 || this.writes.size >= MAX_WRITES) return;
    if (this.cancelGap !== undefined) return;
    const { clock } = this.options;
    const gapMs = Math.min(Math.max(this.usualMs / 2, GAP_MS.min), GAP_MS.max);
    const waitMs = this.startedMs + gapMs - clock.nowMs();
    if (waitMs > 0) {
      this.cancelGap = clock.after(waitMs, () => {
        this.cancelGap = undefined;
        this.write();
      });
      return;
    }
    this.startedMs = clock.nowMs();
    const entries = this.takeBatch();
    if (this.waiting.length === 0) this.isUrgent = false;
    this.part += 1;
    void this.writeBatch({ part: this.part, entries });
  }

  private takeBatch(): Entry[] {
    let bytes = 0;
    const end = this.waiting.findIndex(({ record }) => {
      bytes += record.bytes.length;
      return bytes > MAX_BATCH_BYTES;
    });
    const count = end < 0 ? this.waiting.length : Math.max(1, end);
    return this.waiting.splice(0, count);
  }

  private async writeBatch(batch: Batch): Promise<void> {
    const records = batch.entries.map(({ record }) => record);
    this.writes.set(batch, () => undefined);
    for (let failures = 0; !this.isClosed; failures += 1) {
      try {
        const writer = await this.openWriter();
        const fromMs = this.options.clock.nowMs();
        await writer.append(batch.part, records);
        this.succeeded(this.options.clock.nowMs() - fromMs);
        break;
      } catch (err) {
        this.failed(err);
        await this.pause(batch, Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** failures));
      }
    }
    if (this.isClosed) return;
    this.writes.delete(batch);
    this.done(batch);
  }

  private openWriter(): Promise<CaptureWriter> {
    this.writer ??= this.options.open().catch((error: unknown) => {
      this.writer = undefined;
      throw error;
    });
    return this.writer;
  }

  private pause(batch: Batch, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.options.clock.after(ms, resolve);
      this.writes.set(batch, () => (cancel(), resolve()));
    });
  }

  private done({ entries }: Batch): void {
    for (const { record, durable } of entries) {
      this.bytes -= record.bytes.length;
      durable?.();
    }
    this.write();
    if (this.bytes > 0) return;
    for (const resolve of this.flushed) resolve();
    this.flushed.clear();
  }

  private succeeded(tookMs: number): void {
    this.usualMs += (Math.min(tookMs, 2 * GAP_MS.max) - this.usualMs) * NEWEST;
    if (this.failingSinceMs === undefined) return;
    this.failingSinceMs = undefined;
    this.options.log.info('The store of the capture takes records again');
  }

  private failed(err: unknown): void {
    if (this.failingSinceMs !== undefined) return;
    this.failingSinceMs = this.options.clock.nowMs();
    this.options.log.warn({ err }, 'A record of the capture could not be written; it is repeated');
  }
}
