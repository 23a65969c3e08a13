import { App, Stack } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { ApplicationListener, ApplicationLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { HostedZone } from 'aws-cdk-lib/aws-route53';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import {
  CutoverPlan,
  SessionStore,
  Migration,
  MigrationCertificate,
  MigrationProps,
  NetworkFront,
  SelfSignedCertificate,
} from '../../lib';

type Lookup = (name: string) => string;

const ENV = { account: '111122223333', region: 'eu-central-1' };
const LONG = `/${'long/'.repeat(40)}`;

/** What a user may look up, and each way in which it comes into a migration. */
const LOOKED_UP: Record<string, (stack: Stack, find: Lookup) => Partial<MigrationProps>> = {
  'an upstream': (_, find) => ({ source: { upstreamUrl: find('/old/url') } }),
  'the host of an upstream': (_, find) => ({ target: { upstreamUrl: `https://${find('/new/host')}:8443/` } }),
  'the name that clients use': (_, find) => ({ domainName: find('/shop/name') }),
  'a certificate': (stack, find) => ({
    certificate: MigrationCertificate.fromArn(stack, 'Theirs', find('/certificate')),
  }),
  'a certificate in a zone': (stack, find) => ({
    certificate: MigrationCertificate.fromHostedZone(stack, 'Theirs', {
      hostedZone: HostedZone.fromLookup(stack, 'Zone', { domainName: 'example.com' }),
      domainName: find('/name'),
    }),
  }),
  'the name of a certificate that we sign': (stack, find) => ({
    certificate: new SelfSignedCertificate(stack, 'Own', { domainName: find(LONG) }).certificate,
  }),
  'a web ACL': (_, find) => ({ webAclArn: find('/web/acl') }),
  'hosts and paths': (_, find) => ({ hostHeaders: [find(LONG)], pathPatterns: [find(LONG)] }),
  'a path of the smoke requests': (_, find) => ({ plan: CutoverPlan.gradual({ smoke: [{ path: find('/health') }] }) }),
  'a session store': (stack, find) => ({
    sessionStore: SessionStore.fromSessionStoreAttributes(stack, 'Sessions', {
      host: find('/sessions/host'),
      securityGroups: [SecurityGroup.fromLookupByName(stack, 'SessionsGroup', 'sessions', findNetwork(stack))],
    }),
    vpc: findNetwork(stack),
  }),
  'a network, by an id that is looked up': (stack, find) => ({
    vpc: Vpc.fromLookup(stack, 'Network', { vpcId: find('/vpc/id') }),
  }),
  'a load balancer and its listener': (stack, find) => {
    const securityGroupId = find('/group');
    return {
      vpc: findNetwork(stack),
      loadBalancer: ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'LoadBalancer', {
        // Of its ARN the CDK itself asks that it is one.
        loadBalancerArn: `arn:aws:elasticloadbalancing:${ENV.region}:${ENV.account}:loadbalancer/app/shop/0123456789abcdef`,
        securityGroupId,
      }),
      listener: ApplicationListener.fromApplicationListenerAttributes(stack, 'Listener', {
        listenerArn: find('/listener'),
        securityGroup: SecurityGroup.fromSecurityGroupId(stack, 'Group', securityGroupId),
      }),
    };
  },
};

function findNetwork(stack: Stack) {
  const present = stack.node.tryFindChild('Network') as ReturnType<typeof Vpc.fromLookup> | undefined;
  return present ?? Vpc.fromLookup(stack, 'Network', { isDefault: true });
}

/** The first synthesis of an app that looks something up: the account has not been asked yet, and will be if it ends well. */
test.each(Object.entries(LOOKED_UP))('%s may be looked up', (_, findProps) => {
  const app = new App({ builtinCloudFormationValidation: false });
  const stack = new Stack(app, 'Test', { env: ENV });
  const props = findProps(stack, (name) => StringParameter.valueFromLookup(stack, name));
  const migration = new Migration(stack, 'Migration', {
    domainName: 'shop.example.com',
    source: { upstreamUrl: 'http://old.internal' },
    target: { upstreamUrl: 'http://new.internal' },
    monitoring: false,
    ...props,
    certificate:
      props.certificate ??
      Certificate.fromCertificateArn(stack, 'Certificate', `arn:aws:acm:${ENV.region}:${ENV.account}:certificate/1`),
  });
  if (!props.loadBalancer) new NetworkFront(stack, 'Front', { loadBalancer: migration.loadBalancer });
  const { missing } = app.synth().manifest;
  expect(missing?.length).toBeGreaterThan(0);
});
