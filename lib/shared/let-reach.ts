import { IPeer, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { parseUpstreamUrl } from '../../core/validation/upstream-url';
import { reachesAnywhere } from './api-peers';

interface Reached {
  readonly apiPeers?: IPeer[];
  readonly description: string;
}

/** Lets out to a backend. A rule that is there already, of another backend, is not made twice. */
export function letReach(from: SecurityGroup, upstreamUrl: string, { apiPeers, description }: Reached): void {
  const upstream = upstreamPort(upstreamUrl);
  const isIpv6 = /^https?:\/\/\[/i.test(upstreamUrl);
  if (!isIpv6 && upstream === 443 && reachesAnywhere(apiPeers)) return;
  const port = upstream === undefined ? Port.allTcp() : Port.tcp(upstream);
  from.addEgressRule(isIpv6 ? Peer.anyIpv6() : Peer.anyIpv4(), port, description);
}

/** Undefined where it is known only at deployment; a token may hold a port as well as a name. */
function upstreamPort(upstreamUrl: string): number | undefined {
  const written = /:(\d+)\/?$/.exec(upstreamUrl)?.[1];
  return written === undefined ? parseUpstreamUrl(upstreamUrl)?.port : Number(written);
}
