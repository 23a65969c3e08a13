import { Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Peer, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { NetworkLoadBalancer, NetworkTargetGroup, TrustStore } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { MutualTls } from '../../../lib/load-balancer/mutual-tls';
import { NetworkFront, NetworkFrontProps } from '../../../lib/load-balancer/network-front';
import { MigrationLoadBalancerProps } from '../../../lib';
import { newLoadBalancer, newStack, resourceLike, listResources } from '../fixture';

const BALANCER = 'AWS::ElasticLoadBalancingV2::LoadBalancer';
const LISTENER = 'AWS::ElasticLoadBalancingV2::Listener';
const GROUP = 'AWS::ElasticLoadBalancingV2::TargetGroup';

function synth(props: Partial<NetworkFrontProps> = {}, behind: Partial<MigrationLoadBalancerProps> = {}): Template {
  const stack = newStack();
  new NetworkFront(stack, 'Front', { loadBalancer: newLoadBalancer(stack, behind), ...props });
  return Template.fromStack(stack);
}

/** `from → to:port` of the security groups. */
function findWays(template: Template): string[] {
  const formatName = (group: unknown) =>
    (group as { 'Fn::GetAtt': [string] })['Fn::GetAtt'][0].replace(/SecurityGroup.*/, '');
  return Object.values(listResources(template, 'AWS::EC2::SecurityGroupIngress')).map(
    ({ Properties: { SourceSecurityGroupId: from, GroupId: to, FromPort: port } }) =>
      `${formatName(from)} → ${formatName(to)}:${String(port)}`,
  );
}

describe('default', () => {
  const template = synth();

  test('is internal, in the private subnets, and lets no one in', () => {
    template.hasResourceProperties(BALANCER, { Type: 'network', Scheme: 'internal' });
    const [, front] = resourceLike(template, BALANCER, /^Front/);
    expect(front.Properties.SubnetMappings).toEqual([
      { SubnetId: { Ref: expect.stringMatching(/PrivateSubnet1/) as string } },
      { SubnetId: { Ref: expect.stringMatching(/PrivateSubnet2/) as string } },
    ]);
    const [, group] = resourceLike(template, 'AWS::EC2::SecurityGroup', /^Front/);
    expect(group.Properties.SecurityGroupIngress).toBeUndefined();
    template.resourceCountIs('AWS::EC2::EIP', 2); // those of the NAT gateways
  });

  test('passes TLS through to the load balancer, whose listener must be there first', () => {
    template.hasResourceProperties(LISTENER, { Port: 443, Protocol: 'TCP' });
    template.hasResource(GROUP, {
      Properties: {
        TargetType: 'alb',
        Protocol: 'TCP',
        Port: 443,
        Targets: [{ Id: { Ref: Match.stringLikeRegexp('^LoadBalancer') }, Port: 443 }],
        HealthCheckProtocol: 'HTTPS',
        HealthCheckPort: '443',
        Matcher: { HttpCode: '200-599' },
      },
      DependsOn: Match.arrayWith([Match.stringLikeRegexp('^LoadBalancerTraffic')]),
    });
  });

  test('is let in by the load balancer', () => {
    expect(findWays(template)).toEqual(['Front → LoadBalancer:443']);
  });

  test('keeps a quiet connection for longer than the load balancer', () => {
    template.hasResourceProperties(LISTENER, {
      Protocol: 'TCP',
      ListenerAttributes: [{ Key: 'tcp.idle_timeout.seconds', Value: '610' }],
    });
  });
});

describe('custom', () => {
  test('internet-facing: an address of its own in each public subnet', () => {
    const template = synth({ internetFacing: true, allowedPeers: [Peer.ipv4('192.0.2.0/24')] }, { redirectHttp: true });
    const [, front] = resourceLike(template, BALANCER, /^Front/);
    expect(front.Properties).toMatchObject({
      Scheme: 'internet-facing',
      SubnetMappings: [1, 2].map((zone) => ({
        SubnetId: { Ref: expect.stringMatching(`PublicSubnet${zone}`) as string },
        AllocationId: { 'Fn::GetAtt': [expect.stringMatching(`^FrontAddress${zone}`) as string, 'AllocationId'] },
      })),
    });
    const [, group] = resourceLike(template, 'AWS::EC2::SecurityGroup', /^Front/);
    expect(group.Properties.SecurityGroupIngress).toEqual([
      expect.objectContaining({ CidrIp: '192.0.2.0/24', FromPort: 443, ToPort: 443 }),
      expect.objectContaining({ CidrIp: '192.0.2.0/24', FromPort: 80, ToPort: 80 }),
    ]);
    expect(findWays(template)).toEqual(['Front → LoadBalancer:443', 'Front → LoadBalancer:80']);
    template.hasResourceProperties(LISTENER, { Port: 80, Protocol: 'TCP' });
  });

  test('internet-facing: takes your own addresses', () => {
    const elasticIpAllocationIds = ['eipalloc-0123456789abcdef0', 'eipalloc-0123456789abcdef1'];
    const template = synth({ internetFacing: true, elasticIpAllocationIds });
    const [, front] = resourceLike(template, BALANCER, /^Front/);
    expect(front.Properties.SubnetMappings).toMatchObject(
      elasticIpAllocationIds.map((AllocationId) => ({ AllocationId })),
    );
    expect(Object.keys(listResources(template, 'AWS::EC2::EIP')).filter((id) => id.startsWith('Front'))).toEqual([]);
  });

  test('internal: takes private addresses, and knows them', () => {
    const stack = newStack();
    const privateAddresses = ['10.0.128.10', '10.0.192.10'];
    const front = new NetworkFront(stack, 'Front', { loadBalancer: newLoadBalancer(stack), privateAddresses });
    expect(front.addresses).toEqual(privateAddresses);
    Template.fromStack(stack).hasResourceProperties(BALANCER, {
      SubnetMappings: privateAddresses.map((address) => Match.objectLike({ PrivateIPv4Address: address })),
    });
  });

  test('where clients must show a certificate, health is asked for on a port where they need not', () => {
    const stack = newStack();
    const trustStore = TrustStore.fromTrustStoreArn(stack, 'Trust', `${ELB}:truststore/clients/0123456789abcdef`);
    new NetworkFront(stack, 'Front', {
      loadBalancer: newLoadBalancer(stack, { mutualTls: MutualTls.verify(trustStore) }),
    });
    const template = Template.fromStack(stack);
    template.hasResourceProperties(GROUP, { TargetType: 'alb', HealthCheckPort: '9201' });
    expect(findWays(template)).toEqual(['Front → LoadBalancer:443', 'Front → LoadBalancer:9201']);
  });

  test.each([
    [Duration.seconds(60), '350'],
    [Duration.seconds(4000), '4010'],
  ])('with an idle timeout of %s behind, its own is %s s', (idleTimeout, value) => {
    synth({}, { idleTimeout }).hasResourceProperties(LISTENER, {
      ListenerAttributes: [{ Key: 'tcp.idle_timeout.seconds', Value: value }],
    });
  });
});

const ELB = 'arn:aws:elasticloadbalancing:eu-central-1:111122223333';

test('imported: your own network load balancer gets a target group that leads to the traffic', () => {
  const stack = newStack();
  const loadBalancer = newLoadBalancer(stack, { trafficPort: 8443 });
  const own = NetworkLoadBalancer.fromNetworkLoadBalancerAttributes(stack, 'Own', {
    loadBalancerArn: `${ELB}:loadbalancer/net/own/0123456789abcdef`,
    loadBalancerSecurityGroups: ['sg-0123456789abcdef0'],
  });
  const group = NetworkFront.targetGroupFor(stack, 'FromOwn', loadBalancer);
  own.addListener('Moved', { port: 8443, defaultTargetGroups: [group] });
  loadBalancer.allowTrafficFrom(own);
  const template = Template.fromStack(stack);
  template.hasResourceProperties(GROUP, { TargetType: 'alb', Port: 8443, Targets: [Match.objectLike({ Port: 8443 })] });
  template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
    SourceSecurityGroupId: 'sg-0123456789abcdef0',
    FromPort: 8443,
  });
});

describe('rejected', () => {
  test.each<[Partial<NetworkFrontProps>, string]>([
    [
      { elasticIpAllocationIds: ['eipalloc-01', 'eipalloc-02'] },
      "'elasticIpAllocationIds' must be left out unless internetFacing is true, got 2",
    ],
    [
      { internetFacing: true, privateAddresses: ['10.0.0.4'] },
      "'privateAddresses' must be left out if internetFacing is true, got 1",
    ],
    [{ privateAddresses: ['10.0.0.4'] }, "'privateAddresses' must be one for each of the 2 subnets, got 1"],
    [{ privateAddresses: ['10.0.0.4', 'ten'] }, "'privateAddresses' must be an IPv4 address, got ten"],
    [{ privateAddresses: ['10.0.0.4', '10.0.0.256'] }, "'privateAddresses' must be an IPv4 address, got 10.0.0.256"],
    [
      { internetFacing: true, elasticIpAllocationIds: ['192.0.2.1', 'eipalloc-02'] },
      "'elasticIpAllocationIds' must be the id of an allocation (eipalloc-…), got 192.0.2.1",
    ],
  ])('%j', (props, message) => {
    expect(() => synth(props)).toThrow(message);
  });

  test('a listener of your own on a port that is taken, but not one on another', () => {
    const withOwn = (port: number) => {
      const stack = newStack();
      const { loadBalancer } = new NetworkFront(stack, 'Front', { loadBalancer: newLoadBalancer(stack) });
      const group = new NetworkTargetGroup(stack, 'OwnTargets', { vpc: loadBalancer.vpc, port });
      loadBalancer.addListener('Own', { port, defaultTargetGroups: [group] });
      return Template.fromStack(stack);
    };
    expect(() => withOwn(25)).not.toThrow();
    expect(() => withOwn(443)).toThrow("'port' must be one that no other listener of the front has, got 443");
  });

  test('subnets may be chosen, and count', () => {
    const stack = newStack();
    const loadBalancer = newLoadBalancer(stack);
    const zone = (stack.node.findChild('Vpc') as Vpc).availabilityZones.slice(0, 1);
    const props = {
      loadBalancer,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS, availabilityZones: zone },
      privateAddresses: ['10.0.128.10'],
    };
    expect(() => new NetworkFront(stack, 'Front', props)).not.toThrow();
  });
});
