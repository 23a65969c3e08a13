import { METRIC_NAMESPACE, WEIGHT_METRIC } from '../../core/proxy/events';
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
        // Not console.log, which in Lambda puts words before the line: it would be no JSON any more.
        process.stdout.write(
          `${JSON.stringify({ _aws: { Timestamp: nowMs, CloudWatchMetrics: [directive] }, ...line })}\n`,
        );
      }
    },
  };
}
