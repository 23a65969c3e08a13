import type { EventEmitter } from 'node:events';
import type { TrackingPolicy } from './target-tracking';

/** What the ECS API can speak of. The runner in this folder owns the processes; the API reads and asks. */
export interface EcsModel {
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** By ARN. */
  readonly services: ReadonlyMap<string, EcsService>;
  /** By ARN; stopped tasks stay, as they do for an hour at AWS. */
  readonly tasks: ReadonlyMap<string, EcsTask>;
  /** UpdateService: starts tasks, or stops the newest ones the way a scale-in does. */
  setDesiredCount(serviceArn: string, count: number): void;
  /** UpdateService with forceNewDeployment: new tasks of the same definition, then the old ones go the way of a scale-in. */
  forceNewDeployment(serviceArn: string): void;
  /** StopTask: SIGTERM at once and deregistration beside it, SIGKILL after stopTimeout. */
  stopTask(taskArn: string, reason: string): void;
}

export interface Cluster {
  readonly arn: string;
  readonly name: string;
}

export interface EcsService {
  readonly arn: string;
  readonly name: string;
  readonly clusterArn: string;
  readonly taskDefinitionArn: string;
  readonly launchType: 'FARGATE';
  readonly loadBalancers: readonly { targetGroupArn: string; containerName: string; containerPort: number }[];
  readonly createdAt: Date;
  desiredCount: number;
  /** For how long after its start a task is kept, whatever the load balancer finds. @default 0 */
  readonly healthCheckGracePeriodSeconds?: number;
  /** @default 100 */
  readonly minimumHealthyPercent?: number;
  /** @default 200 */
  readonly maximumPercent?: number;
  /** Absent of a service that nothing scales. */
  scaling?: ServiceScaling;
  /** The number of its newest deployment. @default 0 */
  deployment?: number;
  /** @default - nothing is known of it but its ARN */
  readonly taskDefinition?: TaskDefinition;
}

/** As it is registered with Application Auto Scaling. */
export interface ServiceScaling {
  readonly min: number;
  readonly max: number;
  readonly suspended: { scaleIn?: boolean; scaleOut?: boolean; scheduled?: boolean };
  /** @default - none */
  policies?: readonly TrackingPolicy[];
  /** What was scaled, the newest first. @default - nothing */
  activities?: readonly ScalingActivity[];
}

export interface ScalingActivity {
  readonly at: Date;
  readonly from: number;
  readonly to: number;
  readonly cause: string;
}

/** What DescribeTaskDefinition tells. */
export interface TaskDefinition {
  readonly arn: string;
  readonly family: string;
  readonly revision: number;
  /** `containerDefinitions`, `cpu`, `memory`, …: under the API's names. */
  readonly content: Readonly<Record<string, unknown>>;
  readonly tags: readonly Readonly<Record<string, string>>[];
}

export type TaskStatus = 'PROVISIONING' | 'RUNNING' | 'DEACTIVATING' | 'STOPPING' | 'STOPPED';

export interface EcsTask {
  readonly arn: string;
  readonly serviceArn: string;
  readonly clusterArn: string;
  readonly taskDefinitionArn: string;
  readonly containerName: string;
  readonly image: string;
  /** The deployment of its service that started it. @default 0 */
  readonly deployment?: number;
  /** The task's own loopback address, 127.0.x.y. */
  readonly ip: string;
  readonly createdAt: Date;
  startedAt?: Date;
  stoppedAt?: Date;
  status: TaskStatus;
  desiredStatus: 'RUNNING' | 'STOPPED';
  stoppedReason?: string;
  exitCode?: number;
  readonly pid?: number;
  /** Emits 'status'. */
  readonly events: EventEmitter;
}
