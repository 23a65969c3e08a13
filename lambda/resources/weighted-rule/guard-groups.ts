import type { GroupArns } from '../../../core/traffic/forward';
import { servingGroupToGo } from '../../../core/traffic/group-replacement';
import { LOGICAL_ID_TAG, STACK_TAG } from '../../../core/traffic/weighted-rule';
import type { CustomResourceEvent, ResourceResult } from '../custom-resource';
import type { RulesPort } from '../../contract/weighted-rule-ports';

/** What the template says of `Custom::DrainshiftGroupGuard`. */
interface CheckedGroups {
  readonly ListenerArn: string;
  /** The logical id of the weighted rule. */
  readonly RuleName: string;
  readonly SourceGroupArn: string;
  readonly TargetGroupArn: string;
}

/**
 * Makes nothing. It is updated before the proxies' services are.
 *
 * @throws Error when the update replaces a group that serves
 */
export async function guardGroups(event: CustomResourceEvent, rules: RulesPort): Promise<ResourceResult> {
  const { LogicalResourceId: name, PhysicalResourceId: physicalId = name, OldResourceProperties: old } = event;
  if (event.RequestType !== 'Update' || !old) return { physicalId, reason: 'it has to do at updates only' };
  const [before, wanted] = [old as CheckedGroups, event.ResourceProperties as CheckedGroups];
  const isOurs = (tags: Readonly<Record<string, string>>) =>
    tags[STACK_TAG] === event.StackId && tags[LOGICAL_ID_TAG] === before.RuleName;
  const live = (await rules.onListener(before.ListenerArn)).find(({ tags }) => isOurs(tags))?.forward;
  const arns = live?.groups.map(({ arn }) => arn) ?? [];
  const healthyTargets = new Map(
    await Promise.all(arns.map(async (arn) => [arn, await rules.healthyTargets(arn)] as const)),
  );
  const serving = servingGroupToGo({ before: listGroups(before), wanted: listGroups(wanted), live, healthyTargets });
  if (serving === undefined) return { physicalId, reason: 'no group that serves is replaced' };
  const rule = `'${before.RuleName}' must have no weight on a group that is replaced`;
  throw new Error(`${rule}, got some on '${serving}'; give the other side all of the weight first`);
}

function listGroups({ SourceGroupArn, TargetGroupArn }: CheckedGroups): GroupArns {
  return { source: SourceGroupArn, target: TargetGroupArn };
}
