import { CutoverRun, note } from '../../core/cutover';
import { beginDrain, observeDrain } from '../../core/drain-run';
import type { Ports } from '../ports';
import { guarded, handlerOf, undisturbed, vetoed } from '../step';

/** One look at the drain of the source. The first look begins it; a task that is not draining yet is told to at every look. */
export async function drain(run: CutoverRun, { proxies, store }: Ports, nowMs: number): Promise<CutoverRun> {
  const tasks = await proxies.reports('source');
  const reports = tasks.map(({ report }) => report);
  const progress = run.drain ?? beginDrain(run, reports, nowMs);
  if (!run.drain) await store.save({ ...run, drain: progress });
  const serving = tasks.filter(({ report, isLeaving }) => report.state === 'serving' && !isLeaving);
  await Promise.all(serving.map(({ address }) => proxies.drain(address, run.plan.drain)));

  const noted = run.drain
    ? run
    : note(run, nowMs, 'Drain', { active: progress.active, limitSeconds: progress.limitMs / 1000 });
  const after = observeDrain(noted, progress, reports, nowMs);
  if (after.verdict === 'wait') return after;
  return note(after, nowMs, 'Drain', {
    verdict: after.verdict,
    active: after.drain?.active,
    ended: after.drain?.ended,
  });
}

export const handler = handlerOf(guarded(undisturbed(vetoed(drain))));
