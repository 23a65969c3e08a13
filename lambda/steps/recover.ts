import { retreat } from '../../core/cutover';
import type { Ports } from '../ports';
import { handlerOf } from '../step';
import { record } from './record';
import { rollback } from './rollback';

/** EventBridge's "Step Functions Execution Status Change", as far as it is used. */
export interface StatusChange {
  readonly detail: { readonly name: string; readonly status: string };
}

/**
 * Puts back what a stopped or timed-out execution left: Step Functions runs no Catch then. What was so far is in the
 * lock; without a lock of this execution there is nothing to put back.
 */
export async function recover({ detail }: StatusChange, ports: Ports, nowMs: number): Promise<{ recovered: boolean }> {
  const held = await ports.store.holder();
  if (held?.execution !== detail.name) return { recovered: false };
  const stopped = retreat(held, 'Aborted', `the execution '${detail.name}' ended as ${detail.status}`);
  // Nothing had been shifted: there is only the lock to free.
  const back = held.intended ? await rollback(stopped, ports, nowMs) : stopped;
  if (back.verdict === 'wait') throw new Error(`the weights of '${detail.name}' do not read back yet`);
  await record(back, ports, nowMs);
  return { recovered: true };
}

export const handler = handlerOf(recover);
