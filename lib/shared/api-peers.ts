import { IPeer, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';

/** Lets out to the AWS APIs; nothing else here speaks HTTPS to addresses that are not known before. */
export function allowApis(from: SecurityGroup, apiPeers: readonly IPeer[] | undefined, description: string): void {
  for (const peer of apiPeers ?? [Peer.anyIpv4()]) from.addEgressRule(peer, Port.HTTPS, description);
}

/** Whether HTTPS to any address is let out anyhow. */
export function reachesAnywhere(apiPeers: readonly IPeer[] | undefined): boolean {
  return apiPeers === undefined || apiPeers.some(({ uniqueId }) => uniqueId === Peer.anyIpv4().uniqueId);
}
