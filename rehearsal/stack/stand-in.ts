import { lookup } from 'node:dns/promises';
import { PROOF_VARIABLE, ProofOrder } from '../../core/cutover/proof';
import type { CutoverConfig } from '../../core/cutover/cutover-config';
import { ElbModel, TargetGroup, listGroups } from '../load-balancer/model/model';
import type { Targets } from '../load-balancer/health/targets';

/**
 * Puts the source itself behind the group that an existing listener leads to: of what serves there only this is known. Without
 * such a group it does nothing.
 */
export async function standInForBackend(
  { elb, config }: { readonly elb: ElbModel; readonly config: CutoverConfig },
  targets: Targets,
  sourceUrl: string,
): Promise<void> {
  const sides = Object.values(config.targetGroupArns);
  const old = listGroups(elb.rule(config.weightedRuleArn)).find(({ arn }) => !sides.includes(arn));
  if (!old) return;
  const { hostname, port, protocol: scheme } = new URL(sourceUrl);
  const protocol = scheme === 'https:' ? 'HTTPS' : 'HTTP';
  const { address } = await lookup(hostname.replace(/^\[|\]$/g, ''));
  elb.targetGroups.set(old.arn, standIn(elb.targetGroup(old.arn), protocol));
  targets.register(old.arn, [{ id: address, port: Number(port) || (protocol === 'HTTPS' ? 443 : 80) }]);
}

function standIn(group: TargetGroup, protocol: TargetGroup['protocol']): TargetGroup {
  return { ...group, protocol, healthCheck: { ...group.healthCheck, protocol }, targets: new Map() };
}

/** What a proof waits for at AWS is there before it is asked for here: what is not right at once is not going to be. */
export function proofAtOnce(environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const json = environment[PROOF_VARIABLE];
  if (json === undefined) return {};
  const order = { ...(JSON.parse(json) as ProofOrder), waitSeconds: 0 };
  return { [PROOF_VARIABLE]: JSON.stringify(order) };
}
