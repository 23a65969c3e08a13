import type { MessageToProduce, Producer } from '@platformatic/kafka';
import type { KafkaUrl } from '../../core/capture/store-url';
import type { CaptureNode, CaptureRecord, CaptureWriter } from '../contract/store';
import { KafkaAccess, clientOptions, describeFailure, describeTopic } from './kafka-client';

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
export async function openKafkaWriter(store: KafkaUrl, node: CaptureNode, access: KafkaAccess): Promise<CaptureWriter> {
  // It costs memory, and a proxy that captures nothing does not need it.
  const { Admin, Producer, compatibilityPartitioner } = await import('@platformatic/kafka');
  const create = (): OwnProducer =>
    new Producer({
      ...clientOptions(store, `drainshift-${node.id}`, access),
      idempotent: true,
      autocreateTopics: true,
      partitioner: compatibilityPartitioner,
    });
  const createTopic = async () => {
    const admin = new Admin(clientOptions(store, `drainshift-${node.id}`, access));
    try {
      // With partitions and replicas as the cluster has them by default.
      await admin.createTopics({ topics: [store.topic] });
    } finally {
      await admin.close();
    }
  };
  const writer = new KafkaWriter({ create, createTopic }, store.topic, describeTopic(store));
  writer.connect();
  return writer;
}

interface Cluster {
  readonly create: () => OwnProducer;
  /** @throws Error also where it is there */
  readonly createTopic: () => Promise<void>;
}

class KafkaWriter implements CaptureWriter {
  private producer: OwnProducer | undefined;
  /** Why it does not connect. What is sent only waits. */
  private obstacle: string | undefined;
  /** What is to be written next: all before it is durable. */
  private next = 1;
  private readonly waiting = new Map<number, () => void>();

  constructor(
    private readonly cluster: Cluster,
    private readonly topic: string,
    private readonly name: string,
  ) {}

  /** The first write need not wait for it. */
  connect(): void {
    this.openProducer();
  }

  private openProducer(): OwnProducer {
    if (this.producer) return this.producer;
    const producer = this.cluster.create();
    this.producer = producer;
    this.obstacle = undefined;
    const work = async () => {
      await this.findTopic(producer);
      await producer.initIdempotentProducer({});
    };
    work().catch((error: unknown) => {
      if (this.producer === producer) this.obstacle = describeFailure(error);
    });
    return producer;
  }

  /** Where brokers do not create a topic that is used, it is created here. */
  private async findTopic(producer: OwnProducer): Promise<void> {
    const find = () => producer.metadata({ topics: [this.topic], autocreateTopics: true, retries: 1 });
    try {
      await find();
    } catch (error) {
      if (!describeFailure(error).startsWith('Unknown topic')) throw error;
      // Another one may have created it meanwhile.
      const why = await this.cluster.createTopic().catch(describeFailure);
      await find().catch((again: unknown) => {
        throw why === undefined ? again : new Error(`the topic is not there, and cannot be created: ${why}`);
      });
    }
  }

  /** A topic has the order in which it was written: a part waits for those before it, also for one that is repeated. */
  async append(part: number, records: readonly CaptureRecord[]): Promise<void> {
    const late = AbortSignal.timeout(CALL_MS);
    if (part > this.next) await this.within(late, new Promise<void>((resolve) => this.waiting.set(part, resolve)));
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
    const producer = this.openProducer();
    try {
      await this.within(late, producer.send({ messages }));
    } catch (error) {
      // What it has under way must not come behind what follows.
      if (this.producer === producer) this.producer = undefined;
      discard(producer);
      throw new Error(`${this.name} did not take ${messages.length} records: ${describeFailure(error)}`, {
        cause: error,
      });
    }
  }

  private within<T>(late: AbortSignal, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const onLate = () => {
        const why = this.obstacle === undefined ? '' : `: ${this.obstacle}`;
        reject(new Error(`no acknowledgement within ${CALL_MS / 1_000} s${why}`));
      };
      if (late.aborted) onLate();
      late.addEventListener('abort', onLate);
      work.then(resolve, reject).finally(() => late.removeEventListener('abort', onLate));
    });
  }

  close(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    return producer?.close() ?? Promise.resolve();
  }
}

/** Its sockets are cut: one to a broker that hangs would stay. */
function discard(producer: OwnProducer): void {
  const sockets = [...producer.connections].map(([, connection]) => connection.socket);
  producer.close().catch(() => undefined);
  for (const socket of sockets) socket?.destroy();
}
