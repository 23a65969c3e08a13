import { AdoptedRule, AdoptionRequest, AdoptionState, adoptionForward, readAdoption } from '../core/traffic/adoption';
import { CutoverError } from '../core/errors/errors';
import { Forward, sameForward } from '../core/traffic/forward';
import type { LockHolder } from '../core/traffic/lock';
import { Side } from '../core/traffic/weights';
import type { AdoptionPorts } from '../lambda/operator';
import { CONFIRM_MS, CONFIRM_POLL_MS, WeightsChange, write } from './shared/weights-change';

type Lease = Parameters<Parameters<AdoptionPorts['lock']['holding']>[1]>[0];

export interface AdoptionReading {
  readonly adopted: AdoptedRule;
  readonly state: AdoptionState;
  readonly lock?: LockHolder;
}

/** One step of an adoption, or of its rollback, by a person. */
export interface AdoptionChange extends Pick<
  WeightsChange,
  'execution' | 'endInOrder' | 'onLock' | 'signal' | 'now' | 'pause'
> {
  readonly request: AdoptionRequest;
  /** Asked with what is in force before anything is changed. */
  readonly agree: (before: AdoptionState) => Promise<boolean>;
}

export interface AdoptionResult {
  readonly before: AdoptionState;
  readonly after: AdoptionState;
  readonly outcome: 'changed' | 'unchanged' | 'declined';
}

/** @throws CutoverError `RuleNotWeighted` */
export async function readAdopted(ports: AdoptionPorts, execution = ''): Promise<AdoptionReading> {
  const { loadBalancer, rules, lock, listenerArn } = ports;
  const [all, held] = await Promise.all([rules.onListener(listenerArn), lock.heldByAnother(execution)]);
  const rule = all.find(({ arn }) => arn === loadBalancer.ruleArn);
  if (!rule?.forward) {
    const got = rule ? 'another action' : 'no such rule';
    throw new CutoverError('RuleNotWeighted', `'${loadBalancer.ruleArn}' must forward alone, got ${got}`);
  }
  const others = all.filter(({ arn }) => arn !== rule.arn);
  const adopted = { rule, others, groupArns: loadBalancer.groupArns };
  return { adopted, state: readAdoption(adopted), ...(held && { lock: held }) };
}

/**
 * Sets the share of the requests that comes through the proxies: under the lock, over a rule and a listener that are what
 * they were when the person was asked, to places that were proven, and read back.
 *
 * @throws CutoverError `RuleNotWeighted`, `NotAdoptable`, `LockHeld`, `LockLost`, `TargetsUnhealthy`, `SmokeFailed`,
 *   `RulesChanged`, `ShiftNotConfirmed`, `Aborted`
 */
export async function changeAdoption(ports: AdoptionPorts, change: AdoptionChange): Promise<AdoptionResult> {
  const { execution, request } = change;
  const { adopted, state, lock } = await readAdopted(ports, execution);
  const step = adoptionForward(adopted, request);
  const after = readAdoption({ ...adopted, rule: { ...adopted.rule, forward: step.forward } });
  if (adopted.rule.forward && sameForward(adopted.rule.forward, step.forward)) {
    return { before: state, after: state, outcome: 'unchanged' };
  }
  if (lock) throw new CutoverError('LockHeld', `the lock must be free, got one ${await ports.describeHeld(lock)}`);
  await checkPlaces(ports, request, step);
  if (!(await change.agree(state))) return { before: state, after: state, outcome: 'declined' };
  change.endInOrder();
  change.onLock(true);
  try {
    await ports.lock.holding(execution, (lease) =>
      setLocked(ports, change, { shown: [adopted.rule.forward, step.forward], lease }),
    );
  } finally {
    change.onLock(false);
  }
  return { before: state, after, outcome: 'changed' };
}

interface Step {
  readonly forward: Forward;
  readonly side: Side;
}

async function setLocked(
  ports: AdoptionPorts,
  change: AdoptionChange,
  { shown, lease }: { readonly shown: readonly (Forward | undefined)[]; readonly lease: Lease },
): Promise<void> {
  const { adopted } = await readAdopted(ports, change.execution);
  const step = adoptionForward(adopted, change.request);
  const isAsShown = [adopted.rule.forward, step.forward].every((each, index) => {
    const before = shown[index];
    return each !== undefined && before !== undefined && sameForward(each, before);
  });
  if (!isAsShown) {
    const got = adopted.rule.forward ? formatGroups(adopted.rule.forward) : 'another action';
    throw new CutoverError('RulesChanged', `the rules must be as they were when they were shown, got ${got}`);
  }
  // Again: a person may take hours to respond.
  await checkPlaces(ports, change.request, step);
  await lease.check();
  throwIfStopped(change, 'nothing was changed');
  await write(ports, step.forward, lease);
  await confirm(ports, step.forward, change);
}

/** A side that gets requests has to be able to serve them: the proxies by their proof, the group past them by its health. */
async function checkPlaces(ports: AdoptionPorts, { share }: AdoptionRequest, { forward, side }: Step): Promise<void> {
  const past = forward.groups.find(({ arn }) => arn !== ports.loadBalancer.groupArns[side]);
  if (past && (await ports.rules.healthyTargets(past.arn)) === 0) {
    const message = `'${past.arn}' must have a healthy target to take the requests past the proxies, got none`;
    throw new CutoverError('TargetsUnhealthy', message);
  }
  if (share === 0) return;
  if (!ports.prove) {
    const got = 'a deployment without its proof; deploy it again';
    throw new CutoverError('NotAdoptable', `the proxies must be proven before they get requests, got ${got}`);
  }
  const [first, ...more] = await ports.prove(side);
  if (first) throw new CutoverError(first.code, [first, ...more].map(({ message }) => message).join('\n'));
}

async function confirm(ports: AdoptionPorts, intended: Forward, change: AdoptionChange): Promise<void> {
  const untilMs = change.now() + CONFIRM_MS;
  for (;;) {
    const { forward } = (await readAdopted(ports, change.execution)).adopted.rule;
    if (forward && sameForward(forward, intended)) return;
    throwIfStopped(change, 'the share was set, and not read back yet: look at it again');
    if (change.now() >= untilMs) {
      const got = forward ? formatGroups(forward) : 'another action';
      throw new CutoverError('ShiftNotConfirmed', `the share must read back within ${CONFIRM_MS / 1000} s, got ${got}`);
    }
    await change.pause(CONFIRM_POLL_MS);
  }
}

function formatGroups({ groups }: Forward): string {
  return groups.map(({ arn, weight }) => `${arn}=${weight}`).join(' ');
}

function throwIfStopped({ signal }: AdoptionChange, rest: string): void {
  if (signal.aborted) throw new CutoverError('Aborted', `stopped: ${rest}`);
}
