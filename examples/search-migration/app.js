const { App, Duration, Stack, aws_certificatemanager: acm, aws_ec2: ec2 } = require('aws-cdk-lib');
const { aws_opensearchservice: opensearch, aws_s3: s3, aws_sns: sns } = require('aws-cdk-lib');
const { CaptureStream, CutoverPlan, MigrationSide } = require('drainshift');
const { Migration, NetworkFront, ReplayService, TrafficCapture } = require('drainshift');

const app = new App();
const stack = new Stack(app, 'Search');

// Both domains are in this network; its security groups let the proxies and the replay in on :443.
const vpc = ec2.Vpc.fromVpcAttributes(stack, 'Network', {
  vpcId: 'vpc-0123456789abcdef0',
  availabilityZones: ['us-east-1a', 'us-east-1b'],
  privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
});
const domain = (id, endpoint) => opensearch.Domain.fromDomainEndpoint(stack, id, `https://${endpoint}`);
const source = domain('Source', 'vpc-logs-1-abcdefghijklmnopqrstuvwxyz.us-east-1.es.amazonaws.com');
const target = domain('Target', 'vpc-logs-2-zyxwvutsrqponmlkjihgfedcba.us-east-1.es.amazonaws.com');

// What clients send to the source: in a bucket, or in Kafka with `--context capture=kafka`.
const capture = app.node.tryGetContext('capture') === 'kafka' ? captureToKafka() : captureToBucket();

function captureToKafka() {
  return TrafficCapture.toStream(new CaptureStream(stack, 'Stream', { vpc }));
}

function captureToBucket() {
  const captured = new s3.Bucket(stack, 'Captured', {
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    encryption: s3.BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    lifecycleRules: [{ expiration: Duration.days(30) }],
  });
  return TrafficCapture.toBucket(captured);
}

const clients = [ec2.Peer.ipv4('10.0.0.0/8')];

// :443 by weights, :9201 the source through its proxies, which record, and :9202 the target through its own.
const { alarms, cluster, dashboard, loadBalancer } = new Migration(stack, 'Migration', {
  vpc,
  domainName: 'search.example.com',
  certificate: acm.Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:us-east-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  ),
  source: {
    upstreamUrl: `https://${source.domainEndpoint}`,
    capture,
    minTasks: 3,
    maxTasks: 12,
  },
  target: { upstreamUrl: `https://${target.domainEndpoint}`, minTasks: 3, maxTasks: 12 },
  allowedPeers: clients,
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
    // No stage begins while a request that changes something has been forwarded without a record.
    capture: { maxUnrecorded: 0, maxPending: Duration.minutes(1) },
    approval: { beforeFirstShift: true, beforeLastStage: true, timeout: Duration.hours(12) },
  }),
  // Who is asked to approve, and told of alarms.
  notificationTopic: sns.Topic.fromTopicArn(stack, 'Oncall', 'arn:aws:sns:us-east-1:444455556666:oncall'),
});

// The addresses that clients know stay the same: TLS passes through to the load balancer.
new NetworkFront(stack, 'Front', { loadBalancer, allowedPeers: clients });

// The target gets what the source has served, from the moment of the snapshot on that was restored into it.
const replay = new ReplayService(stack, 'Replay', {
  cluster,
  capture,
  toUrl: `https://${target.domainEndpoint}`,
  store: loadBalancer.store,
  replayName: 'to-target',
  servedBy: MigrationSide.SOURCE,
  fromTime: '2026-11-30T17:00:00Z',
  key: '/{key}/_doc/*',
  // A capture has hashes in place of credentials.
  signFor: 'es/us-east-1',
});
target.grantReadWrite(replay);
alarms.watchReplay(replay);
dashboard.addReplay(replay);

app.synth();
