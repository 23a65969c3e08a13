import { isIPv4, isIPv6 } from 'node:net';
import { CfnResource, Stack, Stage } from 'aws-cdk-lib';
import { CfnSecurityGroup, CfnSecurityGroupEgress, CfnSecurityGroupIngress } from 'aws-cdk-lib/aws-ec2';
import { CfnListener, CfnListenerRule } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { listProperties } from './rendered';

/**
 * What a resource takes that AWS gives away once: a port of a load balancer, a priority on a listener, a rule of a
 * security group. Values are as in the template.
 */
interface Taken {
  readonly what: string;
  readonly remedy: string;
}

type Properties = Readonly<Record<string, unknown>>;

/** The type of the custom resource that owns a weighted rule. */
export const WEIGHTED_RULE_TYPE = 'Custom::DrainshiftWeightedRule';

const PORT_REMEDY =
  "give each migration on one load balancer ports of its own: 'smokeTests.sourcePort' and 'smokeTests.targetPort'";
const PRIORITY_REMEDY = "give each migration on one listener a 'rulePriority' of its own";
const GROUP_REMEDY = 'import a security group once, and list each peer once';

const rulePriority = (properties: Properties): Taken[] => [
  {
    what: `priority ${String(properties.Priority)} of the listener ${show(properties.ListenerArn)}`,
    remedy: PRIORITY_REMEDY,
  },
];

/** The one table of what is given away once, by the type of who takes it. */
const TAKERS: Readonly<Record<string, (properties: Properties, logicalId: string) => Taken[]>> = {
  [CfnListener.CFN_RESOURCE_TYPE_NAME]: ({ LoadBalancerArn, Port }) => [
    { what: `port ${String(Port)} of the load balancer ${show(LoadBalancerArn)}`, remedy: PORT_REMEDY },
  ],
  [CfnListenerRule.CFN_RESOURCE_TYPE_NAME]: rulePriority,
  [WEIGHTED_RULE_TYPE]: rulePriority,
  [CfnWebACLAssociation.CFN_RESOURCE_TYPE_NAME]: ({ ResourceArn }) => [
    { what: `the web ACL of ${show(ResourceArn)}`, remedy: "give 'webAclArn' to one migration of a load balancer" },
  ],
  [CfnSecurityGroupIngress.CFN_RESOURCE_TYPE_NAME]: (rule) => [securityGroupRule('ingress', rule)],
  [CfnSecurityGroupEgress.CFN_RESOURCE_TYPE_NAME]: (rule) => [securityGroupRule('egress', rule)],
  [CfnSecurityGroup.CFN_RESOURCE_TYPE_NAME]: ({ SecurityGroupIngress, SecurityGroupEgress }, logicalId) => {
    const GroupId = { 'Fn::GetAtt': [logicalId, 'GroupId'] };
    return [
      ...findList(SecurityGroupIngress).map((rule) => securityGroupRule('ingress', { ...rule, GroupId })),
      ...findList(SecurityGroupEgress).map((rule) => securityGroupRule('egress', { ...rule, GroupId })),
    ];
  },
};

/**
 * Rejects at synth, in the whole app or stage, what AWS would reject at deployment because it is there already. Two stacks
 * that are deployed from different apps cannot be seen here.
 */
export function rejectTwice(scope: Construct): void {
  const stage = Stage.of(scope);
  if (!stage || watched.has(stage)) return;
  watched.add(stage);
  scope.node.addValidation({ validate: () => problemsIn(stage) });
}

const watched = new WeakSet<Stage>();

function problemsIn(stage: Stage): string[] {
  const first = new Map<string, CfnResource>();
  const problems: string[] = [];
  for (const resource of stage.node.findAll()) {
    if (!CfnResource.isCfnResource(resource) || Stage.of(resource) !== stage) continue;
    for (const { key, what, remedy } of takenBy(resource)) {
      const holder = first.get(key);
      if (holder)
        problems.push(
          `'${formatPath(resource)}' must be another than '${formatPath(holder)}', got ${what} in both: ${remedy}`,
        );
      else first.set(key, resource);
    }
  }
  return problems;
}

function takenBy(resource: CfnResource): (Taken & { readonly key: string })[] {
  const takes = TAKERS[resource.cfnResourceType];
  // Of two with conditions, one may be there where the other is not.
  if (!takes || resource.cfnOptions.condition) return [];
  const stack = Stack.of(resource);
  const logicalId = String(stack.resolve(resource.logicalId));
  // Of the rules in a group's own list the CDK leaves one; what is left there is compared with the others.
  return takes(listProperties(resource), logicalId).map((taken) => ({
    ...taken,
    key: `${findPlace(stack, taken.what)} ${taken.what}`,
  }));
}

/** Logical ids mean something in their own stack alone; ids and ARNs that are known in their account and region. */
function findPlace(stack: Stack, what: string): string {
  return /"(Ref|Fn::GetAtt)":/.test(what) ? stack.node.path : `${stack.account}/${stack.region}`;
}

/** Equal for rules that EC2 takes for the same one, whatever their descriptions are. */
function securityGroupRule(direction: string, rule: Properties): Taken {
  const protocol = findProtocol(rule.IpProtocol);
  // Without ports: EC2 does not look at them.
  const [from, to] = [show(rule.FromPort), show(rule.ToPort)];
  const ports = protocol === '-1' ? '' : from === to ? ` ${from}` : ` ${from}-${to}`;
  const peer = PEERS.filter((name) => rule[name] !== undefined).map((name) => show(findRange(rule[name])));
  return {
    what: `${direction} of ${protocol}${ports} in ${show(rule.GroupId)} for ${peer.join(' ')}`,
    remedy: GROUP_REMEDY,
  };
}

const PEERS = [
  'CidrIp',
  'CidrIpv6',
  'SourceSecurityGroupId',
  'SourcePrefixListId',
  'DestinationSecurityGroupId',
  'DestinationPrefixListId',
] as const;

const PROTOCOLS: Readonly<Record<string, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };

function findProtocol(value: unknown): string {
  const name = String(value).toLowerCase();
  return PROTOCOLS[name] ?? name;
}

/** EC2 clears the bits behind the prefix (10.0.0.5/8 is 10.0.0.0/8), and knows one spelling of IPv6. */
function findRange(value: unknown): unknown {
  const [address = '', bits] = String(value).split('/');
  if (isIPv6(address)) return `${new URL(`http://[${address}]`).hostname}/${bits ?? ''}`;
  if (!isIPv4(address)) return value;
  const bytes = address.split('.').map((byte, index) => {
    const free = 2 ** Math.min(8, Math.max(0, 8 * (index + 1) - Number(bits ?? 32)));
    return Math.floor(Number(byte) / free) * free;
  });
  return `${bytes.join('.')}/${bits ?? 32}`;
}

function findList(value: unknown): Properties[] {
  return Array.isArray(value) ? (value as Properties[]) : [];
}

function formatPath(resource: CfnResource): string {
  return resource.node.path.replace(/\/Resource(\/Default)?$/, '');
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? 'any');
}
