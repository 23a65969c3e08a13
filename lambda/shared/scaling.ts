import { SUSPENDED, ScalingState, SuspendedScaling, findToSuspend } from '../../core/cutover/scaling';
import { CutoverRun, note } from '../../core/cutover/run';
import { CutoverError } from '../../core/errors/errors';
import { SIDES, Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { leavingTime } from '../contract/time-left';

/** For resuming, whatever the step did with its time. */
const RESUME_MS = 3_000;

/** What becomes of the work when the autoscaling cannot be suspended: a switch is not made, a rollback does not wait for it. */
export type WithoutSuspension = 'reject' | 'goOn';

/**
 * Runs a part of a step while nothing scales the services of either side, and resumes what it has suspended in every
 * outcome. What is suspended is in the lock before it is: another step resumes it where this one dies.
 *
 * @throws CutoverError `AwsUnavailable` when it cannot be suspended, and must be
 */
export async function withScalingSuspended(
  given: CutoverRun,
  ports: Ports,
  work: (run: CutoverRun) => Promise<CutoverRun>,
  otherwise: WithoutSuspension = 'reject',
): Promise<CutoverRun> {
  const noted = await settleError(() => noteSuspended(given, ports));
  if ('error' in noted && otherwise === 'reject') throw noted.error;
  const { run, fresh } = 'value' in noted ? noted.value : { run: noteProblem(given, noted.error, ports), fresh: [] };
  const suspended = run.suspended ?? [];
  const done = await settleError(() =>
    leavingTime(RESUME_MS, async () => {
      const problem = await suspendAll(fresh, ports);
      if (problem !== undefined && otherwise === 'reject') throw problem;
      return work(problem === undefined ? run : noteProblem(run, problem, ports));
    }),
  );
  const resumed = await resumeScaling({ ...('value' in done ? done.value : run), suspended }, ports);
  if ('error' in done) throw done.error;
  return resumed;
}

/** In the lock before it is so, beside all that the lock has. */
async function noteSuspended(run: CutoverRun, ports: Ports) {
  const held = await findOwnLock(run, ports);
  const ours = findSuspended(run, held);
  const fresh = findToSuspend(await readScaling(ports), ours);
  const suspended = [...ours, ...fresh];
  if (fresh.length > 0) await ports.store.save({ ...held, suspended });
  return { run: suspended.length === 0 ? run : { ...run, suspended }, fresh };
}

/** As it is to be written: when it ends is not a part of it. */
async function findOwnLock(
  { execution }: CutoverRun,
  { store }: Ports,
): Promise<CutoverRun & { hasExpired: undefined }> {
  const held = await store.holder();
  if (held?.execution !== execution) {
    throw new CutoverError('LockLost', `the lock must be held by '${execution}', got another or none`);
  }
  return { ...held, hasExpired: undefined };
}

/** Of all sides before the first problem is said: one that is suspended late would not be resumed. */
async function suspendAll(fresh: readonly SuspendedScaling[], { services }: Ports): Promise<Error | undefined> {
  const done = await Promise.allSettled(fresh.map(({ side }) => services.suspend(side, SUSPENDED)));
  return done.flatMap((each) => (each.status === 'rejected' ? [each.reason as Error] : []))[0];
}

function noteProblem(run: CutoverRun, problem: unknown, ports: Ports): CutoverRun {
  return noteOnce(run, { notSuspended: problem instanceof Error ? problem.message : String(problem) }, ports);
}

/** A rollback may try it for an hour, and a state has no room for as many entries. */
function noteOnce(run: CutoverRun, detail: Readonly<Record<string, unknown>>, { now }: Ports): CutoverRun {
  const kinds = Object.keys(detail).join();
  const last = run.timeline.findLast(
    (entry) => entry.state === 'Scaling' && Object.keys(entry.detail).join() === kinds,
  );
  return last ? run : note(run, now(), 'Scaling', detail);
}

async function settleError<T>(work: () => Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

/**
 * Resumes what this cutover has suspended, as its state says, and forgets it there and in the lock: from then on a person may
 * suspend it. What cannot be resumed stays in both, and in the timeline.
 */
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
  const left = failed.map(({ each }) => each);
  // A lock that still has it is no harm: another step resumes it once more.
  await settle(async () => {
    const lock = await findOwnLock(run, ports);
    await ports.store.save({ ...lock, suspended: left.length > 0 ? left : undefined });
  });
  if (failed.length === 0) return bare;
  const detail = { notResumed: failed.map(({ each, problem }) => `${each.side}: ${problem}`) };
  return noteOnce({ ...bare, suspended: left }, detail, ports);
}

/**
 * As `resumeScaling`, also of what a step has suspended that was repeated or died: the lock has it. Not under the lock of
 * another cutover, which may be switching.
 *
 * @throws CutoverError when the lock cannot be read: what it has suspended is unknown then
 */
export async function resumeFromLock(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  if (!run.plan.switch) return run;
  const held = await ports.store.holder();
  if (held && held.execution !== run.execution) return { ...run, suspended: undefined };
  return resumeScaling({ ...run, suspended: findSuspended(run, held) }, ports);
}

/**
 * For the end of a cutover, which frees the lock: after it no step would resume anything.
 *
 * @throws CutoverError `AwsUnavailable` when something is still suspended
 */
export async function resumeForGood(given: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const run = await resumeFromLock(given, ports);
  const { suspended = [], timeline } = run;
  if (suspended.length === 0) return run;
  const sides = suspended.map(({ side }) => side).join(' and the ');
  const got = JSON.stringify(timeline.findLast(({ state }) => state === 'Scaling')?.detail);
  throw new CutoverError('AwsUnavailable', `the autoscaling of the ${sides} must be resumed, got ${got}`);
}

/** By the run and by the lock: either may be older. What was so before is the same in both. */
function findSuspended(run: CutoverRun, held: CutoverRun | undefined): readonly SuspendedScaling[] {
  const ofRun = run.suspended ?? [];
  const ofLock = held?.suspended ?? [];
  return [...ofRun, ...ofLock.filter(({ side }) => !ofRun.some((each) => each.side === side))];
}

/** A step that is repeated saves what it was given: it must know first what the lock says of the scaling. */
export function recallSuspended(run: CutoverRun, held: CutoverRun | undefined): CutoverRun {
  const suspended = held?.execution === run.execution ? findSuspended(run, held) : [];
  return suspended.length === 0 ? run : { ...run, suspended };
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
