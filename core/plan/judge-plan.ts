import type { FieldValues, Fields, ObjectField } from '../validation/fields';
import { MAX_ROUTES } from '../proxy/window';
import { requestPath } from '../validation/request-path';

/** Behind it, what is twice as often slow as it may be is beyond all ratios that the odds try: latency would decide nothing. */
export const MAX_LATENCY_TOLERANCE = 3;

export const JUDGE_FIELDS = {
  errorBudget: {
    kind: 'number',
    min: 0.0001,
    max: 1,
    default: 0.01,
    sentence:
      "How sure a promotion is, and no number of errors that are allowed: it is proven (95 % confidence) that the error rate of the target is at most so much above the source's. 0.01 takes 299 requests without an error, and more where there was one.",
  },
  latencyTolerance: {
    kind: 'number',
    min: 0,
    max: MAX_LATENCY_TOLERANCE,
    default: 0.2,
    sentence:
      'How much more often than the source the target may be slow, where slow is what the source is in half, a tenth and a hundredth of its responses: 0.2 allows 1.2 times as often.',
  },
  warmUpSeconds: {
    kind: 'seconds',
    min: 0,
    max: 3_600,
    default: 10,
    unit: 's',
    sentence:
      'How long a target that has just got traffic is not compared with the source; at most a quarter of the bake. The breaker watches it all the same.',
  },
  inconclusive: {
    kind: 'choice',
    values: ['pause', 'rollBack'],
    default: 'pause',
    sentence:
      'What happens when a bake at its maximum has proven nothing: a person is asked (`pause`), for as long as for an approval, or the cutover rolls back. A rehearsal rolls back, unless its plan is a file that says it.',
  },
  onFailure: {
    kind: 'choice',
    values: ['rollBack', 'pause'],
    default: 'rollBack',
    sentence:
      'What happens when the figures speak against the side that gets the traffic: the cutover rolls back, or leaves the weights and asks a person (`pause`). A side that does not serve is left at once all the same.',
  },
  routes: {
    kind: 'list',
    min: 0,
    max: MAX_ROUTES,
    rule: `a list of at most ${MAX_ROUTES} route classes`,
    default: [] as readonly { readonly path: string }[],
    sentence:
      'The route classes that are compared each by itself. Without any they are the most frequent first segments of the paths at the source.',
    item: {
      kind: 'object',
      sentence: 'One route class: a path and all below it.',
      fields: {
        path: {
          kind: 'text',
          ...requestPath(256),
          sentence: 'The path: `/cart` is also `/cart/7` and `/cart?x`, and not `/cartoon`.',
        },
      },
    },
  },
} as const satisfies Fields;

export const JUDGE_FIELD = {
  kind: 'object',
  sentence: 'How the target is compared with the source, and what a promotion takes.',
  fields: JUDGE_FIELDS,
} as const satisfies ObjectField;

export type JudgePlan = FieldValues<typeof JUDGE_FIELDS>;

/** How sure it must be that the side that gets the traffic is within its budget. */
const CONFIDENCE = 0.95;

/** Of an error rate as high as the budget, so many requests would show an error with 95 % confidence: 299 for 1 %. */
export function requestsToProve(errorBudget: number): number {
  if (errorBudget >= 1) return 1;
  // A hair less, because 1 − (1 − d)ⁿ is computed in floating point.
  return Math.ceil(Math.log(1 - CONFIDENCE) / Math.log(1 - errorBudget) - 1e-9);
}

/** The smallest budget that so many requests prove. */
export function budgetProvenBy(requests: number): number {
  return 1 - (1 - CONFIDENCE) ** (1 / requests);
}

/** The cutover rolls back when it is so many times as likely that the side that gets the traffic is worse: by mistake once in so many cutovers. */
export const MAX_ODDS = 100;
