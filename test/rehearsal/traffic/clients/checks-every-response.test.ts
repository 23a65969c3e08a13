import { Running, startBackend } from '../../../../rehearsal/backend/backend';
import { startStore } from '../../../../rehearsal/backend/store';
import { Recorder } from '../../../../rehearsal/traffic/counting/recorder';
import { nothingLost } from '../../../../rehearsal/traffic/counting/tally';
import { startTraffic } from '../../../../rehearsal/traffic/traffic';
import { afterwards } from '../../backend/afterwards';
import { until } from '../../../support/until';
import { Front, startFront } from '../front';

const stopLater = afterwards();
let store: Running;
let source: Running;
let target: Running;
let front: Front;

beforeAll(async () => {
  store = await startStore();
  source = await startBackend({ side: 'source', storeUrl: store.url });
  target = await startBackend({ side: 'target', storeUrl: store.url });
});
afterAll(() => Promise.all([source.stop(), target.stop(), store.stop()]));
beforeEach(async () => (front = stopLater(await startFront(source.url))));

const NONE = { shop: 0, keepAlive: 0, newConnection: 0, http2: 0, echo: 0, webSockets: 0, eventStreams: 0, chats: 0 };
const RATES = { webSockets: 20, messagesPerSecondEach: 5, eventStreams: 3 };

test('finds nothing wrong where nothing is wrong, while connections move from one side to the other', async () => {
  const traffic = stopLater(await startTraffic({ ...front.options, rates: RATES }));
  await until(() => traffic.snapshot()?.live.websocket === 20 && traffic.snapshot()?.live.serverSentEvents === 3);
  await until(() => (traffic.snapshot()?.responsesBySide.source ?? 0) > 100);

  front.backendUrl = target.url;
  front.drainWebSockets();
  await until(() => (traffic.snapshot()?.responsesBySide.target ?? 0) > 100);
  await until(() => (traffic.snapshot()?.websocket.opened ?? 0) >= 40);
  const tally = await traffic.stop();

  expect(tally.failures).toEqual([]);
  expect(nothingLost(tally)).toBe(true);
  expect(tally.firstBadResponseAt).toBeUndefined();
  expect(tally.http.ok).toBe(tally.http.sent);
  expect(tally.http.p99Ms).toBeGreaterThanOrEqual(tally.http.p50Ms);
  expect(tally.websocket.received).toBe(tally.websocket.sent);
  expect(tally.websocket.closedCleanly).toBe(tally.websocket.opened);
  expect(tally.serverSentEvents.events).toBeGreaterThan(0);
  expect(tally.serverSentEvents.endedCleanly).toBe(tally.serverSentEvents.opened);
  // A connection was there again after at least the shortest pause before a client comes back; an event is due each 250 ms.
  expect(tally.websocket.longestGapMs).toBeGreaterThanOrEqual(200);
  expect(tally.serverSentEvents.longestGapMs).toBeGreaterThanOrEqual(240);
});

test('what was slow before the mark is not in the latencies, and what was counted stays', async () => {
  const recorder = new Recorder();
  recorder.http.sent = 2;
  recorder.latency.add(3_000);
  recorder.waited(performance.now() - 3_000);
  expect(recorder.tally()).toMatchObject({ http: { longestStallMs: 3_000 } });
  recorder.mark();
  recorder.latency.add(5);
  const { http, websocket } = recorder.tally();
  expect(http.p99Ms).toBeLessThan(6);
  expect([http.sent, http.longestStallMs, websocket.longestStallMs]).toEqual([2, 5, 0]);
});

test('a mark reaches the traffic, whose process is another one', async () => {
  const traffic = stopLater(await startTraffic({ ...front.options, rates: { ...NONE, keepAlive: 1 } }));
  await until(() => (traffic.snapshot()?.http.p50Ms ?? 0) > 0);
  // A response may come between a mark and the next snapshot: again, then.
  await until(() => {
    traffic.mark();
    return traffic.snapshot()?.http.p50Ms === 0 || (traffic.snapshot()?.http.sent ?? 0) > 60;
  });
  expect(traffic.snapshot()?.http.p50Ms).toBe(0);
});

test('reads given pages of foreign backends with their expected status', async () => {
  const paths = [
    { path: '/', expectedStatus: 200 },
    { path: '/cart', expectedStatus: 401 },
    { path: '/nowhere', expectedStatus: 200 },
  ];
  const traffic = stopLater(await startTraffic({ ...front.options, paths }));
  await until(() => (traffic.snapshot()?.http.failed ?? 0) > 0 && (traffic.snapshot()?.http.ok ?? 0) > 10);
  const tally = await traffic.stop();

  expect(tally.websocket.opened + tally.serverSentEvents.opened).toBe(0);
  for (const line of tally.failures)
    expect(line).toMatch(/GET \/nowhere: expected 200, got 404 from source(, \d+ times)?$/);
});

test('does not speak to a load balancer whose certificate is not its own', async () => {
  const other = stopLater(await startFront(source.url));
  const traffic = stopLater(
    await startTraffic({
      ...front.options,
      ca: other.options.ca,
      rates: { webSockets: 2, eventStreams: 0, chats: 0 },
      lastResponsesMs: 500,
    }),
  );
  await until(() => (traffic.snapshot()?.http.failed ?? 0) > 0 && (traffic.snapshot()?.websocket.dropped ?? 0) > 0);
  const tally = await traffic.stop();

  expect(tally.http.ok).toBe(0);
  expect(tally.failures[0]).toMatch(/self-signed certificate/);
});

test('a traffic process that ends by itself is an error and not a tally', async () => {
  await expect(startTraffic({ ...front.options, origin: 'http://shop.example.com' })).rejects.toThrow(
    /'traffic\/main' must start, got exit code 1/,
  );
});
