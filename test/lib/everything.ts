import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Function } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Key } from 'aws-cdk-lib/aws-kms';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import {
  CaptureStream,
  CutoverPlan,
  DrainProfile,
  Migration,
  MigrationCertificate,
  NetworkFront,
  PointOfNoReturn,
  ProxyCompute,
  ReplayService,
  SessionStore,
  CutoverHook,
  CutoverHookTime,
  SwitchHook,
  TrafficCapture,
  TrustedAuthorities,
} from '../../lib';

const folder = mkdtempSync(join(tmpdir(), 'drainshift-everything-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SWITCH_HOOK_ARN = 'arn:aws:lambda:eu-central-1:111122223333:function:freeze';

/** Those of the public: any will do. */
function authoritiesFile(): string {
  const file = join(folder, 'authorities.pem');
  writeFileSync(file, rootCertificates[0] ?? '');
  return file;
}

/** A migration with every part that can be asked for. */
export function createEverything(stack: Stack): Migration {
  const encryptionKey = new Key(stack, 'Key', { enableKeyRotation: true });
  const topic = new Topic(stack, 'Topic', { enforceSSL: true, masterKey: encryptionKey });
  const domainName = 'shop.example.com';
  const certificate = MigrationCertificate.selfSigned(stack, 'Certificate', { domainName, encryptionKey });
  const migration = new Migration(stack, 'Migration', {
    certificate,
    domainName,
    encryptionKey,
    source: {
      upstreamUrl: 'http://old.internal',
      compute: ProxyCompute.ec2(),
      drainProfile: DrainProfile.WEBSOCKET_HEAVY,
    },
    target: {
      upstreamUrl: 'https://new.internal',
      trustedAuthorities: new TrustedAuthorities(stack, 'Authorities', { file: authoritiesFile(), encryptionKey })
        .secret,
      compute: ProxyCompute.fargateSpot(),
      enableExecuteCommand: true,
    },
    redirectHttp: true,
    notificationTopic: topic,
    vpcEndpoints: true,
    readiness: {},
    schedule: { at: ScheduleExpression.at(new Date('2030-01-02T03:04:05Z')) },
    plan: CutoverPlan.drainThenShift({
      hook: SwitchHook.lambda(Function.fromFunctionArn(stack, 'SwitchHook', SWITCH_HOOK_ARN)),
      pointOfNoReturn: PointOfNoReturn.SHARED,
      hooks: [CutoverHook.http({ name: 'self-test', when: CutoverHookTime.AFTER_SHIFT, path: '/self-test' })],
      approval: { beforeFirstShift: true, timeout: Duration.hours(2) },
    }),
  });
  migration.adminSecret?.addRotation();
  new NetworkFront(stack, 'Front', { loadBalancer: migration.loadBalancer });
  const { vpc } = migration;
  const removalPolicy = RemovalPolicy.DESTROY;
  const sessions = new SessionStore(stack, 'Sessions', { vpc, removalPolicy, encryptionKey });
  sessions.connections.allowDefaultPortFrom(migration.source);
  const stream = new CaptureStream(stack, 'Stream', { vpc, removalPolicy });
  const replay = new ReplayService(stack, 'Replay', {
    ...{ cluster: migration.source.cluster, store: migration.loadBalancer.store, encryptionKey },
    ...{ toUrl: 'https://new.internal', replayName: 'to-target' },
    capture: TrafficCapture.toBucket(Bucket.fromBucketName(stack, 'Captures', 'captures')),
    secretHeaders: { Authorization: Secret.fromSecretNameV2(stack, 'Token', 'token') },
  });
  stream.grantRead(replay);
  migration.alarms?.watchReplay(replay);
  migration.dashboard?.addReplay(replay);
  return migration;
}
