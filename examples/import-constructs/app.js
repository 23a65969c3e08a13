const { App, Duration, Stack, aws_certificatemanager: acm, aws_ec2: ec2 } = require('aws-cdk-lib');
const { CutoverPlan, Migration } = require('drainshift');

const app = new App();
const stack = new Stack(app, 'TicketShop');

new Migration(stack, 'Migration', {
  domainName: 'tickets.example.org',
  certificate: acm.Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:eu-west-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  ),
  source: { upstreamUrl: 'http://monolith.tickets.internal:8080', minTasks: 3 },
  target: { upstreamUrl: 'http://services.tickets.internal', maxTasks: 20 },
  allowedPeers: [ec2.Peer.ipv4('10.0.0.0/8')],
  sideStickiness: Duration.minutes(30),
  plan: CutoverPlan.gradual({
    stages: [
      { weights: { source: 80, target: 20 }, bake: Duration.minutes(10) },
      { weights: { source: 40, target: 60 }, bake: Duration.minutes(10) },
      { weights: { source: 0, target: 100 }, bake: Duration.minutes(15) },
    ],
    smoke: [{ path: '/', expectedStatus: 200 }],
    drain: { webSockets: Duration.minutes(2), streams: Duration.minutes(2) },
  }),
});

app.synth();
