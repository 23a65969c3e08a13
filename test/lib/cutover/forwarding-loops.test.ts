import { CfnParameter, Fn, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { ApplicationLoadBalancer, NetworkLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { checkForwardingLoops } from '../../../lib/cutover/forwarding-loops';
import { MigrationLoadBalancerProps } from '../../../lib/load-balancer/migration-load-balancer-props';
import { NetworkFront } from '../../../lib/load-balancer/network-front';
import { newLoadBalancer, newMigration, newStack } from '../fixture';
import { ProxyService } from '../../../lib';
import { newProxies } from '../proxy/proxy-fixture';

type Upstreams = ProxyService['_upstreams'];

/** The rule by itself: one load balancer, and any upstreams. */
function newRule(props: Partial<MigrationLoadBalancerProps> = {}) {
  const stack = newStack();
  const loadBalancer = newLoadBalancer(stack, props);
  const check = (source: Upstreams, domainName = 'shop.example.com') => {
    const sides = { source: { _upstreams: source }, target: { _upstreams: { upstreamUrl: 'http://new.internal' } } };
    checkForwardingLoops(stack, { loadBalancer, domainName, ...sides });
  };
  return { stack, loadBalancer, check, checkUrl: (upstreamUrl: string) => check({ upstreamUrl }) };
}

const rule = newRule({ hostHeaders: ['WWW.example.com', '*.tenants.example.com', 'api.example.com'] });
const { stack, loadBalancer } = rule;
const dnsName = loadBalancer.loadBalancer.loadBalancerDnsName;
const parameter = new CfnParameter(stack, 'Name').valueAsString;

test.each([
  ['the name of clients', 'http://shop.example.com', 'the name that clients use'],
  ['in another case, with a dot, a port and a slash', 'HTTPS://SHOP.Example.com.:8443/', 'the name that clients use'],
  ['with an escaped letter', 'http://sh%6Fp.example.com', 'the name that clients use'],
  ['a host of the rule', 'https://www.example.com', 'a host of the weighted rule'],
  ['another one', 'http://api.EXAMPLE.com:80', 'a host of the weighted rule'],
  ['the load balancer', `https://${dnsName}`, 'that of the load balancer'],
  ['its smoke port', `https://${dnsName}:9201/`, 'that of the load balancer'],
  ['a port that is known later', `https://${dnsName}:${parameter}`, 'that of the load balancer'],
  ['its alias', `https://dualstack.${dnsName}`, 'that of the load balancer'],
])('rejects an upstream that leads back: %s', (_, url, what) => {
  expect(() => rule.checkUrl(url)).toThrow(
    `'source.upstreamUrl' must be the backend's own address, not ${what} (a forwarding loop), got ${url}`,
  );
});

test('rejects the other upstream, and the one of the target, alike', () => {
  const url = 'https://shop.example.com';
  const upstreams = { upstreamUrl: 'http://old.internal', otherUpstreamUrl: url };
  expect(() => rule.check(upstreams)).toThrow(/^'source\.otherUpstreamUrl' must be/);
  const inner = newStack();
  expect(() => newMigration(inner, { target: { upstreamUrl: url } })).toThrow(
    /^'target\.upstreamUrl' must be the backend's/,
  );
});

test('proxies say all that they may send requests to', () => {
  const otherUpstreamUrl = 'http://new.internal';
  const upstreamUrl = 'http://old.internal:8080';
  expect(newProxies(newStack(), { otherUpstreamUrl })._upstreams).toEqual({ upstreamUrl, otherUpstreamUrl });
});

test('rejects a name that is known later where clients use the same', () => {
  expect(() => rule.check({ upstreamUrl: `http://${parameter}:8080` }, parameter)).toThrow(/the name that clients use/);
  const zone = new CfnParameter(stack, 'Zone').valueAsString;
  expect(() => rule.check({ upstreamUrl: `http://shop.${zone}` }, `shop.${zone}`)).toThrow(/the name that clients use/);
  expect(() => rule.check({ upstreamUrl: `http://old.${zone}` }, `shop.${zone}`)).not.toThrow();
});

test('rejects what stands in front of the load balancer', () => {
  const fronted = newRule();
  const front = new NetworkFront(fronted.stack, 'Front', {
    loadBalancer: fronted.loadBalancer,
    privateAddresses: ['10.0.128.4', '10.0.192.4'],
  });
  for (const host of [front.loadBalancer.loadBalancerDnsName, '10.0.192.4']) {
    expect(() => fronted.checkUrl(`http://${host}`)).toThrow(/that of the load balancer/);
  }
});

test('a load balancer of the same name in another stack is another one', () => {
  const old = new Stack(stack.node.root, 'Old');
  const twin = newLoadBalancer(old).loadBalancer.loadBalancerDnsName;
  expect(old.resolve(twin)).toEqual(stack.resolve(dnsName));
  expect(() => rule.checkUrl(`https://${twin}`)).not.toThrow();
});

test('rejects an existing load balancer by the name that it was imported with, and takes one without', () => {
  const existing = newStack();
  const vpc = new Vpc(existing, 'Network');
  const attributes = {
    loadBalancerArn: 'arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/shop/0123456789abcdef',
    securityGroupId: 'sg-0123456789abcdef0',
    vpc,
  };
  const imported = (id: string, loadBalancerDnsName?: string) =>
    ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(existing, id, { ...attributes, loadBalancerDnsName });
  const url = 'https://shop-1.eu-central-1.elb.amazonaws.com';
  const parts = { loadBalancer: imported('Named', 'Shop-1.eu-central-1.elb.amazonaws.com'), vpc };
  expect(() => newMigration(existing, { ...parts, source: { upstreamUrl: url } })).toThrow(/that of the load balancer/);
  expect(() =>
    newMigration(new Construct(existing, 'Other') as Stack, { ...parts, loadBalancer: imported('Unnamed') }),
  ).not.toThrow();
});

test.each([
  ['a name under that of clients', 'http://old.shop.example.com'],
  ['a name over it', 'http://example.com'],
  ['an address', 'http://10.0.0.1:8080'],
  ['an address of IPv6', 'http://[2001:db8::1]:8080'],
  [
    'another load balancer',
    `http://${new NetworkLoadBalancer(stack, 'Backend', { vpc: loadBalancer.vpc }).loadBalancerDnsName}`,
  ],
  ['a parameter', `http://${parameter}`],
  ['an import', `https://${Fn.importValue('old')}:8443`],
  ['a whole URL that is known later', parameter],
  ['what a lookup will say', 'http://dummy-value-for-/old'],
])('takes %s', (_, url) => {
  expect(() => rule.checkUrl(url)).not.toThrow();
});

test('a host that a pattern of the rule matches may be a backend of its own: it is a warning', () => {
  const warned = newRule({ hostHeaders: ['*.Tenants.example.com'] });
  warned.checkUrl('http://old.tenants.example.com');
  const found = Annotations.fromStack(warned.stack).findWarning('*', Match.stringLikeRegexp('forwarding loop'));
  expect(found).toHaveLength(1);
  const all = newRule({ hostHeaders: ['*'] });
  all.checkUrl('http://old.internal');
  expect(Annotations.fromStack(all.stack).findWarning('*', Match.stringLikeRegexp('forwarding loop'))).toEqual([]);
});
