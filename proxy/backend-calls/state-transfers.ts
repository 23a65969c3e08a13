import type { TransferOrder, TransferReport } from '../../core/proxy/state-transfer';
import type { Differences } from '../../core/state/differences';
import type { Upstreams } from './own-request';
import { compareStates } from './state-comparison';
import { CopyFigures, copyState } from './state-copy';

/** Those that have ended, and may be asked for still. */
const MAX_KEPT = 8;

/** What is under way, and what has ended lately, by id. A process that ends takes them along: an order begins them anew. */
export class StateTransfers {
  private readonly transfers = new Map<string, Transfer>();

  constructor(private readonly upstreams: Upstreams) {}

  /** Begins it, unless one with this id is there. Resolves when it has ended, or `waitMs` have passed. */
  async follow(order: TransferOrder): Promise<TransferReport> {
    const transfer = this.transfers.get(order.id) ?? this.begin(order);
    if (order.cancels) transfer.cancel();
    await transfer.wait(order.waitMs);
    return transfer.report;
  }

  private begin(order: TransferOrder): Transfer {
    const transfer = new Transfer(order, this.upstreams);
    this.transfers.set(order.id, transfer);
    for (const [id, { report }] of this.transfers) {
      if (this.transfers.size <= MAX_KEPT) break;
      if (report.state !== 'running') this.transfers.delete(id);
    }
    return transfer;
  }
}

class Transfer {
  private readonly figures: CopyFigures = { bytes: 0, resumed: 0 };
  private readonly stop = new AbortController();
  private readonly beganMs = performance.now();
  private endedMs: number | undefined;
  private outcome: { readonly digest?: string; readonly differences?: Differences; readonly problem?: string } = {};
  private readonly end: Promise<void>;

  constructor(order: TransferOrder, upstreams: Upstreams) {
    const limit = AbortSignal.timeout(order.limitMs);
    const late = () => this.stop.abort(new Error(`it must end within ${order.limitMs / 1000} s`));
    limit.addEventListener('abort', late, { once: true });
    const running = order.cancels ? Promise.reject(new Error(CANCELLED)) : this.run(order, upstreams);
    this.end = running
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.endedMs = performance.now();
        limit.removeEventListener('abort', late);
      });
  }

  get report(): TransferReport {
    const { figures, outcome, endedMs, beganMs } = this;
    const state = endedMs === undefined ? 'running' : outcome.problem === undefined ? 'done' : 'failed';
    return { state, ...figures, ...outcome, tookMs: Math.round((endedMs ?? performance.now()) - beganMs) };
  }

  cancel(): void {
    this.stop.abort(new Error(CANCELLED));
  }

  async wait(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
    await Promise.race([this.end, late]);
    clearTimeout(timer);
  }

  private async run(order: TransferOrder, upstreams: Upstreams): Promise<void> {
    if (order.kind === 'copy') return copyState(order, upstreams, this.figures, this.stop.signal);
    const { keys, ...outcome } = { keys: undefined, ...(await compareStates(order, upstreams, this.stop.signal)) };
    this.outcome = outcome;
    if (keys !== undefined) this.figures.keys = keys;
  }

  private fail(error: unknown): void {
    const reason: unknown = this.stop.signal.aborted ? this.stop.signal.reason : error;
    this.outcome = { problem: reason instanceof Error ? reason.message || reason.name : String(reason) };
  }
}

const CANCELLED = 'it was cancelled';
