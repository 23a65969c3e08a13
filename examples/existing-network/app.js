const { App, Stack, aws_ec2: ec2, aws_elasticloadbalancingv2: elbv2, aws_sns: sns } = require('aws-cdk-lib');
const { CutoverPlan, Migration, MigrationCertificate, SmokeRoute } = require('drainshift');

const app = new App();
const stack = new Stack(app, 'Booking');

// What exists: a network, and in it the load balancer with the listener that serves the application today. Your own app
// may look them up (`Vpc.fromLookup`, `ApplicationLoadBalancer.fromLookup`) once it knows its account and region. Import them
// into the stack of the migration, also where another stack of your app makes them. This load balancer has public addresses.
const vpc = ec2.Vpc.fromVpcAttributes(stack, 'Network', {
  vpcId: 'vpc-0123456789abcdef0',
  availabilityZones: ['eu-west-1a', 'eu-west-1b'],
  privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
});
const securityGroupId = 'sg-0123456789abcdef3';
const loadBalancer = elbv2.ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'LoadBalancer', {
  loadBalancerArn: 'arn:aws:elasticloadbalancing:eu-west-1:444455556666:loadbalancer/app/booking/0123456789abcdef',
  securityGroupId,
  vpc,
});
const listener = elbv2.ApplicationListener.fromApplicationListenerAttributes(stack, 'Listener', {
  listenerArn:
    'arn:aws:elasticloadbalancing:eu-west-1:444455556666:listener/app/booking/0123456789abcdef/fedcba9876543210',
  securityGroup: ec2.SecurityGroup.fromSecurityGroupId(stack, 'LoadBalancerGroup', securityGroupId),
});

new Migration(stack, 'Migration', {
  loadBalancer,
  listener,
  internetFacing: true,
  // Its smoke tests would come through NAT gateways that this app does not know: the cutover asks the proxies themselves.
  smokeRoute: SmokeRoute.TARGETS,
  domainName: 'booking.example.com',
  certificate: MigrationCertificate.fromArn(
    stack,
    'Certificate',
    'arn:aws:acm:eu-west-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  ),
  // Of all that the listener serves, this name alone moves; the rule must come before the one that serves it today.
  hostHeaders: ['booking.example.com'],
  rulePriority: 10,
  source: { upstreamUrl: 'http://booking.internal:8080' },
  target: { upstreamUrl: 'http://booking-next.internal:8080' },
  plan: CutoverPlan.gradual({ smoke: [{ path: '/health' }], approval: { beforeLastStage: true } }),
  // Who is asked to approve, and told of alarms.
  notificationTopic: sns.Topic.fromTopicArn(stack, 'Oncall', 'arn:aws:sns:eu-west-1:444455556666:oncall'),
});

app.synth();
