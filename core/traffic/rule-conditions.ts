import { patternsMeet } from './listener-rules';

/**
 * Which requests a rule catches, as far as its conditions tell. An empty list is no condition: it catches all.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
 */
export interface RuleConditions {
  /** Case-sensitive, with `*` and `?`. */
  readonly pathPatterns: readonly string[];
  /** Not case-sensitive, with `*` and `?`. */
  readonly hostHeaders: readonly string[];
  /** Whether it has conditions of another kind: a method, a header, a query, an address, a regular expression. */
  readonly hasOtherConditions: boolean;
}

/** Whether some request may fulfil both. Conditions that cannot be compared may. */
export function mayOverlap(a: RuleConditions, b: RuleConditions): boolean {
  return (
    meet(a.pathPatterns, b.pathPatterns, (text) => text) &&
    meet(a.hostHeaders, b.hostHeaders, (text) => text.toLowerCase())
  );
}

/** Whether every request of `inner` fulfils `outer`, too, for sure. */
export function covers(outer: RuleConditions, inner: RuleConditions): boolean {
  return (
    !outer.hasOtherConditions &&
    contain(outer.pathPatterns, inner.pathPatterns, (text) => text) &&
    contain(outer.hostHeaders, inner.hostHeaders, (text) => text.toLowerCase())
  );
}

/** Whether both have the same values; their order says nothing. */
export function sameConditions(a: RuleConditions, b: RuleConditions): boolean {
  return (
    a.hasOtherConditions === b.hasOtherConditions &&
    sameValues(a.pathPatterns, b.pathPatterns) &&
    sameValues(a.hostHeaders, b.hostHeaders)
  );
}

function sameValues(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join('\n') === [...b].sort().join('\n');
}

type Fold = (text: string) => string;

function meet(a: readonly string[], b: readonly string[], fold: Fold): boolean {
  return a.length === 0 || b.length === 0 || a.some((one) => b.some((other) => patternsMeet(fold(one), fold(other))));
}

function contain(outer: readonly string[], inner: readonly string[], fold: Fold): boolean {
  if (outer.length === 0) return true;
  return inner.length > 0 && inner.every((each) => outer.some((one) => coversPattern(fold(one), fold(each))));
}

/** Whether `outer` matches every text that `inner` matches: its `*` takes anything, its `?` one character that is there for sure. */
function coversPattern(outer: string, inner: string): boolean {
  let reach = Array.from({ length: inner.length + 1 }, (_, j) => j === 0);
  for (const one of outer) {
    const next = [one === '*' && reach[0] === true];
    for (const [j, other] of [...inner].entries()) {
      if (one === '*') next.push(reach[j + 1] === true || next[j] === true);
      else next.push(reach[j] === true && other !== '*' && (one === '?' || one === other));
    }
    reach = next;
  }
  return reach.at(-1) === true;
}
