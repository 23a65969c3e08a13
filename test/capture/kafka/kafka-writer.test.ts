import { encodeTrafficStream } from '../../../core/capture/traffic-stream';
import { part, read } from '../../support/recorded';
import { Broker, startBroker } from '../../../rehearsal/kafka/broker';
import { hasBroker } from './has-broker';
import { hasKcat, readWithKcat } from './kcat';
import { record, topicsOf } from './topics';

const describeWithBroker = hasBroker('the store in Kafka') ? describe : describe.skip;

const times = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

/** With a rest that no writer of this project would leave. */
async function produce(
  port: number,
  topic: string,
  messages: readonly { readonly key: string; readonly value?: Buffer }[],
) {
  const { Producer } = await import('@platformatic/kafka');
  const producer = new Producer({ clientId: 'other', bootstrapBrokers: [`127.0.0.1:${port}`], autocreateTopics: true });
  for (const { key, value } of messages) await producer.send({ messages: [{ topic, key: Buffer.from(key), value }] });
  await producer.close();
}

describeWithBroker('brokers that create no topic', () => {
  let broker: Broker;
  beforeAll(async () => void (broker = await startBroker({ createsTopics: false, partitions: 2 })));
  afterAll(() => broker.stop());

  test('it is created by who writes to it first, with as many partitions as the cluster gives; several may try at a time', async () => {
    const { open, readAll } = topicsOf(broker);
    const writers = await Promise.all(['a', 'b', 'c'].map((id) => open('new', id)));
    await Promise.all(
      writers.map((writer, at) =>
        writer.append(
          1,
          times(10 * at, 10 * at + 10).map((ms) => record(ms)),
        ),
      ),
    );
    await Promise.all(writers.map((writer) => writer.close()));
    const { seen, failure } = await readAll('new');
    expect(failure).toBeUndefined();
    expect([...seen].sort((x, y) => x - y)).toEqual(times(0, 30));
  });
});

describeWithBroker('the store in Kafka', () => {
  let broker: Broker;
  let open: ReturnType<typeof topicsOf>['open'];
  let readAll: ReturnType<typeof topicsOf>['readAll'];
  beforeAll(async () => {
    broker = await startBroker();
    ({ open, readAll } = topicsOf(broker));
  });
  afterAll(() => broker.stop());

  test('what several processes wrote is read by its time over all partitions', async () => {
    const [a, b] = await Promise.all([open('several', 'a'), open('several', 'b')]);
    const even = times(0, 5_000).filter((ms) => ms % 2 === 0);
    const odd = times(0, 5_000).filter((ms) => ms % 2 === 1);
    await Promise.all([
      ...[
        a.append(
          1,
          even.slice(0, 900).map((ms) => record(ms)),
        ),
        a.append(
          2,
          even.slice(900).map((ms) => record(ms)),
        ),
      ],
      b.append(
        1,
        odd.map((ms) => record(ms)),
      ),
    ]);
    await Promise.all([a.close(), b.close()]);
    const { seen, failure } = await readAll('several');
    expect(failure).toBeUndefined();
    expect([...seen].sort((x, y) => x - y)).toEqual(times(0, 5_000));
    // Records of one connection are in one partition: those of one process are in order there.
    for (const key of times(0, 7)) {
      const own = seen.filter((ms) => ms % 7 === key && ms % 2 === 0);
      expect(own).toEqual([...own].sort((x, y) => x - y));
    }
  });

  test('another client reads the same bytes, by the same key', async () => {
    if (!hasKcat()) return void process.stderr.write('SKIPPED: what kcat reads of a topic, it is not installed\n');
    const writer = await open('foreign');
    const records = times(0, 100).map((ms) => record(ms));
    await writer.append(1, records);
    await writer.close();
    const foreign = readWithKcat(broker.port, 'foreign');
    for (const key of times(0, 7).map((n) => `c${n}`)) {
      const own = foreign.filter((each) => each.key === key);
      expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
      const written = records.filter((each) => each.key === key);
      expect(own.map(({ value }) => value.toString('hex'))).toEqual(
        written.map(({ bytes }) => Buffer.from(bytes).toString('hex')),
      );
    }
    expect(foreign.length).toBe(records.length);
  });

  test('a part waits for those before it', async () => {
    const writer = await open('in-order');
    const done: number[] = [];
    const append = (part: number) => writer.append(part, [record(part, 'c')]).then(() => done.push(part));
    const second = append(2);
    await append(1);
    await second;
    await writer.append(3, [record(3, 'c')]);
    await writer.close();
    expect(done).toEqual([1, 2]);
    expect((await readAll('in-order')).seen).toEqual([1, 2, 3]);
  });

  test('records are larger together than a broker takes at once', async () => {
    const writer = await open('large');
    const large = (ms: number) => {
      const stream = part(ms, [read(ms, 'x'.repeat(450_000))], { connectionId: 'c' });
      return { key: 'c', bytes: encodeTrafficStream(stream) };
    };
    await writer.append(1, times(0, 12).map(large));
    await writer.close();
    expect((await readAll('large')).seen).toEqual(times(0, 12));
  });

  test('a topic that is not there, and what is no record, are named', async () => {
    expect(await readAll('none')).toEqual({
      ...{ seen: [], warnings: [] },
      failure: "topic 'none' of BROKER cannot be read: Unknown topic none.",
    });
    const value = Buffer.from(record(1, 'c').bytes);
    await produce(broker.port, 'damaged', [
      { key: 'c', value },
      { key: 'c', value: Buffer.from('no message') },
      { key: 'c', value: Buffer.from(record(3, 'c').bytes) },
    ]);
    const { seen, failure } = await readAll('damaged');
    expect(seen).toEqual([1]);
    expect(failure).toMatch(/^topic 'damaged' of BROKER, partition \d, offset 1: a record must be a TrafficStream: /);
    const left: string[] = [];
    const skipped = await readAll('damaged', { skip: (problem) => left.push(problem) });
    expect(skipped).toMatchObject({ seen: [1, 3], failure: undefined, warnings: [] });
    expect(left).toEqual([expect.stringMatching(/^topic 'damaged' of .+, partition \d, offset 1: /)]);
  });
});
