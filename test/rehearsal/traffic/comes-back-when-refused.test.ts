import { createServer } from 'node:https';
import { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { Running, startBackend } from '../../../rehearsal/backend/backend';
import { startStore } from '../../../rehearsal/backend/store';
import { startTraffic } from '../../../rehearsal/traffic/traffic';
import { afterwards } from '../backend/afterwards';
import { startFront, until } from './front';

const stopLater = afterwards();
const RATES = { shop: 0, keepAlive: 0, newConnection: 0, http2: 0, echo: 0, webSockets: 2, eventStreams: 2 };

test.each([
  { headers: { 'retry-after': '0' }, isRefusal: true },
  { headers: {}, isRefusal: false },
])('503 with $headers: a refusal is $isRefusal', async ({ headers, isRefusal }) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'shop.example.com' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'shop.example.com' }] }],
  });
  const server = createServer({ cert, key }, (_request, response) => response.writeHead(503, headers).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stopLater({ stop: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) });
  const { port } = server.address() as AddressInfo;
  const traffic = stopLater(
    await startTraffic({
      origin: 'https://shop.example.com',
      connectTo: { host: '127.0.0.1', port },
      ca: cert,
      rates: RATES,
    }),
  );
  const counted = isRefusal ? 'refused' : 'dropped';
  await until(() => (traffic.snapshot()?.websocket[counted] ?? 0) > 3);
  await until(() => (traffic.snapshot()?.serverSentEvents[counted] ?? 0) > 3);
  const { websocket, serverSentEvents } = await traffic.stop();

  const other = isRefusal ? 'dropped' : 'refused';
  expect(websocket).toMatchObject({ opened: 0, [other]: 0 });
  expect(serverSentEvents).toMatchObject({ opened: 0, [other]: 0 });
});

describe('with a real backend', () => {
  let store: Running;
  let backend: Running;
  beforeAll(async () => {
    store = await startStore();
    backend = await startBackend({ side: 'source', storeUrl: store.url });
  });
  afterAll(() => Promise.all([backend.stop(), store.stop()]));

  test('nothing is lost when everything is refused for a while', async () => {
    let isRefusing = false;
    const front = stopLater(
      await startFront(backend.url, {
        request: (_request, response) => {
          if (!isRefusing) return false;
          response.statusCode = 503;
          response.setHeader('retry-after', '0');
          response.end();
          return true;
        },
      }),
    );
    const traffic = stopLater(await startTraffic({ ...front.options, rates: RATES }));
    await until(() => (traffic.snapshot()?.websocket.received ?? 0) > 2);
    isRefusing = true;
    front.drainWebSockets();
    await until(() => (traffic.snapshot()?.websocket.refused ?? 0) > 1);
    isRefusing = false;
    await until(() => traffic.snapshot()?.live.websocket === 2);
    const { websocket, failures } = await traffic.stop();

    expect(failures).toEqual([]);
    expect(websocket).toMatchObject({ lost: 0, duplicated: 0, dropped: 0, closedCleanly: websocket.opened });
  });
});
