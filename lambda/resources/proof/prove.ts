import { ProofOrder, Unproven, unproven } from '../../../core/cutover/proof';
import { smokeSample } from '../../../core/plan/smoke';
import type { Side } from '../../../core/traffic/weights';
import type { ProofPorts } from '../../contract/proof-ports';
import { settle } from '../../contract/settle';
import { withTimeLeft } from '../../contract/time-left';

/** Longer than so many targets as a group may have take that respond at all: each pass asks all of them, and draws none by lot. */
const PASS_MS = 60_000;

/**
 * Asks once what the listener with traffic would ask of the proxies.
 *
 * @returns what speaks against giving the side requests
 */
export async function prove(side: Side, order: ProofOrder, ports: ProofPorts): Promise<Unproven[]> {
  const endsMs = performance.now() + PASS_MS;
  return withTimeLeft(
    () => endsMs - performance.now(),
    () => proveOnce(side, order, ports),
  );
}

async function proveOnce(side: Side, order: ProofOrder, ports: ProofPorts): Promise<Unproven[]> {
  const sample = smokeSample(order.smoke, 'every');
  const [trust, healthyTargets, responses] = await Promise.all([
    settle(() => ports.smoke.checkTrust()),
    ports.healthyTargets(side),
    Promise.all(order.smoke.map((request) => ports.smoke.probe(side, request, sample))),
  ]);
  const found = unproven(side, order, { healthyTargets, responses });
  return 'problem' in trust ? [{ code: 'SmokeFailed', message: trust.problem }, ...found] : found;
}

const POLL_MS = 10_000;

/**
 * Asks until nothing speaks against it.
 *
 * @throws Error with what still does after the order's `waitSeconds`, or the last failure of a call
 */
export async function waitForProof(
  sides: readonly Side[],
  order: ProofOrder,
  ports: ProofPorts,
  signal: AbortSignal,
): Promise<void> {
  const { waitSeconds } = order;
  const untilMs = ports.now() + waitSeconds * 1000;
  for (;;) {
    const against = await attempt(sides, order, ports);
    if (against.length === 0) return;
    if (signal.aborted || ports.now() >= untilMs) {
      const rule = `the proxies must be proven within ${waitSeconds} s before they join a listener with traffic`;
      throw new Error(`${rule}, got: ${against.join('; ')}`);
    }
    await ports.pause(POLL_MS);
  }
}

/** A call that fails is one more reason to ask again: the rights and the ways of a new stack may come later than the function. */
async function attempt(sides: readonly Side[], order: ProofOrder, ports: ProofPorts): Promise<string[]> {
  try {
    const against = await Promise.all(sides.map((side) => prove(side, order, ports)));
    return against.flat().map(({ message }) => message);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
