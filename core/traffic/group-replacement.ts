import { Forward, GroupArns } from './forward';
import { SIDES } from './weights';

/** An update that comes before that of the proxies' services. */
export interface GroupReplacement {
  readonly before: GroupArns;
  readonly wanted: GroupArns;
  /** The action in force; undefined without a rule, or with another action. */
  readonly live?: Forward;
  /** The healthy targets of the groups in force, by ARN. */
  readonly healthyTargets: ReadonlyMap<string, number>;
}

/**
 * The group that serves and is to be replaced. The proxies leave it as soon as their service is updated, and the rule
 * follows only when they are all gone: until then its requests would get a 503.
 */
export function servingGroupToGo({ before, wanted, live, healthyTargets }: GroupReplacement): string | undefined {
  const leaving = SIDES.map((side) => before[side]).filter((arn) => SIDES.every((side) => wanted[side] !== arn));
  const isServing = ({ arn, weight }: Forward['groups'][number]) => weight > 0 && (healthyTargets.get(arn) ?? 0) > 0;
  return live?.groups.find((group) => leaving.includes(group.arn) && isServing(group))?.arn;
}
