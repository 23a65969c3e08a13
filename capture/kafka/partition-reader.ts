import type { RecordsBatch } from '@platformatic/kafka';
import { NoTrafficStream, decodeTrafficStream } from '../../core/capture/traffic-stream';
import { DamagedCapture, ReadOptions, StoredRecord } from '../contract/reader';

/** Of a batch of Kafka's: marks of transactions, and no records. */
const IS_CONTROL = 0b10_0000;

/** The records of one partition in their order. */
export class PartitionReader {
  private records: StoredRecord[] = [];
  private at = 0;
  private lastMs = 0;
  private readonly start: bigint;
  /** How far its time is: a record that says an earlier one is behind those that are there. */
  timeMs = -Infinity;
  /** What ends the reading, behind what was before it. */
  private failure: DamagedCapture | undefined;

  /** @param next the offset of the first record that is wanted. @param end of the first one that is not there, or not wanted */
  constructor(
    private readonly name: string,
    readonly partition: number,
    public next: bigint,
    public end: bigint,
    private readonly options: Pick<ReadOptions, 'skip' | 'warn'>,
  ) {
    this.start = next;
  }

  get isAtEnd(): boolean {
    return this.at >= this.records.length && this.next >= this.end && !this.failure;
  }

  /** All before this offset has been given. */
  get given(): bigint {
    return this.at < this.records.length ? this.start : this.next;
  }

  get done(): number {
    return Number(this.next - this.start);
  }

  get total(): number {
    return Number(this.end - this.start);
  }

  /** The record that would come next; undefined of what has to be fetched first. */
  peek(): StoredRecord | undefined {
    return this.records[this.at];
  }

  /** @throws DamagedCapture behind all that came before it */
  check(): void {
    if (this.failure && this.at >= this.records.length) throw this.failure;
  }

  shift(): StoredRecord {
    const record = this.records[this.at]!;
    this.at += 1;
    this.advance();
    return record;
  }

  /** @returns how many bytes the records have */
  add(batches: readonly RecordsBatch[]): number {
    this.records = this.records.slice(this.at);
    this.at = 0;
    let bytes = 0;
    for (const { firstOffset, lastOffsetDelta, attributes, records } of batches) {
      if ((attributes & IS_CONTROL) === 0)
        for (const { offsetDelta, value } of records) {
          const offset = firstOffset + BigInt(offsetDelta);
          // A batch comes whole: what was asked for may be in its middle, and its end may be behind what is wanted.
          if (offset < this.next || offset >= this.end || this.failure) continue;
          bytes += value?.length ?? 0;
          this.decode(offset, value);
        }
      const last = firstOffset + BigInt(lastOffsetDelta) + 1n;
      if (last > this.next) this.next = last < this.end ? last : this.end;
    }
    this.advance();
    return bytes;
  }

  private decode(offset: bigint, value: Buffer | null): void {
    try {
      if (!value) throw new NoTrafficStream('it has no value');
      const stream = decodeTrafficStream(value);
      const last = stream.observations.at(-1)?.timeNs;
      if (last !== undefined) this.lastMs = Number(last / 1_000n) / 1_000;
      this.records.push({ stream, timeMs: this.lastMs });
    } catch (error) {
      if (!(error instanceof NoTrafficStream)) throw error;
      const text = `${this.name}, offset ${offset}: a record must be a TrafficStream: ${error.message}`;
      if (this.options.skip) this.options.skip(text);
      else this.failure = new DamagedCapture(text);
    }
  }

  private advance(): void {
    const next = this.records[this.at];
    if (next) this.timeMs = Math.max(this.timeMs, next.timeMs);
  }
}
