import type { LedgerReport } from '../../core/proxy/admin-api';
import { NO_PAST, Past, addToPast, pastReport } from '../../core/proxy/merge-reports';
import { KEPT_SECONDS, WindowOrder, WindowReport } from '../../core/proxy/window';
import type { FinalRecord } from '../telemetry/final-record';
import { RecentTraffic } from '../telemetry/recent-traffic';

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly aggregator?: string;
  readonly values: readonly Value[];
}

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/** What processes that have ended in order have left: counters never go back, and windows lack none of their seconds. */
export class Estate {
  private past: Past = NO_PAST;
  private lastAbandonedMs: number | undefined;
  private counters: readonly Metric[] = [];
  private recent: { readonly traffic: RecentTraffic; readonly untilMs: number }[] = [];
  private isEmpty = true;

  constructor(private readonly nowMs: () => number) {}

  add({ past, samples, recent }: FinalRecord): void {
    const nowMs = this.nowMs();
    this.isEmpty = false;
    const { sinceLastMs } = past.abandoned;
    if (sinceLastMs !== undefined) this.lastAbandonedMs = Math.max(this.lastAbandonedMs ?? 0, nowMs - sinceLastMs);
    this.past = addToPast(this.past, past);
    this.counters = addCounters(this.counters, (samples as Metric[]).filter(isCounter));
    const untilMs = nowMs + KEPT_SECONDS * 1000;
    this.recent.push(...recent.map((record) => ({ traffic: RecentTraffic.restore(record, nowMs), untilMs })));
  }

  /** One more report to merge with those of the living; none where nothing is left. */
  reports(like: LedgerReport | undefined): LedgerReport[] {
    return this.isEmpty || !like ? [] : [pastReport(this.aged(), like)];
  }

  samples(): readonly object[] {
    return this.counters;
  }

  windows(order: WindowOrder): WindowReport[] {
    const nowMs = this.nowMs();
    this.recent = this.recent.filter(({ untilMs }) => untilMs > nowMs);
    return this.recent.map(({ traffic }) => traffic.report(order, nowMs));
  }

  finalRecord(): FinalRecord {
    const nowMs = this.nowMs();
    const recent = this.recent.filter(({ untilMs }) => untilMs > nowMs).map(({ traffic }) => traffic.record(nowMs));
    return { past: this.aged(), samples: this.counters, recent };
  }

  private aged(): Past {
    const { total } = this.past.abandoned;
    const since = this.lastAbandonedMs;
    return {
      ...this.past,
      abandoned: { total, ...(since !== undefined && { sinceLastMs: Math.floor(this.nowMs() - since) }) },
    };
  }
}

/** What it had at its end says nothing of now. */
function isCounter({ type, aggregator = 'sum' }: Metric): boolean {
  return (type === 'counter' || type === 'histogram') && aggregator === 'sum';
}

function addCounters(a: readonly Metric[], b: readonly Metric[]): readonly Metric[] {
  const sums = new Map(a.map((metric) => [metric.name, metric]));
  for (const metric of b) {
    const before = sums.get(metric.name);
    sums.set(metric.name, before ? { ...metric, values: addValues(before.values, metric.values) } : metric);
  }
  return [...sums.values()];
}

function addValues(a: readonly Value[], b: readonly Value[]): Value[] {
  const sums = new Map(a.map((value) => [formatKey(value), value]));
  for (const value of b) {
    const key = formatKey(value);
    sums.set(key, { ...value, value: value.value + (sums.get(key)?.value ?? 0) });
  }
  return [...sums.values()];
}

function formatKey({ labels, metricName }: Value): string {
  return JSON.stringify([metricName, Object.entries(labels).sort(([x], [y]) => (x < y ? -1 : 1))]);
}
