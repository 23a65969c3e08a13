import { CutoverRun, note, retreat } from '../../core/cutover';
import { changedRules, otherRules, sameForward } from '../../core/forward';
import { CONFIRM_POLL_SECONDS } from '../../core/plan';
import { announce } from '../announce';
import type { Ports } from '../ports';
import { guarded, handlerOf } from '../step';

/** Reads every rule of every listener back: ours as intended, the others as they were. */
export async function confirm(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer } = ports;
  const { stage, intended, initial } = run;
  if (!stage || !intended || !initial) throw new Error("'confirm' must follow a shift, got none");
  const readings = await loadBalancer.rules();
  const changed = changedRules(initial.others, otherRules(readings, loadBalancer.ruleArn));
  if (changed.length > 0)
    return retreat(
      run,
      'RulesChanged',
      `rules must stay as they were at preflight, got changes in ${changed.join(', ')}`,
    );

  const forward = readings.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const seconds = (nowMs - stage.shiftedAtMs) / 1000;
  if (forward && sameForward(forward, intended)) {
    const confirmed: CutoverRun = {
      ...run,
      stage: { ...stage, confirmedAtMs: nowMs },
      verdict: 'confirmed',
      waitSeconds: run.plan.pollSeconds,
    };
    await announce('shifted', confirmed, ports);
    return note(confirmed, nowMs, 'Confirm', { stage: stage.index + 1, seconds });
  }
  if (seconds < run.plan.confirmTimeoutSeconds) return { ...run, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  return retreat(
    run,
    'ShiftNotConfirmed',
    `the weights must read back within ${run.plan.confirmTimeoutSeconds} s, got ${JSON.stringify(forward)}`,
  );
}

export const handler = handlerOf(guarded(confirm));
