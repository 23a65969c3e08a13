import type { MessageToProduce, Producer } from '@platformatic/kafka';
import type { HostPort } from '../../core/validation/host-port';
import type { CaptureNode, CaptureRecord, CaptureWriter } from '../contract/store';
import { clientOptions, describeFailure, describeTopic } from './kafka-client';

/** A request of a client may wait for it: what takes longer is repeated by who asked. The library would wait without end. */
const CALL_MS = 5_000;
/** A broker takes batches of 1 MiB (`message.max.bytes`), and its own fields are part of them. */
const MAX_BATCH_BYTES = 900_000;

type OwnProducer = Producer<Buffer, Buffer, Buffer, Buffer>;

/**
 * A store in a topic of Kafka, as OpenSearch Migrations has it: the key is the connection, the value its `TrafficStream`, and the partition
 * is the one that Kafka's own client would choose. A record is durable when all replicas that are in sync have it (`acks=all`).
 *
 * What is repeated may be in the topic twice, and a reader knows it by its connection and number.
 */
export async function openKafkaWriter(
  brokers: readonly HostPort[],
  topic: string,
  node: CaptureNode,
): Promise<CaptureWriter> {
  // It costs memory, and a proxy that captures nothing does not need it.
  const { Producer, compatibilityPartitioner } = await import('@platformatic/kafka');
  const create = (): OwnProducer =>
    new Producer({
      ...clientOptions(brokers, `drainshift-${node.id}`),
      idempotent: true,
      autocreateTopics: true,
      partitioner: compatibilityPartitioner,
    });
  const writer = new KafkaWriter(create, topic, describeTopic(brokers, topic));
  writer.connect();
  return writer;
}

class KafkaWriter implements CaptureWriter {
  private producer: OwnProducer | undefined;
  /** What is to be written next: all before it is durable. */
  private next = 1;
  private readonly waiting = new Map<number, () => void>();

  constructor(
    private readonly create: () => OwnProducer,
    private readonly topic: string,
    private readonly name: string,
  ) {}

  /** The first write need not wait for it; where it fails, that one says so. */
  connect(): void {
    this.producer ??= this.create();
    const { producer } = this;
    const work = async () => {
      await producer.metadata({ topics: [this.topic], autocreateTopics: true });
      await producer.initIdempotentProducer({});
    };
    work().catch(() => undefined);
  }

  /** A topic has the order in which it was written: a part waits for those before it, also for one that is repeated. */
  async append(part: number, records: readonly CaptureRecord[]): Promise<void> {
    const late = AbortSignal.timeout(CALL_MS);
    if (part > this.next)
      await within(late, new Promise<void>((resolve) => this.waiting.set(part, resolve)), this.name);
    for (const messages of this.batch(records)) await this.send(messages, late);
    this.next = Math.max(this.next, part + 1);
    this.waiting.get(this.next)?.();
    this.waiting.delete(this.next);
  }

  private *batch(records: readonly CaptureRecord[]): Generator<MessageToProduce[]> {
    let messages: MessageToProduce[] = [];
    let bytes = 0;
    for (const { key, bytes: value } of records) {
      if (messages.length > 0 && bytes + value.length > MAX_BATCH_BYTES) {
        yield messages;
        messages = [];
        bytes = 0;
      }
      bytes += value.length;
      const whole = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      messages.push({ topic: this.topic, key: Buffer.from(key), value: whole });
    }
    if (messages.length > 0) yield messages;
  }

  private async send(messages: MessageToProduce[], late: AbortSignal): Promise<void> {
    this.producer ??= this.create();
    const { producer } = this;
    try {
      await within(late, producer.send({ messages }), this.name);
    } catch (error) {
      // What it has under way must not come behind what follows.
      if (this.producer === producer) this.producer = undefined;
      discard(producer);
      throw new Error(`${this.name} did not take ${messages.length} records: ${describeFailure(error)}`, {
        cause: error,
      });
    }
  }

  close(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    return producer?.close() ?? Promise.resolve();
  }
}

function within<T>(late: AbortSignal, work: Promise<T>, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onLate = () => reject(new Error(`${name} did not answer within ${CALL_MS / 1_000} s`));
    if (late.aborted) onLate();
    late.addEventListener('abort', onLate);
    work.then(resolve, reject).finally(() => late.removeEventListener('abort', onLate));
  });
}

/** Its sockets are cut: one to a broker that hangs would stay. */
function discard(producer: OwnProducer): void {
  const sockets = [...producer.connections].map(([, connection]) => connection.socket);
  producer.close().catch(() => undefined);
  for (const socket of sockets) socket?.destroy();
}
