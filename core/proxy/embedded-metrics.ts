import { CONNECTION_KINDS, KindCounts, total } from './connections';
import { METRIC_NAMESPACE } from './events';

/**
 * A line that CloudWatch Logs makes metrics of.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export interface MetricLine {
  readonly _aws: { readonly Timestamp: number; readonly CloudWatchMetrics: readonly MetricDirective[] };
  readonly [name: string]: unknown;
}

type Unit = 'Count' | 'Milliseconds' | 'Seconds';

/** Of those that are no counts. */
const UNITS: Readonly<Record<string, Unit>> = {
  Latency: 'Milliseconds',
  ReplayLag: 'Seconds',
  CapturePending: 'Milliseconds',
};

interface MetricDirective {
  readonly Namespace: string;
  readonly Dimensions: readonly (readonly string[])[];
  readonly Metrics: readonly { readonly Name: string; readonly Unit: Unit }[];
}

/** What happened since the last lines. */
export interface Traffic {
  readonly requests: number;
  readonly errors: number;
  /** Milliseconds, at most 100 of them; see `spreadOf`. */
  readonly latencies: readonly number[];
}

/** `full`: all figures. `drain`: what a drain has left, in the middle of two of these. */
export type MetricTick = 'full' | 'drain';

/** The most values that one metric may have in a line. */
const MAX_VALUES = 100;
const MINUTE_MS = 60_000;
const TICK_MS = 30_000;
/** Far from both ends of a minute: a line that comes a little late or early still counts for its own. */
const PHASE_MS = 15_000;
/** A timer that fires early must not fire again for the same tick. */
const EARLY_MS = 1_000;

/**
 * Milliseconds until the next tick, and which it is. Each minute of the clock on the wall has one of each kind: a sum over
 * a minute then is the sum over all proxies, whenever they were started.
 *
 * @param wallMs milliseconds since the epoch
 */
export function nextTick(wallMs: number): { readonly inMs: number; readonly kind: MetricTick } {
  const sincePhase = wallMs + EARLY_MS - PHASE_MS;
  const dueMs = (Math.floor(sincePhase / TICK_MS) + 1) * TICK_MS + PHASE_MS;
  return { inMs: dueMs - wallMs, kind: dueMs % MINUTE_MS < TICK_MS ? 'full' : 'drain' };
}

/** The live connections of one proxy: all together, and by kind. */
export function liveLines(service: string, active: KindCounts, wallMs: number): MetricLine[] {
  const line = (values: Values, dimensions: Values = {}) => formatLine(service, wallMs, values, dimensions);
  return [
    line({ LiveConnections: total(active) }),
    ...CONNECTION_KINDS.map((kind) => line({ LiveConnections: active[kind] }, { Kind: kind })),
  ];
}

export function trafficLine(service: string, traffic: Traffic, wallMs: number): MetricLine {
  const { requests: Requests, errors: Errors, latencies: Latency } = traffic;
  return formatLine(service, wallMs, { Requests, Errors, ...(Latency.length > 0 && { Latency }) });
}

/** What came to a capture since the last lines. */
export interface Captured {
  readonly unrecorded: number;
  readonly refused: number;
  readonly lost: number;
  /** For how long the oldest record waits now; milliseconds. */
  readonly pendingMs: number;
}

export function captureLine(service: string, captured: Captured, wallMs: number): MetricLine {
  const { unrecorded: CaptureUnrecorded, refused: CaptureRejected, lost: CaptureLost, pendingMs } = captured;
  return formatLine(service, wallMs, { CaptureUnrecorded, CaptureRejected, CaptureLost, CapturePending: pendingMs });
}

/** Connections that a drain waits for. */
export function drainLine(service: string, active: KindCounts, wallMs: number): MetricLine {
  return formatLine(service, wallMs, { DrainRemaining: total(active) });
}

/**
 * Values that are spread as a histogram's, evenly within each bucket: of many, a hundred that have its percentiles.
 *
 * @param bounds the upper bounds of the buckets; one more bucket holds what is above the last, and counts as that
 * @param counts how many are in each bucket
 */
export function computeSpread(bounds: readonly number[], counts: readonly number[]): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const values = Math.min(MAX_VALUES, all);
  let index = 0;
  let before = 0;
  return Array.from({ length: values }, (_, position) => {
    // The ranks of the values are the middles of equal parts.
    const rank = ((position + 0.5) * all) / values;
    while (rank > before + counts[index]!) before += counts[index++]!;
    const high = bounds[index] ?? bounds.at(-1)!;
    const low = bounds[index - 1] ?? 0;
    return rounded(low + ((high - low) * (rank - before)) / counts[index]!);
  });
}

type Values = Readonly<Record<string, unknown>>;

/** One line with all these values, by these dimensions and that of the service. */
export function formatLine(Service: string, wallMs: number, values: Values, dimensions: Values = {}): MetricLine {
  const directive: MetricDirective = {
    Namespace: METRIC_NAMESPACE,
    Dimensions: [['Service', ...Object.keys(dimensions)]],
    Metrics: Object.keys(values).map((Name) => ({ Name, Unit: UNITS[Name] ?? 'Count' })),
  };
  return { _aws: { Timestamp: wallMs, CloudWatchMetrics: [directive] }, Service, ...dimensions, ...values };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
