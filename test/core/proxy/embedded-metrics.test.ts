import {
  MetricLine,
  drainLine,
  liveLines,
  nextTick,
  computeSpread,
  trafficLine,
} from '../../../core/proxy/embedded-metrics';
import { listFaults, findMetrics } from '../../proxy/aws/support/metric-line';

const ACTIVE = { http: 1, websocket: 20, grpcStream: 3, serverSentEvents: 0, streaming: 0 };
const WALL_MS = 1_700_000_000_123;

const sound = (lines: readonly MetricLine[]) => expect(lines.flatMap(listFaults)).toEqual([]);

test('live connections: all together, and by kind', () => {
  const lines = liveLines('shop', ACTIVE, WALL_MS);
  sound(lines);
  expect(lines.map(findMetrics)).toEqual([
    { Service: 'shop', LiveConnections: 24 },
    { Service: 'shop', Kind: 'http', LiveConnections: 1 },
    { Service: 'shop', Kind: 'websocket', LiveConnections: 20 },
    { Service: 'shop', Kind: 'grpcStream', LiveConnections: 3 },
    { Service: 'shop', Kind: 'serverSentEvents', LiveConnections: 0 },
    { Service: 'shop', Kind: 'streaming', LiveConnections: 0 },
  ]);
  expect(lines[1]!._aws).toEqual({
    Timestamp: WALL_MS,
    CloudWatchMetrics: [
      {
        Namespace: 'Drainshift',
        Dimensions: [['Service', 'Kind']],
        Metrics: [{ Name: 'LiveConnections', Unit: 'Count' }],
      },
    ],
  });
});

test('traffic: latencies are milliseconds, and absent where nothing got a response', () => {
  const line = trafficLine('shop', { requests: 3, errors: 1, latencies: [1, 2] }, WALL_MS);
  sound([line]);
  expect(findMetrics(line)).toEqual({ Service: 'shop', Requests: 3, Errors: 1, Latency: [1, 2] });
  expect(line._aws.CloudWatchMetrics[0]!.Metrics).toContainEqual({ Name: 'Latency', Unit: 'Milliseconds' });
  const idle = trafficLine('shop', { requests: 0, errors: 0, latencies: [] }, WALL_MS);
  sound([idle]);
  expect(findMetrics(idle)).toEqual({ Service: 'shop', Requests: 0, Errors: 0 });
});

test('a drain: what is left', () => {
  const line = drainLine('shop', ACTIVE, WALL_MS);
  sound([line]);
  expect(findMetrics(line)).toEqual({ Service: 'shop', DrainRemaining: 24 });
});

describe('ticks', () => {
  const MINUTE_MS = 60_000;

  test.each([0, 1, 14_000, 14_001, 15_000, 29_999, 44_500, 59_999])('from %p ms past a minute on', (offsetMs) => {
    // Timers are a little late, and some fire a millisecond early.
    const lates = [0, 7, -1, 300, -1, 0, 2];
    let wallMs = 28_333_333 * MINUTE_MS + offsetMs;
    const minutes: Record<string, number[]> = { full: [], drain: [] };
    for (const late of [...lates, ...lates]) {
      const { inMs, kind } = nextTick(wallMs);
      expect(inMs).toBeGreaterThan(0);
      wallMs += inMs + late;
      minutes[kind]!.push(Math.floor(wallMs / MINUTE_MS));
    }
    // One of each kind in every minute, and none twice.
    for (const seen of [minutes.full!, minutes.drain!]) {
      expect(seen).toEqual(Array.from({ length: 7 }, (_, index) => seen[0]! + index));
    }
  });
});

describe('a histogram as values', () => {
  test('few: one value each, within its bucket', () => {
    expect(computeSpread([10, 20], [1, 2, 0])).toEqual([5, 12.5, 17.5]);
    expect(computeSpread([10, 20], [0, 0, 0])).toEqual([]);
  });

  test('what is over the last bound counts as that', () => {
    expect(computeSpread([10, 20], [0, 0, 2])).toEqual([20, 20]);
  });

  test('many: a hundred that have the percentiles', () => {
    const values = computeSpread([1, 10, 100], [900_000, 90_000, 9_990, 10]);
    expect(values).toHaveLength(100);
    expect(values[49]).toBeLessThan(1);
    expect(values[89]).toBeLessThan(1);
    expect(values[90]).toBeGreaterThan(1);
    expect(values[98]).toBeLessThan(10);
    expect(values[99]).toBeGreaterThan(10);
    expect([...values].sort((a, b) => a - b)).toEqual(values);
  });
});

test.each([
  [0, 15_000, 'full'],
  [13_999, 1_001, 'full'],
  [14_000, 31_000, 'drain'],
  [20_000, 25_000, 'drain'],
  [50_000, 25_000, 'full'],
])('at %i ms of a minute the next tick is in %i ms, and a %s one', (wallMs, inMs, kind) => {
  expect(nextTick(wallMs)).toEqual({ inMs, kind });
});
