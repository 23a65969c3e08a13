import { createServer } from 'node:https';
import { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { parseScenario } from '../../core/scenario/scenario';
import { Generators } from '../../rehearsal/traffic/generators';
import { until } from '../support/until';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const stream = (path: string, maxSilenceSeconds: number) => ({ name: path, path, clients: 1, maxSilenceSeconds });

/** The path `/first` sends one event, ends, and says nothing when it is asked again; `/quiet` never says anything. */
async function start() {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'shop.example.com' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'shop.example.com' }] }],
  });
  let asked = 0;
  const server = createServer({ cert, key }, (request, response) => {
    if (request.url === '/') return void response.end();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    if (request.url !== '/first') return;
    asked += 1;
    if (asked === 1) response.end('data: hello\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
  const traffic = new Generators({
    origin: 'https://shop.example.com',
    connectTo: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    ca: cert,
    scenario: parseScenario({
      clients: 1,
      requestsPerSecond: 1,
      requests: [{ path: '/' }],
      eventStreams: [stream('/first', 1), stream('/quiet', 600)],
    }),
    arrivalMs: 10,
    lastResponsesMs: 900,
  });
  traffic.start();
  await until(() => asked === 2 && traffic.recorder.live.serverSentEvents === 2);
  await traffic.stop();
  return traffic.recorder.tally();
}

test('a stream that is open and silent lacks an event, and not a stream; one that may be silent longer lacks nothing', async () => {
  const { entries = [], serverSentEvents } = await start();
  const problems = entries.flatMap(({ name, problems: each }) =>
    each.map(({ expected, got }) => [name, expected, got]),
  );
  expect(problems).toEqual([['/first', 'an event in 1 s', 'none']]);
  expect(serverSentEvents.dropped).toBe(1);
});
