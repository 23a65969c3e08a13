import { findCaptureGaps } from '../../core/capture/capture-gate';
import { keepLook } from '../../core/cutover/looks';
import { CutoverRun, note, rollBack } from '../../core/cutover/run';
import { callHooksFirst } from '../../core/cutover/hooks';
import { JUDGE, packCounts, packWindow } from '../../core/judge/look-record';
import { findDirection } from '../../core/plan/direction';
import { planForward } from '../../core/plan/stickiness-plan';
import { Forward, sameForward } from '../../core/traffic/forward';
import { CONFIRM_POLL_SECONDS, Plan } from '../../core/plan/plan';
import type { Stage } from '../../core/plan/stages';
import { findGateReplay } from '../../core/plan/replay-plan';
import { lookAtReplays } from '../shared/replay-gate';
import { isTooLarge, tooManyTasks, withWhatFits, withoutTasks } from '../../core/cutover/state-size';
import { beginComparison, orderWindow, sumSides, warmUp } from '../../core/judge/comparison';
import { waitForWindow } from '../../core/cutover/window';
import { Watch, beginStage, beginWatch } from '../../core/judge/watch';
import { createLookingHandler } from '../shared/looks';
import { Look, isOfSideThatIsLeft, judged, readRules } from '../shared/observe';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { Act, withLock } from '../shared/step';

/** Sets the weights of the next stage. Doing it twice is doing it once. */
export async function setWeights(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer, metrics, proxies, store } = ports;
  const index = run.stage === undefined ? 0 : run.stage.index + 1;
  const stage = run.plan.stages[index];
  if (!stage || !run.initial)
    throw new Error(`'stage' must be one of the plan's ${run.plan.stages.length}, after preflight, got ${index}`);
  const intended = planForward(run.plan, index, loadBalancer.groupArns, run.initial.stickiness);
  // As the last stage left it, or as this step left it when it is repeated. Before the first stage preflight has looked.
  const isExpected = (present: Forward) =>
    !run.intended || [run.intended, intended].some((each) => sameForward(present, each));
  const present = (await readRules(ports, isExpected)).find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  if (!present || !isExpected(present)) {
    return rollBack(run, 'RulesChanged', `the weighted rule must be as shifted before, got ${JSON.stringify(present)}`);
  }
  const started = run.watch
    ? { ...run, watch: beginStage(run.watch, nowMs) }
    : await startWatch(run, proxies, ports.now());
  const watch = started.watch && warmUpStage(started.watch, stage, run.plan, nowMs);
  const noted = keepLook(started, { kind: 'shift', at: nowMs, stage: index });
  const progress = { index, shiftedAtMs: nowMs };
  const shifting = withWhatFits({
    ...noted,
    intended,
    ...(watch && { watch }),
    stage: progress,
    unsavedSinceMs: undefined,
    verdict: 'go',
    waitSeconds: CONFIRM_POLL_SECONDS,
  });
  if (isTooLarge(shifting)) return rollBack(withoutTasks(run), 'TooManyTasks', tooManyTasks(shifting));
  // Saved first: who finds the lock must know that the rule may have changed.
  if (index === 0) await store.save(shifting);
  else if ('problem' in (await settle(() => store.save(shifting)))) return waitToShift(run, nowMs);
  await loadBalancer.setForward(intended);
  const shiftedAtMs = ports.now();
  metrics.weights(stage.weights, shiftedAtMs);
  const shifted = { ...shifting, stage: { ...progress, shiftedAtMs } };
  return note(shifted, shiftedAtMs, 'Shift', { stage: index + 1, weights: stage.weights });
}

/** What the plan asks for, and is not there yet. */
interface Gap {
  readonly code: 'CaptureIncomplete' | 'ReplayIncomplete';
  readonly message: string;
}

/** Nothing moves without the lock being written, and nothing waits for that for ever. */
const MAX_UNSHIFTED_SECONDS = 3_600;

function waitToShift(run: CutoverRun, nowMs: number, gap?: Gap): CutoverRun {
  const unsavedSinceMs = run.unsavedSinceMs ?? nowMs;
  if (nowMs - unsavedSinceMs >= MAX_UNSHIFTED_SECONDS * 1000) {
    if (gap !== undefined) return rollBack(run, gap.code, gap.message);
    const rule = `everything that a shift needs must be readable within ${MAX_UNSHIFTED_SECONDS} s, and the store writable`;
    return rollBack(run, 'AwsUnavailable', `${rule}, got tasks or services that do not respond`);
  }
  return { ...run, unsavedSinceMs, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
}

/** A shift that was cut short behind its effect has begun: it waits for no window. Other changes are for \`setWeights\` to find. */
function isAsBefore({ intended }: CutoverRun, { rules }: Look, { loadBalancer }: Ports): boolean {
  const present = rules?.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  return present !== undefined && intended !== undefined && sameForward(present, intended);
}

/** What the plan asks of the capture of the side that is left, before each further stage. Preflight has looked before the first. */
async function waitForCapture(
  run: CutoverRun,
  { tasks }: Look,
  ports: Ports,
  nowMs: number,
): Promise<CutoverRun | undefined> {
  const { capture } = run.plan;
  if (!capture) return undefined;
  const { from } = findDirection(run.plan);
  const staying = tasks[from]?.filter(({ life }) => life === 'running') ?? [];
  const gaps = findCaptureGaps(capture, from, staying).map((gap) => ({ ...gap, code: 'CaptureIncomplete' }) as const);
  const store = staying.find(({ report }) => report?.capture?.store !== undefined)?.report?.capture?.store;
  const behind = await lookAtReplays(findGateReplay(run.plan), ports, store);
  const all = [...gaps, ...behind.map((gap) => ({ ...gap, code: 'ReplayIncomplete' }) as const)];
  const lasting = all.find(({ isLasting }) => isLasting);
  if (lasting) return rollBack(run, lasting.code, lasting.message);
  return all[0] && waitToShift(run, nowMs, all[0]);
}

/** The first one follows the preflight. Each further one judges both sides, and waits for what it cannot see. */
export const shift: Act<CutoverRun, CutoverRun> = (run, ports, nowMs) => {
  const next = judged(
    async (judgedRun, _, atMs, look: Look) => {
      if (look.blind.some((what) => !isOfSideThatIsLeft(what, judgedRun.plan))) return waitToShift(judgedRun, atMs);
      const isBefore = isAsBefore(judgedRun, look, ports);
      const gated = isBefore && (await waitForCapture(judgedRun, look, ports, atMs));
      if (gated) return gated;
      const waiting = isBefore && waitForWindow(judgedRun, atMs);
      // Everything was readable: what could not be done before is no part of what cannot be done later.
      if (waiting) return { ...waiting, unsavedSinceMs: undefined };
      const point = { when: 'beforeShift', stage: judgedRun.stage!.index + 2, attempt: 1 } as const;
      const hooked = callHooksFirst(judgedRun, [point], 'nextStage');
      if (hooked !== judgedRun) return { ...hooked, unsavedSinceMs: undefined };
      return setWeights(judgedRun, ports, atMs);
    },
    { isConfirmed: false, resume: 'nextStage' },
  );
  return (run.stage ? next : withLock(setWeights))(run, ports, nowMs);
};

/** What the tasks report now is where counting begins, and what the source did until now says what is slow. */
async function startWatch(run: CutoverRun, proxies: Ports['proxies'], nowMs: number): Promise<CutoverRun> {
  const { execution, plan } = run;
  const order = orderWindow(undefined, execution, plan, nowMs);
  const [source, target] = await Promise.all([proxies.tasks('source', order), proxies.tasks('target', order)]);
  const past = sumSides({ source, target })[findDirection(plan).from];
  const comparison = beginComparison(past, order, plan);
  const routes = Object.keys(comparison.odds.routes);
  const watch = { ...beginWatch({ source, target }, nowMs, findDirection(plan).from), comparison };
  const seen = { judge: JUDGE, until: order.until, routes, past: packWindow(past.all), counts: packCounts(watch) };
  return { ...keepLook(run, { kind: 'begin', at: nowMs, ...seen }), watch };
}

function warmUpStage(watch: Watch, { bakeSeconds }: Stage, plan: Plan, nowMs: number): Watch {
  if (!watch.comparison) return watch;
  return { ...watch, comparison: warmUp(watch.comparison, bakeSeconds, plan, nowMs) };
}

export const handler = createLookingHandler(shift);
