import type { ElbModel } from '../load-balancer/model/model';
import type { EcsModel, EcsService, ServiceScaling } from './model';
import { ServiceMetrics } from './service-metrics';
import { IN_AFTER, ScalingPast, TrackingPolicy, decideScaling } from './target-tracking';

/** CloudWatch has a value for each minute. */
const PERIOD_MS = 60_000;
const MAX_ACTIVITIES = 100;

interface AutoscalerOptions {
  readonly ecs: EcsModel;
  readonly elb: ElbModel;
  /** How often it measures and decides. A count of a minute is made of it. @default 60 seconds */
  readonly periodMs?: number;
}

interface Watched {
  readonly values: Map<string, (number | undefined)[]>;
  past: ScalingPast;
}

/** Application Auto Scaling: measures the services that have policies, and changes their desired count as these ask for it. */
export class Autoscaler {
  private readonly metrics: ServiceMetrics;
  private readonly watched = new WeakMap<EcsService, Watched>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: AutoscalerOptions) {
    const { ecs, elb, periodMs = PERIOD_MS } = options;
    this.metrics = new ServiceMetrics(ecs, elb);
    this.timer = setInterval(() => this.tick(), periodMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    for (const service of this.options.ecs.services.values()) {
      const { scaling } = service;
      if (scaling?.policies?.length) this.scale(service, scaling, scaling.policies);
    }
    this.metrics.endPeriod();
  }

  private scale(service: EcsService, scaling: ServiceScaling, policies: readonly TrackingPolicy[]): void {
    const watched: Watched = this.watched.get(service) ?? { values: new Map(), past: {} };
    this.watched.set(service, watched);
    const tracked = policies.map((policy) => {
      const value = this.metrics.read(service, policy.metric);
      const values = [...(watched.values.get(policy.name) ?? []), value].slice(-IN_AFTER);
      watched.values.set(policy.name, values);
      return { policy, values };
    });
    const nowMs = Date.now();
    const { desiredCount: from } = service;
    const decision = decideScaling({ ...scaling, tracked, desiredCount: from, past: watched.past, nowMs });
    if (!decision) return;
    const change = decision.direction === 'out' ? { out: { atMs: nowMs, from } } : { inAtMs: nowMs };
    watched.past = { ...watched.past, ...change };
    const { policy, direction, desiredCount } = decision;
    this.options.ecs.setDesiredCount(service.arn, desiredCount);
    const low = direction === 'out' ? 'AlarmHigh' : 'AlarmLow';
    note(scaling, {
      at: new Date(nowMs),
      from,
      to: desiredCount,
      cause: `monitor alarm TargetTracking-${service.name}-${low} in state ALARM triggered policy ${policy.name}`,
    });
  }
}

/** The newest first, as they are described. */
function note(scaling: ServiceScaling, activity: NonNullable<ServiceScaling['activities']>[number]): void {
  scaling.activities = [activity, ...(scaling.activities ?? [])].slice(0, MAX_ACTIVITIES);
}
