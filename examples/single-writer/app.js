const { App, Duration, Stack, aws_certificatemanager: acm } = require('aws-cdk-lib');
const { CutoverPlan, Migration, PointOfNoReturn, SwitchHook } = require('drainshift');

const app = new App();
const stack = new Stack(app, 'Invoices');

new Migration(stack, 'Migration', {
  domainName: 'invoices.example.com',
  certificate: acm.Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:eu-west-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  ),
  source: { upstreamUrl: 'http://old.invoices.internal:8080' },
  target: { upstreamUrl: 'http://new.invoices.internal:8080' },
  plan: CutoverPlan.drainThenShift({
    // Both sides have the same database: going back loses nothing.
    pointOfNoReturn: PointOfNoReturn.SHARED,
    // The side that is left rejects writes before the other one serves, and the switch sees that it does.
    hook: SwitchHook.http({
      freeze: '/internal/freeze',
      thaw: '/internal/thaw',
      probeWrite: { path: '/internal/probe-write' },
    }),
    maxPause: Duration.seconds(2),
    bake: Duration.minutes(30),
  }),
});

app.synth();
