import { Template } from 'aws-cdk-lib/assertions';
import { Peer } from 'aws-cdk-lib/aws-ec2';
import { defaultMigration, newMigration, newStack, listResources } from './fixture';

interface Ingress {
  readonly CidrIp?: unknown;
  readonly CidrIpv6?: unknown;
  readonly FromPort: number;
  readonly SourceSecurityGroupId?: { readonly 'Fn::GetAtt': [string, string] };
  readonly GroupId?: { readonly 'Fn::GetAtt': [string, string] };
}

function findIngress(template: Template): Ingress[] {
  const inline = Object.values(listResources(template, 'AWS::EC2::SecurityGroup')).flatMap(
    ({ Properties }) => (Properties.SecurityGroupIngress ?? []) as Ingress[],
  );
  const separate = Object.values(listResources(template, 'AWS::EC2::SecurityGroupIngress')).map(
    ({ Properties }) => Properties as unknown as Ingress,
  );
  return [...inline, ...separate];
}

const formatName = (group: Ingress['GroupId']) =>
  /^Migration(.*?)SecurityGroup/.exec(group?.['Fn::GetAtt'][0] ?? '')?.[1];

test('no one gets in but our own parts to each other', () => {
  const rules = findIngress(defaultMigration()).map(
    (rule) => `${formatName(rule.SourceSecurityGroupId)} → ${formatName(rule.GroupId)}:${rule.FromPort}`,
  );
  expect(rules.sort()).toEqual([
    'Cutover → LoadBalancer:9201',
    'Cutover → LoadBalancer:9202',
    'Cutover → Source:9901',
    'Cutover → Target:9901',
    'LoadBalancer → Source:8443',
    'LoadBalancer → Target:8443',
  ]);
});

test('no address at all is let in', () => {
  expect(findIngress(defaultMigration()).filter(({ CidrIp, CidrIpv6 }) => CidrIp ?? CidrIpv6)).toEqual([]);
});

test('an internet-facing load balancer lets in whom it is asked to, and the smoke tests through the NAT gateways', () => {
  const stack = newStack();
  newMigration(stack, { internetFacing: true, allowedPeers: [Peer.ipv4('192.0.2.0/24')] });
  const cidrs = findIngress(Template.fromStack(stack)).filter(({ CidrIp }) => CidrIp !== undefined);
  const nat = (port: number) =>
    expect.objectContaining({
      FromPort: port,
      CidrIp: { 'Fn::Join': ['', [{ Ref: expect.stringMatching(/EIP/) as string }, '/32']] },
    }) as Ingress;
  expect(cidrs).toHaveLength(5);
  expect(cidrs).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ FromPort: 443, CidrIp: '192.0.2.0/24' }) as Ingress,
      nat(9201),
      nat(9202),
    ]),
  );
});

test('every egress names its ports', () => {
  const groups = Object.values(listResources(defaultMigration(), 'AWS::EC2::SecurityGroup'));
  const egress = groups.flatMap(({ Properties }) => (Properties.SecurityGroupEgress ?? []) as { IpProtocol: string }[]);
  expect(egress.map(({ IpProtocol }) => IpProtocol)).not.toContain('-1');
});
