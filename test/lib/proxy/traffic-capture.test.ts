import { Duration, Size, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { BucketCaptureOptions, CaptureFailure, TrafficCapture } from '../../../lib/proxy/traffic-capture';
import { newStack } from '../fixture';
import { buildEnvironment, findContainer, newProxies } from './proxy-fixture';

/** The variables of the capture. */
function findSettings(template: Template): Record<string, unknown> {
  const all = Object.entries(buildEnvironment(template));
  return Object.fromEntries(all.filter(([name]) => name.startsWith('DRAINSHIFT_CAPTURE')));
}

function synthesize(build: (stack: Stack) => TrafficCapture): Template {
  const stack = newStack();
  newProxies(stack, { capture: build(stack) });
  return Template.fromStack(stack);
}

test('default: all is recorded below captured/, and the proxies may add objects there, and nothing else', () => {
  const template = synthesize((stack) =>
    TrafficCapture.toBucket(Bucket.fromBucketName(stack, 'Captured', 'my-bucket')),
  );
  expect(findSettings(template)).toEqual({ DRAINSHIFT_CAPTURE: 's3://my-bucket/captured' });
  const statements = JSON.stringify(template.findResources('AWS::IAM::Policy'));
  expect(statements.match(/s3:[A-Za-z*]+/g)).toEqual(['s3:PutObject']);
  expect(statements).toContain(':s3:::my-bucket/captured/*');
});

test('custom: each option is a setting, the key comes as a secret, and that of the bucket may encrypt', () => {
  const template = synthesize((stack) =>
    TrafficCapture.toBucket(new Bucket(stack, 'Captured', { encryptionKey: new Key(stack, 'Key') }), {
      prefix: 'shop/',
      onFailure: CaptureFailure.FORWARD,
      timeout: Duration.seconds(2),
      methods: ['POST', 'PUT'],
      paths: ['/api/*'],
      never: ['/api/private*', 'X-Test'],
      webSockets: true,
      sharePercent: 12.5,
      redact: ['authorization', '/card/number'],
      redactionKey: new Secret(stack, 'Hashes'),
      maxBodySize: Size.kibibytes(64),
    }),
  );
  expect(findSettings(template)).toMatchObject({
    DRAINSHIFT_CAPTURE_ON_FAILURE: 'forward',
    DRAINSHIFT_CAPTURE_TIMEOUT_SECONDS: '2',
    DRAINSHIFT_CAPTURE_METHODS: 'POST,PUT',
    DRAINSHIFT_CAPTURE_PATHS: '/api/*',
    DRAINSHIFT_CAPTURE_NEVER: '/api/private*,X-Test',
    DRAINSHIFT_CAPTURE_WEBSOCKETS: 'on',
    DRAINSHIFT_CAPTURE_SHARE: '12.5',
    DRAINSHIFT_CAPTURE_REDACT: 'authorization,/card/number',
    DRAINSHIFT_CAPTURE_BODY_BYTES: '65536',
  });
  const { Secrets } = findContainer(template);
  expect(JSON.stringify(Secrets)).toContain('DRAINSHIFT_CAPTURE_KEY');
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Action: 'kms:GenerateDataKey' })]) },
  });
});

test('an empty list hides nothing', () => {
  const template = synthesize((stack) => TrafficCapture.toBucket(new Bucket(stack, 'Captured'), { redact: [] }));
  expect(findSettings(template)).toMatchObject({ DRAINSHIFT_CAPTURE_REDACT: 'none' });
});

test.each<[BucketCaptureOptions, string]>([
  [{ prefix: 'a//b' }, "'prefix' must be"],
  [{ timeout: Duration.minutes(2) }, "'timeout' must be"],
  [{ methods: ['P OST'] }, "'methods[0]' must be methods"],
  [{ paths: ['/a', '/b,/c'] }, "'paths[1]' must be paths"],
  [{ never: ['a b'] }, "'never[0]' must be paths"],
  [{ redact: ['/a~2'] }, "'redact[0]' must be names of header fields"],
  [{ sharePercent: 101 }, "'sharePercent' must be a number from 0 to 100, got 101"],
  [{ maxBodySize: Size.gibibytes(2) }, "'maxBodySize' must be at most 1 GiB"],
])('%o: name, rule and value', (options, problem) => {
  const bucket = Bucket.fromBucketName(newStack(), 'Captured', 'my-bucket');
  expect(() => TrafficCapture.toBucket(bucket, options)).toThrow(problem);
});

test('a variable that the construct sets is not set beside it', () => {
  const stack = newStack();
  const capture = TrafficCapture.toBucket(new Bucket(stack, 'Captured'));
  const environment = { DRAINSHIFT_CAPTURE: 's3://other' };
  expect(() => newProxies(stack, { capture, environment })).toThrow(
    "'environment.DRAINSHIFT_CAPTURE' must be left to the construct",
  );
});
