import { CutoverRun, RollbackRecord, findFailure } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import { Forward, sameForward } from '../../core/traffic/forward';
import { SideState } from '../../core/judge/side-state';
import { mayPace } from '../../core/cutover/pacing';
import { readRules } from '../shared/observe';
import type { Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { Settled, settle, settleWithin } from '../contract/settle';
import { readSide } from '../shared/sides';
import { leavingTime, timeLeftMs } from '../contract/time-left';
import { undrain } from '../shared/undrain';

/** What a look at the side that it leaves may take, for the pace of a plan: one that does not respond by then is left at once. */
const PACE_LOOK_MS = 2_500;

/** What a look at the side that it leaves may take. */
const OTHER_MS = 14_000;

/** What verifying may take: two reads of the rules. A step that has less left leaves it to the next look. */
const VERIFY_MS = 14_000;

/** What one look of a rollback has read and done. */
export interface Seen {
  readonly forward: Forward | undefined;
  /** The side that gets its weight back. */
  readonly back: SideState;
  /** Of that side; undefined when the load balancer did not say. */
  readonly healthyTargets?: number | undefined;
  /** The side that loses the traffic, where a pace asks for it. */
  readonly left?: SideState;
  /** One line for each thing that could not be done or read. */
  readonly notDone: readonly string[];
}

export interface SeenBoth extends Seen {
  /** The side that got the traffic, and loses it. */
  readonly other: SideState;
}

/** What is read of the side that gets its weight back, and of where the weights stand; for a pace of the other side, too. */
export type Ahead = Omit<Seen, 'notDone'>;

async function readBack(run: CutoverRun, ports: Ports, atOnce: string | undefined): Promise<Ahead> {
  const { loadBalancer } = ports;
  const { plan } = run;
  const { from, to } = findDirection(plan);
  const [back, rules, left] = await Promise.all([
    readSide(from, plan, ports, 1),
    loadBalancer.rules(),
    atOnce === undefined && mayPace(run) ? readLeft(run, to, ports) : undefined,
  ]);
  const forward = rules.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const { state, healthyTargets } = back;
  return { forward, back: state, healthyTargets, ...(left && { left }) };
}

/** For a pace. One that served nothing when it was judged is left at once, without another look at it. */
async function readLeft(run: CutoverRun, side: Side, ports: Ports): Promise<SideState> {
  if (!run.rollback && run.deadSide === side) {
    return {
      serves: false,
      code: 'SmokeFailed',
      reason: findFailure(run)?.message ?? 'it served nothing when it was judged',
    };
  }
  const read = async () => (await readSide(side, run.plan, ports, 1)).state;
  return unknownWithout(await settleWithin(PACE_LOOK_MS, `reading the ${side}`, read));
}

/** It changes nothing, and so needs no lock: a store that does not respond costs its time once. */
export function readAhead(run: CutoverRun, ports: Ports, atOnce: string | undefined): Promise<Ahead> {
  const read = readBack(run, ports, atOnce);
  // It fails where it is awaited.
  read.catch(() => undefined);
  return read;
}

/** What was begun before, and why the plan's pace is not kept. */
interface AskedAhead {
  readonly ahead: Promise<Ahead> | undefined;
  readonly atOnce: string | undefined;
}

/** Undrains the side, and leaves what it has moved where it is (see `recallMoved`); reads at the same time what it is and where the weights stand. */
export async function look(run: CutoverRun, ports: Ports, { ahead, atOnce }: AskedAhead): Promise<Seen> {
  const { from } = findDirection(run.plan);
  const [notDone, read] = await Promise.all([undrain(from, 'none', ports), ahead ?? readBack(run, ports, atOnce)]);
  return { ...read, notDone };
}

/** A side that was not seen in time is unknown. */
function unknownWithout(read: Settled<SideState>): SideState {
  return 'value' in read ? read.value : { serves: 'unknown', isHealthy: false, reason: read.problem };
}

/** In what is left of the step without the time for what comes after it: a side that was not seen by then is unknown. */
export async function lookAtOther({ plan }: CutoverRun, seen: Seen, ports: Ports, leaveMs: number): Promise<SeenBoth> {
  const { to } = findDirection(plan);
  const read = () =>
    settleWithin(OTHER_MS, `reading the ${to}`, async () => (await readSide(to, plan, ports, 1)).state);
  return { ...seen, other: unknownWithout(await leavingTime(leaveMs, read)) };
}

/** Within the time of the step: what it does not see, the next look does. That the weights were set is not forgotten over it. */
export async function verifyBack({ plan }: CutoverRun, seen: Seen, ports: Ports, intended: Forward): Promise<Seen> {
  const { loadBalancer } = ports;
  const unseen: Seen = { ...seen, forward: undefined };
  if (timeLeftMs() < VERIFY_MS) return unseen;
  const [rules, back] = await Promise.all([
    settle(() => readRules(ports, (forward) => sameForward(forward, intended))),
    readSide(findDirection(plan).from, plan, ports, 1),
  ]);
  if ('problem' in rules) return { ...unseen, back: back.state, notDone: [...seen.notDone, rules.problem] };
  const forward = rules.value.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  return { ...seen, forward, back: back.state };
}

export function listNotDone({ notDone }: Seen): Pick<RollbackRecord, 'notDone'> {
  return notDone.length > 0 ? { notDone } : {};
}
