import { GROUP_COOKIES, TARGET_COOKIES, decodeStuck, readCookie } from './cookies';
import { Action, ForwardConfig, Rule, RuleCondition, Target, TargetGroup } from '../model/model';

type CookieHeader = string | string[] | undefined;

/** What conditions look at: the path with its query, and the Host as it was sent. */
interface Asked {
  readonly url: string;
  readonly host: string;
}

/** The first rule, in order of priority, whose conditions all hold; the default rule matches everything. */
export function matchRule(rules: readonly Rule[], asked: Asked): Rule | undefined {
  return rules.find(({ conditions }) =>
    conditions.every(({ field, values }) => values.some((value) => MATCHES[field](value, asked))),
  );
}

const MATCHES: Record<RuleCondition['field'], (pattern: string, asked: Asked) => boolean> = {
  'path-pattern': (pattern, { url }) => matchesPath(pattern, url),
  // A name is not case-sensitive, and its port does not count.
  'host-header': (pattern, { host }) => matchesText(pattern.toLowerCase(), formatHostName(host.toLowerCase())),
};

/** Without the port; of an IPv6 address its brackets stay. */
export function formatHostName(host: string): string {
  return /^(\[[^\]]*\]|[^:]*)/.exec(host)?.[0] ?? host;
}

/** `*` is any run of characters, `?` any one; case counts. */
export function matchesPath(pattern: string, path: string): boolean {
  return matchesText(pattern, path.split('?')[0] ?? path);
}

function matchesText(pattern: string, text: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, 's').test(text);
}

/** The action of a rule for one request; every rule has exactly one here. */
export function findAction(rule: Rule, random: () => number): Action {
  const { lag } = rule;
  const isBefore = lag?.at === 'routing' && (lag.share >= 1 || random() < lag.share);
  const [action] = isBefore ? lag.actions : rule.actions;
  if (!action) throw new Error(`rule '${rule.arn}' must have an action, got none`);
  return action;
}

/**
 * The group for one request: the one that a cookie of group stickiness names, whatever its weight, else one drawn by
 * weight. A drawn group without healthy targets does not fail over to another.
 */
export function chooseGroup(forward: ForwardConfig, cookies: CookieHeader, random: () => number): string | undefined {
  if (forward.stickiness.enabled) {
    const stuck = decodeStuck(readCookie(cookies, GROUP_COOKIES))?.to;
    if (stuck !== undefined && forward.targetGroups.some(({ arn }) => arn === stuck)) return stuck;
  }
  const sum = forward.targetGroups.reduce((all, { weight }) => all + weight, 0);
  let drawn = random() * sum;
  for (const { arn, weight } of forward.targetGroups) {
    if (drawn < weight) return arn;
    drawn -= weight;
  }
  return undefined;
}

/** The targets that may take a new request: the healthy ones; all that are registered when none is (fail open). */
function usableTargets(group: TargetGroup): Target[] {
  const registered = [...group.targets.values()].filter(({ state }) => state !== 'draining' && state !== 'unused');
  const healthy = registered.filter(({ state }) => state === 'healthy');
  return healthy.length > 0 ? healthy : registered;
}

/** The target that `AWSALB` names while it is usable, else the algorithm's choice; undefined when the group is empty. */
export function chooseTarget(group: TargetGroup, cookies: CookieHeader, turn: number): Target | undefined {
  const usable = usableTargets(group);
  if (group.attributes.get('stickiness.enabled') === 'true') {
    const stuck = decodeStuck(readCookie(cookies, TARGET_COOKIES))?.to;
    const target = usable.find(({ id, port }) => `${id}:${port}` === stuck);
    if (target) return target;
  }
  if (group.attributes.get('load_balancing.algorithm.type') === 'least_outstanding_requests') {
    return usable.reduce<Target | undefined>(
      (min, next) => (!min || next.outstanding < min.outstanding ? next : min),
      undefined,
    );
  }
  return usable[turn % Math.max(1, usable.length)];
}
