import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeTrafficStream } from '../../core/capture/traffic-stream';
import { Broker, startBroker } from '../../rehearsal/kafka/broker';
import { hasBroker } from '../capture/kafka/has-broker';
import { topicsOf } from '../capture/kafka/topics';
import { Command } from '../rehearsal/command';
import { respondAfter, startBackend } from '../replay/recording-backend';
import { ok, partsOf, put } from '../support/recorded';

const describeWithBroker = hasBroker('a replay of a topic of Kafka') ? describe : describe.skip;

describeWithBroker('drainshift replay --from kafka://', () => {
  let broker: Broker;
  const folder = mkdtempSync(join(tmpdir(), 'replay-of-a-topic-'));
  beforeAll(async () => void (broker = await startBroker()));
  afterAll(async () => {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('sends all of it without a time to start from, and again what came since its checkpoint alone', async () => {
    const backend = await startBackend((_, response) => respondAfter(response, 0));
    const writer = await topicsOf(broker).open('shop');
    const append = (part: number, n: number) => {
      const made = {
        connection: `c${n}`,
        n: 0,
        startMs: n * 10,
        endMs: n * 10 + 5,
        request: put(`/${n}`, ''),
        response: ok(''),
      };
      const records = partsOf([made]).map((each) => ({ key: each.connectionId, bytes: encodeTrafficStream(each) }));
      return writer.append(part, records);
    };
    const replay = () => {
      const ends = ['--from', `kafka://127.0.0.1:${broker.port}/shop`, '--to', backend.url.href];
      return new Command(['replay', ...ends, '--speed', 'max', '--checkpoint', 'checkpoint.json'], { cwd: folder })
        .ended;
    };
    await append(1, 1);
    await append(2, 2);
    expect(await replay()).toMatchObject({ code: 0, output: expect.stringContaining('done: 2 sent') as string });
    await append(3, 3);
    expect(await replay()).toMatchObject({ code: 0, output: expect.stringContaining('done: 1 sent') as string });
    await writer.close();
    await backend.close();
    expect(backend.arrivals.map(({ url }) => url).sort()).toEqual(['/1', '/2', '/3']);
  });
});
