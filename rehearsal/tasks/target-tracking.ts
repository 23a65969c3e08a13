/** A figure of a service that the rehearsal measures itself. */
export type TrackedMetric =
  /** Of what the tasks' `cpu` and `memory` allow, in percent, on average. */
  | { readonly kind: 'cpu' | 'memory' }
  /** Of a minute, for each healthy target of the group: `targetgroup/NAME/ID`, the end of its ARN. */
  | { readonly kind: 'requests'; readonly targetGroup: string }
  /** What the load balancer has under way with each task: WebSockets, streams, requests. */
  | { readonly kind: 'connections' }
  /** Nothing here measures it: its policy has no data. */
  | { readonly kind: 'unknown'; readonly name: string };

const PREDEFINED: Readonly<Record<string, TrackedMetric>> = {
  ECSServiceAverageCPUUtilization: { kind: 'cpu' },
  ECSServiceAverageMemoryUtilization: { kind: 'memory' },
};
/** What the proxies report of themselves. */
const LIVE_CONNECTIONS = 'LiveConnections';

/** Of ECS services, where a policy says nothing. */
export const COOLDOWN_SECONDS = 300;

/** A metric of AWS, by its type and, for requests, the label `app/BALANCER/ID/targetgroup/NAME/ID`. */
export function findPredefinedMetric(type: string, label: () => string): TrackedMetric {
  if (type !== 'ALBRequestCountPerTarget') return PREDEFINED[type] ?? { kind: 'unknown', name: type };
  const text = label();
  return { kind: 'requests', targetGroup: text.slice(Math.max(0, text.indexOf('targetgroup/'))) };
}

/** A metric of the application, by its name. */
export function findCustomizedMetric(name: string): TrackedMetric {
  return name === LIVE_CONNECTIONS ? { kind: 'connections' } : { kind: 'unknown', name };
}

/** A policy of the type TargetTrackingScaling. */
export interface TrackingPolicy {
  readonly name: string;
  readonly arn: string;
  readonly metric: TrackedMetric;
  readonly target: number;
  readonly disableScaleIn: boolean;
  readonly scaleOutCooldownSeconds: number;
  readonly scaleInCooldownSeconds: number;
  readonly createdAt: Date;
  /** As it was given, for who describes it. */
  readonly configuration: Readonly<Record<string, unknown>>;
}

/** What a policy has measured: one value for each minute, the newest last, undefined without data. */
export interface Tracked {
  readonly policy: TrackingPolicy;
  readonly values: readonly (number | undefined)[];
}

/** What has been scaled before. */
export interface ScalingPast {
  readonly out?: { readonly atMs: number; readonly from: number };
  readonly inAtMs?: number;
}

interface ScalingSituation {
  readonly desiredCount: number;
  readonly min: number;
  readonly max: number;
  readonly suspended: { readonly scaleIn?: boolean; readonly scaleOut?: boolean };
  readonly tracked: readonly Tracked[];
  readonly past: ScalingPast;
  readonly nowMs: number;
}

interface ScalingDecision {
  readonly direction: 'out' | 'in';
  readonly desiredCount: number;
  readonly policy: TrackingPolicy;
}

/** Minutes in a row over the target, before tasks are added. */
export const OUT_AFTER = 3;
/** Minutes in a row under nine tenths of it, before tasks are taken away. */
export const IN_AFTER = 15;
const LOW = 0.9;

/**
 * What Application Auto Scaling does next. Tasks are added as soon as one policy asks for it, as many as the neediest wants.
 * They are taken away when each policy that may take away asks for it, and one without data holds that up.
 *
 * @returns undefined where nothing changes
 * @see https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
 */
export function decideScaling(situation: ScalingSituation): ScalingDecision | undefined {
  return decideOut(situation) ?? decideIn(situation);
}

function decideOut(situation: ScalingSituation): ScalingDecision | undefined {
  const { desiredCount, max, suspended, tracked, past, nowMs } = situation;
  if (suspended.scaleOut) return undefined;
  const wanted = tracked.flatMap(({ policy, values }): ScalingDecision[] => {
    const last = lastOnes(values, OUT_AFTER);
    if (!last?.every((value) => value > policy.target)) return [];
    // In the cooldown what was added counts already: only a need that is larger still adds to it.
    const isCooling = past.out !== undefined && nowMs - past.out.atMs < 1000 * policy.scaleOutCooldownSeconds;
    const base = isCooling && past.out ? past.out.from : desiredCount;
    return [{ direction: 'out', policy, desiredCount: Math.min(max, proportional(base, last, policy)) }];
  });
  const most = wanted.sort((a, b) => b.desiredCount - a.desiredCount)[0];
  return most && most.desiredCount > desiredCount ? most : undefined;
}

function decideIn(situation: ScalingSituation): ScalingDecision | undefined {
  const { desiredCount, min, suspended, tracked, past, nowMs } = situation;
  const policies = tracked.filter(({ policy }) => !policy.disableScaleIn);
  if (suspended.scaleIn || policies.length === 0) return undefined;
  const wanted = policies.flatMap(({ policy, values }): ScalingDecision[] => {
    const last = lastOnes(values, IN_AFTER);
    if (!last?.every((value) => value < LOW * policy.target)) return [];
    if (past.inAtMs !== undefined && nowMs - past.inAtMs < 1000 * policy.scaleInCooldownSeconds) return [];
    return [{ direction: 'in', policy, desiredCount: Math.max(min, proportional(desiredCount, last, policy)) }];
  });
  if (wanted.length < policies.length) return undefined;
  const most = wanted.sort((a, b) => b.desiredCount - a.desiredCount)[0];
  return most && most.desiredCount < desiredCount ? most : undefined;
}

/** @returns undefined where there are fewer, or one of them has no data */
function lastOnes(values: readonly (number | undefined)[], count: number): number[] | undefined {
  const last = values.slice(-count).filter((value) => value !== undefined);
  return last.length === count ? last : undefined;
}

function proportional(count: number, values: readonly number[], { target }: TrackingPolicy): number {
  return Math.ceil((count * (values.at(-1) ?? 0)) / target);
}
