import { Forward, GroupArns, forwardFor } from '../traffic/forward';
import type { Side } from '../traffic/weights';
import type { FieldValues, Fields, ObjectField } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { findDirection } from './direction';
import { MAX_LOOKING_SECONDS } from './looking';
import type { Stage } from './stages';

/** AWS rejects an action of several sticky groups without group stickiness; a cookie of one second binds no one. */
const SHORTEST_COOKIE_SECONDS = 1;

export const STICKINESS_FIELDS = {
  policy: {
    kind: 'choice',
    values: ['keep', 'shorten', 'endAtStage'],
    default: 'endAtStage',
    sentence:
      'What becomes of clients that a cookie binds to the side that is left. `keep`: they stay, also when it has no weight, until none returns. `shorten`: their cookies last `shortenSeconds` from the first shift on. `endAtStage`: they stay until that stage. A rollback restores the stickiness that was in force.',
  },
  keepSeconds: {
    kind: 'seconds',
    min: 1,
    max: 86_400,
    default: 3_600,
    unit: 's',
    sentence: 'Of `keep`: how long they may stay after the last shift. Then they move.',
  },
  shortenSeconds: {
    kind: 'seconds',
    min: 1,
    max: 604_800,
    default: 60,
    unit: 's',
    sentence: 'Of `shorten`: how long a cookie lasts. A client that pauses longer counts as new.',
  },
  endAtStage: {
    kind: 'integer',
    min: 0,
    max: 50,
    default: 0,
    sentence:
      'Of `endAtStage`: the stage, from 1, at which clients are no longer bound: cookies last 1 s from then on. 0: the last one, which moves all of them at once.',
  },
} as const satisfies Fields;

export const STICKINESS_FIELD = {
  kind: 'object',
  sentence: 'What becomes of clients that a cookie of the load balancer binds to the side that is left.',
  fields: STICKINESS_FIELDS,
} as const satisfies ObjectField;

export type StickinessPlan = FieldValues<typeof STICKINESS_FIELDS>;

/** Of a plan. */
interface Sticky {
  readonly stickiness: StickinessPlan;
  readonly stages: readonly Stage[];
  readonly from: Side;
}

type Polled = Pick<Sticky, 'stickiness'> & { readonly pollSeconds: number };

/** The index of the first stage at which no client is bound; none of `keep`. */
export function findLooseStage({ stickiness: { policy, endAtStage }, stages }: Sticky): number | undefined {
  if (policy === 'keep') return undefined;
  return policy === 'endAtStage' && endAtStage > 0 ? endAtStage - 1 : stages.length - 1;
}

/**
 * The forward action of a stage.
 *
 * @param initial the stickiness that was in force before the first shift
 */
export function planForward(plan: Sticky, index: number, arns: GroupArns, initial: Forward['stickiness']): Forward {
  const { weights } = plan.stages[index]!;
  const { from } = findDirection(plan);
  const stays = plan.stickiness.policy === 'keep' && initial.enabled && weights[from] === 0;
  return forwardFor(weights, arns, planStickiness(plan, index, initial), stays ? from : undefined);
}

/** With one group alone nothing is shared out: then it is as it was. */
function planStickiness(plan: Sticky, index: number, initial: Forward['stickiness']): Forward['stickiness'] {
  const { policy, shortenSeconds } = plan.stickiness;
  const isShared = plan.stages[index]!.weights[findDirection(plan).from] > 0;
  if (!initial.enabled || !isShared || policy === 'keep') return initial;
  if (policy === 'shorten') return { ...initial, seconds: Math.min(initial.seconds, shortenSeconds) };
  const isLoose = index >= (findLooseStage(plan) ?? Number.POSITIVE_INFINITY);
  return isLoose ? loosen(initial) : initial;
}

/** The stickiness that binds no new client. */
export function loosen(initial: Forward['stickiness']): Forward['stickiness'] {
  return initial.enabled ? { ...initial, seconds: SHORTEST_COOKIE_SECONDS } : initial;
}

/** The action that ends `keep`: without the side that is left. */
export function planLeaving(plan: Sticky, arns: GroupArns, initial: Forward['stickiness']): Forward {
  return forwardFor(plan.stages.at(-1)!.weights, arns, initial);
}

export function checkStickiness(
  { stickiness: { policy, endAtStage }, stages, strategy }: Sticky & { readonly strategy: string },
  problems: Problems,
): void {
  if (strategy === 'drainThenShift' && policy !== 'endAtStage') {
    problems.add('stickiness.policy', 'endAtStage, because a switch moves all at once', policy);
  }
  if (endAtStage > stages.length) {
    problems.add('stickiness.endAtStage', `a stage of ${stages.length}, or 0 for the last one`, endAtStage);
  }
}

/** Between two looks for clients that return: a long wait is looked at less often. */
export function keepPollSeconds({ stickiness: { keepSeconds }, pollSeconds }: Polled): number {
  return Math.min(MAX_LOOKING_SECONDS, Math.max(pollSeconds, Math.ceil(keepSeconds / MAX_KEEP_LOOKS)));
}

const MAX_KEEP_LOOKS = 500;

/** How often clients that return are looked for, at the most. */
export function keepLooks(plan: Polled): number {
  const { policy, keepSeconds } = plan.stickiness;
  return policy === 'keep' ? Math.ceil(keepSeconds / keepPollSeconds(plan)) + 1 : 0;
}
