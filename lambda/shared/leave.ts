import { planLeaving } from '../../core/plan/stickiness-plan';
import { findDirection } from '../../core/plan/direction';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { CutoverRun, note } from '../../core/cutover/run';
import type { Ports } from '../contract/ports';

/** Takes the side that is left, which has no weight and kept its clients, out of the action: they move. */
export async function leaveSide(
  run: CutoverRun,
  because: string,
  { loadBalancer }: Ports,
  nowMs: number,
): Promise<CutoverRun> {
  const { initial, intended, plan, returning } = run;
  if (!initial || !intended) throw new Error('a side is left after a shift, got none');
  const next = planLeaving(plan, loadBalancer.groupArns, initial.stickiness);
  await loadBalancer.setForward(next);
  const left: CutoverRun = {
    ...run,
    intended: next,
    left: { before: intended, atMs: nowMs },
    verdict: 'wait',
    waitSeconds: CONFIRM_POLL_SECONDS,
  };
  const detail = { side: findDirection(plan).from, because, ...(returning && { requests: returning.requests }) };
  return note(left, nowMs, 'Leave', detail);
}
