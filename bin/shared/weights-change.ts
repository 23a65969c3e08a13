import { CutoverError } from '../../core/errors/errors';
import { Forward, forwardFor, sameForward, findWeights } from '../../core/traffic/forward';
import type { LockHolder } from '../../core/traffic/lock';
import { SIDES, Side, Weights, formatWeights } from '../../core/traffic/weights';
import type { OperatorPorts } from '../../lambda/operator';

type Lease = Parameters<Parameters<OperatorPorts['lock']['holding']>[1]>[0];

/** The weights in force, and whether they are anybody's to move. */
export interface WeightsReading {
  readonly ruleArn: string;
  readonly weights: Weights;
  readonly forward: Forward;
  readonly lock?: LockHolder;
}

/** One change of the weights by a person. */
export interface WeightsChange {
  readonly weights: Weights;
  /** The name under which the lock is held. */
  readonly execution: string;
  /** Whether to go on although a side has no healthy target. */
  readonly isForced: boolean;
  /** Asked with the weights in force before anything is changed. */
  readonly agree: (before: Weights) => Promise<boolean>;
  /** Called before the lock is asked for. @throws CutoverError `Aborted` where the person has stopped it by then */
  readonly endInOrder: () => void;
  /** Told before the lock is asked for, and when it is given back. */
  readonly onLock: (isHeld: boolean) => void;
  /** Told of what is not as it should be, and does not stop it. */
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

export interface ChangeResult {
  readonly before: Weights;
  readonly outcome: 'changed' | 'unchanged' | 'declined';
}

/** A rule reads back at once where it works at all. */
export const CONFIRM_MS = 60_000;
export const CONFIRM_POLL_MS = 500;

/** @throws CutoverError `RuleNotWeighted` */
export async function readWeights(
  ports: Pick<OperatorPorts, 'loadBalancer' | 'lock'>,
  execution = '',
): Promise<WeightsReading> {
  const { loadBalancer, lock } = ports;
  const [readings, held] = await Promise.all([loadBalancer.rules(), lock.heldByAnother(execution)]);
  const { ruleArn, groupArns } = loadBalancer;
  const forward = readings.find(({ arn }) => arn === ruleArn)?.forward;
  const weights = forward && findWeights(forward, groupArns);
  if (!forward || !weights) {
    const got = forward?.groups.map(({ arn, weight }) => `${arn}=${weight}`).join(' ') ?? 'no such forward';
    const remedy = "requests that go past the proxies are adopted first, with 'drainshift adopt'";
    const rule = `'${ruleArn}' must forward to the two target groups alone`;
    throw new CutoverError('RuleNotWeighted', `${rule}, got ${got}; ${remedy}`);
  }
  return { ruleArn, weights, forward, ...(held && { lock: held }) };
}

/**
 * Sets the weights as a cutover would: under the lock, over sides that serve and a rule that is what it was when the person was asked, and
 * read back. The lock is given back whatever happens.
 *
 * @throws CutoverError `RuleNotWeighted`, `LockHeld`, `LockLost`, `TargetsUnhealthy`, `ProxyDraining`, `RulesChanged`,
 *   `ShiftNotConfirmed`, `Aborted`
 */
export async function changeWeights(ports: OperatorPorts, change: WeightsChange): Promise<ChangeResult> {
  const { weights, execution } = change;
  const reading = await readWeights(ports, execution);
  const before = reading.weights;
  const intended = forwardFor(weights, ports.loadBalancer.groupArns, reading.forward.stickiness);
  if (sameForward(reading.forward, intended)) return { before, outcome: 'unchanged' };
  if (reading.lock) {
    throw new CutoverError('LockHeld', `the lock must be free, got one ${await ports.describeHeld(reading.lock)}`);
  }
  if (!change.isForced) await checkTargets(ports, weights);
  if (!(await change.agree(before))) return { before, outcome: 'declined' };
  change.endInOrder();
  change.onLock(true);
  try {
    await ports.lock.holding(execution, (lease) =>
      setLocked(ports, change, { shown: reading.forward, intended, lease }),
    );
  } finally {
    change.onLock(false);
  }
  return { before, outcome: 'changed' };
}

interface Setting {
  readonly shown: Forward;
  readonly intended: Forward;
  readonly lease: Lease;
}

async function setLocked(ports: OperatorPorts, change: WeightsChange, setting: Setting): Promise<void> {
  const { shown, intended, lease } = setting;
  const present = await readWeights(ports, change.execution);
  if (!sameForward(present.forward, shown)) {
    const now = formatWeights(present.weights);
    throw new CutoverError('RulesChanged', `the rule must be as it was shown, got weights of ${now}`);
  }
  // Again: a person may take hours to respond.
  if (!change.isForced) await checkTargets(ports, change.weights);
  await undrainSides(ports, change, present.weights);
  await lease.check();
  throwIfStopped(change, 'nothing was changed');
  await write(ports, intended, lease);
  await confirm(ports, intended, change);
  await recallMoved(ports, change);
}

/** Beside a side that has all of the weight nothing else serves: what a drain has moved away from it comes back. */
async function recallMoved(ports: OperatorPorts, change: WeightsChange): Promise<void> {
  const alone = SIDES.find(
    (side) => change.weights[side] > 0 && SIDES.every((each) => each === side || change.weights[each] === 0),
  );
  if (!alone) return;
  const recalled = await ports.undrain(alone, 'all').catch((error: Error) => ({ notUndrained: [error.message] }));
  for (const line of recalled?.notUndrained ?? []) {
    change.warn(`what its proxies have moved away may stay at the other backend: ${line}`);
  }
}

/**
 * A side that gets weight must serve: one that is draining would reject every WebSocket, and one that fails its smoke
 * requests would fail those of clients.
 */
async function undrainSides(ports: OperatorPorts, change: WeightsChange, before: Weights): Promise<void> {
  const share = (weights: Weights, side: Side) => weights[side] / (weights.source + weights.target);
  for (const side of SIDES.filter((each) => share(change.weights, each) > share(before, each))) {
    const undrained = await ports.undrain(side);
    if (!undrained) {
      change.warn(`the ${side} may be draining: this stack has no function to undrain it. Deploy it again`);
      continue;
    }
    const { state, notUndrained } = undrained;
    const [first] = notUndrained;
    const problem =
      first === undefined
        ? state.serves !== true &&
          new CutoverError('TargetsUnhealthy', `the ${side} must serve to be given weight: ${state.reason}`)
        : new CutoverError('ProxyDraining', `every proxy of the ${side} must serve to be given weight, got ${first}`);
    if (!problem) continue;
    if (!change.isForced) throw problem;
    change.warn(`${problem.message}; forced`);
  }
}

/** A call may have done its work although it has failed, unless the service itself said no. */
export async function write({ loadBalancer }: OperatorPorts, intended: Forward, { untilMs }: Lease): Promise<void> {
  try {
    await loadBalancer.setForward(intended, untilMs);
  } catch (error) {
    const { $fault, message } = error as { $fault?: string; message: string };
    if ($fault === 'client') throw error;
    throw new Error(`${message}; the weights may have been set all the same: look at them`, { cause: error });
  }
}

/** A load balancer does not fail over from a group without healthy targets: its share of the requests would be lost. */
async function checkTargets({ loadBalancer }: OperatorPorts, weights: Weights): Promise<void> {
  for (const side of SIDES) {
    if (weights[side] > 0 && (await loadBalancer.healthyTargets(side)) === 0) {
      throw new CutoverError('TargetsUnhealthy', `the ${side} must have a healthy target to be given weight, got none`);
    }
  }
}

async function confirm(ports: OperatorPorts, intended: Forward, change: WeightsChange): Promise<void> {
  const untilMs = change.now() + CONFIRM_MS;
  for (;;) {
    const { forward, weights } = await readWeights(ports, change.execution);
    if (sameForward(forward, intended)) return;
    throwIfStopped(change, 'the weights were set, and not read back yet: look at them again');
    if (change.now() >= untilMs) {
      const rule = `read back as ${formatWeights(change.weights)} within ${CONFIRM_MS / 1000} s`;
      throw new CutoverError('ShiftNotConfirmed', `the weights must ${rule}, got ${formatWeights(weights)}`);
    }
    await change.pause(CONFIRM_POLL_MS);
  }
}

function throwIfStopped({ signal }: WeightsChange, rest: string): void {
  if (signal.aborted) throw new CutoverError('Aborted', `stopped: ${rest}`);
}
