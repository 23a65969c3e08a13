import { CutoverRun, note, rollBack } from '../../core/cutover/run';
import { callHooksFirst } from '../../core/cutover/hooks';
import { sameForward } from '../../core/traffic/forward';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { announce } from '../shared/announce';
import { createLookingHandler } from '../shared/looks';
import { Look, judged } from '../shared/observe';
import type { Ports } from '../contract/ports';

/** Reads the weighted rule back: as intended, in time. */
async function readBack(run: CutoverRun, ports: Ports, nowMs: number, { rules }: Look): Promise<CutoverRun> {
  const { loadBalancer } = ports;
  const { stage, intended, plan } = run;
  if (!stage || !intended) throw new Error("'confirm' must follow a shift, got none");
  const forward = rules?.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const seconds = (nowMs - stage.shiftedAtMs) / 1000;
  if (forward && sameForward(forward, intended)) {
    const confirmed: CutoverRun = {
      ...run,
      stage: { ...stage, confirmedAtMs: nowMs },
      verdict: 'confirmed',
      waitSeconds: plan.pollSeconds,
    };
    await announce('shifted', confirmed, ports);
    return callHooksFirst(note(confirmed, nowMs, 'Confirm', { stage: stage.index + 1, seconds }));
  }
  if (seconds < plan.confirmTimeoutSeconds) return { ...run, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  return rollBack(
    run,
    'ShiftNotConfirmed',
    `the weights must read back within ${plan.confirmTimeoutSeconds} s, got ${JSON.stringify(forward)}`,
  );
}

export const confirm = judged(readBack, { isConfirmed: false, resume: 'go' });

export const handler = createLookingHandler(confirm);
