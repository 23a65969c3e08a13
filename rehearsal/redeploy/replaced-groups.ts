import { own } from '../../core/validation/own';
import { createHash } from 'node:crypto';
import { SIDES } from '../../core/traffic/weights';
import type { Identities, Identity } from '../template/assembly/resolve';
import type { StackModel } from '../template/model/stack-model';
import type { Ready } from '../template/resources/resources';

const TARGET_GROUP = 'AWS::ElasticLoadBalancingV2::TargetGroup';

/**
 * A change of one of these makes another group.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-targetgroup.html
 */
const REPLACING = ['IpAddressType', 'Name', 'Port', 'Protocol', 'ProtocolVersion', 'TargetType', 'VpcId'];

/**
 * The target groups that a redeploy replaces, which a running local cloud cannot follow: the tasks would have to go along.
 */
interface ReplacedGroups {
  /** By the logical id of a side's new group: the standing group, which goes on in its place. */
  readonly running: Identities;
  /** By logical id: what the new groups would be known by. */
  readonly announced: Identities;
}

export function replacedGroups(before: StackModel, next: StackModel): ReplacedGroups {
  const renamed = SIDES.flatMap((side) => {
    const [old, now] = [before, next].map(({ resources, config }) =>
      resources.ofType(TARGET_GROUP).find(({ identity }) => identity.ref === config.targetGroupArns[side]),
    );
    return old && now && !before.resources.find(now.logicalId) ? [{ old, now }] : [];
  });
  const changed = next.resources.ofType(TARGET_GROUP).filter(({ logicalId, properties }) => {
    const from = before.resources.find(logicalId);
    return (
      from !== undefined && REPLACING.some((key) => readText(from, key) !== JSON.stringify(own(properties.raw, key)))
    );
  });
  return {
    running: new Map(renamed.map(({ old, now }) => [now.logicalId, old.identity])),
    announced: new Map([
      ...renamed.map(({ now }) => [now.logicalId, now.identity] as const),
      ...changed.map((group) => [group.logicalId, successor(group.identity)] as const),
    ]),
  };
}

const readText = ({ properties }: Ready, key: string) => JSON.stringify(own(properties.raw, key));

function successor({ ref, attributes }: Identity): Identity {
  const hash = createHash('sha256').update(ref).digest('hex').slice(0, 16);
  const TargetGroupArn = ref.replace(/[^/]+$/, hash);
  return { ref: TargetGroupArn, attributes: { ...attributes, TargetGroupArn } };
}
