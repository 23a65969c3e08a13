import { Annotations, App, Duration, Stack } from 'aws-cdk-lib';
import type { IVpc } from 'aws-cdk-lib/aws-ec2';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { CaptureStream, CutoverPlan, Migration, MigrationCertificate, PointOfNoReturn, TrafficCapture } from '../lib';
import { createVpc } from '../lib/shared/migration-vpc';

/** The context `drainshift` of cdk.json. */
interface Settings {
  readonly domainName: string;
  readonly certificateArn: string;
  readonly sourceUrl: string;
  readonly targetUrl: string;
  readonly internetFacing: boolean;
}

/** Enough to synthesize and rehearse without an account; nothing here exists. */
const EXAMPLE: Settings = {
  domainName: 'shop.example.com',
  certificateArn: 'arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000',
  sourceUrl: 'http://source.example.com',
  targetUrl: 'http://target.example.com',
  internetFacing: false,
};

function readSettings(context: unknown): Settings {
  if (context === undefined) return EXAMPLE;
  if (typeof context !== 'object' || context === null || Array.isArray(context)) {
    throw new Error(`'context.drainshift' must be an object, got ${JSON.stringify(context)}`);
  }
  const expected: [string, unknown][] = Object.entries(EXAMPLE);
  for (const [name, value] of Object.entries(context as Record<string, unknown>)) {
    const example = expected.find(([known]) => known === name)?.[1];
    if (example === undefined) {
      throw new Error(
        `'context.drainshift' must have ${expected.map(([known]) => known).join(', ')} alone, got ${name}`,
      );
    }
    if (typeof value !== typeof example) {
      throw new Error(`'context.drainshift.${name}' must be a ${typeof example}, got ${JSON.stringify(value)}`);
    }
  }
  return { ...EXAMPLE, ...context };
}

/** The context `drainshift:strategy`: how the traffic moves, as `drainshift rehearse --strategy` names it. */
const PLANS: Readonly<Record<string, () => CutoverPlan>> = {
  gradual: () => CutoverPlan.gradual(),
  'drain-then-shift': () => CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED }),
};

function readPlan(strategy: unknown = 'gradual'): CutoverPlan {
  const plan = Object.entries(PLANS).find(([name]) => name === strategy)?.[1];
  if (plan) return plan();
  const names = Object.keys(PLANS).join(' or ');
  throw new Error(`'context.drainshift:strategy' must be ${names}, got ${JSON.stringify(strategy)}`);
}

const app = new App();
const settings = readSettings(app.node.tryGetContext('drainshift'));
const stack = new Stack(app, 'Drainshift', { description: 'Moves live traffic from a source to a target backend' });

interface Captured {
  readonly capture: TrafficCapture;
  /** The network of the brokers, which is that of the proxies. */
  readonly vpc?: IVpc;
}

/** The context `drainshift:capture`: where the source's proxies record their traffic, as `drainshift rehearse --capture` names it. */
const STORES: Readonly<Record<string, () => Captured>> = {
  s3: () => {
    const bucket = new Bucket(stack, 'Captured', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      lifecycleRules: [{ expiration: Duration.days(30) }],
    });
    return { capture: TrafficCapture.toBucket(bucket) };
  },
  kafka: () => {
    const vpc = createVpc(stack);
    return { vpc, capture: TrafficCapture.toStream(new CaptureStream(stack, 'Captured', { vpc })) };
  },
};

function createStore(name: unknown): Captured | undefined {
  if (name === undefined) return undefined;
  const create = Object.entries(STORES).find(([known]) => known === name)?.[1];
  if (create) return create();
  const names = Object.keys(STORES).join(' or ');
  throw new Error(`'context.drainshift:capture' must be ${names}, got ${JSON.stringify(name)}`);
}

const captured = createStore(app.node.tryGetContext('drainshift:capture'));
const plan = readPlan(app.node.tryGetContext('drainshift:strategy'));
new Migration(stack, 'Migration', {
  domainName: settings.domainName,
  certificate: MigrationCertificate.fromArn(stack, 'Certificate', settings.certificateArn),
  source: { upstreamUrl: settings.sourceUrl, ...(captured && { capture: captured.capture }) },
  // Behind a switch the proxies of both sides forward to one backend: what it serves is recorded by all of them.
  target: {
    upstreamUrl: settings.targetUrl,
    ...(captured && plan._switches && { capture: captured.capture }),
  },
  ...(captured?.vpc && { vpc: captured.vpc }),
  internetFacing: settings.internetFacing,
  plan,
});
const examples = (['domainName', 'certificateArn', 'sourceUrl', 'targetUrl'] as const).filter(
  (name) => settings[name] === EXAMPLE[name],
);
if (examples.length > 0) {
  Annotations.of(stack).addWarningV2(
    'drainshift:exampleSettings',
    `Set ${examples.join(', ')} in the context 'drainshift' of cdk.json before you deploy: they still have example values`,
  );
}
app.synth();
