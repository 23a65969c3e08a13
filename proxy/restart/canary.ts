import type { LedgerReport } from '../../core/proxy/admin-api';
import { countGeneration } from '../../core/proxy/count-generation';
import type { CanaryReport } from '../../core/proxy/restart';
import type { Clock } from '../process/clock';
import type { Order, ResponseTo, RpcRequest } from '../workers/messages';
import { WorkerGone, WorkerLate } from '../workers/rpc';
import type { Successor } from './successor';

export interface CanaryOptions {
  readonly successor: Successor;
  readonly number: number;
  readonly share: number;
  readonly clock: Clock;
  /** What the generation in charge had counted when it began. */
  readonly since: LedgerReport;
  /** It cannot stay: it does not respond, has lost a worker, or has not followed an order. */
  readonly lost: (why: string) => void;
}

/**
 * A new generation that has a share of the new connections, as the one sees it that is in charge. What it does wrong ends it: no one
 * has to wait for it, and what it has counted is known.
 */
export class Canary {
  /** 0 when it gets nothing any more. */
  share: number;
  lastReport: LedgerReport | undefined;
  isGone = false;
  /** It serves its share, and was not told to take over: what fails here is no reason to end it. */
  isSettled = false;
  readonly successor: Successor;
  readonly number: number;
  private readonly startedMs: number;
  private instance: string | undefined;

  constructor(private readonly options: CanaryOptions) {
    const { successor, number, share, clock } = options;
    this.successor = successor;
    this.number = number;
    this.share = share;
    this.startedMs = clock.nowMs();
  }

  /** Undefined until it was asked. */
  describe(number: number, own: LedgerReport): CanaryReport | undefined {
    const { clock, since } = this.options;
    if (this.lastReport === undefined) return undefined;
    return {
      share: this.share,
      seconds: Math.floor((clock.nowMs() - this.startedMs) / 1000),
      generations: [countGeneration(number, own, since), countGeneration(this.number, this.lastReport)],
    };
  }

  /** @throws WorkerGone when it has ended, or is ended because of this */
  async ask<Q extends RpcRequest>(prompt: Q): Promise<ResponseTo<Q>> {
    try {
      return await this.successor.ask(prompt);
    } catch (error) {
      if (error instanceof WorkerGone) throw error;
      this.lose(error instanceof WorkerLate ? 'it did not respond in time' : (error as Error).message);
      throw new WorkerGone('The canary is ended');
    }
  }

  /** @returns undefined when it has ended */
  async report(): Promise<LedgerReport | undefined> {
    try {
      const report = await this.ask({ kind: 'report' });
      this.instance ??= report.instance;
      if (report.instance !== this.instance) {
        this.lose('one of its workers was lost');
        return undefined;
      }
      this.lastReport = report;
      return report;
    } catch (error) {
      if (error instanceof WorkerGone) return undefined;
      throw error;
    }
  }

  /** One that does not follow must not serve. */
  async follow(order: Order): Promise<void> {
    const problem = await this.ask(order).catch(() => undefined);
    if (problem !== undefined) this.lose(`it did not follow an order (${order.kind}): ${problem}`);
  }

  private lose(why: string): void {
    if (!this.isGone) this.options.lost(why);
  }
}
