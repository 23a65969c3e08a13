const { App, Duration, Stack, aws_certificatemanager: acm, aws_ec2: ec2 } = require('aws-cdk-lib');
const { aws_opensearchservice: opensearch, aws_sns: sns } = require('aws-cdk-lib');
const { CutoverPlan, Migration } = require('drainshift');

const app = new App();
const stack = new Stack(app, 'Search');

// Both domains are in this network; its security groups let the proxies in on :443.
const vpc = ec2.Vpc.fromVpcAttributes(stack, 'Network', {
  vpcId: 'vpc-0123456789abcdef0',
  availabilityZones: ['us-east-1a', 'us-east-1b'],
  privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
});
const domain = (id, endpoint) => opensearch.Domain.fromDomainEndpoint(stack, id, `https://${endpoint}`);
const source = domain('Source', 'vpc-logs-1-abcdefghijklmnopqrstuvwxyz.us-east-1.es.amazonaws.com');
const target = domain('Target', 'vpc-logs-2-zyxwvutsrqponmlkjihgfedcba.us-east-1.es.amazonaws.com');

new Migration(stack, 'Migration', {
  vpc,
  domainName: 'search.example.com',
  certificate: acm.Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:us-east-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  ),
  source: { upstreamUrl: `https://${source.domainEndpoint}`, minTasks: 3, maxTasks: 12 },
  target: { upstreamUrl: `https://${target.domainEndpoint}`, minTasks: 3, maxTasks: 12 },
  allowedPeers: [ec2.Peer.ipv4('10.0.0.0/8')],
  // A search ends within seconds: clients may change sides soon after each shift.
  sideStickiness: Duration.minutes(1),
  plan: CutoverPlan.gradual({
    poll: Duration.minutes(1),
    stages: [
      { weights: { source: 99, target: 1 }, bake: Duration.minutes(30) },
      { weights: { source: 50, target: 50 }, bake: Duration.hours(1) },
      { weights: { source: 0, target: 100 }, bake: Duration.hours(1) },
    ],
    // Without credentials: that a domain with fine-grained access control asks for them shows that it is there. One that is
    // open to its network answers 200.
    smoke: [{ path: '/_cluster/health', expectedStatus: 401 }],
    approval: { beforeFirstShift: true, beforeLastStage: true, timeout: Duration.hours(12) },
  }),
  // Who is asked to approve, and told of alarms.
  notificationTopic: sns.Topic.fromTopicArn(stack, 'Oncall', 'arn:aws:sns:us-east-1:444455556666:oncall'),
});

app.synth();
