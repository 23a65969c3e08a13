import type { SwitchPlan } from '../../core/plan/switch-plan';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { SwitchShown } from '../../lambda/switch/switch-preflight';
import type { Side, Weights } from '../../core/traffic/weights';
import type { SeenResponse } from '../../rehearsal/writes/pause';
import type { SentWrite } from '../../rehearsal/writes/write-log';
import type { HookName, Part } from './parts';

export const DATA_PORT = 8080;
export const ADMIN_PORT = 9000;
export const BUCKET = 'store';
export const ADMIN_SECRET = 'only-for-the-bench-0123456789';

export interface CoordinatorOrder {
  readonly to: Side;
  readonly execution: string;
  readonly plan: SwitchPlan;
  readonly hook?: HookName;
  /** No call meets a fault: the parent is not asked before each, which clients would wait for. */
  readonly isPlain?: boolean;
  /** Only what the preflight of a cutover has each task show before. */
  readonly isPreflight?: boolean;
}

export interface ListedTask {
  readonly id: string;
  readonly home: Side;
  /** Absent of one that has stopped. */
  readonly host?: string;
  readonly stoppedAtMs?: number;
}

/** What the coordinator asks its parent. */
export type Prompt =
  | { readonly kind: 'at'; readonly part: Part; readonly task?: string }
  | { readonly kind: 'tasks' }
  | { readonly kind: 'targets'; readonly sides: readonly Side[] }
  | { readonly kind: 'weights' }
  | { readonly kind: 'stop' };

export interface Responses {
  readonly at: 'go' | 'lose';
  readonly tasks: readonly ListedTask[];
  readonly targets: readonly string[];
  readonly weights: Weights;
  readonly stop: string | undefined;
}

export interface Ended {
  readonly record?: SwitchRecord;
  readonly shown?: SwitchShown;
  readonly problem?: string;
}

export type FromCoordinator = { readonly id: number; readonly prompt: Prompt } | { readonly ended: Ended };

export interface ClientOrder {
  readonly name: string;
  readonly writers: number;
  /** Of all writers together, each sent when it is due. @default - each writer as fast as it is served, with a short rest */
  readonly perSecond?: number;
  /** Writes go to a load balancer. @default - to the data ports of the tasks, without TLS */
  readonly secure?: { readonly port: number; readonly name: string; readonly caFile: string };
}

export interface ClientTask {
  readonly id: string;
  readonly host: string;
}

export interface FailedWrite {
  readonly task: string;
  readonly atMs: number;
  readonly problem: string;
}

export interface ClientRecord {
  readonly sent: readonly SentWrite[];
  readonly responses: readonly SeenResponse[];
  readonly failed: readonly FailedWrite[];
}
