import type { HttpMessage } from '../core/capture/http-message';
import type { Replayed } from '../core/replay/tuple';

/** What takes the exchanges that are finished on both sides. */
export interface ReplaySink {
  take(replayed: Replayed): void | Promise<void>;
}

interface Waiting {
  readonly replayed: Replayed;
  readonly bytes: number;
}

/**
 * Brings the recorded response of a request together with that of the target, whichever comes first. What waits is limited: the oldest
 * goes on without its recorded response.
 */
export class Results {
  private readonly recorded = new Map<string, HttpMessage>();
  private readonly waiting = new Map<string, Waiting>();
  /** Requests that were sent, and have no result yet. */
  private readonly open = new Set<string>();
  private bytes = 0;

  constructor(
    private readonly sinks: readonly ReplaySink[],
    private readonly maxBytes: number,
  ) {}

  /** Without a sink nothing is kept. */
  get isOff(): boolean {
    return this.sinks.length === 0;
  }

  expect(id: string): void {
    if (!this.isOff) this.open.add(id);
  }

  /** Its response where it was recorded. */
  async addRecorded(id: string, response: HttpMessage): Promise<void> {
    const waiting = this.waiting.get(id);
    if (waiting) {
      this.waiting.delete(id);
      this.bytes -= waiting.bytes;
      return this.give({ ...waiting.replayed, response });
    }
    if (this.open.has(id)) {
      this.recorded.set(id, response);
      this.bytes += response.raw.length;
    }
  }

  /** What became of it at the target. */
  async addReplayed(replayed: Replayed): Promise<void> {
    if (this.isOff) return;
    this.open.delete(replayed.id);
    const response = this.recorded.get(replayed.id);
    if (response) {
      this.recorded.delete(replayed.id);
      this.bytes -= response.raw.length;
      return this.give({ ...replayed, response });
    }
    const bytes =
      replayed.request.raw.length + replayed.targetResponses.reduce((sum, { body }) => sum + body.length, 1_000);
    this.waiting.set(replayed.id, { replayed, bytes });
    this.bytes += bytes;
    for (const [id, oldest] of this.waiting) {
      if (this.bytes <= this.maxBytes) return;
      this.waiting.delete(id);
      this.bytes -= oldest.bytes;
      await this.give(oldest.replayed);
    }
  }

  /** No more recorded responses come. */
  async end(): Promise<void> {
    for (const { replayed } of this.waiting.values()) await this.give(replayed);
    this.waiting.clear();
  }

  private async give(replayed: Replayed): Promise<void> {
    for (const sink of this.sinks) await sink.take(replayed);
  }
}
