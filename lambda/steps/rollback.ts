import { CutoverRun, failureOf, note } from '../../core/cutover';
import { CutoverError } from '../../core/errors';
import { forwardFor, sameForward } from '../../core/forward';
import { interruptedStage } from '../../core/stage';
import type { Ports } from '../ports';
import { handlerOf } from '../step';
import { undrainSource } from '../undrain';

/** How long a rollback reads back before it says that it is not there yet, and is repeated by the state machine. */
const CONFIRM_SECONDS = 300;

/** Puts the initial weights back and reads them back. Repeated until it holds. */
export async function rollback(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer } = ports;
  const { initial, plan } = run;
  if (!initial) throw new Error('a rollback must follow a preflight');
  const begun = run.rollback ? run : beginRollback(run, nowMs);
  const intended = forwardFor(plan.initialWeights, loadBalancer.groupArns, initial.stickiness);
  const [notUndrained] = await Promise.all([run.drain ? undrainSource(ports) : [], loadBalancer.setForward(intended)]);

  const readings = await loadBalancer.rules();
  const forward = readings.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const startedAt = begun.rollback?.startedAt ?? new Date(nowMs).toISOString();
  if (forward && sameForward(forward, intended)) {
    const restoredAt = new Date(ports.now()).toISOString();
    const restored: CutoverRun = { ...begun, intended, verdict: 'restored', rollback: { startedAt, restoredAt } };
    return note(restored, Date.parse(restoredAt), 'Rollback', {
      weights: plan.initialWeights,
      ...(notUndrained.length > 0 && { notUndrained }),
    });
  }
  if (nowMs - Date.parse(startedAt) < CONFIRM_SECONDS * 1000)
    return { ...begun, intended, verdict: 'wait', waitSeconds: 1 };
  throw new CutoverError(
    'RollbackNotConfirmed',
    `the weights must read back as ${JSON.stringify(intended)}, got ${JSON.stringify(forward)}`,
  );
}

function beginRollback(run: CutoverRun, nowMs: number): CutoverRun {
  const startedAt = new Date(nowMs).toISOString();
  const stages = [...run.stages, ...interruptedStage(run, nowMs)];
  return note({ ...run, stages, rollback: { startedAt } }, nowMs, 'Rollback', { because: failureOf(run) });
}

export const handler = handlerOf(rollback);
