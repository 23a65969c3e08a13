import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer } from '@platformatic/kafka';
import type { KafkaUrl } from '../../core/capture/store-url';
import type { CaptureReader, ReadOptions, RecordBatch, StoredRecord } from '../contract/reader';
import { KafkaAccess, clientOptions, describeFailure, describeTopic } from './kafka-client';
import { PartitionReader } from './partition-reader';

/** Clocks of processes and of the cluster may differ. */
const CLOCK_MARGIN_MS = 300_000;
/** What a process has seen is in the topic after so long at the latest. */
const WRITE_MS = 10_000;
/** How long a broker waits for records that are not there yet. */
const POLL_MS = 500;
const RETRY_MS = 1_000;
/** More records at a time only take memory. */
const MAX_BATCH = 2_000;
const FETCH_BYTES = { maxBytes: 16_777_216, partition: 2_097_152 };
/** Of Kafka's ListOffsets: the first record that is kept. */
const EARLIEST = -2n;

type OwnConsumer = Consumer<Buffer, Buffer, Buffer, Buffer>;
type FetchResponse = Awaited<ReturnType<OwnConsumer['fetch']>>;

/**
 * Reads a topic of Kafka from its beginning: all partitions, each in its order, beside each other by time. It is no member of a consumer
 * group, and commits nothing: where a replay is, it keeps itself.
 */
export function readKafka(store: KafkaUrl, access: KafkaAccess): CaptureReader {
  const { topic } = store;
  const progress = { doneBytes: 0, totalBytes: 0 };
  const name = describeTopic(store);
  async function* read(options: ReadOptions): AsyncGenerator<RecordBatch> {
    const { Consumer: KafkaConsumer } = await import('@platformatic/kafka');
    const consumer: OwnConsumer = new KafkaConsumer({
      ...clientOptions(store, 'drainshift', access),
      groupId: 'drainshift',
      maxBytes: FETCH_BYTES.maxBytes,
      maxWaitTime: POLL_MS,
      minBytes: 1,
    });
    consumer.topics.trackAll(topic);
    try {
      yield* new TopicReader(consumer, topic, name, options, progress).read();
    } finally {
      await consumer.close(true).catch(() => undefined);
    }
  }
  return { progress, read };
}

class TopicReader {
  private partitions: readonly PartitionReader[] = [];
  private watermarkMs = -Infinity;
  private isFailing = false;
  /** The last mark that was passed. */
  private passed: string | undefined;
  /** What must be read before the next one is passed. */
  private marked: { readonly id: string; readonly ends: readonly bigint[] } | undefined;

  constructor(
    private readonly consumer: OwnConsumer,
    private readonly topic: string,
    private readonly name: string,
    private readonly options: ReadOptions,
    private readonly progress: { doneBytes: number; totalBytes: number },
  ) {}

  async *read(): AsyncGenerator<RecordBatch> {
    const { signal, follow } = this.options;
    this.partitions = await this.findPartitions();
    while (!signal.aborted) {
      const isAtEnd = this.partitions.every((each) => each.isAtEnd);
      if (isAtEnd && !follow) return;
      yield* this.pass();
      const askedMs = Date.now();
      if (!(await this.fill(isAtEnd))) continue;
      const records = this.take();
      if (records.length > 0) yield { records, watermarkMs: this.watermarkMs };
      else if (isAtEnd && this.partitions.every((each) => each.isAtEnd)) {
        // What comes from now on was seen after this.
        this.watermarkMs = Math.max(this.watermarkMs, askedMs - WRITE_MS);
        yield { records, watermarkMs: this.watermarkMs };
      }
    }
  }

  /** The ends of the partitions are asked for once a mark is set: all before them must be given. */
  private async *pass(): AsyncGenerator<RecordBatch> {
    const { marked, options } = this;
    const id = options.mark?.id;
    if (marked && this.partitions.every((each) => each.given >= marked.ends[each.partition]!)) {
      this.passed = marked.id;
      this.marked = undefined;
      yield { records: [], watermarkMs: this.watermarkMs, mark: marked.id };
    }
    if (id === undefined || id === this.passed || id === this.marked?.id) return;
    const listed = await this.consumer.listOffsets({ topics: [this.topic] }).catch(() => undefined);
    const ends = listed?.get(this.topic);
    if (!ends) return;
    const count = this.partitions.length;
    if (ends.length !== count)
      throw new Error(
        `${this.name} must keep its ${count} partitions while it is read, got ${ends.length}; start it again`,
      );
    this.marked = { id, ends };
  }

  private async findPartitions(): Promise<PartitionReader[]> {
    const { consumer, topic, name, options } = this;
    const list = async (timestamp?: bigint) => {
      const offsets = await consumer.listOffsets({ topics: [topic], ...(timestamp !== undefined && { timestamp }) });
      return offsets.get(topic) ?? [];
    };
    try {
      const { fromMs = -Infinity } = options;
      const ends = await list();
      const starts = await list(EARLIEST);
      const fromOffsets = fromMs === -Infinity ? [] : await list(BigInt(Math.floor(fromMs - CLOCK_MARGIN_MS)));
      return ends.map((end, partition) => {
        const from = fromOffsets[partition];
        // Where nothing is as late as that, Kafka says so with -1.
        const start = from === undefined ? starts[partition]! : from < 0n ? end : from;
        return new PartitionReader(`${name}, partition ${partition}`, partition, start, end, options);
      });
    } catch (error) {
      throw this.describe(error);
    }
  }

  private describe(error: unknown): Error {
    return new Error(`${this.name} cannot be read: ${describeFailure(error)}`, { cause: error });
  }

  /** Of each partition that has more, until there is a record of each. @returns false where a broker failed, and will be asked again */
  private async fill(isAtEnd: boolean): Promise<boolean> {
    const { options } = this;
    try {
      for (;;) {
        for (const each of this.partitions) each.check();
        const empty = this.partitions.filter((each) => !each.peek() && (isAtEnd || !each.isAtEnd));
        if (empty.length === 0 || options.signal.aborted) break;
        await this.fetch(empty);
        if (isAtEnd) break;
      }
      this.isFailing = false;
      return true;
    } catch (error) {
      if (!options.follow || isFinal(error)) throw isFinal(error) ? error : this.describe(error);
      if (!this.isFailing) options.warn(`${this.describe(error).message}; it is asked again until it can`);
      this.isFailing = true;
      await pause(RETRY_MS, undefined, { signal: options.signal }).catch(() => undefined);
      return false;
    }
  }

  private async fetch(wanted: readonly PartitionReader[]): Promise<void> {
    const { consumer, topic } = this;
    const metadata = await consumer.metadata({ topics: [topic] });
    const { id: topicId, partitions } = metadata.topics.get(topic)!;
    const byLeader = new Map<number, PartitionReader[]>();
    for (const reader of wanted) {
      const { leader } = partitions[reader.partition]!;
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), reader]);
    }
    const responses = await Promise.all(
      [...byLeader].map(([node, readers]) =>
        consumer.fetch({ node, topics: [{ topicId, partitions: readers.map(askFor) }] }),
      ),
    );
    for (const response of responses) this.add(response, wanted);
  }

  private add({ responses }: FetchResponse, wanted: readonly PartitionReader[]): void {
    const { progress, options } = this;
    for (const { partitionIndex, records, highWatermark } of responses.flatMap(({ partitions }) => partitions)) {
      const reader = wanted.find(({ partition }) => partition === partitionIndex);
      if (!reader) continue;
      if (options.follow) reader.end = highWatermark;
      progress.doneBytes += reader.add(records ?? []);
    }
    const done = this.partitions.reduce((sum, each) => sum + each.done, 0);
    const total = this.partitions.reduce((sum, each) => sum + each.total, 0);
    // Kafka counts records, not their bytes.
    progress.totalBytes =
      done >= total ? progress.doneBytes : Math.round((progress.doneBytes / Math.max(1, done)) * total);
  }

  /** By time, until one of them has to be asked for more. */
  private take(): StoredRecord[] {
    const records: StoredRecord[] = [];
    while (records.length < MAX_BATCH) {
      let first: PartitionReader | undefined;
      for (const each of this.partitions) {
        if (each.peek()) first = first && first.timeMs <= each.timeMs ? first : each;
        else if (!each.isAtEnd) return records;
      }
      if (!first) break;
      this.watermarkMs = Math.max(this.watermarkMs, first.timeMs);
      records.push(first.shift());
    }
    return records;
  }
}

function askFor({ partition, next }: PartitionReader) {
  const unknown = { currentLeaderEpoch: -1, lastFetchedEpoch: -1 };
  return { partition, fetchOffset: next, partitionMaxBytes: FETCH_BYTES.partition, ...unknown };
}

/** Asking again would not help. */
function isFinal(error: unknown): boolean {
  return (error as Error).name === 'DamagedCapture';
}
