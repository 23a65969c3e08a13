import { Template } from '../../../rehearsal/template/assembly/template';
import { buildElb } from '../../../rehearsal/template/parts/load-balancer';
import { Resources } from '../../../rehearsal/template/resources/resources';
import { ElbModel } from '../../../rehearsal/load-balancer/model/model';
import { replaceActions } from '../../../rehearsal/load-balancer/model/rules';
import { ELB_MOVES, Moved } from '../../../rehearsal/redeploy/moves';

const ELB = 'AWS::ElasticLoadBalancingV2';
type Properties = Record<string, unknown>;

const weighted = (...weights: number[]) => [
  {
    Type: 'forward',
    ForwardConfig: {
      TargetGroups: weights.map((Weight, index) => ({ TargetGroupArn: { Ref: `Group${index}` }, Weight })),
    },
  },
];

function template(over: Record<string, Properties> = {}, without: readonly string[] = []): Template['Resources'] {
  const group = { TargetType: 'ip', Port: 8443, Protocol: 'HTTPS' };
  const properties: Record<string, [type: string, properties: Properties]> = {
    Balancer: ['LoadBalancer', { Scheme: 'internal' }],
    Listener: [
      'Listener',
      {
        LoadBalancerArn: { Ref: 'Balancer' },
        Port: 443,
        Protocol: 'HTTPS',
        Certificates: [{ CertificateArn: 'arn:first' }],
        DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '503' } }],
      },
    ],
    Group0: ['TargetGroup', group],
    Group1: ['TargetGroup', group],
    Rule: [
      'ListenerRule',
      {
        ListenerArn: { Ref: 'Listener' },
        Priority: 10,
        Conditions: [{ Field: 'path-pattern', Values: ['/*'] }],
        Actions: weighted(100, 0),
      },
    ],
  };
  const kept = Object.entries(properties).filter(([name]) => !without.includes(name));
  return Object.fromEntries(
    kept.map(([name, [type, own]]) => [name, { Type: `${ELB}::${type}`, Properties: { ...own, ...over[name] } }]),
  );
}

const listResources = (Resources_: Template['Resources']) =>
  new Resources({
    name: 'Shop',
    region: 'us-east-1',
    account: '123456789012',
    template: { Resources: Resources_ },
    files: new Map(),
    images: new Map(),
  });

/** Brings one resource of a standing load balancer from the plain template to a changed one. */
function move(live: ElbModel, name: string, next: Template['Resources'], before = template()): Moved | undefined {
  const [from, to] = [listResources(before), listResources(next)].map((resources) => resources.find(name));
  const type = (to ?? from)?.type ?? '';
  return ELB_MOVES[type]?.({ logicalId: name, type, from, to, live, wanted: buildElb(listResources(next)) });
}

const running = (of = template()) => buildElb(listResources(of));
const only = <T>(things: ReadonlyMap<string, T>): T => [...things.values()][0] as T;
const findRule = (live: ElbModel) => [...live.rules.values()].find(({ priority }) => priority !== 'default');
const findWeights = (live: ElbModel) =>
  findRule(live)?.actions.flatMap((action) =>
    action.type === 'forward' ? action.forward.targetGroups.map(({ weight }) => weight) : [],
  );

function shift(live: ElbModel, ...weights: number[]): void {
  const targetGroups = [...live.targetGroups.keys()].map((arn, index) => ({ arn, weight: weights[index] ?? 0 }));
  const stickiness = { enabled: false, durationSeconds: 0 };
  replaceActions(live, findRule(live)?.arn ?? '', [{ type: 'forward', forward: { targetGroups, stickiness } }]);
}

test("a plain rule that changed in anything is written whole: with the template's weights, whatever was shifted", () => {
  const live = running();
  shift(live, 10, 90);
  expect(move(live, 'Rule', template({ Rule: { Priority: 20 } }))).toBe('applied');
  expect([findRule(live)?.priority, findWeights(live)]).toEqual([20, [100, 0]]);
});

test('a change of its listener leaves a rule as it was shifted', () => {
  const live = running();
  shift(live, 10, 90);
  const next = template({ Listener: { Certificates: [{ CertificateArn: 'arn:second' }], SslPolicy: 'TLS13' } });
  expect(move(live, 'Listener', next)).toBe('applied');
  expect(only(live.listeners)).toMatchObject({ certificateArns: ['arn:second'], sslPolicy: 'TLS13' });
  expect(findWeights(live)).toEqual([10, 90]);
});

test('rules come and go', () => {
  const live = running();
  expect(move(live, 'Rule', template({}, ['Rule']))).toBe('applied');
  expect(findRule(live)).toBeUndefined();
  expect(move(live, 'Rule', template(), template({}, ['Rule']))).toBe('applied');
  expect(findWeights(live)).toEqual([100, 0]);
});

test('what the service rejects is thrown, and nothing of it is done', () => {
  const live = running();
  const sticky = { TargetGroupAttributes: [{ Key: 'stickiness.enabled', Value: 'true' }] };
  // The next template has no such rule any more, but the standing one is there until the end.
  const wanted = template({ Group0: sticky }, ['Rule']);
  expect(() => move(live, 'Group0', wanted)).toThrow(/You must enable group stickiness/);
  expect(only(live.targetGroups).attributes.size).toBe(0);
});

test('attributes and health checks of a target group are changed in place', () => {
  const live = running();
  const TargetGroupAttributes = [{ Key: 'deregistration_delay.timeout_seconds', Value: '60' }];
  expect(move(live, 'Group0', template({ Group0: { TargetGroupAttributes, HealthCheckPath: '/ok' } }))).toBe('applied');
  const group = only(live.targetGroups);
  expect(group.attributes.get('deregistration_delay.timeout_seconds')).toBe('60');
  expect(group.healthCheck.path).toBe('/ok');
});

test('attributes of the load balancer are, too', () => {
  const live = running();
  const LoadBalancerAttributes = [{ Key: 'routing.http.preserve_host_header.enabled', Value: 'true' }];
  expect(move(live, 'Balancer', template({ Balancer: { LoadBalancerAttributes } }))).toBe('applied');
  expect(only(live.loadBalancers).attributes.get('routing.http.preserve_host_header.enabled')).toBe('true');
});

test.each<[string, string, Properties]>([
  ['another name of a load balancer, which is another one', 'Balancer', { Name: 'other' }],
  ['another name of a target group, which is another one', 'Group0', { Name: 'other' }],
  ['mutual TLS', 'Listener', { MutualAuthentication: { Mode: 'verify' } }],
  ['other security groups', 'Balancer', { SecurityGroups: ['sg-2'] }],
  ['another port of a listener', 'Listener', { Port: 444 }],
  ['another port of a target group', 'Group0', { Port: 9000 }],
  ['another scheme', 'Balancer', { Scheme: 'internet-facing' }],
  [
    'another idle timeout',
    'Balancer',
    { LoadBalancerAttributes: [{ Key: 'idle_timeout.timeout_seconds', Value: '9' }] },
  ],
])('%s is asked to stay as it is', (_, name, over) => {
  expect(move(running(), name, template({ [name]: over }))).toBe('passedOver');
});
