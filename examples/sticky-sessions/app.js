const { App, Duration, Stack, aws_certificatemanager: acm } = require('aws-cdk-lib');
const { CutoverPlan, Migration, PointOfNoReturn } = require('drainshift');

const app = new App();
const stack = new Stack(app, 'StickySessions');

new Migration(stack, 'Migration', {
  domainName: 'sticky.example.com',
  certificate: acm.Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:eu-west-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  ),
  // Each is a load balancer in front of three replicas: backend.js.
  source: { upstreamUrl: 'http://old.sticky.internal:8080' },
  target: { upstreamUrl: 'http://new.sticky.internal:8080' },
  // All clients go at once: a request never comes to a side that its WebSocket has not come to, or is on its way to.
  plan: CutoverPlan.drainThenShift({
    // Both sides have the same Valkey, and nothing else that stays.
    pointOfNoReturn: PointOfNoReturn.SHARED,
    maxPause: Duration.seconds(2),
    bake: Duration.minutes(30),
  }),
});

app.synth();
