import { LOOK_SECONDS } from './looking';
import { CONFIRM_POLL_SECONDS, Plan } from './plan';

/** The AWS APIs that a check of both sides calls, and their limits in a region of an account. */
export const API_LIMITS = {
  /** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html */
  elasticLoadBalancing: { label: 'Elastic Load Balancing (Describe*)', perSecond: 10, callsPerLook: 5 },
  /** @see https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html */
  ecs: { label: 'ECS (ListTasks, DescribeTasks)', perSecond: 20, callsPerLook: 6 },
  /** @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html */
  cloudWatch: { label: 'CloudWatch (DescribeAlarms)', perSecond: 9, callsPerLook: 2 },
} as const satisfies Record<string, ApiLimit>;

interface ApiLimit {
  readonly label: string;
  /** Sustained; a burst may be larger. */
  readonly perSecond: number;
  /**
   * With one page of rules on each of three listeners, at most 100 proxy tasks a side, and at most 100 alarms of each type:
   * more of them are more calls.
   */
  readonly callsPerLook: number;
}

export interface ApiCalls {
  readonly label: string;
  /** While both sides are watched, at the most: a check takes time itself. */
  readonly perMinute: number;
  /** For as long as new weights are confirmed. */
  readonly perMinuteInConfirm: number;
  readonly limitPerMinute: number;
}

/** How often a cutover by this plan calls each API in a minute, without retries. */
export function estimateApiCalls({ pollSeconds }: Plan): ApiCalls[] {
  return Object.values(API_LIMITS).map(({ label, perSecond, callsPerLook }) => ({
    label,
    perMinute: Math.ceil(looksPerMinute(pollSeconds) * callsPerLook),
    perMinuteInConfirm: Math.ceil((60 / CONFIRM_POLL_SECONDS) * callsPerLook),
    limitPerMinute: perSecond * 60,
  }));
}

/** One invocation of a step looks every two seconds, until the next one. */
function looksPerMinute(pollSeconds: number): number {
  return (60 / pollSeconds) * Math.ceil(pollSeconds / LOOK_SECONDS);
}
