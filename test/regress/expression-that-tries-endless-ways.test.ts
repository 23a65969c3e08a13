import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { parseScenario } from '../../core/scenario/scenario';
import { startTraffic } from '../../rehearsal/traffic/traffic';
import { afterwards } from '../rehearsal/backend/afterwards';
import { until } from '../support/until';

// One expression of a scenario that backtracks without an end stopped all clients: the rehearsal waited for ever, and named nothing.

const stopLater = afterwards();

test('an expression that backtracks without an end does not match, and the clients go on', async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'shop.example.com' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'shop.example.com' }] }],
  });
  let asked = 0;
  const server = createServer({ cert, key }, (_, response) => {
    asked += 1;
    response.end('hello '.repeat(20));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stopLater({ stop: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) });
  const { port } = server.address() as AddressInfo;
  const scenario = parseScenario({
    requestsPerSecond: 40,
    clients: 2,
    requests: [{ path: '/a', expect: { matches: String.raw`^(\w*\s?)*!$` } }],
  });
  const traffic = stopLater(
    await startTraffic({
      origin: 'https://shop.example.com',
      connectTo: { host: '127.0.0.1', port },
      ca: cert,
      scenario,
    }),
  );
  await until(() => asked > 10);
  const { entries } = await traffic.stop();
  expect(JSON.stringify(entries)).toContain('a match of /^');
});
