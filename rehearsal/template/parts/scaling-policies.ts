import type { TrackedMetric, TrackingPolicy } from '../../tasks/target-tracking';
import type { Properties } from '../resources/properties';

/** Of ECS services, where a policy says nothing. */
const COOLDOWN_SECONDS = 300;
const PREDEFINED: Readonly<Record<string, TrackedMetric>> = {
  ECSServiceAverageCPUUtilization: { kind: 'cpu' },
  ECSServiceAverageMemoryUtilization: { kind: 'memory' },
};
/** What the proxies report of themselves. */
const LIVE_CONNECTIONS = 'LiveConnections';

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

/** `app/BALANCER/ID/targetgroup/NAME/ID` */
export function targetGroupIn(label: string): string {
  return label.slice(Math.max(0, label.indexOf('targetgroup/')));
}

function readMetric(configuration: Properties): TrackedMetric {
  if (!configuration.has('PredefinedMetricSpecification')) {
    const name = configuration.object('CustomizedMetricSpecification').string('MetricName', '');
    return name === LIVE_CONNECTIONS ? { kind: 'connections' } : { kind: 'unknown', name };
  }
  const predefined = configuration.object('PredefinedMetricSpecification');
  const type = predefined.string('PredefinedMetricType');
  if (type !== 'ALBRequestCountPerTarget') return PREDEFINED[type] ?? { kind: 'unknown', name: type };
  return { kind: 'requests', targetGroup: targetGroupIn(predefined.string('ResourceLabel')) };
}
