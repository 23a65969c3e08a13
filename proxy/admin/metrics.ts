import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { CaptureReport } from '../../core/capture/capture-report';
import { MIRROR_DROPS, MIRROR_FAILURES, MirrorCounts } from '../../core/mirror/mirror-counts';
import { FAST_PATHS, FastPath } from '../../core/proxy/admin-api';
import { CONNECTION_KINDS, ENDINGS } from '../../core/proxy/connections';
import { MOVE_REJECTION_CODES, MoveFigures } from '../../core/moves/moves';
import { BUCKETS, bucketEndMs } from '../../core/proxy/latency-buckets';
import { HOLD_REJECTIONS, HoldFigures, HoldRejections } from '../../core/proxy/hold';
import type { Side } from '../../core/traffic/weights';
import type { UpstreamLog } from '../telemetry/upstream-log';
import { DURATION_BOUNDS_MS } from '../telemetry/durations';
import type { DataPlane } from '../data-plane/contract/data-plane';
import type { Ledger } from '../data-plane/contract/ledger';
import { STATUS_CLASSES, TrafficCount } from '../telemetry/traffic-count';

export const DURATION_METRIC = 'drainshift_request_duration_seconds';

const HOLD_REJECTIONS_METRIC = 'drainshift_hold_rejections_total';
const HOLD_REJECTIONS_HELP =
  'Requests that a hold did not park, or not to its end, and orders to hold that were not followed.';

/** What the primary of several workers has rejected itself, in the form of a worker's. */
export function orderRejections(side: Side, orders: Pick<HoldRejections, 'tooSoon' | 'off'>): object {
  const values = (['tooSoon', 'off'] as const).map((reason) => ({ value: orders[reason], labels: { side, reason } }));
  return { name: HOLD_REJECTIONS_METRIC, help: HOLD_REJECTIONS_HELP, type: 'counter', aggregator: 'sum', values };
}

/** What the metrics are read from, when they are asked for. */
export interface MetricSources {
  readonly ledger: Ledger;
  readonly traffic: TrafficCount;
  readonly deviations: Pick<UpstreamLog, 'byDeviation'>;
  /** Requests that a hold has parked now. */
  readonly held: () => number;
  readonly holds: () => HoldFigures;
  readonly moves: () => MoveFigures;
  readonly fastPath: () => FastPath;
  readonly memory: () => DataPlane['memory'];
  /** See `DataPlane.pumped`. */
  readonly pumped: () => number;
  /** Undefined where nothing is recorded. */
  readonly capture?: (() => CaptureReport) | undefined;
  readonly mirror?: (() => MirrorCounts) | undefined;
  /** The clock that the ledger's entries came in by. */
  readonly nowMs: () => number;
}

/**
 * The registry behind `GET /metrics`. Nothing is counted here. Those of several workers add up: each metric says in its
 * `aggregator` how.
 */
export function createMetrics(side: Side, sources: MetricSources): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  addConnections(registry, side, sources);
  addRequests(registry, side, sources);
  addHolds(registry, side, sources);
  addMoves(registry, side, sources);
  addPumps(registry, side, sources);
  if (sources.capture) addCapture(registry, side, sources.capture);
  if (sources.mirror) addMirror(registry, side, sources.mirror);
  addPlane(registry, side, sources);
  return registry;
}

function addConnections(registry: Registry, side: Side, { ledger, nowMs }: MetricSources): void {
  const registers = [registry];
  new Gauge({
    name: 'drainshift_connections_active',
    help: 'Live connections by kind.',
    labelNames: ['side', 'kind'],
    registers,
    collect() {
      const { active } = ledger;
      for (const kind of CONNECTION_KINDS) this.set({ side, kind }, active[kind]);
    },
  });
  new Gauge({
    name: 'drainshift_connections_oldest_seconds',
    help: 'Age of the oldest live connection by kind; 0 where there is none.',
    labelNames: ['side', 'kind'],
    aggregator: 'max',
    registers,
    collect() {
      const oldest = ledger.oldestMs(nowMs());
      for (const kind of CONNECTION_KINDS) this.set({ side, kind }, oldest[kind] / 1000);
    },
  });
  new Counter({
    name: 'drainshift_connections_ended_total',
    help: 'Connections that ended, by kind and by how.',
    labelNames: ['side', 'kind', 'how'],
    registers,
    collect() {
      this.reset();
      const { ended } = ledger;
      for (const kind of CONNECTION_KINDS) for (const how of ENDINGS) this.inc({ side, kind, how }, ended[kind][how]);
    },
  });
  new Counter({
    name: 'drainshift_bytes_total',
    help: 'Body bytes received from and sent to clients, by kind; of a WebSocket everything after its handshake.',
    labelNames: ['side', 'kind', 'direction'],
    registers,
    collect() {
      this.reset();
      const { bytes } = ledger;
      for (const kind of CONNECTION_KINDS) {
        this.inc({ side, kind, direction: 'received' }, bytes[kind].received);
        this.inc({ side, kind, direction: 'sent' }, bytes[kind].sent);
      }
    },
  });
}

function addRequests(registry: Registry, side: Side, { traffic, deviations }: MetricSources): void {
  const registers = [registry];
  new Counter({
    name: 'drainshift_requests_total',
    help: 'Requests with a response by class of status; none: the client left before one.',
    labelNames: ['side', 'class'],
    registers,
    collect() {
      this.reset();
      const { byClass } = traffic;
      for (const name of STATUS_CLASSES) this.inc({ side, class: name }, byClass[name]);
    },
  });
  new Counter({
    name: 'drainshift_upstream_failures_total',
    help: 'Requests whose upstream failed, by how.',
    labelNames: ['side', 'failure'],
    registers,
    collect() {
      this.reset();
      for (const [failure, count] of Object.entries(traffic.failures)) this.inc({ side, failure }, count);
    },
  });
  new Counter({
    name: 'drainshift_upstream_deviations_total',
    help: 'Responses of the upstream that deviate from HTTP and were accepted, by how.',
    labelNames: ['side', 'deviation'],
    registers,
    collect() {
      this.reset();
      for (const [deviation, count] of Object.entries(deviations.byDeviation)) this.inc({ side, deviation }, count);
    },
  });
  // prom-client asks a metric for no more than this; its own histogram would cost each request a microsecond.
  registry.registerMetric(durationMetric(side, traffic) as unknown as Histogram);
}

function addHolds(registry: Registry, side: Side, { held, holds }: MetricSources): void {
  const registers = [registry];
  new Gauge({
    name: 'drainshift_held_requests',
    help: 'Requests that a hold has parked.',
    labelNames: ['side'],
    registers,
    collect() {
      this.set({ side }, held());
    },
  });
  new Counter({
    name: 'drainshift_held_requests_released_total',
    help: 'Requests that a hold had parked, and that were released.',
    labelNames: ['side'],
    registers,
    collect() {
      this.reset();
      this.inc({ side }, holds().released);
    },
  });
  new Counter({
    name: HOLD_REJECTIONS_METRIC,
    help: HOLD_REJECTIONS_HELP,
    labelNames: ['side', 'reason'],
    registers,
    collect() {
      this.reset();
      const { rejected } = holds();
      for (const reason of HOLD_REJECTIONS) this.inc({ side, reason }, rejected[reason]);
    },
  });
}

function addPumps(registry: Registry, side: Side, { pumped }: MetricSources): void {
  new Gauge({
    name: 'drainshift_connections_pumped',
    help: 'Connections that another generation serves, and whose bytes pass through this one.',
    labelNames: ['side'],
    registers: [registry],
    collect() {
      this.set({ side }, pumped());
    },
  });
}

function addCapture(registry: Registry, side: Side, capture: () => CaptureReport): void {
  const registers = [registry];
  const outcomes = ['recorded', 'refused', 'unrecorded', 'lost'] as const;
  new Counter({
    name: 'drainshift_capture_requests_total',
    help: 'Requests by what became of their record: durable, refused with 503 for want of one, forwarded without one, lost.',
    labelNames: ['side', 'outcome'],
    registers,
    collect() {
      this.reset();
      const report = capture();
      for (const outcome of outcomes) this.inc({ side, outcome }, report[outcome]);
    },
  });
  if (capture().webSockets) addCapturedMessages(registry, side, capture);
  new Gauge({
    name: 'drainshift_capture_pending_bytes',
    help: 'Bytes of records that are not durable yet.',
    labelNames: ['side'],
    registers,
    collect() {
      this.set({ side }, capture().pendingBytes);
    },
  });
  new Gauge({
    name: 'drainshift_capture_pending_seconds',
    help: 'Since when the oldest record that is not durable yet waits.',
    labelNames: ['side'],
    aggregator: 'max',
    registers,
    collect() {
      this.set({ side }, capture().pendingMs / 1000);
    },
  });
}

function addCapturedMessages(registry: Registry, side: Side, capture: () => CaptureReport): void {
  new Counter({
    name: 'drainshift_capture_websocket_messages_total',
    help: 'Messages of WebSockets by what became of their record: durable, lost.',
    labelNames: ['side', 'outcome'],
    registers: [registry],
    collect() {
      this.reset();
      const { recorded, lost } = capture().webSockets!;
      this.inc({ side, outcome: 'recorded' }, recorded);
      this.inc({ side, outcome: 'lost' }, lost);
    },
  });
}

function addMirror(registry: Registry, side: Side, mirror: () => MirrorCounts): void {
  const registers = [registry];
  const counters = [
    { name: 'copies', help: 'Copies of requests that were sent to the target.', of: 'sent' },
    { name: 'comparisons', help: 'Copies whose end was compared with the response of the source.', of: 'compared' },
    { name: 'repeats', help: 'Requests that were sent to the source once more.', of: 'repeated' },
  ] as const;
  for (const { name, help, of } of counters) {
    new Counter({
      ...{ name: `drainshift_mirror_${name}_total`, help, labelNames: ['side'], registers },
      collect() {
        this.reset();
        this.inc({ side }, mirror()[of]);
      },
    });
  }
  new Counter({
    name: 'drainshift_mirror_failures_total',
    help: 'Copies that got no whole response of the target, by how.',
    labelNames: ['side', 'failure'],
    registers,
    collect() {
      this.reset();
      for (const failure of MIRROR_FAILURES) this.inc({ side, failure }, mirror().failed[failure]);
    },
  });
  new Counter({
    name: 'drainshift_mirror_dropped_total',
    help: 'Requests that were chosen and not copied, or not compared, by the reason.',
    labelNames: ['side', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const reason of MIRROR_DROPS) this.inc({ side, reason }, mirror().dropped[reason]);
    },
  });
  new Gauge({
    name: 'drainshift_mirror_under_way',
    help: 'Copies that are under way.',
    labelNames: ['side'],
    registers,
    collect() {
      this.set({ side }, mirror().underWay);
    },
  });
}

function addMoves(registry: Registry, side: Side, { ledger, moves }: MetricSources): void {
  const registers = [registry];
  new Gauge({
    name: 'drainshift_connections_carried',
    help: "Connections of clients here to the other side's backend, by kind.",
    labelNames: ['side', 'kind'],
    registers,
    collect() {
      const { carried } = ledger;
      for (const kind of CONNECTION_KINDS) this.set({ side, kind }, carried[kind]);
    },
  });
  new Counter({
    name: 'drainshift_carried_connections_ended_total',
    help: 'Carried connections that ended, by kind and by how; moved: back to their own side.',
    labelNames: ['side', 'kind', 'how'],
    registers,
    collect() {
      this.reset();
      const { carriedEnded } = ledger;
      for (const kind of CONNECTION_KINDS)
        for (const how of ENDINGS) this.inc({ side, kind, how }, carriedEnded[kind][how]);
    },
  });
  new Gauge({
    name: 'drainshift_moves_under_way',
    help: 'Connections on their way from one backend to another.',
    labelNames: ['side'],
    registers,
    collect() {
      this.set({ side }, moves().underWay);
    },
  });
  new Counter({
    name: 'drainshift_moves_rejected_total',
    help: 'Connections that were not moved, by why.',
    labelNames: ['side', 'reason'],
    registers,
    collect() {
      this.reset();
      const { rejected } = moves();
      for (const reason of MOVE_REJECTION_CODES) this.inc({ side, reason }, rejected[reason] ?? 0);
    },
  });
  registry.registerMetric(stallMetric(side, moves) as unknown as Histogram);
}

/** Every second doubling is bound enough for a page. */
const STALL_BOUNDS = Array.from({ length: BUCKETS - 1 }, (_, bucket) => bucket).filter((bucket) => bucket % 8 === 0);

function stallMetric(side: Side, moves: MetricSources['moves']) {
  const name = 'drainshift_move_stall_seconds';
  const help = 'How long the messages of a client that was moved to another backend had to wait.';
  const described = { name, help, type: 'histogram', aggregator: 'sum' } as const;
  const get = () => {
    const { stall } = moves();
    const countTo = (last: number) => stall.slice(0, last + 1).reduce((sum, count) => sum + count, 0);
    const total = countTo(BUCKETS);
    const bucket = (le: number | string, value: number): Value => ({
      metricName: `${name}_bucket`,
      labels: { le, side },
      value,
    });
    // The buckets are all that is kept: each move counts as long as its own.
    const endMs = (at: number) => (Number.isFinite(bucketEndMs(at)) ? bucketEndMs(at) : bucketEndMs(BUCKETS - 2));
    const sumMs = stall.reduce((sum, count, at) => sum + count * endMs(at), 0);
    const values = [
      ...STALL_BOUNDS.map((at) => bucket(bucketEndMs(at) / 1000, countTo(at))),
      bucket('+Inf', total),
      { metricName: `${name}_sum`, labels: { side }, value: sumMs / 1000 },
      { metricName: `${name}_count`, labels: { side }, value: total },
    ];
    return { ...described, values };
  };
  return { ...described, get: () => Promise.resolve(get()) };
}

function addPlane(registry: Registry, side: Side, { fastPath, memory }: MetricSources): void {
  new Gauge({
    name: 'drainshift_memory_bytes',
    help: 'What the connections of clients hold, and the budget that they may.',
    labelNames: ['side', 'of'],
    registers: [registry],
    collect() {
      this.set({ side, of: 'held' }, memory().heldBytes);
      this.set({ side, of: 'budget' }, memory().budgetBytes);
    },
  });
  new Counter({
    name: 'drainshift_connections_shed_total',
    help: 'Connections that were closed because the memory budget was used up.',
    labelNames: ['side'],
    registers: [registry],
    collect() {
      this.reset();
      this.inc({ side }, memory().shed);
    },
  });
  new Gauge({
    name: 'drainshift_fast_path',
    help: 'Processes by whether connections without TLS are used on their native handles: on, off, or not tried yet.',
    labelNames: ['side', 'state'],
    registers: [registry],
    collect() {
      for (const state of FAST_PATHS) this.set({ side, state }, state === fastPath() ? 1 : 0);
    },
  });
}

interface Value {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

function durationMetric(side: Side, traffic: TrafficCount) {
  const name = DURATION_METRIC;
  const described = {
    name,
    help: 'From the head of a request to its whole response, or to the start of its stream, by class of status.',
    type: 'histogram',
    aggregator: 'sum',
  } as const;
  const get = () => ({
    ...described,
    values: STATUS_CLASSES.flatMap((_, series) => durations(name, side, traffic, series)),
  });
  return { ...described, get: () => Promise.resolve(get()) };
}

function durations(name: string, side: Side, traffic: TrafficCount, series: number): Value[] {
  const cumulative = traffic.durations.cumulative(series);
  const labels = { side, class: STATUS_CLASSES[series]! };
  const bucket = (value: number, index: number): Value => {
    const bound = DURATION_BOUNDS_MS[index];
    const le = bound === undefined ? '+Inf' : bound / 1000;
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value };
  };
  return [
    ...cumulative.map(bucket),
    { metricName: `${name}_sum`, labels, value: traffic.durations.sumMs(series) / 1000 },
    { metricName: `${name}_count`, labels, value: cumulative.at(-1) ?? 0 },
  ];
}
