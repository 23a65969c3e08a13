import { parseStoreUrl } from '../../../core/capture/store-url';
import type { StoreUrl } from '../../../core/capture/store-url';
import { TrafficStream, decodeTrafficStream } from '../../../core/capture/traffic-stream';
import { readKafka } from '../../../capture/kafka/kafka-source';
import { startBroker } from '../../../rehearsal/kafka/broker';
import { NO_LOGIN } from '../../capture/kafka/topics';
import { hasBroker } from '../../capture/kafka/has-broker';
import { hasKcat, readWithKcat } from '../../capture/kafka/kcat';
import { ProxyBundle, ProxyProcess, bundleProxy, killAll, listening } from '../support/proxy-process';
import { later, startBackend, stopAll } from '../support/world';
import { countOutcomes, judgeWrites, startWriter } from './numbered-writes';

const CLIENTS = 12;
const TOPIC = 'logging-traffic-topic';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

/** A record that is there twice counts once, as for every reader. */
function withoutDoubles(streams: readonly TrafficStream[]): TrafficStream[] {
  const known = new Map(streams.map((each) => [`${each.connectionId} ${each.index}`, each]));
  return streams.filter((each) => known.delete(`${each.connectionId} ${each.index}`));
}

async function readTopic(url: string): Promise<TrafficStream[]> {
  const store = parseStoreUrl(url) as Extract<StoreUrl, { readonly kind: 'kafka' }>;
  const warn = (line: string) => {
    throw new Error(line);
  };
  const options = { signal: new AbortController().signal, follow: false, warn };
  const streams: TrafficStream[] = [];
  for await (const { records } of readKafka(store, NO_LOGIN).read(options))
    streams.push(...records.map(({ stream }) => stream));
  return streams;
}

const testWithBroker = hasBroker('every write in Kafka') ? test : test.skip;

testWithBroker(
  'broker and proxies are killed under load: every write that a client saw succeed is in the topic',
  async () => {
    const received: string[] = [];
    const backend = await startBackend((request, response) => {
      let body = '';
      request.on('data', (bytes: Buffer) => (body += bytes.toString()));
      request.on('end', () => (received.push(body), response.end('ok')));
    });
    const broker = await startBroker();
    later(() => broker.stop());
    const store = `kafka://127.0.0.1:${broker.port}`;
    const start = (listen: string): ProxyProcess =>
      bundle.run(['--listen', listen, '--upstream', `http://127.0.0.1:${backend.port}`, '--workers', '2'], {
        ...{ DRAINSHIFT_CAPTURE: store, DRAINSHIFT_CAPTURE_TIMEOUT_SECONDS: '1' },
      });
    let proxy = start('127.0.0.1:0');
    const { port } = await listening(proxy);
    const writers = Array.from({ length: CLIENTS }, (_, name) => startWriter(name, () => port));
    const { more } = countOutcomes(writers);

    for (let killed = 0; killed < 2; killed += 1) {
      await more(200, 400);
      await broker.kill();
      await more(503, 20);
      await broker.start();
    }
    await more(200, 400);
    broker.pause();
    await more(503, 20);
    broker.resume();
    await more(200, 400);
    killAll(proxy.child);
    await proxy.exit;
    proxy = start(`127.0.0.1:${port}`);
    await listening(proxy);
    await more(200, 400);
    for (const { stop } of writers) await stop();
    proxy.child.kill('SIGTERM');
    await proxy.exit;

    const streams = await readTopic(store);
    judgeWrites(writers, withoutDoubles(streams), received);
    if (!hasKcat()) return void process.stderr.write('SKIPPED: what kcat reads, it is not installed\n');
    const foreign = readWithKcat(broker.port, TOPIC);
    expect(foreign.length).toBe(streams.length);
    expect(foreign.filter(({ key, value }) => decodeTrafficStream(value).connectionId !== key)).toEqual([]);
    judgeWrites(writers, withoutDoubles(foreign.map(({ value }) => decodeTrafficStream(value))), received);
  },
);
