import { NO_MOVES } from '../../../core/moves/moves';
import { NO_HOLD_FIGURES } from '../../../core/proxy/hold';
import { AggregatorRegistry, Registry } from 'prom-client';
import { createMetrics } from '../../../proxy/admin/metrics';
import type { Outcome } from '../../../proxy/data-plane/contract/data-plane';
import { Ledger, LedgerEntry } from '../../../proxy/data-plane/contract/ledger';
import { TrafficCount } from '../../../proxy/telemetry/traffic-count';

class Connection extends LedgerEntry {
  close(): Promise<void> {
    return Promise.resolve();
  }
}

function cloud() {
  const ledger = new Ledger();
  const traffic = new TrafficCount();
  const registry = createMetrics('source', {
    ledger,
    traffic,
    fastPath: () => 'on',
    memory: () => ({ heldBytes: 0, budgetBytes: 1, shed: 0 }),
    deviations: { byDeviation: { bareLineFeed: 2 } },
    held: () => 3,
    moves: () => NO_MOVES,
    holds: () => NO_HOLD_FIGURES,
    pumped: () => 4,
    nowMs: () => 10_000,
  });
  return { ledger, traffic, registry };
}

const responded = (status: number): Outcome => ({
  status,
  kind: 'http',
  ending: 'completed',
  bytesReceived: 0,
  bytesSent: 0,
});

/** The values of one metric, by what is between its braces. */
async function listValues(registry: Pick<Registry, 'metrics'>, name: string): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split('\n').map((line) => /^(\w+)\{(.*)\} (\S+)$/.exec(line));
  return Object.fromEntries(lines.flatMap((line) => (line?.[1] === name ? [[line[2]!, Number(line[3])]] : [])));
}

test('the ledger’s figures: live, oldest, bytes', async () => {
  const { ledger, registry } = cloud();
  const [old, young, gone] = [new Connection(), new Connection(), new Connection()];
  ledger.enter(old, 'websocket', 4_000);
  ledger.enter(young, 'websocket', 9_500);
  ledger.enter(gone, 'websocket', 1_000);
  old.bytesReceived = 5;
  gone.bytesSent = 7;
  ledger.leave(gone, 'closed');
  const kind = 'side="source",kind="websocket"';
  expect((await listValues(registry, 'drainshift_connections_active'))[kind]).toBe(2);
  expect((await listValues(registry, 'drainshift_connections_oldest_seconds'))[kind]).toBe(6);
  expect((await listValues(registry, 'drainshift_connections_ended_total'))[`${kind},how="closed"`]).toBe(1);
  const bytes = await listValues(registry, 'drainshift_bytes_total');
  expect(bytes[`${kind},direction="received"`]).toBe(5);
  expect(bytes[`${kind},direction="sent"`]).toBe(7);
});

test('requests by class, held ones, and failures of the upstream', async () => {
  const { traffic, registry } = cloud();
  for (const status of [200, 204, 404, 502]) {
    traffic.take(true);
    traffic.settled(
      { ...responded(status), ...(status === 502 && { failure: 'reset' }) },
      { hasOpened: false, isJudged: true },
      1,
      0,
    );
  }
  traffic.reject(503, true);
  const requests = await listValues(registry, 'drainshift_requests_total');
  expect(requests).toMatchObject({
    'side="source",class="2xx"': 2,
    'side="source",class="4xx"': 1,
    'side="source",class="5xx"': 2,
    'side="source",class="none"': 0,
  });
  const failures = await listValues(registry, 'drainshift_upstream_failures_total');
  expect(failures).toMatchObject({ 'side="source",failure="reset"': 1, 'side="source",failure="full"': 0 });
  expect(await listValues(registry, 'drainshift_held_requests')).toEqual({ 'side="source"': 3 });
  expect(await listValues(registry, 'drainshift_connections_pumped')).toEqual({ 'side="source"': 4 });
});

test('durations are a histogram by class of status, in seconds', async () => {
  const { traffic, registry } = cloud();
  for (const ms of [0.5, 0.6, 40, 90_000]) traffic.settled(responded(200), { hasOpened: false, isJudged: true }, ms, 0);
  traffic.settled(responded(500), { hasOpened: false, isJudged: true }, 2, 0);
  const name = 'drainshift_request_duration_seconds';
  const buckets = await listValues(registry, `${name}_bucket`);
  const upTo = (le: string, status = '2xx') => buckets[`le="${le}",side="source",class="${status}"`];
  expect(['0.0005', '0.001', '0.025', '0.05', '60', '+Inf'].map((le) => upTo(le))).toEqual([1, 2, 2, 3, 3, 4]);
  expect([upTo('0.001', '5xx'), upTo('0.0025', '5xx')]).toEqual([0, 1]);
  expect((await listValues(registry, `${name}_count`))['side="source",class="2xx"']).toBe(4);
  expect((await listValues(registry, `${name}_sum`))['side="source",class="2xx"']).toBeCloseTo(90.0411);
  expect(await registry.metrics()).toContain(`# TYPE ${name} histogram`);
});

test('a stream has its duration when it begins, however long it lasts', async () => {
  const { traffic, registry } = cloud();
  traffic.opened(101, 3, true);
  traffic.settled({ ...responded(101), kind: 'websocket' }, { hasOpened: true, isJudged: true }, 3_600_000, 0);
  expect((await listValues(registry, 'drainshift_request_duration_seconds_sum'))['side="source",class="1xx"']).toBe(
    0.003,
  );
  expect((await listValues(registry, 'drainshift_request_duration_seconds_count'))['side="source",class="1xx"']).toBe(
    1,
  );
});

test('those of several workers add up, and the oldest is the oldest of all', async () => {
  const workers = [cloud(), cloud()];
  workers.forEach(({ ledger, traffic }, index) => {
    ledger.enter(new Connection(), 'http', 2_000 + 3_000 * index);
    traffic.settled(responded(200), { hasOpened: false, isJudged: true }, 2, 0);
  });
  // As they come out of another process.
  const sent = await Promise.all(
    workers.map(async ({ registry }) => JSON.stringify(await registry.getMetricsAsJSON())),
  );
  const all = AggregatorRegistry.aggregate(sent.map((json) => JSON.parse(json) as object[]));
  const kind = 'side="source",kind="http"';
  expect((await listValues(all, 'drainshift_connections_active'))[kind]).toBe(2);
  expect((await listValues(all, 'drainshift_connections_oldest_seconds'))[kind]).toBe(8);
  expect(await listValues(all, 'drainshift_held_requests')).toEqual({ 'side="source"': 6 });
  const buckets = await listValues(all, 'drainshift_request_duration_seconds_bucket');
  expect(buckets['le="0.0025",side="source",class="2xx"']).toBe(2);
  expect(buckets['le="0.001",side="source",class="2xx"']).toBe(0);
});
