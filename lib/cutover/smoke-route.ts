import { Annotations } from 'aws-cdk-lib';
import { CfnEIP, IConnectable, IVpc, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { MigrationLoadBalancer } from '../load-balancer/migration-load-balancer';
import { DATA_PORT } from '../shared/ports';
import { ProxyService } from '../proxy/proxy-service';
import { reject } from '../validation/validation';

/**
 * Which way the smoke requests of a cutover take.
 *
 * @example
 * new Migration(this, 'Migration', {
 *   vpc,
 *   certificate,
 *   domainName: 'shop.example.com',
 *   source: { upstreamUrl: 'http://old.shop.internal:8080' },
 *   target: { upstreamUrl: 'https://new.shop.internal' },
 *   internetFacing: true,
 *   smokeRoute: SmokeRoute.TARGETS,
 * });
 */
export enum SmokeRoute {
  /**
   * Through the listener of each side, by the name of the load balancer: its certificate is tested too. An internet-facing load
   * balancer has public addresses alone, so the steps need a NAT gateway, whose address must be allowed.
   */
  LOAD_BALANCER = 'loadBalancer',

  /**
   * To each healthy target itself, inside the network: at the addresses that the load balancer has of its target groups, in
   * their protocol and version. Listeners and their certificate are not tested.
   */
  TARGETS = 'targets',
}

export interface SmokeParts {
  readonly vpc: IVpc;
  readonly loadBalancer: MigrationLoadBalancer;
  readonly source: ProxyService;
  readonly target: ProxyService;
  readonly smokeRoute?: SmokeRoute;
  readonly trustedAuthorities?: ISecret;
}

export function checkSmokeRoute({ smokeRoute, trustedAuthorities }: SmokeParts): void {
  if (smokeRoute !== SmokeRoute.TARGETS || !trustedAuthorities) return;
  const rule = 'absent with SmokeRoute.TARGETS, which checks no certificate, as the load balancer does not';
  reject('trustedAuthorities', rule, 'a secret');
}

/** From here, so that the rules are in this stack: those that are called may be in others, which must not wait for it. */
export function allowSmokeRequests(steps: Construct & IConnectable, own: SecurityGroup, parts: SmokeParts): void {
  const { loadBalancer, source, target, smokeRoute } = parts;
  if (smokeRoute === SmokeRoute.TARGETS) {
    for (const proxies of [source, target]) {
      steps.connections.allowTo(proxies, Port.tcp(DATA_PORT), 'Smoke requests to the targets');
    }
    return;
  }
  steps.connections.allowToDefaultPort(loadBalancer.sourceListener, 'Smoke tests of the source');
  steps.connections.allowToDefaultPort(loadBalancer.targetListener, 'Smoke tests of the target');
  if (!loadBalancer.internetFacing) return;
  // Its name resolves to public addresses, which no rule between security groups covers.
  for (const port of [loadBalancer.sourcePort, loadBalancer.targetPort]) {
    own.addEgressRule(Peer.anyIpv4(), Port.tcp(port), 'Smoke tests');
  }
  allowThroughNat(steps, parts);
}

/** Knows the gateways of a network that this app makes; those of an imported one come as `smokeTestPeers`. */
function allowThroughNat(steps: Construct, { vpc, loadBalancer }: SmokeParts): void {
  const addresses = vpc.publicSubnets
    .map((subnet) => subnet.node.tryFindChild('EIP'))
    .filter((address) => address instanceof CfnEIP);
  for (const { ref } of addresses) loadBalancer.allowSmokeTestsFrom(Peer.ipv4(`${ref}/32`));
  // Once all constructs are there: a peer may be allowed later.
  steps.node.addValidation({
    validate: () => {
      if (!loadBalancer._letsSmokeTestsIn) warnShutOut(steps);
      return [];
    },
  });
}

function warnShutOut(steps: Construct): void {
  Annotations.of(steps).addWarningV2(
    'drainshift:smokeTestsShutOut',
    'The load balancer has public addresses, and no NAT gateway of this app: its smoke tests will be rejected (SmokeFailed), and ' +
      "nothing will move. Set 'smokeRoute' to SmokeRoute.TARGETS, which stays inside the network, or list the addresses that the " +
      "steps of the cutover come from in 'smokeTestPeers'.",
  );
}
