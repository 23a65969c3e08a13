import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { ApplicationListener, ApplicationLoadBalancer, ListenerAction } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { AdminSecret, Cutover, MigrationLoadBalancer, MigrationProps, MigrationSide, ProxyService } from '../../lib';
import { certificateIn, defaultMigration, newMigration, newStack, resourceLike, listResources } from './fixture';

const RULE = 'Custom::DrainshiftWeightedRule';
const GUARD = 'Custom::DrainshiftGuard';
const ELB = 'arn:aws:elasticloadbalancing:eu-central-1:111122223333';

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** What each resource of a template waits for, by logical id. */
function findGraph(template: Template): Graph {
  const { Resources } = template.toJSON() as {
    Resources: Record<string, { Properties?: unknown; DependsOn?: string[] }>;
  };
  const named = (value: unknown): string[] => {
    const names = [...JSON.stringify(value ?? {}).matchAll(/"(?:Ref|Fn::GetAtt)":\[?"(\w+)"/g)].map(([, name]) => name);
    return names.filter((name): name is string => name !== undefined && name in Resources);
  };
  return new Map(
    Object.entries(Resources).map(([id, { Properties, DependsOn = [] }]) => [
      id,
      new Set([...named(Properties), ...DependsOn]),
    ]),
  );
}

/** All that it waits for, itself only when there is a circle. */
function before(id: string, graph: Graph): Set<string> {
  const found = new Set<string>();
  const visit = (from: string) => {
    for (const next of graph.get(from) ?? []) {
      if (found.has(next)) continue;
      found.add(next);
      visit(next);
    }
  };
  visit(id);
  return found;
}

function withListener(stack: Stack): Partial<MigrationProps> {
  const vpc = new Vpc(stack, 'Network');
  const securityGroup = new SecurityGroup(stack, 'Front', { vpc });
  const loadBalancer = ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'Existing', {
    loadBalancerArn: `${ELB}:loadbalancer/app/shop/0123456789abcdef`,
    securityGroupId: securityGroup.securityGroupId,
    vpc,
  });
  const listener = ApplicationListener.fromApplicationListenerAttributes(stack, 'Listener', {
    listenerArn: `${ELB}:listener/app/shop/0123456789abcdef/fedcba9876543210`,
    securityGroup,
  });
  return { loadBalancer, listener };
}

function existing(): Template {
  const stack = newStack();
  newMigration(stack, withListener(stack));
  return Template.fromStack(stack);
}

describe.each<[string, () => Template]>([
  ['default', defaultMigration],
  ['imported listener', existing],
])('%s', (_, synth) => {
  const template = synth();
  const graph = findGraph(template);
  const [rule] = resourceLike(template, RULE, /./);
  const [guard] = resourceLike(template, GUARD, /./);
  const services = Object.keys(listResources(template, 'AWS::ECS::Service'));

  test('nothing waits for itself', () => {
    expect([...graph.keys()].filter((id) => before(id, graph).has(id))).toEqual([]);
  });

  test('the rule comes after both services, and goes before them', () => {
    expect(services).toHaveLength(2);
    for (const service of services) {
      expect([...before(rule, graph)]).toContain(service);
      expect([...before(service, graph)]).not.toContain(rule);
    }
  });

  test('whether their groups may be replaced is asked before the services are updated', () => {
    const [groups, { Properties: properties }] = resourceLike(template, 'Custom::DrainshiftGroupGuard', /./);
    for (const service of services) expect([...before(service, graph)]).toContain(groups);
    const { Properties: ofRule } = listResources(template, RULE)[rule]!;
    const { ListenerArn, SourceGroupArn, TargetGroupArn, StoreBucket } = ofRule;
    expect(properties).toMatchObject({ RuleName: rule, ListenerArn, SourceGroupArn, TargetGroupArn, StoreBucket });
  });

  test('the services wait for listeners that lead to their groups', () => {
    for (const service of services) {
      const { DependsOn } = listResources(template, 'AWS::ECS::Service')[service]!;
      expect(DependsOn).toContainEqual(expect.stringMatching(/LoadBalancer(Source|Target)[0-9A-F]{8}$/) as string);
    }
  });

  test('the guard goes before all that a cutover needs', () => {
    const after = before(guard, graph);
    const needed = ['AWS::StepFunctions::StateMachine', 'AWS::Lambda::Function', 'AWS::ECS::Service', RULE]
      .concat(['AWS::ElasticLoadBalancingV2::Listener', 'AWS::ElasticLoadBalancingV2::TargetGroup'])
      .concat(['AWS::CloudWatch::Alarm', 'AWS::IAM::Policy', 'AWS::Events::Rule']);
    const kept = needed.flatMap((type) => Object.keys(listResources(template, type))).filter((id) => !after.has(id));
    // What only tells people.
    expect(kept.filter((id) => !/Alarms|Dashboard/.test(id))).toEqual([]);
    expect([...graph.keys()].filter((id) => before(id, graph).has(guard))).toEqual([]);
  });
});

test('an existing listener gets the rule over healthy targets alone', () => {
  existing().hasResourceProperties(RULE, { RequiresTargets: true });
  defaultMigration().hasResourceProperties(RULE, { RequiresTargets: Match.absent() });
});

/** A listener of the very stack, which may have served for years before the migration came into it. */
function own(): Template {
  const stack = newStack();
  const { loadBalancer } = withListener(stack);
  const listener = new ApplicationListener(stack, 'Own', {
    loadBalancer: loadBalancer!,
    port: 443,
    certificates: [certificateIn(stack)],
    open: false,
    defaultAction: ListenerAction.fixedResponse(404),
  });
  newMigration(stack, { loadBalancer, listener });
  return Template.fromStack(stack);
}

describe.each<[string, () => Template]>([
  ['imported', existing],
  ['of the stack itself', own],
])('a listener that was there before, %s', (_, synth) => {
  const template = synth();
  const graph = findGraph(template);
  const [rule] = resourceLike(template, RULE, /./);
  const [proof, { Properties: properties }] = resourceLike(template, 'Custom::DrainshiftProof', /./);

  test('gets its rule after the proof, which comes after the proxies and their smoke-test listeners', () => {
    expect([...before(rule, graph)]).toContain(proof);
    const needed = [...before(proof, graph)];
    expect(needed).toEqual(expect.arrayContaining(Object.keys(listResources(template, 'AWS::ECS::Service'))));
    for (const side of ['Source', 'Target']) {
      expect(needed).toContainEqual(expect.stringMatching(new RegExp(`LoadBalancer${side}[0-9A-F]{8}$`)) as string);
    }
    expect([...graph.keys()].filter((id) => before(id, graph).has(id))).toEqual([]);
    expect(properties).toMatchObject({ Sides: ['source'], ServiceTimeout: '840' });
    template.hasResourceProperties(RULE, { RequiresTargets: true });
  });

  test('is proven with the plan, the minimum counts and the name of the migration', () => {
    const [, { Properties: proves }] = resourceLike(template, 'AWS::Lambda::Function', /AdoptionProof/);
    const { DRAINSHIFT_PROOF: order } = (proves.Environment as { Variables: Record<string, unknown> }).Variables;
    const text = JSON.stringify(order).replaceAll('\\', '');
    expect(text).toContain('"domainName":"shop.example.com","smoke":[{"path":"/","expectedStatus":200}]');
    expect(text).toContain('"minTasks":{"source":2,"target":2}');
    expect(proves).toMatchObject({ Timeout: 720, VpcConfig: expect.anything() as object });
  });
});

test('a listener of the migration itself needs no proof', () => {
  defaultMigration().resourceCountIs('Custom::DrainshiftProof', 0);
});

test('the guard is asked what the rule would be asked at its deletion', () => {
  const template = existing();
  const [rule, { Properties: ofRule }] = resourceLike(template, RULE, /./);
  const { ListenerArn, SourceGroupArn, TargetGroupArn, StoreBucket } = ofRule;
  const expected = { RuleName: rule, ListenerArn, SourceGroupArn, TargetGroupArn, StoreBucket };
  template.hasResourceProperties(GUARD, expected);
});

test('the guard asks the function of the rules, which may read the lock', () => {
  defaultMigration().hasResourceProperties(GUARD, {
    ServiceToken: { 'Fn::GetAtt': [Match.stringLikeRegexp('^DrainshiftWeightedRulesFunction'), 'Arn'] },
    StoreBucket: { Ref: Match.stringLikeRegexp('Store') },
  });
});

/** Front, proxies and cutover each in a stack of their own. */
function inStacks(parts: (stack: Stack) => object = () => ({})): Record<'front' | 'back' | 'top', Stack> {
  const app = new App({ builtinCloudFormationValidation: false });
  const [front, back, top] = ['Front', 'Proxies', 'Top'].map((id) => new Stack(app, id)) as [Stack, Stack, Stack];
  const certificate = certificateIn(front);
  const loadBalancer = new MigrationLoadBalancer(front, 'LoadBalancer', { certificate, ...parts(front) });
  const { vpc, sourceGroup, targetGroup } = loadBalancer;
  const { secret: adminSecret } = new AdminSecret(back, 'Secret');
  const options = { cluster: new Cluster(back, 'Cluster', { vpc }), adminSecret, upstreamUrl: 'http://shop.internal' };
  const { SOURCE, TARGET } = MigrationSide;
  const source = new ProxyService(back, 'Source', { ...options, side: SOURCE, targetGroup: sourceGroup });
  const target = new ProxyService(back, 'Target', { ...options, side: TARGET, targetGroup });
  const domainName = 'shop.example.com';
  new Cutover(top, 'Cutover', { vpc, loadBalancer, source, target, adminSecret, domainName });
  return { front, back, top };
}

test('load balancer, proxies and cutover may be in stacks of their own', () => {
  const { top } = inStacks();
  const opened = Object.values(listResources(Template.fromStack(top), 'AWS::EC2::SecurityGroupIngress'));
  const ports = opened.map(({ Properties }) => Properties.FromPort);
  expect(ports.sort()).toEqual([9201, 9202, 9901, 9901]);
});

test('proxies in another stack are rejected where the listener has traffic already', () => {
  expect(() => inStacks(withListener)).toThrow(
    "'loadBalancer' must be in the stack of its proxies where the listener is an existing one, got proxies in Proxies",
  );
});
