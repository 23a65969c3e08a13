const { App, Duration, Stack, Validations } = require('aws-cdk-lib');
const { aws_ec2: ec2, aws_ecs: ecs, aws_logs: logs, aws_route53: route53 } = require('aws-cdk-lib');
const { CutoverPlan, DrainProfile, Migration, MigrationCertificate, SessionStore } = require('drainshift');

const PORT = 3000;

const app = new App();
const stack = new Stack(app, 'Chat');
const vpc = new ec2.Vpc(stack, 'Network', { maxAzs: 2 });
vpc.addFlowLog('FlowLog');

// The old chat runs in a network that this one is to be connected with, by a peering or a transit gateway.
const oldNetwork = ec2.Peer.ipv4('10.20.0.0/16');

// Who is logged in, and which rooms they are in: the old chat and the new one read it from here, so that a client which
// has to reconnect goes on where it was, whichever side it comes to.
const sessions = new SessionStore(stack, 'Sessions', { vpc });
sessions.connections.allowDefaultPortFrom(oldNetwork, 'The old chat');

// The new chat. Its namespace answers for every name below it: the old chat must have another one.
const cluster = new ecs.Cluster(stack, 'Cluster', {
  vpc,
  containerInsightsV2: ecs.ContainerInsights.ENABLED,
  defaultCloudMapNamespace: { name: 'next.internal' },
});
const taskDefinition = new ecs.FargateTaskDefinition(stack, 'NewChat', { cpu: 1024, memoryLimitMiB: 2048 });
taskDefinition.addContainer('chat', {
  image: ecs.ContainerImage.fromRegistry('registry.example.com/chat:2.0.0'),
  portMappings: [{ containerPort: PORT }],
  secrets: {
    VALKEY_USER: ecs.Secret.fromSecretsManager(sessions.secret, 'username'),
    VALKEY_PASSWORD: ecs.Secret.fromSecretsManager(sessions.secret, 'password'),
  },
  command: ['node', 'chat.js', '--sessions', sessions.url],
  logging: ecs.LogDrivers.awsLogs({ streamPrefix: 'chat', logRetention: logs.RetentionDays.ONE_MONTH }),
});
const chat = new ecs.FargateService(stack, 'NewChatService', {
  cluster,
  taskDefinition,
  desiredCount: 2,
  minHealthyPercent: 100,
  circuitBreaker: { rollback: true },
  cloudMapOptions: { name: 'chat' },
});
sessions.connections.allowDefaultPortFrom(chat, 'Sessions');

const hostedZone = route53.HostedZone.fromHostedZoneAttributes(stack, 'Zone', {
  hostedZoneId: 'Z0123456789ABCDEFGHIJ',
  zoneName: 'example.com',
});

const migration = new Migration(stack, 'Migration', {
  vpc,
  cluster,
  domainName: 'chat.example.com',
  certificate: MigrationCertificate.fromHostedZone(stack, 'Certificate', {
    hostedZone,
    domainName: 'chat.example.com',
  }),
  sessionStore: sessions,
  source: { upstreamUrl: `http://chat.old.example.com:${PORT}`, drainProfile: DrainProfile.WEBSOCKET_HEAVY },
  target: { upstreamUrl: `http://chat.next.internal:${PORT}`, drainProfile: DrainProfile.WEBSOCKET_HEAVY },
  internetFacing: true,
  allowedPeers: [ec2.Peer.anyIpv4()],
  redirectHttp: true,
  idleTimeout: Duration.hours(1),
  plan: CutoverPlan.gradual({
    stages: [
      { weights: { source: 95, target: 5 }, bake: Duration.minutes(15) },
      { weights: { source: 50, target: 50 }, bake: Duration.minutes(30) },
      { weights: { source: 0, target: 100 }, bake: Duration.minutes(30) },
    ],
    // People finish what they are typing; then each proxy closes ten conversations a second, which come back to the new chat.
    drain: { webSockets: Duration.minutes(10), closeRatePerSecond: 10 },
  }),
});
chat.connections.allowFrom(migration.target, ec2.Port.tcp(PORT), 'The proxies of the new chat');

Validations.of(migration.loadBalancer).acknowledge({
  id: 'AwsSolutions-EC23',
  reason: 'The chat is public: everybody may connect to :443, and to :80, which redirects.',
});

app.synth();
