import { createServer } from 'node:https';
import { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { Running, startBackend } from '../../../../rehearsal/backend/backend';
import { startStore } from '../../../../rehearsal/backend/store';
import { nothingLost } from '../../../../rehearsal/traffic/counting/tally';
import { Traffic, startTraffic } from '../../../../rehearsal/traffic/traffic';
import { afterwards } from '../../backend/afterwards';
import { until } from '../../../support/until';
import { Faults, Front, startFront } from '../front';

const stopLater = afterwards();
/** Both WebSockets are open and got a response: one alone may have had all the messages. */
const isServed = (traffic: Traffic) => {
  const { live, websocket } = traffic.snapshot() ?? {};
  return live?.websocket === 2 && (websocket?.received ?? 0) > 2;
};
const RATES = { shop: 0, keepAlive: 0, newConnection: 0, http2: 0, echo: 0, webSockets: 2, eventStreams: 2, chats: 0 };

test.each([
  { headers: { 'retry-after': '0' }, isRejection: true },
  { headers: {}, isRejection: false },
])(
  '503 with $headers to the end: a rejection is $isRejection, a client that never got back is dropped',
  async ({ headers, isRejection }) => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'shop.example.com' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'shop.example.com' }] }],
    });
    const tries = new Map<string | undefined, number>();
    const server = createServer({ cert, key }, ({ url }, response) => {
      tries.set(url, (tries.get(url) ?? 0) + 1);
      response.writeHead(503, headers).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stopLater({ stop: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) });
    const { port } = server.address() as AddressInfo;
    const traffic = stopLater(
      await startTraffic({
        origin: 'https://shop.example.com',
        connectTo: { host: '127.0.0.1', port },
        ca: cert,
        rates: RATES,
        lastResponsesMs: 1_000,
      }),
    );
    // Each of the four clients has tried more than once.
    await until(() => tries.size === 4 && [...tries.values()].every((count) => count > 1));
    const tally = await traffic.stop();
    const { websocket, serverSentEvents, failures } = tally;

    const expected = isRejection ? { opened: 0, dropped: 2 } : { opened: 0, refused: 0, dropped: 2 };
    expect(websocket).toMatchObject(expected);
    expect(serverSentEvents).toMatchObject(expected);
    expect(nothingLost(tally)).toBe(false);
    // Of each kind both clients, in one line.
    const noted = failures.filter((line) => !line.includes('responses to messages'));
    expect(noted).toHaveLength(2);
    for (const line of noted) expect(line).toMatch(/, 2 times$/);
    if (!isRejection) return;
    expect(failures).toContainEqual(expect.stringMatching(/ websocket-.*expected a connection at the end, got none/));
    expect(failures).toContainEqual(expect.stringMatching(/ event-stream-.*expected a stream at the end, got none/));
  },
);

describe('with a real backend', () => {
  let store: Running;
  let backend: Running;
  beforeAll(async () => {
    store = await startStore();
    backend = await startBackend({ side: 'source', storeUrl: store.url });
  });
  afterAll(() => Promise.all([backend.stop(), store.stop()]));

  let isRejecting: boolean;
  let front: Front;
  beforeEach(async () => {
    isRejecting = false;
    const request: Faults['request'] = (_request, response) => {
      if (!isRejecting) return false;
      response.statusCode = 503;
      response.setHeader('retry-after', '0');
      response.end();
      return true;
    };
    front = stopLater(await startFront(backend.url, { request }));
  });

  test('nothing is lost when everything is rejected for a while', async () => {
    const traffic = stopLater(await startTraffic({ ...front.options, rates: RATES }));
    await until(() => isServed(traffic));
    isRejecting = true;
    front.drainWebSockets();
    await until(() => (traffic.snapshot()?.websocket.refused ?? 0) > 1);
    isRejecting = false;
    await until(() => traffic.snapshot()?.live.websocket === 2);
    const tally = await traffic.stop();

    expect(tally.failures).toEqual([]);
    expect(nothingLost(tally)).toBe(true);
  });

  test('a client that is rejected when it is asked to finish comes back first', async () => {
    const traffic = stopLater(await startTraffic({ ...front.options, rates: RATES }));
    await until(() => isServed(traffic));
    isRejecting = true;
    front.drainWebSockets();
    await until(() => (traffic.snapshot()?.websocket.refused ?? 0) > 1);
    const refused = traffic.snapshot()?.websocket.refused ?? 0;
    const stopped = traffic.stop();
    await until(() => (traffic.snapshot()?.websocket.refused ?? 0) > refused + 1);
    isRejecting = false;
    const tally = await stopped;

    expect(tally.failures).toEqual([]);
    expect(nothingLost(tally)).toBe(true);
    expect(tally.websocket.opened).toBe(4);
  });

  test('a client that is rejected from some time on is dropped, once', async () => {
    const traffic = stopLater(await startTraffic({ ...front.options, rates: RATES, lastResponsesMs: 1_000 }));
    await until(() => isServed(traffic));
    isRejecting = true;
    front.drainWebSockets();
    await until(() => (traffic.snapshot()?.websocket.refused ?? 0) > 1);
    const tally = await traffic.stop();

    expect(nothingLost(tally)).toBe(false);
    expect(tally.websocket).toMatchObject({ opened: 2, closedCleanly: 2, dropped: 2 });
    expect(tally.websocket.longestGapMs).toBeGreaterThanOrEqual(1_000);
  });
});
