import {
  COOLDOWN_SECONDS,
  TrackedMetric,
  TrackingPolicy,
  findCustomizedMetric,
  findPredefinedMetric,
} from '../../tasks/target-tracking';
import type { Properties } from '../resources/properties';

/** Target tracking as a template says it. What the rehearsal does not measure has no data. */
export function readTracking(name: string, arn: string, configuration: Properties): TrackingPolicy {
  return {
    name,
    arn,
    metric: readMetric(configuration),
    target: configuration.number('TargetValue'),
    disableScaleIn: configuration.boolean('DisableScaleIn', false),
    scaleOutCooldownSeconds: configuration.number('ScaleOutCooldown', COOLDOWN_SECONDS),
    scaleInCooldownSeconds: configuration.number('ScaleInCooldown', COOLDOWN_SECONDS),
    createdAt: new Date(),
    configuration: configuration.raw,
  };
}

function readMetric(configuration: Properties): TrackedMetric {
  if (!configuration.has('PredefinedMetricSpecification')) {
    return findCustomizedMetric(configuration.object('CustomizedMetricSpecification').string('MetricName', ''));
  }
  const predefined = configuration.object('PredefinedMetricSpecification');
  return findPredefinedMetric(predefined.string('PredefinedMetricType'), () => predefined.string('ResourceLabel'));
}
