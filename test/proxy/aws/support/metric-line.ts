import type { MetricLine } from '../../../../core/proxy/embedded-metrics';

const UNITS = /^(Count|Milliseconds|None)$/;

/** What is wrong with a line by the specification of the embedded metric format, one text each. */
export function listFaults(line: MetricLine): string[] {
  const faults: string[] = [];
  const { Timestamp, CloudWatchMetrics } = line._aws;
  if (!Number.isInteger(Timestamp)) faults.push(`Timestamp ${Timestamp}`);
  for (const { Namespace, Dimensions, Metrics } of CloudWatchMetrics) {
    if (Namespace.length < 1 || Namespace.length > 255) faults.push(`Namespace ${Namespace}`);
    for (const name of Dimensions.flat()) if (typeof line[name] !== 'string') faults.push(`Dimension ${name}`);
    for (const { Name, Unit } of Metrics) {
      if (!UNITS.test(Unit)) faults.push(`Unit ${Unit}`);
      if (!isTarget(line[Name])) faults.push(`Metric ${Name}`);
    }
  }
  return faults;
}

function isTarget(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.length <= 100 && value.every(Number.isFinite);
  return Number.isFinite(value);
}

/** Its metrics, with the dimensions that they have. */
export function findMetrics(line: MetricLine): Record<string, unknown> {
  const [directive] = line._aws.CloudWatchMetrics;
  const names = [...directive!.Dimensions.flat(), ...directive!.Metrics.map(({ Name }) => Name)];
  return Object.fromEntries(names.map((name) => [name, line[name]]));
}
