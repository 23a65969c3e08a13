import type { StatePlan } from '../../core/plan/state-plan';
import type { TransferOrder, TransferReport } from '../../core/proxy/state-transfer';
import { describeDifferences } from '../../core/state/differences';
import type { Carried, Carrier, CarryContext } from './carrier';

/** What was copied before the hold. */
export interface PreparedCopy {
  readonly id: string;
  /** Absent where the application exports its state as a whole only: then the hold copies all of it. */
  readonly cursor?: string;
}

/** The application exports and imports its state, and a proxy task that responds carries it. */
export class HttpCarrier implements Carrier {
  constructor(
    private readonly plan: StatePlan & { readonly http: NonNullable<StatePlan['http']> },
    private readonly prepared: PreparedCopy,
    private readonly host: string,
  ) {}

  async transfer(context: CarryContext, limitMs: number): Promise<Carried> {
    const { id, cursor } = this.prepared;
    const since = cursor === undefined ? {} : { since: cursor };
    const report = await this.order(context, { id: `${id}.${context.epoch}.rest`, kind: 'copy', ...since }, limitMs);
    return describeCopy(report);
  }

  async verify(context: CarryContext, limitMs: number): Promise<Carried> {
    const id = `${this.prepared.id}.${context.epoch}.compare`;
    const report = await this.order(context, { id, kind: 'compare' }, limitMs);
    const { state, keys, differences, problem } = report;
    if (differences) return { problem: describeDifferences(differences) };
    if (problem !== undefined) return { problem };
    // Nothing has been compared then.
    if (state !== 'done') return { problem: 'the comparison must end in its time, got one that is under way' };
    return keys === undefined ? {} : { keys };
  }

  private order(
    { from, to, committed: epoch, sessions }: CarryContext,
    order: Pick<TransferOrder, 'id' | 'kind' | 'since'>,
    limitMs: number,
  ): Promise<TransferReport> {
    const [task] = sessions();
    if (!task) throw new Error('no task to carry the state through');
    const { http, maxBytes } = this.plan;
    const common = { from, to, epoch, path: http.path, host: this.host, maxBytes, cancels: false };
    return task.transferState({ ...order, ...common, limitMs, waitMs: limitMs });
  }
}

/** One that has not ended in its time is a failure: the proxy gives it up then. */
export function describeCopy({ state, bytes, keys, resumed, problem }: TransferReport): Carried {
  const figures = { bytes, resumed, ...(keys !== undefined && { keys }) };
  if (state === 'done') return figures;
  return { ...figures, problem: problem ?? 'the copy must end in its time, got one that is under way' };
}
