import type { HookCallRecord } from '../../core/switch/hook';
import type { Side } from '../../core/traffic/weights';
import type { Carried } from '../state/carrier';
import type { HookContext } from './switch-hook';

/** Does a part of a hook, and has what came of it in the record. */
export async function notePart(
  part: HookCallRecord['part'],
  side: Side,
  { note }: HookContext,
  ask: () => Promise<Carried>,
): Promise<Carried> {
  const startedMs = performance.now();
  const carried = await ask();
  note({ part, side, tookMs: Math.round(performance.now() - startedMs), ...carried });
  return carried;
}

/**
 * The same of one on the way to the decision.
 *
 * @throws Error with its problem, and the reason of a signal that came meanwhile
 */
export async function passPart(
  part: 'freeze' | 'transfer' | 'verify',
  side: Side,
  context: HookContext,
  ask: () => Promise<Carried>,
): Promise<void> {
  const { problem } = await notePart(part, side, context, ask);
  if (problem !== undefined) throw new Error(problem);
  context.signal.throwIfAborted();
}
