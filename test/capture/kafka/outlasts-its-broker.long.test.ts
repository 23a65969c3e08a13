import { until } from '../../support/until';
import { startBroker } from '../../../rehearsal/kafka/broker';
import { hasBroker } from './has-broker';
import { record, topicsOf } from './topics';

const testWithBroker = hasBroker('a broker that hangs and dies') ? test : test.skip;

testWithBroker(
  'a broker that hangs fails a write in time, which is repeated; what follows the topic reads on',
  async () => {
    const broker = await startBroker();
    try {
      const { open, readAll } = topicsOf(broker);
      const writer = await open('followed');
      await writer.append(1, [record(1, 'c')]);
      const stop = new AbortController();
      const seen: number[] = [];
      const followed = readAll('followed', { follow: true, signal: stop.signal }, seen);
      await until(() => seen.length === 1);
      broker.pause();
      await expect(writer.append(2, [record(2, 'c')])).rejects.toThrow(
        /^topic 'followed' of 127[\d.:]* did not take 1 records: no acknowledgement within 5 s/,
      );
      broker.resume();
      const third = writer.append(3, [record(3, 'c')]);
      await writer.append(2, [record(2, 'c')]);
      await third;
      await broker.kill();
      await expect(writer.append(4, [record(4, 'c')])).rejects.toThrow(
        /^topic 'followed' of 127[\d.:]* did not take 1 records: /,
      );
      await broker.start();
      for (let isDone = false; !isDone;)
        isDone = await writer.append(4, [record(4, 'c')]).then(
          () => true,
          () => false,
        );
      await writer.close();
      await until(() => seen.at(-1) === 4);
      stop.abort();
      const { failure, warnings } = await followed;
      expect({ failure, warnings }).toEqual({ failure: undefined, warnings: expect.any(Array) as unknown });
      expect(
        warnings.filter(
          (line) => !/^topic 'followed' of BROKER cannot be read: .*; it is asked again until it can$/.test(line),
        ),
      ).toEqual([]);
      // What failed may be there twice: at least once, and nothing before what it follows.
      expect([...new Set(seen)]).toEqual([1, 2, 3, 4]);
      expect([...new Set((await readAll('followed')).seen)]).toEqual([1, 2, 3, 4]);
    } finally {
      await broker.stop();
    }
  },
);
