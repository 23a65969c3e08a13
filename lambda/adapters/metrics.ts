import { REFUSED_FIGURES } from '../../core/cutover/readiness';
import { METRIC_NAMESPACE, REFUSED_METRIC, WEIGHT_METRIC } from '../../core/proxy/events';
import { SIDES } from '../../core/traffic/weights';
import { CutoverConfig } from '../../core/cutover/cutover-config';
import type { MetricsPort } from '../contract/ports';

/**
 * Metrics as lines of the function's log, which CloudWatch makes metrics of: no call, and nothing to wait for.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function metricsPort({ cutoverName }: CutoverConfig): MetricsPort {
  const own = cutoverName === undefined ? [] : [['Cutover', 'Side']];
  return {
    weights: (weights, nowMs) => {
      for (const Side of SIDES) {
        const directive = {
          Namespace: METRIC_NAMESPACE,
          Dimensions: [['Side'], ...own],
          Metrics: [{ Name: WEIGHT_METRIC, Unit: 'None' }],
        };
        const line = { Cutover: cutoverName, Side, [WEIGHT_METRIC]: weights[Side] };
        writeLine({ _aws: { Timestamp: nowMs, CloudWatchMetrics: [directive] }, ...line });
      }
    },
    readiness: ({ readiness, findings, warnings, notChecked }, nowMs) => {
      const figure = REFUSED_FIGURES[readiness];
      const directive = {
        Namespace: METRIC_NAMESPACE,
        Dimensions: cutoverName === undefined ? [[]] : [['Cutover']],
        Metrics: [{ Name: REFUSED_METRIC, Unit: 'None' }],
      };
      const _aws = { Timestamp: nowMs, CloudWatchMetrics: figure === undefined ? [] : [directive] };
      const line = { Cutover: cutoverName, readiness, findings, warnings, notChecked };
      writeLine({ _aws, ...line, ...(figure !== undefined && { [REFUSED_METRIC]: figure }) });
    },
  };
}

/** Not console.log, which in Lambda puts words before the line: it would be no JSON any more. */
function writeLine(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
