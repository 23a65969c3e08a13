import { setTimeout as pause } from 'node:timers/promises';
import { FetchedPart } from './fetched-part';
import { readPart } from './part-reader';
import type { Part, PartSource } from '../contract/part-source';
import type { CaptureReader, ReadOptions, RecordBatch, StoredRecord } from '../contract/reader';

/** Clocks of processes and of the store may differ. */
const CLOCK_MARGIN_MS = 300_000;
const POLL_MS = 1_000;
/** What a process has seen is in the store after so long at the latest. */
const WRITE_MS = 10_000;
/** Parts of one process that are fetched at a time, and how large they may be. */
const MAX_AHEAD = 8;
const MAX_AHEAD_BYTES = 1_048_576;
/** More records at a time only take memory. */
const MAX_BATCH = 2_000;

/** Reads a store of parts. */
export function readParts(source: PartSource): CaptureReader {
  const progress = { doneBytes: 0, totalBytes: 0 };
  return { progress, read: (options) => new Merge(source, options, progress).read() };
}

/** The parts of one process, one after the other. */
class NodeReader {
  private readonly queue: Part[] = [];
  private reading: AsyncGenerator<readonly StoredRecord[]> | undefined;
  private batch: readonly StoredRecord[] = [];
  private at = 0;
  /** How far its time is: a record that says an earlier one is behind those that are there. */
  timeMs = -Infinity;

  constructor(
    readonly notBeforeMs: number,
    private readonly options: ReadOptions,
    private readonly progress: { doneBytes: number },
  ) {}

  add(part: Part): void {
    this.queue.push(part);
  }

  /** Of a store that is far away each part costs a way there and back: the next ones are on their way meanwhile. */
  private fetchAhead(): void {
    for (const [at, part] of this.queue.slice(0, MAX_AHEAD).entries())
      if (!(part instanceof FetchedPart) && part.bytes <= MAX_AHEAD_BYTES) this.queue[at] = new FetchedPart(part);
  }

  /** The record that would come next; undefined of what {@link fill} has to read first. */
  peek(): StoredRecord | undefined {
    return this.batch[this.at];
  }

  shift(): void {
    this.at += 1;
    const next = this.batch[this.at];
    if (next) this.timeMs = Math.max(this.timeMs, next.timeMs);
  }

  /** @returns false where there is nothing more by now */
  async fill(): Promise<boolean> {
    while (this.at >= this.batch.length) {
      const { reading, queue, options } = this;
      if (!reading) {
        const part = queue.shift();
        if (!part) return false;
        this.fetchAhead();
        const { skip, warn } = options;
        const onBytes = (bytes: number) => (this.progress.doneBytes += bytes);
        this.reading = readPart(part, { skip, warn, onBytes, mayBeCut: queue.length === 0 });
        continue;
      }
      const next = await reading.next();
      if (next.done) this.reading = undefined;
      else {
        this.batch = next.value;
        this.at = 0;
        const [first] = next.value;
        if (first) this.timeMs = Math.max(this.timeMs, first.timeMs);
      }
    }
    return true;
  }

  async close(): Promise<void> {
    await this.reading?.return(undefined);
  }
}

class Merge {
  private readonly known = new Set<string>();
  private readonly nodes = new Map<string, NodeReader>();
  /** Those that have a record, or may have one. */
  private readonly open = new Set<NodeReader>();
  /** Those whose time has not come, the first one first. */
  private waiting: NodeReader[] = [];
  private watermarkMs = -Infinity;
  /** The last mark that was passed. */
  private passed: string | undefined;
  private isFailing = false;

  constructor(
    private readonly source: PartSource,
    private readonly options: ReadOptions,
    private readonly progress: { doneBytes: number; totalBytes: number },
  ) {}

  async *read(): AsyncGenerator<RecordBatch> {
    const { signal, follow } = this.options;
    try {
      await this.list(true);
      let listed: string | undefined;
      while (!signal.aborted) {
        const records = await this.take();
        if (records.length > 0) {
          yield { records, watermarkMs: this.watermarkMs };
          continue;
        }
        if (!follow || !this.source.grows) return;
        if (listed !== undefined) yield this.pass(listed);
        await this.pause();
        const listedMs = Date.now();
        listed = this.findMark();
        if (!signal.aborted && !(await this.listAgain(listed !== undefined))) {
          listed = undefined;
          continue;
        }
        // What is listed from now on was seen after this.
        this.watermarkMs = Math.max(this.watermarkMs, listedMs - WRITE_MS);
        yield { records: [], watermarkMs: this.isAtEnd() ? this.watermarkMs : -Infinity };
      }
    } finally {
      for (const node of this.nodes.values()) await node.close();
    }
  }

  /** @returns false where the store does not respond: it is asked again */
  private async listAgain(isComplete: boolean): Promise<boolean> {
    const { warn } = this.options;
    try {
      await this.list(isComplete);
      this.isFailing = false;
      return true;
    } catch (error) {
      if (!this.isFailing) warn(`${(error as Error).message}; it is asked again until it can`);
      this.isFailing = true;
      await pause(POLL_MS, undefined, { signal: this.options.signal }).catch(() => undefined);
      return false;
    }
  }

  /** One that has not been passed. */
  private findMark(): string | undefined {
    const id = this.options.mark?.id;
    return id === this.passed ? undefined : id;
  }

  private pass(mark: string): RecordBatch {
    this.passed = mark;
    return { records: [], watermarkMs: this.watermarkMs, mark };
  }

  private async pause(): Promise<void> {
    const { signal, mark } = this.options;
    if (this.findMark() !== undefined) return;
    await (mark?.pause(POLL_MS, signal) ?? pause(POLL_MS, undefined, { signal })).catch(() => undefined);
  }

  private isAtEnd(): boolean {
    return this.open.size === 0 && this.waiting.length === 0;
  }

  private async list(isComplete: boolean): Promise<void> {
    const { signal, fromMs = -Infinity } = this.options;
    const added = new Map<string, Part[]>();
    for (const part of await this.source.list(signal, isComplete)) {
      if (this.known.has(part.name)) continue;
      this.known.add(part.name);
      if (part.writtenMs + CLOCK_MARGIN_MS < fromMs) continue;
      const parts = added.get(part.node) ?? [];
      parts.push(part);
      this.progress.totalBytes += part.bytes;
      added.set(part.node, parts);
    }
    for (const [name, parts] of added) {
      const known = this.nodes.get(name);
      const node = known ?? new NodeReader(parts[0]!.notBeforeMs, this.options, this.progress);
      this.nodes.set(name, node);
      for (const part of parts) node.add(part);
      if (known) this.open.add(known);
      else this.waiting.push(node);
    }
    this.waiting.sort((a, b) => a.notBeforeMs - b.notBeforeMs);
  }

  /** Records by time, as many as are worth it at once. */
  private async take(): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    while (records.length < MAX_BATCH) {
      const node = await this.findFirst();
      if (!node) break;
      // A run of one node needs no comparison.
      const limitMs = this.findLimit(node);
      for (let next = node.peek(); next && node.timeMs <= limitMs && records.length < MAX_BATCH; next = node.peek()) {
        records.push(next);
        this.watermarkMs = Math.max(this.watermarkMs, node.timeMs);
        node.shift();
      }
      if (node.peek()) continue;
      // What was read is given first: memory holds one batch of a node.
      if (records.length > 0) break;
    }
    return records;
  }

  private async findFirst(): Promise<NodeReader | undefined> {
    for (;;) {
      for (const node of this.open) if (!node.peek() && !(await node.fill())) this.open.delete(node);
      let first: NodeReader | undefined;
      for (const node of this.open) if (!first || node.timeMs < first.timeMs) first = node;
      const next = this.waiting[0];
      if (!next || (first && next.notBeforeMs > first.timeMs)) return first;
      this.waiting.shift();
      this.open.add(next);
    }
  }

  private findLimit(node: NodeReader): number {
    let limitMs = this.waiting[0]?.notBeforeMs ?? Infinity;
    for (const each of this.open) if (each !== node && each.timeMs < limitMs) limitMs = each.timeMs;
    return limitMs;
  }
}
