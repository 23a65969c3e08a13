import { Running, startBackend } from '../../../../rehearsal/backend/backend';
import { startStore } from '../../../../rehearsal/backend/store';
import { nothingLost } from '../../../../rehearsal/traffic/counting/tally';
import { startTraffic } from '../../../../rehearsal/traffic/traffic';
import { afterwards } from '../../backend/afterwards';
import { findDescendants } from '../../processes';
import { until } from '../../../support/until';
import { startFront } from '../front';

const stopLater = afterwards();
let store: Running;
let backend: Running;

beforeAll(async () => {
  store = await startStore();
  backend = await startBackend({ side: 'source', storeUrl: store.url });
});
afterAll(() => Promise.all([backend.stop(), store.stop()]));

const FREEZE_MS = 1_500;
const RATES = {
  shop: 8,
  keepAlive: 24,
  newConnection: 8,
  http2: 16,
  echo: 4,
  webSockets: 5,
  messagesPerSecondEach: 10,
};
const REQUESTS_PER_SECOND = 60;
/** What was due during half of the freeze is more; a snapshot is up to 250 ms old. */
const MAX_LAG = 40;

/** The process of the backend: the one that listens for the traffic, stopped as a frozen task is. */
function backendPid(): number {
  const found = findDescendants(process.pid).find(({ command }) => command.includes('backend/app.js'));
  if (!found) throw new Error('the backend must run');
  return found.pid;
}

test('what is due while every response is stuck is not left out, and counts from when it was due', async () => {
  const front = stopLater(await startFront(backend.url));
  // Of a busy machine nothing is left out here: it would be counted, and is no part of what was sent.
  const options = { ...front.options, rates: { ...RATES, eventStreams: 0 }, minShare: 1 };
  const traffic = stopLater(await startTraffic(options));
  await until(() => traffic.snapshot()?.live.websocket === RATES.webSockets);
  traffic.mark();
  const before = traffic.snapshot()?.http.sent ?? 0;
  const pid = backendPid();
  process.kill(pid, 'SIGSTOP');
  const frozenMs = performance.now();
  try {
    await until(() => performance.now() - frozenMs > FREEZE_MS);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const received = traffic.snapshot()?.websocket.received ?? 0;
  await until(() => (traffic.snapshot()?.websocket.received ?? 0) > received + 50);
  // All that was due, the freeze included: what was left out then would be missing for ever.
  const due = () => (REQUESTS_PER_SECOND * (performance.now() - frozenMs)) / 1000;
  await until(() => due() - ((traffic.snapshot()?.http.sent ?? 0) - before) < MAX_LAG);
  const tally = await traffic.stop();
  expect(tally.failures).toEqual([]);
  expect(nothingLost(tally)).toBe(true);
  expect(tally.http.longestStallMs).toBeGreaterThanOrEqual(FREEZE_MS - 300);
  expect(tally.http.p99Ms).toBeGreaterThanOrEqual(FREEZE_MS * 0.7);
  expect(tally.websocket.longestStallMs).toBeGreaterThanOrEqual(FREEZE_MS - 300);
});
