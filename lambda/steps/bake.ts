import { keepLook } from '../../core/cutover/looks';
import { CutoverRun, note } from '../../core/cutover/run';
import { callHooksFirst } from '../../core/cutover/hooks';
import { keepsClients } from '../../core/cutover/returning';
import { leaveSide } from '../shared/leave';
import { bakeVerdict } from '../../core/judge/judge';
import { lastSample } from '../../core/judge/watch';
import { findDirection } from '../../core/plan/direction';
import type { Plan } from '../../core/plan/plan';
import { afterBake, findBakeStart, summarizeObserved } from '../../core/cutover/stage';
import { createLookingHandler } from '../shared/looks';
import { Look, isOfSideThatIsLeft, judged } from '../shared/observe';
import type { Ports } from '../contract/ports';

/** One look at a bake: asks for the verdict on what both sides did since the shift. */
async function judgeBake(run: CutoverRun, ports: Ports, nowMs: number, look: Look): Promise<CutoverRun> {
  const progress = run.stage;
  const stage = progress && run.plan.stages[progress.index];
  const startedMs = progress && findBakeStart(progress);
  if (!stage || startedMs === undefined) throw new Error("'bake' must follow a confirmed shift, got none");
  const { from } = findDirection(run.plan);
  // Its clients would get errors until the bake ends.
  if (look.sides[from].serves === false && keepsClients(run, ports.loadBalancer.groupArns)) {
    return leaveSide(run, `the ${from} does not serve`, ports, nowMs);
  }
  ports.metrics.weights(stage.weights, nowMs);
  const elapsedSeconds = (nowMs - startedMs) / 1000;
  const { watch } = look;
  const bake = { elapsedSeconds, stage, canPromote: canPromote(look, run.plan) };
  const verdict = bakeVerdict(bake, watch, run.plan);
  if (verdict === 'wait') return afterBake(run, { stage, progress, watch, verdict }, nowMs);
  const kept = keepLook(run, {
    kind: 'bake',
    at: lastSample(watch).atMs,
    elapsedSeconds,
    canPromote: bake.canPromote,
    verdict,
  });
  const after = afterBake(kept, { stage, progress, watch, verdict }, nowMs);
  return callHooksFirst(
    note(after, nowMs, 'Bake', { stage: progress.index + 1, verdict, ...summarizeObserved(watch) }),
  );
}

/** Not on what was not seen: the figures of the side that is left alone are no part of the verdict. */
function canPromote({ blind, tasks }: Look, plan: Plan): boolean {
  const isBlind = blind.some((what) => !isOfSideThatIsLeft(what, plan));
  const staying = tasks[findDirection(plan).to]?.filter(({ life }) => life === 'running') ?? [];
  return !isBlind && staying.length > 0 && staying.every(({ report }) => report !== undefined);
}

export const bake = judged(judgeBake, { isConfirmed: true, resume: 'confirmed' });

export const handler = createLookingHandler(bake);
