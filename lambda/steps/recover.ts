import { retreat } from '../../core/cutover';
import type { Ports } from '../ports';
import { handlerOf } from '../step';
import { record } from './record';
import { rollback } from './rollback';

/** EventBridge's "Step Functions Execution Status Change", as far as it is used. */
export interface StatusChange {
  readonly detail: { readonly name: string; readonly status: string };
}

/** Longer than a step can run: StopExecution does not stop the Lambda function that is at work. */
const STRAGGLER_MS = 35_000;

/**
 * Puts back what an execution left that ended past every Catch: stopped by hand, timed out, or failed by Step Functions
 * itself. What was so far is in the lock. An execution that holds no lock, or has left its evidence, needs nothing.
 *
 * The weights go back at once, and again when no step of that execution can be at work any more: one that was about to
 * call ModifyRule when the execution was stopped still does.
 */
export async function recover({ detail }: StatusChange, ports: Ports, nowMs: number): Promise<{ recovered: boolean }> {
  const { store } = ports;
  const held = await store.holder();
  if (held?.execution !== detail.name || (await store.hasEvidence(detail.name))) return { recovered: false };
  const stopped = retreat(held, 'Aborted', `the execution '${detail.name}' ended as ${detail.status}`);
  // From here on no step of it passes its guard.
  await store.save(stopped);
  let back = held.initial ? await rollback(stopped, ports, nowMs) : stopped;
  await ports.pause(STRAGGLER_MS);
  if (back.initial) back = await rollback(back, ports, ports.now());
  if (back.verdict === 'wait')
    throw new Error(`the weights of '${detail.name}' must read back, got a rule that does not yet`);
  await record(back, ports, ports.now());
  return { recovered: true };
}

export const handler = handlerOf(recover);
