import type { Side } from '../../core/traffic/weights';
import { until } from '../processes/waiting';
import type { ExecutionDescription } from '../state-machine/model';
import { ACTS } from './acts';
import { PHASES_OF_A_ROLLBACK, isReached } from './phases';
import { findFault, type AskedFault } from './table';
import { findServiceArn, requestAbort, type Breakables } from './breakables';

const PREPARED_WITHIN_MS = 60_000;

interface InjectorOptions {
  /** Of the plan. */
  readonly stages: number;
  /** @default - no one is told */
  readonly onBegin?: (asked: AskedFault) => void;
}

/** Begins a fault when the first execution that it sees comes to its phase, and ends it when its time has expired. */
export class FaultInjector {
  private followed: string | undefined;
  private injectedMs: number | undefined;
  private end: (() => void) | undefined;
  private isBackAsked = false;

  constructor(
    readonly asked: AskedFault,
    private readonly parts: Breakables,
    private readonly options: InjectorOptions,
  ) {}

  /** By the wall clock; undefined until then. */
  get beganMs(): number | undefined {
    return this.injectedMs;
  }

  /** What the fault needs before the cutover starts. @throws the signal's reason */
  async prepare(signal: AbortSignal): Promise<void> {
    const { secondProxy: side } = findFault(this.asked.name);
    if (side) await bringSecondProxy(this.parts, side, signal);
  }

  /** To be told of every state that an execution enters. */
  see(execution: ExecutionDescription): void {
    const { asked, parts, options } = this;
    this.followed ??= execution.arn;
    if (execution.arn !== this.followed || this.injectedMs !== undefined) return;
    this.causeRollback(execution);
    if (!isReached(asked.phase, execution.entered, options.stages)) return;
    this.injectedMs = Date.now();
    options.onBegin?.(asked);
    this.end = ACTS[asked.name](parts, { phase: asked.phase, execution }) ?? undefined;
    const { seconds } = findFault(asked.name);
    if (seconds !== undefined) setTimeout(() => this.finish(), seconds * 1000).unref();
  }

  /** Ends it, at the latest when the cutover has ended. */
  finish(): void {
    this.end?.();
    this.end = undefined;
  }

  private causeRollback(execution: ExecutionDescription): void {
    const isOfRollback = PHASES_OF_A_ROLLBACK.includes(this.asked.phase);
    if (!isOfRollback || this.isBackAsked || !isReached('bake', execution.entered, this.options.stages)) return;
    this.isBackAsked = true;
    requestAbort(this.parts.cloud, execution);
  }
}

async function bringSecondProxy({ cloud }: Breakables, side: Side, signal: AbortSignal): Promise<void> {
  const arn = findServiceArn(cloud, side);
  if ((cloud.tasks.services.get(arn)?.desiredCount ?? 0) < 2) cloud.tasks.setDesiredCount(arn, 2);
  const { elb, config } = cloud.model;
  const states = () => [...elb.targetGroup(config.targetGroupArns[side]).targets.values()].map(({ state }) => state);
  await until(() => states().filter((state) => state === 'healthy').length >= 2, {
    withinMs: PREPARED_WITHIN_MS,
    signal,
    problem: () => `two proxies of the ${side} must be healthy, got ${states().join(', ')}`,
  });
}
