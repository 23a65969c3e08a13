import { Forward } from './forward';
import { RuleConditions, covers, mayOverlap, sameConditions } from './rule-conditions';

/** A rule of a listener, as far as it says what becomes of the requests of another rule. */
export interface ListenerRule extends RuleConditions {
  readonly arn: string;
  /** The lowest is asked first; the default rule of a listener is the last, and has `DEFAULT_PRIORITY`. */
  readonly priority: number;
  /** Set when its only action is a forward, and it changes nothing of the request. */
  readonly forward?: Forward;
  /** Whether its only action is a response of the load balancer's own: no backend serves its requests. */
  readonly isFixedResponse: boolean;
}

export const DEFAULT_PRIORITY = Number.POSITIVE_INFINITY;

/** What a listener does with the requests of a rule where that rule is not there. */
export type WayPast =
  | { readonly kind: 'group'; readonly arn: string }
  /** No backend serves them. */
  | { readonly kind: 'nothing' }
  /** It cannot be told, or not be done by one rule in the place of it. */
  | { readonly kind: 'unclear'; readonly why: string };

type CaughtBy = RuleConditions & { readonly priority: number };

/** Where the requests of a rule go without it: to the first rule behind it that catches them. */
export function wayPast(rule: CaughtBy, others: readonly ListenerRule[]): WayPast {
  const next = others
    .filter((other) => other.priority > rule.priority && mayOverlap(rule, other))
    .sort((a, b) => a.priority - b.priority)[0];
  if (!next) return { kind: 'nothing' };
  const name = next.priority === DEFAULT_PRIORITY ? 'the default action' : `the rule of priority ${next.priority}`;
  if (!covers(next, rule)) return { kind: 'unclear', why: `${name}, which catches some of them and not all` };
  if (next.isFixedResponse) return { kind: 'nothing' };
  const serving = next.forward?.groups.filter(({ weight }) => weight > 0) ?? [];
  const [group, ...more] = serving;
  if (group && more.length === 0) return { kind: 'group', arn: group.arn };
  const action = group ? `forwards to ${serving.length} groups` : 'does more, or something else, than to forward';
  return { kind: 'unclear', why: `${name}, which ${action}` };
}

/** Whether a rule with other conditions or another priority would still catch the same requests of its listener. */
export function catchesSame(before: CaughtBy, after: CaughtBy, others: readonly ListenerRule[]): boolean {
  const [low, high] = [Math.min(before.priority, after.priority), Math.max(before.priority, after.priority)];
  const isBetween = ({ priority }: ListenerRule) => priority > low && priority < high;
  return sameConditions(before, after) && !others.some((other) => isBetween(other) && mayOverlap(after, other));
}
