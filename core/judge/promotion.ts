import type { Side } from '../traffic/weights';
import { wilsonUpperBound } from './wilson';
import type { Role } from '../plan/direction';
import { requestsToProve } from '../plan/judge-plan';

/** What a promotion takes, beside a bake that no one has ended. */
export interface PromotionRule {
  /** 0–1: how much higher the error rate of the target may be than the source's. */
  readonly errorBudget: number;
}

export interface Counted {
  readonly requests: number;
  readonly errors: number;
}

/** What is still missing, in numbers. */
export interface Missing {
  /** So many more requests without an error, at the least. */
  readonly requests: number;
  /** Whether there are too few of them, whatever came of them. */
  readonly isOfNumber: boolean;
  readonly message: string;
}

/**
 * Whether enough requests say that the target is good: no alarm is not a pass. The upper end of its error rate must be within
 * the budget, and there must be so many requests that an error rate as high as the budget would have shown.
 *
 * @param counted since the shift of the stage; the source's own rate is part of the budget, because both share what is behind
 *   them
 * @returns undefined when nothing is missing
 */
export function findMissing(
  { errorBudget }: PromotionRule,
  { from, to }: Readonly<Record<Role, Counted>>,
  side: Side = 'target',
): Missing | undefined {
  const enough = requestsToProve(errorBudget);
  if (to.requests < enough) {
    return {
      requests: enough - to.requests,
      isOfNumber: true,
      message: `the ${side} must respond to at least ${enough} requests in a bake, got ${to.requests}`,
    };
  }
  const allowed = Math.min(1, errorBudget + (from.requests > 0 ? from.errors / from.requests : 0));
  const upper = wilsonUpperBound(to.errors, to.requests);
  if (upper <= allowed) return undefined;
  return {
    requests: cleanRequests(to, allowed),
    isOfNumber: false,
    message:
      `the error rate of the ${side} must be at most ${percent(allowed)} with 95 % confidence, ` +
      `got up to ${percent(upper)}: ${to.errors} errors in ${to.requests} requests`,
  };
}

/** How many more without an error bring the upper end within what is allowed. */
function cleanRequests({ requests, errors }: Counted, allowed: number): number {
  let [low, high] = [0, 1];
  while (wilsonUpperBound(errors, requests + high) > allowed) [low, high] = [high, high * 2];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wilsonUpperBound(errors, requests + middle) > allowed) low = middle;
    else high = middle;
  }
  return high;
}

function percent(rate: number): string {
  return `${Number((rate * 100).toPrecision(2))} %`;
}
