import { CutoverRun, failureOf, note } from '../../core/cutover';
import { CutoverError } from '../../core/errors';
import { forwardFor, sameForward } from '../../core/forward';
import { CONFIRM_POLL_SECONDS } from '../../core/plan';
import { interruptedStage } from '../../core/stage';
import { announce } from '../announce';
import type { Ports } from '../ports';
import { handlerOf } from '../step';
import { undrainSource } from '../undrain';

/** How long a rollback reads back, and tells the source's tasks, before it leaves the rest to the state machine's retries. */
const CONFIRM_SECONDS = 300;

/**
 * Puts the initial weights back and reads them back, while the source's tasks are told to serve again. Repeated until
 * both hold. Whoever has lost the lock touches nothing: the traffic is another's by now.
 */
export async function rollback(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer } = ports;
  const { initial, plan } = run;
  if (!initial) throw new Error("'rollback' must follow a preflight, got none");
  if ((await ports.store.holder())?.execution !== run.execution) {
    const message = `the lock must be held by '${run.execution}' to put its weights back, got another or none`;
    return { ...run, verdict: 'go', failure: { code: 'LockLost', message } };
  }
  const begun = run.rollback ? run : beginRollback(run, nowMs);
  const startedAt = begun.rollback?.startedAt ?? new Date(nowMs).toISOString();
  const intended = forwardFor(plan.initialWeights, loadBalancer.groupArns, initial.stickiness);
  // Always told, and not only when a drain is on record: a step that was killed may have begun one.
  const [notUndrained] = await Promise.all([undrainSource(ports), loadBalancer.setForward(intended)]);
  // After the weights: they do not wait for a message.
  if (!run.rollback) await announce('rollingBack', begun, ports);

  const readings = await loadBalancer.rules();
  const forward = readings.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const isBack = forward !== undefined && sameForward(forward, intended);
  const isLate = nowMs - Date.parse(startedAt) >= CONFIRM_SECONDS * 1000;
  if (isBack && (notUndrained.length === 0 || isLate)) {
    const restoredAtMs = ports.now();
    ports.metrics.weights(plan.initialWeights, restoredAtMs);
    const record = { startedAt, restoredAt: new Date(restoredAtMs).toISOString() };
    const detail = { weights: plan.initialWeights, ...(notUndrained.length > 0 && { notUndrained }) };
    return note({ ...begun, intended, verdict: 'restored', rollback: record }, restoredAtMs, 'Rollback', detail);
  }
  if (!isLate) return { ...begun, intended, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
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
