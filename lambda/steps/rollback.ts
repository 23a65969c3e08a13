import { CutoverRun, RollbackRecord, failureOf, note } from '../../core/cutover';
import { CutoverError } from '../../core/errors';
import { Forward, forwardFor, sameForward } from '../../core/forward';
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
 * both hold; weights that have read back are not set again, because whoever changes them then does so by hand. Whoever
 * has lost the lock touches nothing: the traffic is another's by now.
 */
export async function rollback(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer } = ports;
  const { initial, plan } = run;
  if (!initial) throw new Error("'rollback' must follow a preflight, got none");
  if ((await ports.store.holder())?.execution !== run.execution) {
    const message = `the lock must be held by '${run.execution}' to put its weights back, got another or none`;
    return { ...run, verdict: 'go', failure: { code: 'LockLost', message } };
  }
  const intended = forwardFor(plan.initialWeights, loadBalancer.groupArns, initial.stickiness);
  const begun = { ...(run.rollback ? run : beginRollback(run, nowMs)), intended };
  const isRestored = run.rollback?.restoredAt !== undefined;
  // Always told, and not only when a drain is on record: a step that was killed may have begun one.
  const [notUndrained] = await Promise.all([undrainSource(ports), isRestored || loadBalancer.setForward(intended)]);
  // After the weights: they do not wait for a message.
  if (!run.rollback) await announce('rollingBack', begun, ports);
  const forward = (await loadBalancer.rules()).find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const isBack = !isRestored && forward !== undefined && sameForward(forward, intended);
  return afterLook(isBack ? restored(begun, nowMs, ports) : begun, { notUndrained, forward }, ports, nowMs);
}

function restored(run: CutoverRun, beganMs: number, { metrics, now }: Ports): CutoverRun {
  const nowMs = now();
  metrics.weights(run.plan.initialWeights, nowMs);
  return { ...run, rollback: { ...startOf(run, beganMs), restoredAt: new Date(nowMs).toISOString() } };
}

interface Look {
  readonly forward: Forward | undefined;
  readonly notUndrained: readonly string[];
}

function afterLook(run: CutoverRun, { forward, notUndrained }: Look, ports: Ports, nowMs: number): CutoverRun {
  const { startedAt } = startOf(run, nowMs);
  const isLate = nowMs - Date.parse(startedAt) >= CONFIRM_SECONDS * 1000;
  const isRestored = run.rollback?.restoredAt !== undefined;
  if (isRestored && (notUndrained.length === 0 || isLate)) {
    const detail = { weights: run.plan.initialWeights, ...(notUndrained.length > 0 && { notUndrained }) };
    return note({ ...run, verdict: 'restored' }, ports.now(), 'Rollback', detail);
  }
  if (!isLate) return { ...run, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  throw new CutoverError(
    'RollbackNotConfirmed',
    `the weights must read back as ${JSON.stringify(run.intended)}, got ${JSON.stringify(forward)}`,
  );
}

function startOf({ rollback: begun }: CutoverRun, nowMs: number): RollbackRecord {
  return begun ?? { startedAt: new Date(nowMs).toISOString() };
}

function beginRollback(run: CutoverRun, nowMs: number): CutoverRun {
  const startedAt = new Date(nowMs).toISOString();
  const stages = [...run.stages, ...interruptedStage(run, nowMs)];
  return note({ ...run, stages, rollback: { startedAt } }, nowMs, 'Rollback', { because: failureOf(run) });
}

export const handler = handlerOf(rollback);
