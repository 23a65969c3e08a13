import { CutoverRun, note } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import { forwardFor } from '../../core/traffic/forward';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { PaceDecision } from '../../core/cutover/pacing';
import { loosen } from '../../core/plan/stickiness-plan';
import type { Ports } from '../contract/ports';
import { settleWithin } from '../contract/settle';
import { findStart } from '../../core/cutover/rollback-record';
import { Seen } from './look';

/** What raising a desired count may take: the next look tries again. */
const SCALE_OUT_MS = 5_000;

export function withPace(run: CutoverRun, { pace }: PaceDecision, nowMs: number): CutoverRun {
  return pace ? { ...run, rollback: { ...findStart(run, nowMs), pace } } : run;
}

/** Sets a step of the pace, or waits for the next one. That it serves then is found by the next look. */
export async function keepPace(
  run: CutoverRun,
  decision: Extract<PaceDecision, { kind: 'wait' | 'step' }>,
  seen: Seen,
  ports: Ports,
): Promise<CutoverRun> {
  const { loadBalancer, metrics } = ports;
  const waiting = (kept: CutoverRun, notDone: readonly string[]): CutoverRun => {
    const rollback = { ...findStart(kept, ports.now()), ...(notDone.length > 0 && { notDone }) };
    return { ...kept, rollback, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  };
  if (decision.kind === 'wait') {
    const scaled =
      decision.scaleOutTo === undefined ? { run, notDone: [] } : await scaleOut(run, decision.scaleOutTo, ports);
    return waiting(scaled.run, [...seen.notDone, ...scaled.notDone]);
  }
  const { weights, percent } = decision;
  const stickiness = loosen(run.initial!.stickiness);
  await loadBalancer.setForward(forwardFor(weights, loadBalancer.groupArns, stickiness));
  metrics.weights(weights, ports.now());
  const { capacity } = run.rollback?.pace ?? {};
  const isFirst = run.rollback?.pace?.steps.length === 1;
  const detail = { step: weights, percent, ...(isFirst && capacity && { capacity }) };
  return waiting(note(run, ports.now(), 'Rollback', detail), seen.notDone);
}

/** A service that cannot be told is waited for all the same: it may scale by itself. */
async function scaleOut(
  run: CutoverRun,
  desiredCount: number,
  ports: Ports,
): Promise<{ readonly run: CutoverRun; readonly notDone: readonly string[] }> {
  const { from } = findDirection(run.plan);
  const work = () => ports.services.scaleOut(from, desiredCount);
  const done = await settleWithin(SCALE_OUT_MS, `raising the desired count of the ${from}`, work);
  const { rollback } = run;
  if ('problem' in done || !rollback?.pace?.capacity) return { run, notDone: 'problem' in done ? [done.problem] : [] };
  const pace = { ...rollback.pace, capacity: { ...rollback.pace.capacity, scaledOutTo: desiredCount } };
  const detail = { scaledOut: from, desiredCount };
  return { run: note({ ...run, rollback: { ...rollback, pace } }, ports.now(), 'Rollback', detail), notDone: [] };
}
