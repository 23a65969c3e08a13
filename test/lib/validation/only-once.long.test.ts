import { CfnCondition, Fn, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { CfnSecurityGroupIngress, ISecurityGroup, IVpc, Peer, Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  CfnListenerRule,
  IApplicationListener,
  IApplicationLoadBalancer,
  ListenerAction,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Migration, MigrationProps } from '../../../lib';
import { createEverything } from '../everything';
import { certificateIn, newMigration, newStack } from '../fixture';
import { importedParts, newCutover, newParts } from '../migration-parts';
import { twiceIn } from '../twice';

const ELB = 'arn:aws:elasticloadbalancing:eu-central-1:111122223333';
const LOAD_BALANCER_ARN = `${ELB}:loadbalancer/app/shop/0123456789abcdef`;
const LISTENER_ARN = `${ELB}:listener/app/shop/0123456789abcdef/fedcba9876543210`;
const GROUP_ID = 'sg-0123456789abcdef0';

interface Existing {
  readonly loadBalancer: IApplicationLoadBalancer;
  readonly listener: IApplicationListener;
}

function networkIn(stack: Stack): IVpc {
  return Vpc.fromVpcAttributes(stack, 'Network', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['eu-central-1a', 'eu-central-1b'],
    privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
  });
}

function loadBalancerIn(stack: Stack, id: string, securityGroupId = GROUP_ID): IApplicationLoadBalancer {
  const vpc = (stack.node.tryFindChild('Network') as IVpc | undefined) ?? networkIn(stack);
  const attributes = { loadBalancerArn: LOAD_BALANCER_ARN, securityGroupId, vpc };
  return ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, id, attributes);
}

function listenerIn(
  stack: Stack,
  id: string,
  securityGroup = SecurityGroup.fromSecurityGroupId(stack, `${id}Group`, GROUP_ID),
) {
  return ApplicationListener.fromApplicationListenerAttributes(stack, id, { listenerArn: LISTENER_ARN, securityGroup });
}

const ofLoadBalancer = (loadBalancer: IApplicationLoadBalancer) => loadBalancer.connections.securityGroups[0]!;

function ownIn(stack: Stack): { loadBalancer: ApplicationLoadBalancer; listener: ApplicationListener } {
  const loadBalancer = new ApplicationLoadBalancer(stack, 'Own', { vpc: new Vpc(stack, 'Vpc') });
  const listener = loadBalancer.addListener('OwnListener', {
    protocol: ApplicationProtocol.HTTPS,
    certificates: [certificateIn(stack)],
    open: false,
    defaultAction: ListenerAction.fixedResponse(404),
  });
  return { loadBalancer, listener };
}

/** Every way in which a CDK app comes to a load balancer and a listener that exist. */
const IMPORTS: Record<string, (stack: Stack) => Existing> = {
  'each with its own import of the security group': (stack) => ({
    loadBalancer: loadBalancerIn(stack, 'LoadBalancer'),
    listener: listenerIn(stack, 'Listener'),
  }),
  'one import of the security group for both': (stack) => {
    const loadBalancer = loadBalancerIn(stack, 'LoadBalancer');
    return { loadBalancer, listener: listenerIn(stack, 'Listener', ofLoadBalancer(loadBalancer)) };
  },
  'another security group of the same load balancer for the listener': (stack) => ({
    loadBalancer: loadBalancerIn(stack, 'LoadBalancer'),
    listener: listenerIn(stack, 'Listener', SecurityGroup.fromSecurityGroupId(stack, 'Other', 'sg-0123456789abcdef9')),
  }),
  'a security group that must not be changed': (stack) => ({
    loadBalancer: loadBalancerIn(stack, 'LoadBalancer'),
    listener: listenerIn(
      stack,
      'Listener',
      SecurityGroup.fromSecurityGroupId(stack, 'Fixed', GROUP_ID, { mutable: false }),
    ),
  }),
  'a security group whose way out is closed': (stack) => ({
    loadBalancer: loadBalancerIn(stack, 'LoadBalancer'),
    listener: listenerIn(
      stack,
      'Listener',
      SecurityGroup.fromSecurityGroupId(stack, 'Closed', GROUP_ID, { allowAllOutbound: false }),
    ),
  }),
  'by values of another stack': (stack) => ({
    loadBalancer: loadBalancerIn(stack, 'LoadBalancer', Fn.importValue('GroupId')),
    listener: listenerIn(
      stack,
      'Listener',
      SecurityGroup.fromSecurityGroupId(stack, 'Theirs', Fn.importValue('GroupId')),
    ),
  }),
  'made in this stack': ownIn,
  'made in this stack, its listener imported': (stack) => {
    const { loadBalancer, listener } = ownIn(stack);
    const securityGroup = SecurityGroup.fromSecurityGroupId(
      stack,
      'Again',
      ofLoadBalancer(loadBalancer).securityGroupId,
    );
    const { listenerArn } = listener;
    const attributes = { listenerArn, securityGroup };
    return {
      loadBalancer,
      listener: ApplicationListener.fromApplicationListenerAttributes(stack, 'Imported', attributes),
    };
  },
  'a listener made here, on another import of the same load balancer': (stack) => ({
    loadBalancer: loadBalancerIn(stack, 'LoadBalancer'),
    listener: new ApplicationListener(stack, 'Listener', {
      loadBalancer: loadBalancerIn(stack, 'SameLoadBalancer'),
      protocol: ApplicationProtocol.HTTPS,
      certificates: [certificateIn(stack)],
      open: false,
      defaultAction: ListenerAction.fixedResponse(404),
    }),
  }),
};

describe.each(Object.entries(IMPORTS))('an existing load balancer and listener: %s', (_, existing) => {
  const stack = newStack();
  newMigration(stack, { ...existing(stack), allowedPeers: [Peer.ipv4('10.0.0.0/8')] });
  const template = Template.fromStack(stack);

  test('no two rules mean the same', () => expect(twiceIn(template.toJSON() as never)).toEqual([]));

  test.each(['Source', 'Target'])('the load balancer reaches the proxies of the %s', (side) => {
    const rules = Object.entries(template.findResources('AWS::EC2::SecurityGroupIngress'));
    const toProxies = rules.filter(
      ([id, { Properties }]) =>
        id.startsWith(`Migration${side}SecurityGroup`) && (Properties as { FromPort: number }).FromPort === 8443,
    );
    expect(toProxies).toHaveLength(1);
  });
});

test('looked up, not yet found', () => {
  const stack = new Stack(newStack().node.root, 'There', {
    env: { account: '111122223333', region: 'eu-central-1' },
  });
  const tags = { Name: 'shop' };
  newMigration(stack, {
    vpc: Vpc.fromLookup(stack, 'Network', { tags }),
    loadBalancer: ApplicationLoadBalancer.fromLookup(stack, 'LoadBalancer', { loadBalancerTags: tags }),
    listener: ApplicationListener.fromLookup(stack, 'Listener', { loadBalancerTags: tags }),
  });
  expect(twiceIn(Template.fromStack(stack).toJSON() as never)).toEqual([]);
});

test.each<[string, (stack: Stack) => unknown]>([
  ['a migration with nothing but what it must have', (stack) => newMigration(stack)],
  ['every part that can be asked for', createEverything],
  ['parts that are made one by one', (stack) => newCutover(stack, newParts(stack))],
  ['parts on an existing load balancer', (stack) => newCutover(stack, importedParts(stack))],
])('no two rules mean the same: %s', (_, create) => {
  const stack = newStack();
  create(stack);
  expect(twiceIn(Template.fromStack(stack).toJSON() as never)).toEqual([]);
});

/** Synthesizes two migrations that share what exists, in one stack or in two of one app. */
function both(
  first: Partial<MigrationProps>,
  second: Partial<MigrationProps>,
  { stacks = 1, more }: { readonly stacks?: number; readonly more?: (stack: Stack) => void } = {},
): () => void {
  const one = newStack();
  const two = stacks === 1 ? one : new Stack(one.node.root, 'Two');
  for (const stack of new Set([one, two])) networkIn(stack);
  const migrate = (stack: Stack, id: string, props: Partial<MigrationProps>) =>
    new Migration(stack, id, {
      certificate: certificateIn(stack),
      domainName: 'shop.example.com',
      source: { upstreamUrl: 'http://old.internal:8080' },
      target: { upstreamUrl: 'https://new.internal' },
      monitoring: false,
      loadBalancer: loadBalancerIn(stack, `LoadBalancer${id}`),
      listener: listenerIn(stack, `Listener${id}`),
      ...props,
    });
  migrate(one, 'A', first);
  migrate(two, 'B', second);
  more?.(two);
  return () => void Template.fromStack(one);
}

const OWN_PORTS = { smokeTests: { sourcePort: 9301, targetPort: 9302 } };

describe.each([1, 2])('two migrations on one load balancer, in %i stacks', (stacks) => {
  test('are rejected over the ports of their smoke tests, with the remedy', () => {
    const B = stacks === 1 ? 'Test/B' : 'Two/B';
    expect(both({}, { rulePriority: 7 }, { stacks })).toThrow(
      `'${B}/LoadBalancer/Source' must be another than 'Test/A/LoadBalancer/Source', got port 9201 of the load balancer ` +
        `${LOAD_BALANCER_ARN} in both: give each migration on one load balancer ports of its own: ` +
        `'smokeTests.sourcePort' and 'smokeTests.targetPort'`,
    );
  });

  test('are rejected over the priority of their rules, with the remedy', () => {
    expect(both({}, OWN_PORTS, { stacks })).toThrow(
      `got priority 1000 of the listener ${LISTENER_ARN} in both: give each migration on one listener a 'rulePriority' of its own`,
    );
  });

  test('are rejected over a peer that both let in', () => {
    const peers = (range: string) => ({ allowedPeers: [Peer.ipv4(range)] });
    const second = { ...OWN_PORTS, rulePriority: 7, ...peers('10.1.2.3/8') };
    expect(both(peers('10.0.0.0/8'), second, { stacks })).toThrow(
      `got ingress of tcp 443 in ${GROUP_ID} for 10.0.0.0/8 in both: import a security group once, and list each peer once`,
    );
  });

  test('are taken with ports and a priority of their own', () => {
    expect(both({}, { ...OWN_PORTS, rulePriority: 7 }, { stacks })).not.toThrow();
  });
});

test('a listener rule of the app that has the priority of the migration is rejected', () => {
  const more = (stack: Stack) =>
    void new CfnListenerRule(stack, 'Theirs', { listenerArn: LISTENER_ARN, priority: 7, actions: [], conditions: [] });
  expect(both({}, { ...OWN_PORTS, rulePriority: 7 }, { more })).toThrow(
    `'Test/Theirs' must be another than 'Test/B/LoadBalancer/WeightedRule', got priority 7 of the listener ${LISTENER_ARN}`,
  );
});

test('a web ACL for one load balancer twice is rejected', () => {
  const webAclArn = 'arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/shop/0123';
  expect(both({ webAclArn }, { ...OWN_PORTS, rulePriority: 7, webAclArn })).toThrow(
    "give 'webAclArn' to one migration",
  );
});

describe('rules of security groups that EC2 takes for the same', () => {
  const listRules = (write: (group: SecurityGroup, again: ISecurityGroup) => void) => () => {
    const stack = newStack();
    newMigration(stack, { vpc: networkIn(stack), monitoring: false });
    const vpc = stack.node.findChild('Network') as unknown as IVpc;
    const group = new SecurityGroup(stack, 'Group', { vpc });
    write(group, SecurityGroup.fromSecurityGroupId(stack, 'GroupAgain', group.securityGroupId));
    Template.fromStack(stack);
  };

  test.each<[string, (group: SecurityGroup, again: ISecurityGroup) => void]>([
    [
      'one in the list of its group, and one beside it',
      (group, again) => {
        group.addIngressRule(Peer.ipv4('10.0.0.0/8'), Port.tcp(8080), 'one');
        again.addIngressRule(Peer.ipv4('10.9.9.9/8'), Port.tcp(8080), 'other');
      },
    ],
    [
      'two spellings of an address of IPv6',
      (group, again) => {
        group.addIngressRule(Peer.ipv6('2001:db8::/32'), Port.tcp(8080));
        again.addIngressRule(Peer.ipv6('2001:db8:0::/32'), Port.tcp(8080));
      },
    ],
    [
      'two imports of one peer',
      (group) => {
        for (const id of ['One', 'Other']) {
          group.addIngressRule(SecurityGroup.fromSecurityGroupId(group, id, 'sg-0123456789abcdef7'), Port.tcp(8080));
        }
      },
    ],
  ])('%s', (_, write) => {
    expect(listRules(write)).toThrow(/must be another than .*got ingress of tcp 8080/);
  });

  test.each<[string, (group: SecurityGroup, again: ISecurityGroup) => void]>([
    [
      'other ports',
      (group, again) => {
        group.addIngressRule(Peer.ipv4('10.0.0.0/8'), Port.tcp(8080));
        again.addIngressRule(Peer.ipv4('10.0.0.0/8'), Port.tcp(8081));
      },
    ],
    [
      'one that a condition may leave out',
      (group, again) => {
        group.addIngressRule(Peer.ipv4('10.0.0.0/8'), Port.tcp(8080));
        const expression = Fn.conditionEquals('1', '2');
        const rule = new CfnSecurityGroupIngress(group, 'Sometimes', {
          groupId: again.securityGroupId,
          ipProtocol: 'tcp',
          fromPort: 8080,
          toPort: 8080,
          cidrIp: '10.0.0.0/8',
        });
        rule.cfnOptions.condition = new CfnCondition(group, 'Condition', { expression });
      },
    ],
  ])('are none: %s', (_, write) => {
    expect(listRules(write)).not.toThrow();
  });
});
