import { own } from '../validation/own';
import { Forward } from './forward';

/** One rule of one listener as it was read. */
export interface RuleReading {
  readonly arn: string;
  /** From 1; undefined of a listener's default rule, which is tried last. */
  readonly priority?: number;
  /** Wildcard patterns of one condition each; none: any. Undefined where a condition is a regular expression. */
  readonly hosts?: readonly string[];
  readonly paths?: readonly string[];
  /** Stands for everything that the rule does, and when. */
  readonly digest: string;
  /** Stands for its priority, its conditions and what it rewrites: all but its action. */
  readonly matchDigest: string;
  /** Set when the rule's only action is a forward. */
  readonly forward?: Forward;
}

/** Digests by rule ARN of the rules that the cutover does not own. Those of rules that can catch its requests begin with `!`. */
export type OtherRules = Readonly<Record<string, string>>;

export interface RuleChanges {
  /** Rules that can catch requests of ours, before the change or after it. */
  readonly ours: readonly string[];
  /** Other hosts, other paths, lower priority: the business of other rules. */
  readonly foreign: readonly string[];
}

const CATCHES = '!';

export function otherRules(readings: readonly RuleReading[], ownRuleArn: string): OtherRules {
  const own = readings.find(({ arn }) => arn === ownRuleArn);
  const others = readings.filter(({ arn }) => arn !== ownRuleArn);
  return Object.fromEntries(
    others.map((rule) => [rule.arn, `${canCatch(rule, own) ? CATCHES : ''}${rule.digest}`] as const),
  );
}

/** The rules that were added, removed or changed since `before`, by ARN. */
export function changedRules(before: OtherRules, after: OtherRules): RuleChanges {
  const arns = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const changed = arns.filter((arn) => digestIn(before, arn) !== digestIn(after, arn));
  const isOurs = (arn: string) => [before, after].some((rules) => digestIn(rules, arn)?.startsWith(CATCHES) ?? false);
  return { ours: changed.filter(isOurs), foreign: changed.filter((arn) => !isOurs(arn)) };
}

function digestIn(rules: OtherRules, arn: string): string | undefined {
  return own(rules, arn);
}

/**
 * Whether a rule may take a request that ours would take: it is tried before ours, and there is a host and a path that both
 * match. Conditions on anything else only narrow it. Rules of the smoke-test listeners always count.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
 */
export function canCatch(rule: RuleReading, own: RuleReading | undefined): boolean {
  if (!own || findListener(rule.arn) !== findListener(own.arn)) return true;
  const isBefore = (rule.priority ?? Infinity) < (own.priority ?? Infinity);
  const lower = (patterns: readonly string[] | undefined) => patterns?.map((pattern) => pattern.toLowerCase());
  return isBefore && overlap(lower(rule.hosts), lower(own.hosts)) && overlap(rule.paths, own.paths);
}

/** All but the last part of `…:listener-rule/app/name/id/listener-id/rule-id`. */
function findListener(ruleArn: string): string {
  return ruleArn.slice(0, ruleArn.lastIndexOf('/'));
}

function overlap(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (!a || !b || a.length === 0 || b.length === 0) return true;
  return a.some((one) => b.some((other) => patternsMeet(one, other)));
}

/** Whether there is a text that both patterns match: `*` stands for any characters or none, `?` for exactly one. */
export function patternsMeet(a: string, b: string): boolean {
  // reached[j]: the first i characters of `a` and the first j of `b` match a common text.
  let reached = Array.from({ length: b.length + 1 }, (_, j) => /^\**$/.test(b.slice(0, j)));
  for (let i = 1; i <= a.length; i += 1) {
    const next = [reached[0]! && a[i - 1] === '*'];
    for (let j = 1; j <= b.length; j += 1) {
      const [one, other] = [a[i - 1], b[j - 1]];
      // A star stands for nothing, or takes the other's character into itself.
      if (one === '*' || other === '*') next.push(reached[j]! || next[j - 1]!);
      else next.push((one === other || one === '?' || other === '?') && reached[j - 1]!);
    }
    reached = next;
  }
  return reached[b.length]!;
}
