import {
  GIVE_WAY_MINUTES,
  Snapshot,
  TaskProtection,
  MAX_PROTECTION_MINUTES,
  longLived,
  ProtectionOrder,
  UNPROTECTED,
  observeProtection,
  settleProtection,
} from '../../core/proxy/task-protection';
import type { Clock } from '../process/clock';

const LOOK_MS = 1_000;
const RELEASED = 'The task is protected from scale-in no more';
const GAVE_WAY = `${RELEASED} for ${GIVE_WAY_MINUTES} min: after ${MAX_PROTECTION_MINUTES} min a deployment that waits goes first`;

export interface TaskProtectorOptions {
  readonly snapshot: () => Snapshot;
  /** Rejects with the reason when it is not followed. */
  readonly order: (order: ProtectionOrder, stopped: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: { info(message: string): void; warn(message: string): void };
}

/** Has ECS spare this task while it has long-lived connections and does not drain. No failure of it stops anything. */
export class TaskProtector {
  private protection: TaskProtection;
  private isAsking = false;
  private problem: string | undefined;
  private cancelLook: () => void = () => undefined;
  private readonly stopping = new AbortController();

  /** @param before as another generation knew it */
  constructor(
    private readonly options: TaskProtectorOptions,
    before: TaskProtection = UNPROTECTED,
  ) {
    this.protection = before;
  }

  /** Stops. @returns what is known of the protection */
  handOver(): TaskProtection {
    this.stop();
    // What was asked may be followed.
    return this.isAsking ? { ...this.protection, state: 'unknown' } : this.protection;
  }

  start(): void {
    this.look();
    this.cancelLook = this.options.clock.after(LOOK_MS, () => this.start());
  }

  /** Leaves the protection as it is: the task is about to end. */
  stop(): void {
    this.cancelLook();
    this.stopping.abort();
  }

  private look(): void {
    if (this.isAsking) return;
    const { snapshot, clock } = this.options;
    const { next, order } = observeProtection(this.protection, snapshot(), clock.nowMs());
    this.protection = next;
    if (order !== undefined) void this.ask(order);
  }

  private async ask(order: ProtectionOrder): Promise<void> {
    this.isAsking = true;
    const problem = await this.options.order(order, this.stopping.signal).then(
      () => undefined,
      (error: unknown) => formatReason(error),
    );
    this.isAsking = false;
    if (this.stopping.signal.aborted) return;
    const before = this.protection;
    this.protection = settleProtection(before, order, problem === undefined, this.options.clock.nowMs());
    if (problem !== undefined) this.tellProblem(order, problem);
    else this.tellChange(order, before.state === 'on');
  }

  /** Connections live, and the proxy serves: it has been protected for as long as it may be. */
  private isGivingWay(): boolean {
    const { active, isServing } = this.options.snapshot();
    return isServing && longLived(active) > 0;
  }

  /** Once for each: an agent that is gone must not fill the log. */
  private tellProblem(order: ProtectionOrder, problem: string): void {
    const said = `${order}: ${problem}`;
    if (this.problem === said) return;
    this.problem = said;
    const what = order === 'protect' ? 'is not protected from scale-in' : 'may still be protected from scale-in';
    this.options.log.warn(`The task ${what}, tried again: ${problem}`);
  }

  private tellChange(order: ProtectionOrder, wasOn: boolean): void {
    const isRecovered = this.problem !== undefined;
    this.problem = undefined;
    if (order === 'protect' && (!wasOn || isRecovered)) this.options.log.info('The task is protected from scale-in');
    if (order === 'release') this.options.log.info(this.isGivingWay() ? GAVE_WAY : RELEASED);
  }
}

/** `fetch` hides in the cause why it failed. */
function formatReason(error: unknown): string {
  const { cause } = error as Error;
  const reason = cause instanceof Error && cause.message !== '' ? cause : error;
  return reason instanceof Error ? reason.message : String(reason);
}
