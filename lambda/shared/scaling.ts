import { SUSPENDED, ScalingState, SuspendedScaling, findToSuspend } from '../../core/cutover/scaling';
import { CutoverRun, note } from '../../core/cutover/run';
import { SIDES, Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { leavingTime } from '../contract/time-left';

/** For resuming, whatever the step did with its time. */
const RESUME_MS = 3_000;

/**
 * Runs a part of a step while nothing scales the services of either side, and resumes what it has suspended in every
 * outcome. What is suspended is in the lock before it is: another step resumes it where this one dies.
 *
 * @throws CutoverError `AwsUnavailable` when it cannot be suspended
 */
export async function withScalingSuspended(
  given: CutoverRun,
  ports: Ports,
  work: (run: CutoverRun) => Promise<CutoverRun>,
): Promise<CutoverRun> {
  const held = await ports.store.holder();
  const ours = held?.suspended ?? given.suspended ?? [];
  const fresh = findToSuspend(await readScaling(ports), ours);
  const suspended = [...ours, ...fresh];
  const run = suspended.length === 0 ? given : { ...given, suspended };
  if (fresh.length > 0) await ports.store.save(run);
  const done = await settleError(() =>
    leavingTime(RESUME_MS, async () => {
      await Promise.all(fresh.map(({ side }) => ports.services.suspend(side, SUSPENDED)));
      return work(run);
    }),
  );
  const resumed = await resumeScaling({ ...('value' in done ? done.value : run), suspended }, ports);
  // The lock may know more by now than was known here: it stays, and another step resumes once more.
  if ('error' in done) throw done.error;
  // No step resumes it again: a person may suspend it from now on.
  if (suspended.length > 0 && resumed.verdict !== 'rollBack') await settle(() => ports.store.save(resumed));
  return resumed;
}

async function settleError<T>(work: () => Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

/** Resumes what a step of this cutover has suspended, as its state says. What cannot be resumed stays in the state, and in its timeline. */
export async function resumeScaling(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const { suspended = [], ...bare } = run;
  if (suspended.length === 0) return bare;
  const resumed = await Promise.all(
    suspended.map(async (each) => ({
      each,
      done: await settle(() => ports.services.suspend(each.side, each.before)),
    })),
  );
  const failed = resumed.flatMap(({ each, done }) => ('problem' in done ? [{ each, problem: done.problem }] : []));
  if (failed.length === 0) return bare;
  const detail = { notResumed: failed.map(({ each, problem }) => `${each.side}: ${problem}`) };
  return note({ ...bare, suspended: failed.map(({ each }) => each) }, ports.now(), 'Scaling', detail);
}

/** The state of a step that was repeated or died lacks what the lock has. */
export async function resumeFromLock(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  if (!run.plan.switch) return run;
  const held = await settle(() => ports.store.holder());
  const ofLock = 'value' in held && held.value?.execution === run.execution ? held.value.suspended : undefined;
  const suspended: readonly SuspendedScaling[] = run.suspended ?? ofLock ?? [];
  return suspended.length === 0 ? run : resumeScaling({ ...run, suspended }, ports);
}

/** Why the tasks of a side are about to change: a switch needs those that it has listed. */
export async function findDeployments({ services }: Pick<Ports, 'services'>): Promise<string[]> {
  const found = await Promise.all(
    SIDES.map(async (side) => {
      const read = await settle(() => services.deployment(side));
      const got = 'problem' in read ? read.problem : read.value;
      return got === undefined ? [] : [`no deployment of the ${side}'s service may be in progress, got ${got}`];
    }),
  );
  return found.flat();
}

async function readScaling({ services }: Ports): Promise<Partial<Record<Side, ScalingState>>> {
  const states = await Promise.all(SIDES.map(async (side) => [side, await services.scaling(side)] as const));
  return Object.fromEntries(states.filter(([, state]) => state !== undefined));
}
