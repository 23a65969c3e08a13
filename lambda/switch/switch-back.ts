import type { CutoverRun } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import type { ReplayPlan } from '../../core/plan/replay-plan';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import { beginAgain } from '../../core/state/preparation';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';
import { prepareState } from '../state/prepare';
import { findDeployments, withScalingSuspended } from '../shared/scaling';
import { findBehind } from './replay-hook';
import { findProbe } from './switch-probe';
import { discardState } from './discard-state';
import { beginHook, endingHook, findCopied, findCopyLeft, findHook, noteSwitch, switchPorts } from './switch-ports';
import { thawLeft } from './switch-thaw';
import { switchOver } from './switch-over';

/** Of the tasks that are asked whether a backend responds. */
const MAX_PROBES = 5;
const PROBE_MS = 4_000;
const MAX_DEPLOYMENT_MS = 300_000;

export type SwitchedBack =
  /** The side that the cutover left serves, as far as the regime says: the weights may follow. `notDone`: a hook has left it frozen. */
  | { readonly kind: 'back'; readonly run: CutoverRun; readonly notDone?: string }
  /** State is copied back, while the other side serves: the next look goes on. */
  | { readonly kind: 'copies'; readonly run: CutoverRun }
  /** The other side goes on, and why. `asks`: the plan leaves it to a person. `unknown`: of the store, which may respond again. */
  | { readonly kind: 'stays'; readonly run: CutoverRun; readonly why: string; readonly reason: StayReason };

export type StayReason = 'asks' | 'unknown' | 'failed';

/**
 * What a rollback does before it moves weights, where a plan switches: an undecided switch is given up, and one that was
 * committed is made the other way, if the plan says so and the side that was left responds. Without the store nothing is known of
 * either, and nothing is done: the proxies forward to one side, whatever the weights are.
 */
export async function switchBack(run: CutoverRun, ports: Ports): Promise<SwitchedBack> {
  const { plan } = run;
  if (!plan.switch) return { kind: 'back', run };
  const tried = await settle(() => goBack(run, plan.switch!, ports));
  if ('value' in tried) return tried.value;
  return { kind: 'stays', run, why: `the switch must be known and ended, got ${tried.problem}`, reason: 'unknown' };
}

async function goBack(run: CutoverRun, plan: SwitchPlan, ports: Ports): Promise<SwitchedBack> {
  const { execution } = run;
  const { moves } = run.plan.drain;
  const stored = await ports.switches.readRegime();
  const { regime } = stored;
  if (regime.switching) {
    // Ends it, one way or the other: it is ours to abort, and may have been committed.
    const stop = () => Promise.resolve<string | undefined>('the cutover rolls back');
    const { to } = regime.switching;
    const hook = findHook(plan, to, ports, findCopyLeft(to, run.plan));
    const record = await switchOver({ execution, plan, to, findStop: stop, moves, ...hook }, switchPorts(ports));
    if (!record) throw new Error(`the switch of epoch ${regime.epoch} is under way, and another's`);
    return goBack(noteSwitch(run, record, ports.now()), plan, ports);
  }
  const { from } = findDirection(run.plan);
  const frozen = await thawLeft(stored, run, ports);
  // A side that serves and is frozen serves reads: who rolls back tries again, and says so.
  if (regime.side === from) return findWhatIsLeft(run, frozen, ports);
  const stays = (why: string, reason: StayReason = 'failed', noted = run) =>
    ({ kind: 'stays', run: noted, why: frozen === undefined ? why : `${why}; ${frozen}`, reason }) as const;
  if (plan.rollback === 'ask') return stays("the plan's 'switch.rollback' is 'ask': a person decides", 'asks');
  const problem = await probeBefore(from, run, plan, ports);
  if (problem !== undefined) return stays(problem);
  const copied = await copyBack(run, plan, ports);
  if (copied.kind === 'copies') return copied;
  if (copied.kind === 'failed') return stays(copied.why, 'failed', copied.run);
  const deployments = mayWaitForDeployments(run, ports) ? await findDeployments(ports) : [];
  if (deployments.length > 0) return stays(deployments.join('; '), 'unknown');
  let record: SwitchRecord | undefined;
  // It is the rollback: no request to stop it means anything now.
  const hook = findHook(plan, from, ports, copied.copied);
  const why = await beginHook(hook.hook, { from: findDirection(run.plan).to, to: from, execution }, plan);
  const findStop = () => Promise.resolve(why);
  const probe = findProbe(run, ports);
  const attempt = async (held: CutoverRun) => {
    const asked = { execution, plan, to: from, findStop, probe, moves, ...hook };
    record = await endingHook(hook.hook, () => switchOver(asked, switchPorts(ports)));
    return record ? noteSwitch(held, record, ports.now()) : held;
  };
  // Nothing of its safety rests on it: where it cannot be suspended, the rollback does not wait.
  const noted = await withScalingSuspended(copied.run, ports, attempt, 'goOn');
  if (!record) return stays('another switch is under way', 'unknown', noted);
  if (record.outcome === 'commit') {
    const left = record.frozen && `the ${record.frozen} serves, and must be thawed`;
    return { kind: 'back', run: noted, ...(left !== undefined && { notDone: left }) };
  }
  return stays(`the switch back was aborted: ${record.why ?? 'no reason'}`, 'failed', noted);
}

/** Where memory goes along, what is to respond there is restored in the hold, and asked then. */
async function probeBefore(side: Side, run: CutoverRun, { state }: SwitchPlan, ports: Ports) {
  return state?.checkpoint ? undefined : probeSide(side, run, ports);
}

async function findWhatIsLeft(run: CutoverRun, frozen: string | undefined, ports: Ports): Promise<SwitchedBack> {
  const hasCommitted = run.switches?.some(({ outcome }) => outcome === 'commit') ?? false;
  const left = hasCommitted ? undefined : await discardState(run, ports);
  const notDone = [frozen, left].flatMap((each) => each ?? []).join('; ');
  return { kind: 'back', run, ...(notDone !== '' && { notDone }) };
}

type CopiedBack =
  | { readonly kind: 'copies'; readonly run: CutoverRun }
  | { readonly kind: 'ready'; readonly run: CutoverRun; readonly copied: ReturnType<typeof findCopied> }
  | { readonly kind: 'failed'; readonly run: CutoverRun; readonly why: string };

/** The writes of the side that is left go along, unless the plan says that they may be lost. */
async function copyBack(run: CutoverRun, plan: SwitchPlan, ports: Ports): Promise<CopiedBack> {
  if (plan.replay) return waitForReplay(run, plan.replay, ports);
  if (!plan.state) return { kind: 'ready', run, copied: undefined };
  if (plan.pointOfNoReturn === 'acceptLoss') return { kind: 'ready', run, copied: 'nothing' };
  const { from: to, to: from } = findDirection(run.plan);
  const prepared = await prepareState(run, { from, to, attempt: (run.switches?.length ?? 0) + 1 }, ports);
  const noted = { ...run, preparation: prepared.preparation };
  if (prepared.kind === 'copying') return { kind: 'copies', run: noted };
  if (prepared.kind === 'ready')
    return { kind: 'ready', run: noted, copied: findCopied(run.execution, prepared.preparation) };
  const notDone = await discardState(noted, ports);
  const why = `the state must be copied back to the ${to}, got: ${prepared.why}${notDone === undefined ? '' : `; ${notDone}`}`;
  return { kind: 'failed', run: { ...run, preparation: beginAgain(prepared.preparation, ports.now()) }, why };
}

/** Without it going back would lose what the side that is left has served: from which request on, the reason says. */
async function waitForReplay(run: CutoverRun, plan: ReplayPlan, ports: Ports): Promise<CopiedBack> {
  const behind = await findBehind(plan, findDirection(run.plan).from, ports);
  if (!behind) return { kind: 'ready', run, copied: undefined };
  const startedMs = run.rollback ? Date.parse(run.rollback.startedAt) : ports.now();
  const mayWait = !behind.isLasting && ports.now() - startedMs < 1000 * plan.catchUpSeconds;
  return mayWait ? { kind: 'copies', run } : { kind: 'failed', run, why: behind.message };
}

/** A deployment of a side that is broken may never end: after this time a switch back is tried all the same. */
function mayWaitForDeployments({ rollback }: CutoverRun, { now }: Ports): boolean {
  return !rollback || now() - Date.parse(rollback.startedAt) < MAX_DEPLOYMENT_MS;
}

/** A smoke request; without a status any response will do. */
interface Wanted {
  readonly path: string;
  readonly expectedStatus?: number;
}

/**
 * Asks a backend through the proxies, past the side that they forward to: a smoke request through the listener of a side
 * reaches the backend that serves.
 *
 * @returns why it must not be switched to; undefined when each smoke request had its status from one task at least. A plan
 *   without smoke requests takes any response.
 */
export async function probeSide(side: Side, { plan }: CutoverRun, ports: Ports): Promise<string | undefined> {
  const { host } = ports.smoke;
  const opened = await ports.proxies.open();
  const sessions = opened.flatMap(({ session }) => session ?? []);
  try {
    const requests: readonly Wanted[] = plan.smoke.length > 0 ? plan.smoke : [{ path: '/' }];
    for (const { path, expectedStatus } of requests) {
      const asked = await Promise.all(
        sessions
          .slice(0, MAX_PROBES)
          .map((session) =>
            settleWithin(PROBE_MS, `probing the ${side}`, () => session.probe({ to: side, path, host })),
          ),
      );
      const got = asked.map((each) =>
        'value' in each ? (each.value.status ?? each.value.upstreamProblem) : each.problem,
      );
      // 0: it speaks no HTTP/1.1, and could be connected to.
      const isWanted = (status: unknown) =>
        expectedStatus === undefined ? Number.isInteger(status) : status === expectedStatus;
      if (got.some((status) => isWanted(status) || status === 0)) continue;
      return `the ${side} must respond to ${path} with ${expectedStatus ?? 'any status'}, got ${got.join(', ') || 'no task to ask'}`;
    }
    return undefined;
  } finally {
    for (const session of sessions) session.close();
  }
}
